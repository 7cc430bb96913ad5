//! What the overflow policies do at each bound, over a socket that takes as much as a test allows.

use std::time::Duration;

use super::{
    queue::MAX_UNSAID,
    tests::{Pipe, flush, stopped_as_slow, wire},
    *,
};

const ALL: usize = 1000;

/// Notes as text in front of a frame, so that a test can read what was written.
fn note(wire: &Bytes, name: &str, value: &str) -> Bytes {
    [b"[", name.as_bytes(), b":", value.as_bytes(), b"]", &wire[..]].concat().into()
}

/// An outbox whose socket has taken one octet of its first frame and takes no more.
fn blocked(limits: OutboxLimits) -> (Pipe, Outbox) {
    let pipe = Pipe::default();
    pipe.allow(1);
    let outbox = pipe.outbox(limits).annotate_with(note);
    assert_eq!(outbox.push(wire("H ")), Pushed::Queued);
    (pipe, outbox)
}

fn messages(count: usize) -> OutboxLimits {
    OutboxLimits::default().max_messages(count)
}

/// Everything that was written once the socket takes all.
fn all(pipe: &Pipe, outbox: &Outbox) -> String {
    pipe.allow(ALL);
    assert!(!matches!(flush(outbox), Poll::Ready(FlushEvent::Stopped(_) | FlushEvent::Failed(_))));
    assert_eq!(outbox.waiting_bytes(), 0);
    pipe.taken()
}

#[test]
fn the_oldest_of_the_same_subscription_makes_room_at_the_limit_and_the_next_says_how_many() {
    let (pipe, outbox) = blocked(messages(3));
    for text in ["1 ", "2 ", "3 ", "4 "] {
        assert_eq!(outbox.push_for(7, Overflow::DropOldest, wire(text)), Pushed::Queued);
    }
    assert_eq!(outbox.history().overflowed, 2);
    assert_eq!(all(&pipe, &outbox), "H [dropped:2]3 4 ");
}

#[test]
fn octets_are_kept_at_the_limit_and_the_oldest_is_dropped_one_beyond() {
    let (pipe, outbox) = blocked(OutboxLimits::default().max_bytes(4));
    outbox.push_for(7, Overflow::DropOldest, wire("1 "));
    outbox.push_for(7, Overflow::DropOldest, wire("2 "));
    assert_eq!(outbox.history().overflowed, 0);
    outbox.push_for(7, Overflow::DropOldest, wire("3"));
    assert_eq!(all(&pipe, &outbox), "H [dropped:1]2 3");
}

#[test]
fn what_others_may_lose_makes_room_when_a_subscription_has_nothing_of_its_own() {
    let (pipe, outbox) = blocked(messages(4));
    outbox.push_for(1, Overflow::Disconnect, wire("keep "));
    outbox.push_for(2, Overflow::LatestOnly, wire("cursor "));
    outbox.push_for(3, Overflow::DropOldest, wire("tick "));
    assert_eq!(outbox.push_for(4, Overflow::DropOldest, wire("new ")), Pushed::Queued);
    assert_eq!(all(&pipe, &outbox), "H keep tick new ");
    assert_eq!(outbox.push_for(2, Overflow::LatestOnly, wire("cursor")), Pushed::Queued);
    assert!(flush(&outbox).is_pending());
    assert!(pipe.taken().ends_with("[dropped:1]cursor"), "{}", pipe.taken());
}

#[test]
fn without_anything_to_drop_the_new_one_is_dropped_and_the_next_says_so() {
    for overflow in [Overflow::DropOldest, Overflow::LatestOnly] {
        let (pipe, outbox) = blocked(messages(2));
        outbox.push(wire("keep "));
        for _ in 0..3 {
            assert_eq!(outbox.push_for(7, overflow, wire("lost ")), Pushed::Dropped);
        }
        assert!(outbox.is_open());
        assert_eq!(all(&pipe, &outbox), "H keep ");
        outbox.push_for(7, overflow, wire("a "));
        outbox.push_for(7, Overflow::Disconnect, wire("b "));
        assert!(all(&pipe, &outbox).ends_with("[dropped:3]a b "), "{}", pipe.taken());
    }
}

#[test]
fn nothing_is_dropped_in_vain() {
    let (pipe, outbox) = blocked(OutboxLimits::default().max_bytes(8));
    outbox.push(wire("keep "));
    outbox.push_for(7, Overflow::LatestOnly, wire("1 "));
    assert_eq!(outbox.push_for(7, Overflow::LatestOnly, wire("too large")), Pushed::Dropped);
    assert_eq!(all(&pipe, &outbox), "H keep 1 ");
}

#[test]
fn a_frame_that_must_arrive_takes_the_room_of_those_that_need_not_and_then_ends_the_connection() {
    let (_, outbox) = blocked(messages(3));
    outbox.push_for(7, Overflow::DropOldest, wire("1 "));
    outbox.push_for(8, Overflow::LatestOnly, wire("2 "));
    assert_eq!(outbox.push(wire("a ")), Pushed::Queued);
    assert_eq!(outbox.push_for(9, Overflow::Disconnect, wire("b ")), Pushed::Queued);
    assert_eq!(outbox.history().overflowed, 2);
    assert_eq!(outbox.push(wire("c ")), Pushed::Refused);
    assert!(stopped_as_slow(&outbox));
}

