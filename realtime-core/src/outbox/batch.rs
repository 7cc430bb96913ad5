//! Many frames at once: written in one call while nothing waits, and queued one by one otherwise.

use std::{hint::black_box, io, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    clock,
    outbox::{Outbox, Overflow, Pushed, queue::Kind, state::State},
};

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

/// What became of a batch of which not all was written at once.
#[derive(Debug, Default)]
pub(crate) struct Partly {
    /// Octets that are written or wait.
    pub(crate) octets: usize,
    /// Frames that the connection did not take as it is closing.
    pub(crate) refused: usize,
    /// Those, and the frames that their policy dropped.
    pub(crate) not_taken: Vec<usize>,
}

/// The time of a run of [`Outbox::deliver`], read once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    now: Instant,
    /// A token that ends later has certainly not ended yet.
    soon: Instant,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let now = clock::now();
        Self { now, soon: now + CLOSE_TO_EXPIRY }
    }
}

impl Outbox {
    /// Sends all frames of `batch`, now or when their turn comes, as [`push_for`](Self::push_for) sends one. Only for who
    /// stands upstream. `moment` may be a little in the past.
    ///
    /// # Errors
    /// None where all was written at once: most of the time. Else what became of it.
    #[inline]
    pub(crate) fn deliver(&self, batch: &mut impl Batch, moment: Moment) -> Result<(), Box<Partly>> {
        let mut state = self.state.lock();
        if !state.takes_at(moment) {
            return Err(Partly::refused(batch.len()));
        }
        let written = if state.queue.is_untroubled() {
            match state.write_now(batch.octets(), moment.now) {
                Some(written) if written == batch.octets().len() => return Ok(()),
                Some(written) => Some(written),
                None => return Err(Partly::refused(batch.len())),
            }
        } else {
            None
        };
        Err(self.queue_from(&mut state, batch, written))
    }

    /// Has the first line of what [`deliver`](Self::deliver) looks at come from memory. Waits for nothing: called for several outboxes
    /// in a row, all of theirs come at once.
    #[inline]
    pub(crate) fn fetch(&self) {
        black_box(self.state.is_locked());
    }

    /// Queues what is left of a batch: `written` octets were taken at once, where nothing waited.
    #[cold]
    fn queue_from(&self, state: &mut State, batch: &mut impl Batch, written: Option<usize>) -> Box<Partly> {
        let written = written.unwrap_or_default();
        let mut partly = Box::new(Partly { octets: written, ..Partly::default() });
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
            let pushed = if begun > 0 {
                // Whatever happens: half a frame would be the end of all that follows.
                state.enqueue(wire, begun, kind);
                Pushed::Queued
            } else if !state.takes() {
                Pushed::Refused
            } else if state.queue.is_empty() {
                state.enqueue(wire, begun, kind);
                Pushed::Queued
            } else {
                state.queue_within(&self.limits, wire, kind)
            };
            match pushed {
                Pushed::Refused => {
                    partly.refused += 1;
                    partly.not_taken.push(frame);
                }
                Pushed::Dropped => partly.not_taken.push(frame),
                Pushed::Queued | Pushed::Written => partly.octets += octets,
            }
        }
        partly
    }
}

impl Partly {
    #[cold]
    fn refused(frames: usize) -> Box<Self> {
        Box::new(Self { octets: 0, refused: frames, not_taken: (0..frames).collect() })
    }
}

impl State {
    /// As [`takes`](Self::takes), by a clock that was read a little while ago.
    #[inline]
    fn takes_at(&mut self, moment: Moment) -> bool {
        match self.expires {
            Some(expires) if expires < moment.soon => self.takes(),
            _ => self.is_open(),
        }
    }

    /// Writes what the socket takes right now, while nothing waits; none where that is the end of the connection.
    #[inline]
    fn write_now(&mut self, octets: &[u8], now: Instant) -> Option<usize> {
        match self.writer.as_mut()?.try_write(octets) {
            Ok(written) => {
                self.last_write = now;
                Some(written)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(0),
            Err(_) => {
                self.fail();
                None
            }
        }
    }
}
