//! Many frames at once: written in one call while nothing waits, and queued one by one otherwise.

use std::{io, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use crate::outbox::{Outbox, Overflow, Pushed, queue::Kind, state::State};

/// How long before the end of a token a time that is a little past is not good enough to judge by.
const CLOSE_TO_EXPIRY: Duration = Duration::from_secs(1);

/// Whole frames, one behind the other.
pub(crate) trait Batch {
    /// All of them.
    fn octets(&self) -> &[u8];

    /// How many there are; at least one.
    fn len(&self) -> usize;

    /// Where one of them ends in [`octets`](Self::octets).
    fn end_of(&self, frame: usize) -> usize;

    /// The subscription that a frame is for, as [`Outbox::push_for`] names it, and what may become of it.
    fn subscription_of(&self, frame: usize) -> (u64, Overflow);

    /// One frame alone, to be kept.
    fn wire(&mut self, frame: usize) -> Bytes;
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    /// Octets that are written or wait.
    pub(crate) octets: usize,
    /// Frames that the connection did not take as it is closing.
    pub(crate) refused: usize,
    /// Those, and the frames that their policy dropped.
    pub(crate) not_taken: Vec<usize>,
}

impl Delivered {
    fn refused(frames: usize) -> Self {
        Self { octets: 0, refused: frames, not_taken: (0..frames).collect() }
    }
}

impl Outbox {
    /// Sends all frames of `batch`, now or when their turn comes, as [`push_for`](Self::push_for) sends one. Only for who
    /// stands upstream. `now` may be a little in the past.
    pub(crate) fn deliver(&self, batch: &mut impl Batch, now: Instant) -> Delivered {
        let mut state = self.state.lock();
        if !state.takes_at(now) {
            return Delivered::refused(batch.len());
        }
        let written = if state.queue.is_empty() && !state.queue.misses_any() {
            match state.write_now(batch.octets(), now) {
                Ok(written) if written == batch.octets().len() => {
                    return Delivered { octets: written, ..Delivered::default() };
                }
                Ok(written) => Some(written),
                Err(()) => return Delivered::refused(batch.len()),
            }
        } else {
            None
        };
        self.queue_from(&mut state, batch, written)
    }

    /// Queues what is left of a batch: `written` octets were taken at once, where nothing waited.
    fn queue_from(&self, state: &mut State, batch: &mut impl Batch, written: Option<usize>) -> Delivered {
        let mut delivered = Delivered { octets: written.unwrap_or_default(), ..Delivered::default() };
        let written = written.unwrap_or_default();
        let mut start = 0;
        for frame in 0..batch.len() {
            let end = batch.end_of(frame);
            let begun = written.saturating_sub(start);
            start = end;
            if end <= written {
                continue;
            }
            let (subscription, overflow) = batch.subscription_of(frame);
            let kind = Kind::Subscription { key: subscription, overflow };
            let wire = batch.wire(frame);
            let octets = wire.len() - begun;
            let pushed = if !state.takes() {
                Pushed::Refused
            } else if state.queue.is_empty() {
                state.enqueue(wire, begun, kind);
                Pushed::Queued
            } else {
                state.queue_within(&self.limits, wire, kind)
            };
            match pushed {
                Pushed::Refused => {
                    delivered.refused += 1;
                    delivered.not_taken.push(frame);
                }
                Pushed::Dropped => delivered.not_taken.push(frame),
                Pushed::Queued | Pushed::Written => delivered.octets += octets,
            }
        }
        delivered
    }
}

impl State {
    /// As [`takes`](Self::takes), by a clock that was read a little while ago.
    fn takes_at(&mut self, now: Instant) -> bool {
        match self.expires {
            Some(expires) if expires < now + CLOSE_TO_EXPIRY => self.takes(),
            _ => self.is_open(),
        }
    }

    /// Writes what the socket takes right now, while nothing waits. An error is the end of the connection.
    fn write_now(&mut self, octets: &[u8], now: Instant) -> Result<usize, ()> {
        let Some(writer) = &mut self.writer else { return Err(()) };
        match writer.try_write(octets) {
            Ok(written) => {
                self.last_write = self.last_write.max(now);
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(_) => {
                self.fail();
                Err(())
            }
        }
    }
}
