//! The rules of acknowledgement one by one, and each bound at its limit and one beyond.

use std::time::Duration;

use parlor_stomp::AckMode;
use tokio::time::Instant;

use super::*;
use crate::limits::QueueLimits;

/// A queue that holds messages 1 to `messages`, of 10 octets each.
fn queue(messages: u64, limits: QueueLimits) -> Queue<u64> {
    let mut queue = Queue::new(limits);
    for message in 1..=messages {
        queue.publish(message, 10).unwrap();
    }
    queue
}

/// Hands out all that can be, to anyone: pairs of consumer and message.
fn drain(queue: &mut Queue<u64>, now: Instant) -> Vec<(u64, u64)> {
    std::iter::from_fn(|| queue.next(now, |_| true)).map(|delivery| (delivery.consumer, delivery.message)).collect()
}

#[test]
fn ack_01_auto_is_consumed_once_handed_over() {
    let mut queue = queue(2, QueueLimits::default());
    queue.add(7, AckMode::Auto, 1);
    assert_eq!(drain(&mut queue, crate::clock::now()), [(7, 1), (7, 2)]);
    assert_eq!((queue.in_flight(), queue.bytes(), queue.next_deadline()), (0, 0, None));
    assert_eq!(queue.remove(7), Returned::default());
    assert_eq!(queue.waiting(), 0);
}

#[test]
fn ack_03_client_settles_all_earlier_ones_of_the_same_consumer_only() {
    let mut queue = queue(6, QueueLimits::default());
    queue.add(1, AckMode::Client, usize::MAX);
    queue.add(2, AckMode::Client, usize::MAX);
    drain(&mut queue, crate::clock::now());
    // Consumer 1 has 1, 3 and 5.
    assert_eq!(queue.ack(1, 2), Settled::Settled(2));
    assert_eq!((queue.in_flight_of(1), queue.in_flight_of(2)), (1, 3));
    assert_eq!(queue.ack(1, 1), Settled::AlreadySettled);
}

#[test]
fn ack_04_client_individual_settles_that_one_only() {
    let mut queue = queue(3, QueueLimits::default());
    queue.add(1, AckMode::ClientIndividual, usize::MAX);
    drain(&mut queue, crate::clock::now());
    assert_eq!(queue.ack(1, 2), Settled::Settled(1));
    assert_eq!(queue.in_flight(), 2);
}

#[test]
fn ack_06_what_was_never_given_is_told_from_what_is_settled_timed_out_or_taken_back() {
    let now = crate::clock::now();
    let mut queue = queue(2, QueueLimits::default());
    queue.add(1, AckMode::ClientIndividual, 1);
    assert_eq!(queue.ack(1, 1), Settled::NeverGiven);
    drain(&mut queue, now);
    for never in [0, 2] {
        assert_eq!(queue.ack(1, never), Settled::NeverGiven, "{never:?}");
    }
    assert_eq!(queue.ack(2, 1), Settled::NeverGiven);
    queue.expire(now + Duration::from_secs(300));
    assert_eq!(queue.ack(1, 1), Settled::AlreadySettled);
    assert_eq!(queue.nack(1, 1), (Settled::AlreadySettled, Returned::default()));
}

#[test]
fn ack_09_what_a_consumer_leaves_behind_is_before_all_later_ones_in_its_order() {
    let now = crate::clock::now();
    let mut queue = queue(4, QueueLimits::default());
    queue.add(1, AckMode::Client, 3);
    drain(&mut queue, now);
    assert_eq!(queue.remove(1), Returned { waiting: 3, dead: Vec::new() });
    queue.add(2, AckMode::Auto, 1);
    assert_eq!(drain(&mut queue, now), [(2, 1), (2, 2), (2, 3), (2, 4)]);
}

#[test]
fn nack_02_client_gives_back_all_earlier_ones_too_and_nack_01_individual_that_one_only() {
    for (mode, back) in [(AckMode::Client, 2), (AckMode::ClientIndividual, 1)] {
        let mut queue = queue(3, QueueLimits::default());
        queue.add(1, mode, usize::MAX);
        drain(&mut queue, crate::clock::now());
        let (settled, returned) = queue.nack(1, 2);
        assert_eq!((settled, returned.waiting), (Settled::Settled(back), back), "{mode:?}");
        assert_eq!(queue.waiting(), back);
    }
}

#[test]
fn rule_12_a_message_is_delivered_five_times_and_is_then_dead_however_it_came_back() {
    let limits = QueueLimits::default();
    for cause in [Cause::ConsumerGone, Cause::Nacked, Cause::TimedOut] {
        let mut now = crate::clock::now();
        let mut queue = queue(1, limits);
        for attempt in 1..=5 {
            queue.add(1, AckMode::Client, 1);
            let delivery = queue.next(now, |_| true).unwrap();
            assert_eq!((delivery.attempt, delivery.is_redelivered()), (attempt, attempt > 1));
            now += limits.ack_timeout;
            let returned = match cause {
                Cause::ConsumerGone => queue.remove(1),
                Cause::Nacked => queue.nack(1, attempt.into()).1,
                Cause::TimedOut => queue.expire(now),
            };
            let dead = Dead { sequence: 1, attempts: 5, consumer: 1, cause, message: 1 };
            let expected = if attempt < 5 {
                Returned { waiting: 1, dead: vec![] }
            } else {
                Returned { waiting: 0, dead: vec![dead] }
            };
            assert_eq!(returned, expected);
        }
        assert_eq!((queue.waiting(), queue.in_flight(), queue.bytes()), (0, 0, 0));
    }
}

