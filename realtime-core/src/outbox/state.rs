//! What an outbox keeps under its lock: the writer, the queue, and how far the connection's end has come.

use std::{
    io,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    clock,
    closing::Closing,
    outbox::{
        Annotate, OutboxLimits, Overflow, Pushed, Writer,
        queue::{Kind, LazyQueue, Queue},
        upstream::Expected,
    },
};

/// In this order in memory: what each delivery looks at is together, as it lies cold where many are served one after another.
#[repr(C)]
pub(super) struct State {
    /// Gone once the connection has ended, so that handles that outlive it keep no socket open.
    pub(super) writer: Option<Writer>,
    /// When the client's token ends.
    pub(super) expires: Option<Instant>,
    pub(super) phase: Phase,
    pub(super) queue: LazyQueue,
    pub(super) last_write: Instant,
    /// What waits upstream.
    pub(super) expected: Expected,
    pub(super) driver: Option<Waker>,
    /// Those who wait for room.
    pub(super) waiting: Vec<Waker>,
    /// Asked to drain; the driver has not been told yet.
    pub(super) draining: Option<Box<Closing>>,
    /// The driver goes on with what it holds back once less than half of what may wait does.
    pub(super) awaits_half: bool,
    /// Somebody found no room, and keeps something for when there is.
    pub(super) holds_back: bool,
    /// A queue has begun and the driver does not know yet.
    pub(super) queue_begun: bool,
    /// The driver shall look at its timers.
    pub(super) roused: bool,
    pub(super) needs_flush: bool,
}

pub(super) enum Phase {
    Open,
    /// Asked to stop; the driver has not been told yet (`Some`) or has been (`None`).
    Stopped(Option<Box<Closing>>),
    Finishing,
    Failed,
}

