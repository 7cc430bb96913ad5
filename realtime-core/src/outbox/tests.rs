//! The outbox over a socket that takes as much as a test allows.

use std::{
    io::IoSlice,
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
    task::{Wake, Waker},
    time::Duration,
};

use futures_util::task::noop_waker_ref;

use super::*;

/// A socket that takes as many octets as its allowance says.
#[derive(Clone, Default)]
pub(super) struct Pipe {
    allowance: Arc<AtomicUsize>,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Pipe {
    pub(super) fn outbox(&self, limits: OutboxLimits) -> Outbox {
        Outbox::new(Box::new(self.clone()), limits)
    }

    pub(super) fn allow(&self, octets: usize) {
        self.allowance.store(octets, Ordering::Relaxed);
    }

    pub(super) fn taken(&self) -> String {
        String::from_utf8(self.taken.lock().clone()).unwrap()
    }
}

impl WireWriter for Pipe {
    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let count = octets.len().min(self.allowance.load(Ordering::Relaxed));
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.allowance.fetch_sub(count, Ordering::Relaxed);
        self.taken.lock().extend_from_slice(&octets[..count]);
        Ok(count)
    }

    fn poll_write(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        match self.try_write(&all) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            other => Poll::Ready(other),
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Counts how often a driver is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(super) fn flush(outbox: &Outbox) -> Poll<FlushEvent> {
    outbox.poll_flush(&mut Context::from_waker(noop_waker_ref()))
}

pub(super) fn stopped_as_slow(outbox: &Outbox) -> bool {
    matches!(flush(outbox), Poll::Ready(FlushEvent::Stopped(closing)) if closing.code() == "slow-consumer")
}

pub(super) fn wire(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn an_idle_socket_is_written_to_directly() {
    let pipe = Pipe::default();
    pipe.allow(100);
    let outbox = pipe.outbox(OutboxLimits::default());
    assert_eq!(outbox.push(wire("one")), Pushed::Written);
    assert_eq!((pipe.taken().as_str(), outbox.waiting_bytes()), ("one", 0));
}

/// There may be hundred thousands of them.
#[test]
fn an_outbox_in_which_nothing_ever_waited_has_no_memory_for_a_queue() {
    let pipe = Pipe::default();
    pipe.allow(3);
    let outbox = pipe.outbox(OutboxLimits::default());
    outbox.push(wire("one"));
    outbox.forget(1);
    assert!(outbox.state.lock().queue.used().is_none());
    assert_eq!(outbox.push(wire("two")), Pushed::Queued);
    assert!(outbox.state.lock().queue.used().is_some());
    let unused = pipe.outbox(OutboxLimits::default());
    unused.stop(Closing::normal());
    unused.finish([]);
    unused.release();
    assert!(unused.state.lock().queue.used().is_none());
}

#[test]
fn who_finds_no_room_takes_up_again_once_there_is_some_and_once_only() {
    let pipe = Pipe::default();
    let outbox = pipe.outbox(OutboxLimits::default().max_bytes(6));
    assert!(outbox.offers_room() && !outbox.takes_up_again(), "nobody was refused");
    outbox.push(wire("half"));
    assert!(!outbox.offers_room() && !outbox.takes_up_again(), "there is no room yet");
    pipe.allow(1);
    assert!(flush(&outbox).is_ready() && flush(&outbox).is_pending());
    assert!(outbox.takes_up_again() && !outbox.takes_up_again());
    assert!(outbox.offers_room());
    outbox.stop(Closing::normal());
    assert!(!outbox.offers_room(), "nothing more is taken");
}

#[test]
fn who_finds_no_room_is_woken_once_there_is_some_also_where_it_was_gone_again_when_the_driver_looked() {
    let pipe = Pipe::default();
    pipe.allow(100);
    let outbox = pipe.outbox(OutboxLimits::default().max_bytes(6));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let frame = || Deferred::Push(wire("half"));
    outbox.expect(&frame());
    assert!(!outbox.offers_room());
    assert!(outbox.poll_flush(&mut Context::from_waker(&waker)).is_pending());
    outbox.perform_deferred(frame());
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    // Before the driver looks, something else is on its way.
    outbox.expect(&frame());
    assert!(outbox.poll_flush(&mut Context::from_waker(&waker)).is_pending());
    assert!(!outbox.takes_up_again());
    outbox.perform_deferred(frame());
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    assert!(outbox.takes_up_again());
}

/// Of thousands that are written to one after another, each line of memory is a wait.
#[test]
fn what_a_delivery_looks_at_is_together_in_memory() {
    let seen = std::mem::offset_of!(State, last_write) + size_of::<Instant>();
    assert!(seen <= 80, "{seen} octets where the message comes by a lane");
    assert_eq!(std::mem::offset_of!(Outbox, upstream), 0);
    let seen = std::mem::offset_of!(Outbox, state) + seen;
    assert!(seen <= 128, "{seen} octets where it does not");
}

#[test]
fn the_rest_of_a_partial_write_goes_first() {
    let pipe = Pipe::default();
    pipe.allow(2);
    let outbox = pipe.outbox(OutboxLimits::default());
    assert_eq!(outbox.push(wire("one")), Pushed::Queued);
    assert_eq!(outbox.push(wire("two")), Pushed::Queued);
    pipe.allow(100);
    assert!(flush(&outbox).is_pending());
    assert_eq!(pipe.taken(), "onetwo");
}

#[test]
fn octets_are_bounded_at_the_limit_and_not_one_beyond() {
    let pipe = Pipe::default();
    let outbox = pipe.outbox(OutboxLimits::default().max_bytes(4));
    assert_eq!(outbox.push(wire("a head of any length")), Pushed::Queued);
    assert_eq!(outbox.push(wire("four")), Pushed::Queued);
    assert_eq!(outbox.push(wire("5")), Pushed::Refused);
    assert!(stopped_as_slow(&outbox));
}

#[test]
fn messages_are_bounded_at_the_limit_and_not_one_beyond() {
    let pipe = Pipe::default();
    let outbox = pipe.outbox(OutboxLimits::default().max_messages(2));
    assert_eq!(outbox.push(wire("1")), Pushed::Queued);
    assert_eq!(outbox.push(wire("2")), Pushed::Queued);
    assert_eq!(outbox.push(wire("3")), Pushed::Refused);
    assert!(stopped_as_slow(&outbox));
}

#[tokio::test(start_paused = true)]
async fn age_is_bounded() {
    let pipe = Pipe::default();
    let outbox = pipe.outbox(OutboxLimits::default().max_age(Duration::from_secs(10)));
    outbox.push(wire("old"));
    let deadline = outbox.deadline().unwrap();
    outbox.check_age(deadline - Duration::from_millis(1));
    assert!(outbox.is_open());
    outbox.check_age(deadline);
    assert!(stopped_as_slow(&outbox));
}

#[tokio::test(start_paused = true)]
async fn a_large_message_to_a_reader_that_goes_on_reading_is_not_too_old() {
    let pipe = Pipe::default();
    pipe.allow(1);
    let outbox = pipe.outbox(OutboxLimits::default().max_age(Duration::from_secs(10)));
    outbox.push(wire("a large message"));
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(8)).await;
        pipe.allow(1);
        assert!(matches!(flush(&outbox), Poll::Pending | Poll::Ready(FlushEvent::Queued)));
        outbox.check_age(clock::now());
        assert!(outbox.is_open());
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    outbox.check_age(clock::now());
    assert!(stopped_as_slow(&outbox), "and one that has stopped is");
}

#[test]
fn a_frame_that_has_begun_is_finished_before_the_farewell() {
    let pipe = Pipe::default();
    pipe.allow(2);
    let outbox = pipe.outbox(OutboxLimits::default().max_messages(2));
    outbox.push(wire("begun "));
    outbox.push(wire("dropped "));
    outbox.push(wire("refused "));
    assert!(stopped_as_slow(&outbox));
    outbox.finish([wire("farewell")]);
    pipe.allow(100);
    assert!(matches!(flush(&outbox), Poll::Ready(FlushEvent::Drained)));
    assert_eq!(pipe.taken(), "begun farewell");
    assert_eq!(outbox.push(wire("late")), Pushed::Refused);
}

#[test]
fn a_stop_writes_what_was_queued_before_it() {
    let pipe = Pipe::default();
    let outbox = pipe.outbox(OutboxLimits::default());
    outbox.push(wire("queued "));
    outbox.stop(Closing::token_expired());
    assert!(matches!(flush(&outbox), Poll::Ready(FlushEvent::Stopped(_))));
    outbox.finish([wire("farewell")]);
    pipe.allow(100);
    assert!(matches!(flush(&outbox), Poll::Ready(FlushEvent::Drained)));
    assert_eq!(pipe.taken(), "queued farewell");
}

#[test]
fn a_flood_of_pings_costs_one_pong() {
    let pipe = Pipe::default();
    let outbox = pipe.outbox(OutboxLimits::default());
    outbox.push(wire("blocked "));
    for _ in 0..10_000 {
        outbox.push_pong(wire("pong"));
    }
    assert_eq!(outbox.waiting_bytes(), "blocked pong".len());
}

#[test]
fn of_many_pings_of_a_blocked_socket_the_latest_is_answered() {
    let pipe = Pipe::default();
    let outbox = pipe.outbox(OutboxLimits::default());
    for payload in ["one ", "two ", "three"] {
        outbox.push_pong(wire(payload));
    }
    pipe.allow(100);
    assert!(flush(&outbox).is_pending());
    assert_eq!(pipe.taken(), "three");
}

#[test]
fn a_broken_socket_fails_the_outbox() {
    struct Broken;
    impl WireWriter for Broken {
        fn try_write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
        fn poll_write(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }
        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    let outbox = Outbox::new(Box::new(Broken), OutboxLimits::default());
    assert_eq!(outbox.push(wire("lost")), Pushed::Refused);
    assert!(matches!(flush(&outbox), Poll::Ready(FlushEvent::Failed(_))));
}