#[test]
fn a_message_times_out_at_its_time_and_not_a_nanosecond_before() {
    let now = crate::clock::now();
    let mut queue = queue(2, QueueLimits::default().ack_timeout(Duration::from_secs(30)));
    queue.add(1, AckMode::Client, 2);
    queue.next(now, |_| true);
    queue.next(now + Duration::from_secs(1), |_| true);
    let due = now + Duration::from_secs(30);
    assert_eq!(queue.next_deadline(), Some(due));
    assert_eq!(queue.expire(due - Duration::from_nanos(1)).waiting, 0);
    assert_eq!(queue.expire(due).waiting, 1);
    assert_eq!(queue.next_deadline(), Some(due + Duration::from_secs(1)));
}

#[test]
fn messages_fit_at_the_bound_and_not_one_beyond_also_while_they_are_in_flight() {
    let now = crate::clock::now();
    let mut queue = queue(3, QueueLimits::default().max_messages(3));
    queue.add(1, AckMode::Client, usize::MAX);
    drain(&mut queue, now);
    assert_eq!(queue.publish(4, 0), Err(QueueFull::Messages(3)));
    queue.ack(1, 1);
    assert_eq!((queue.publish(4, 0), queue.publish(5, 0)), (Ok(4), Err(QueueFull::Messages(3))));
}

#[test]
fn octets_fit_at_the_bound_and_not_one_beyond_also_while_they_are_in_flight() {
    let now = crate::clock::now();
    let mut queue = queue(2, QueueLimits::default().max_bytes(25));
    queue.add(1, AckMode::ClientIndividual, usize::MAX);
    drain(&mut queue, now);
    assert_eq!(queue.publish(3, 6), Err(QueueFull::Bytes(25)));
    assert_eq!(queue.publish(3, 5), Ok(3));
    assert_eq!(queue.publish(4, usize::MAX), Err(QueueFull::Bytes(25)));
    queue.ack(1, 1);
    assert_eq!((queue.publish(4, 10), queue.publish(5, 1)), (Ok(4), Err(QueueFull::Bytes(25))));
}

#[test]
fn a_consumer_has_as_many_as_its_prefetch_and_never_more_than_the_limit() {
    for (prefetch, limit, expected) in [(2, 3, 2), (4, 3, 3), (usize::MAX, 3, 3), (0, 3, 1), (2, 0, 1)] {
        let mut queue = queue(5, QueueLimits::default().max_unacknowledged(limit));
        queue.add(1, AckMode::Client, prefetch);
        assert_eq!(drain(&mut queue, crate::clock::now()).len(), expected, "{prefetch} of {limit}");
    }
}

#[test]
fn by_default_delivery_pauses_at_256_unacknowledged_messages_and_goes_on_beside() {
    let now = crate::clock::now();
    let mut queue = queue(600, QueueLimits::default());
    queue.add(1, AckMode::ClientIndividual, usize::MAX);
    assert_eq!(drain(&mut queue, now).len(), 256);
    queue.add(2, AckMode::Auto, usize::MAX);
    assert_eq!(drain(&mut queue, now).len(), 344);
    queue.publish(601, 10).unwrap();
    assert_eq!(queue.ack(1, 256), Settled::Settled(1));
    assert_eq!(drain(&mut queue, now), [(1, 601)]);
}

#[test]
fn delivery_pauses_once_the_octets_of_a_consumer_reach_their_bound() {
    let now = crate::clock::now();
    for (bound, expected) in [(20, 2), (21, 3), (0, 1)] {
        let mut queue = queue(5, QueueLimits::default().max_unacknowledged_bytes(bound));
        queue.add(1, AckMode::Client, usize::MAX);
        assert_eq!(drain(&mut queue, now).len(), expected, "{bound}");
        queue.ack(1, u64::try_from(expected).unwrap());
        assert_eq!(queue.next(now, |_| true).map(|delivery| delivery.message), Some(expected as u64 + 1));
    }
}

#[test]
fn one_without_room_keeps_its_turn_and_nobody_is_asked_twice() {
    let now = crate::clock::now();
    let mut queue = queue(4, QueueLimits::default());
    for consumer in 1..=3 {
        queue.add(consumer, AckMode::Auto, 1);
    }
    let mut asked = Vec::new();
    let next = queue.next(now, |consumer| {
        asked.push(consumer);
        consumer == 2
    });
    assert_eq!((next.unwrap().consumer, asked), (2, vec![1, 2]));
    assert_eq!(queue.next(now, |_| false), None);
    assert_eq!(drain(&mut queue, now), [(1, 2), (3, 3), (2, 4)]);
}

#[test]
fn a_key_that_is_in_use_keeps_its_consumer() {
    let mut queue = queue(1, QueueLimits::default());
    assert!(queue.add(1, AckMode::Client, 1));
    drain(&mut queue, crate::clock::now());
    assert!(!queue.add(1, AckMode::Auto, 9));
    assert_eq!((queue.consumers(), queue.in_flight_of(1)), (1, 1));
}