impl State {
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            writer: Some(writer),
            queue: LazyQueue::default(),
            expected: Expected::default(),
            awaits_half: false,
            holds_back: false,
            phase: Phase::Open,
            driver: None,
            waiting: Vec::new(),
            queue_begun: false,
            roused: false,
            draining: None,
            expires: None,
            last_write: clock::now(),
            needs_flush: false,
        }
    }

    /// Whether anything but a farewell is taken.
    pub(super) fn takes(&mut self) -> bool {
        self.check_expiry();
        self.is_open()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether less than half of what may wait does, here or upstream.
    pub(super) fn is_half_empty(&self, limits: &OutboxLimits) -> bool {
        let Expected { messages, octets } = self.expected;
        if messages == 0 && self.queue.is_empty() {
            // The limits lie elsewhere.
            return true;
        }
        self.queue.waiting() + octets <= limits.max_bytes / 2 && self.queue.len() + messages <= limits.max_messages / 2
    }

    /// Whether so many messages of so many octets in all could be taken now, beside those that wait upstream.
    pub(super) fn has_room_for(&self, limits: &OutboxLimits, messages: usize, octets: usize) -> bool {
        let Expected { messages: before, octets: octets_before } = self.expected;
        self.queue.has_room_for(limits, messages + before, octets + octets_before)
    }

    /// Has the token's end happen once its time has come, whoever looks first.
    pub(super) fn check_expiry(&mut self) {
        if self.expires.is_none_or(|expires| clock::now() < expires) {
            return;
        }
        match self.phase {
            Phase::Open => self.give_up(Closing::token_expired()),
            // The end was under way: what waited in front of the farewell is late now.
            Phase::Finishing => self.of_queue(Queue::give_up_but_farewell),
            Phase::Stopped(_) => self.of_queue(Queue::give_up),
            Phase::Failed => {}
        }
    }

    /// Takes a frame while nothing waits.
    pub(super) fn write_or_queue(&mut self, wire: Bytes, kind: Kind) -> Pushed {
        let Some(writer) = &mut self.writer else { return Pushed::Refused };
        match writer.try_write(&wire) {
            Ok(written) if written == wire.len() => {
                self.last_write = clock::now();
                Pushed::Written
            }
            Ok(written) => {
                self.last_write = clock::now();
                self.enqueue(wire, written, kind);
                Pushed::Queued
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.enqueue(wire, 0, kind);
                Pushed::Queued
            }
            Err(_) => {
                self.fail();
                Pushed::Refused
            }
        }
    }

    /// Takes a frame behind others, as far as `limits` and its policy go.
    pub(super) fn queue_within(&mut self, limits: &OutboxLimits, wire: Bytes, kind: Kind) -> Pushed {
        let has_room = self.queue.make_room(limits, kind, wire.len());
        let pushed = match kind {
            _ if has_room => {
                // The driver knows of a queue: one that was emptied just now was not empty for it.
                self.queue.append(wire, 0, kind, clock::now());
                Pushed::Queued
            }
            Kind::Subscription { key, overflow: Overflow::DropOldest | Overflow::LatestOnly } => {
                self.queue.drop_new(key);
                Pushed::Dropped
            }
            _ => {
                self.give_up(Closing::slow_consumer());
                Pushed::Refused
            }
        };
        if self.queue.misses_too_many() {
            self.give_up(Closing::slow_consumer());
            return Pushed::Refused;
        }
        pushed
    }

    /// Appends a frame of which that much is written, and tells the driver where it is the first.
    pub(super) fn enqueue(&mut self, wire: Bytes, already_written: usize, kind: Kind) {
        let begins = self.queue.is_empty();
        self.queue.append(wire, already_written, kind, clock::now());
        if begins {
            self.queue_begun = true;
            self.wake();
        }
    }

    /// Appends the last frames and takes nothing more.
    pub(super) fn finish(&mut self, farewell: Vec<Bytes>) -> Pushed {
        if matches!(self.phase, Phase::Failed | Phase::Finishing) {
            return Pushed::Refused;
        }
        self.phase = Phase::Finishing;
        for wire in farewell {
            if !self.queue.is_empty() {
                self.enqueue(wire, 0, Kind::Farewell);
            } else if matches!(self.write_or_queue(wire, Kind::Farewell), Pushed::Refused) {
                return Pushed::Refused;
            }
        }
        self.wake();
        Pushed::Queued
    }

    /// Since when the first frame waits.
    pub(super) fn oldest_since(&self) -> Option<Instant> {
        self.queue.oldest_since(self.last_write)
    }

    pub(super) fn write_queue(&mut self, annotate: Annotate, cx: &mut Context<'_>) -> io::Result<()> {
        while !self.queue.is_empty() {
            let Some(writer) = &mut self.writer else { return Err(io::ErrorKind::BrokenPipe.into()) };
            let write = |slices: &[io::IoSlice<'_>]| writer.any().poll_write(cx, slices);
            let written = |answer: &Poll<io::Result<usize>>| match answer {
                Poll::Ready(Ok(written)) => *written,
                _ => 0,
            };
            match self.queue.write_with(annotate, write, written) {
                Some(Poll::Ready(Ok(0))) => return Err(io::ErrorKind::WriteZero.into()),
                Some(Poll::Ready(Ok(_))) => {
                    self.last_write = clock::now();
                    self.needs_flush = true;
                    self.made_room();
                }
                Some(Poll::Ready(Err(error))) => return Err(error),
                Some(Poll::Pending) | None => return Ok(()),
            }
        }
        if self.needs_flush
            && let Some(writer) = &mut self.writer
        {
            match writer.any().poll_flush(cx) {
                Poll::Ready(result) => {
                    self.needs_flush = false;
                    result?;
                }
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    /// Drops what has not begun to be written and asks the driver for the end.
    pub(super) fn give_up(&mut self, closing: Closing) {
        self.of_queue(Queue::give_up);
        self.phase = Phase::Stopped(Some(Box::new(closing)));
        self.wake();
    }

    pub(super) fn fail(&mut self) {
        self.phase = Phase::Failed;
        self.of_queue(Queue::clear);
        self.wake();
    }

    /// As [`Outbox::forget`](super::Outbox::forget).
    pub(super) fn forget(&mut self, subscription: u64) {
        self.of_queue(|queue| queue.forget(subscription));
    }

    /// Does something to the queue, which one in which nothing ever waited needs not.
    fn of_queue(&mut self, act: impl FnOnce(&mut Queue)) {
        if let Some(queue) = self.queue.used() {
            act(queue);
        }
    }

    /// Has those look again who wait for room.
    pub(super) fn made_room(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }

    pub(super) fn wake(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }
}