#[test]
fn of_each_subscription_the_latest_waits_at_the_end_and_nothing_is_missing() {
    let (pipe, outbox) = blocked(OutboxLimits::default());
    outbox.push_for(7, Overflow::LatestOnly, wire("x1 "));
    outbox.push_for(8, Overflow::LatestOnly, wire("y1 "));
    outbox.push(wire("between "));
    outbox.push_for(7, Overflow::LatestOnly, wire("x2 "));
    let history = outbox.history();
    assert_eq!((history.superseded, history.overflowed), (1, 0));
    assert_eq!(all(&pipe, &outbox), "H y1 between x2 ");
}

#[test]
fn a_frame_that_has_begun_is_never_dropped() {
    for overflow in [Overflow::DropOldest, Overflow::LatestOnly] {
        let pipe = Pipe::default();
        pipe.allow(1);
        let outbox = pipe.outbox(messages(1)).annotate_with(note);
        assert_eq!(outbox.push_for(7, overflow, wire("begun ")), Pushed::Queued);
        assert_eq!(outbox.push_for(7, overflow, wire("new ")), Pushed::Dropped);
        assert_eq!(all(&pipe, &outbox), "begun ");
    }
}

#[test]
fn what_has_not_begun_says_all_that_was_dropped_until_it_begins() {
    let pipe = Pipe::default();
    let outbox = pipe.outbox(messages(1)).annotate_with(note);
    for text in ["1 ", "2 ", "3 "] {
        outbox.push_for(7, Overflow::DropOldest, wire(text));
        assert!(matches!(flush(&outbox), Poll::Pending | Poll::Ready(FlushEvent::Queued)));
    }
    pipe.allow(1);
    assert!(flush(&outbox).is_pending());
    assert_eq!(outbox.push_for(7, Overflow::DropOldest, wire("4 ")), Pushed::Dropped);
    assert_eq!(all(&pipe, &outbox), "[dropped:2]3 ");
    outbox.push_for(7, Overflow::DropOldest, wire("5 "));
    assert_eq!(all(&pipe, &outbox), "[dropped:2]3 [dropped:1]5 ");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_dropped_where_it_may_be_and_the_connection_goes_on() {
    let age = Duration::from_secs(10);
    let pipe = Pipe::default();
    let outbox = pipe.outbox(OutboxLimits::default().max_age(age)).annotate_with(note);
    outbox.push_for(7, Overflow::DropOldest, wire("old "));
    outbox.push_for(8, Overflow::LatestOnly, wire("old "));
    tokio::time::advance(age / 2).await;
    outbox.push_for(7, Overflow::DropOldest, wire("young "));
    let deadline = outbox.deadline().unwrap();
    outbox.check_age(deadline - Duration::from_millis(1));
    assert_eq!(outbox.history().overflowed, 0);
    outbox.check_age(deadline);
    assert_eq!((outbox.history().overflowed, outbox.is_open()), (2, true));
    assert_eq!(outbox.deadline(), Some(deadline + age / 2));
    outbox.push(wire("last "));
    assert_eq!(all(&pipe, &outbox), "[dropped:1]young last ");
}

#[tokio::test(start_paused = true)]
async fn one_that_must_arrive_or_has_begun_ends_the_connection_when_it_is_too_old() {
    let pipe = Pipe::default();
    let outbox = pipe.outbox(OutboxLimits::default());
    outbox.push_for(7, Overflow::DropOldest, wire("old "));
    outbox.push(wire("must arrive"));
    outbox.check_age(outbox.deadline().unwrap());
    assert!(stopped_as_slow(&outbox));

    pipe.allow(1);
    let outbox = pipe.outbox(OutboxLimits::default());
    outbox.push_for(7, Overflow::DropOldest, wire("begun "));
    outbox.check_age(outbox.deadline().unwrap());
    assert!(stopped_as_slow(&outbox));
}

#[test]
fn what_subscriptions_are_not_told_is_bounded_at_the_limit_and_not_one_beyond() {
    let (_, outbox) = blocked(messages(1));
    let limit = MAX_UNSAID as u64;
    for key in 0..limit {
        assert_eq!(outbox.push_for(key, Overflow::DropOldest, wire("lost")), Pushed::Dropped);
    }
    outbox.forget(0);
    assert_eq!(outbox.push_for(limit, Overflow::DropOldest, wire("lost")), Pushed::Dropped);
    assert_eq!(outbox.push_for(limit + 1, Overflow::DropOldest, wire("lost")), Pushed::Refused);
    assert!(stopped_as_slow(&outbox));
}

#[test]
fn what_waits_for_a_subscription_that_ended_goes_out_or_makes_room_unnoticed() {
    let (pipe, outbox) = blocked(messages(3));
    outbox.push_for(7, Overflow::DropOldest, wire("1 "));
    outbox.push_for(7, Overflow::DropOldest, wire("2 "));
    outbox.forget(7);
    outbox.push(wire("3 "));
    outbox.push_for(7, Overflow::DropOldest, wire("4 "));
    assert_eq!(all(&pipe, &outbox), "H 3 4 ");
}
