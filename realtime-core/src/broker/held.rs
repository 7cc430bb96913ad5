//! What a subscription may not see yet: its first reply, or what came before, is still on its way.

use std::sync::Arc;

use crate::{broker::stored::Stored, history::Position, outbox::Overflow};

/// How much one subscription may hold back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldLimits {
    /// Messages.
    pub(crate) max_messages: usize,
    /// Their octets, counted as [`Stored::octets`] says.
    pub(crate) max_bytes: usize,
}

impl Default for HeldLimits {
    fn default() -> Self {
        Self { max_messages: 1024, max_bytes: 256 * 1024 }
    }
}

/// Live messages that wait until a subscription goes live.
#[derive(Debug)]
pub(super) struct Held {
    limits: HeldLimits,
    messages: Vec<Waiting>,
    bytes: usize,
    /// What waits can be read from a history too: rather than ending the connection, it is forgotten at a bound and read.
    is_replaying: bool,
    /// It was forgotten.
    overflowed: bool,
}

/// A message, and what happens to it in the connection once it goes there.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) message: Arc<Stored>,
    pub(super) lane: u64,
    pub(super) overflow: Overflow,
}

/// There is no room for another message.
#[derive(Debug)]
pub(super) struct HeldFull;

impl Held {
    /// For a subscription that waits for its handler.
    pub(super) fn new(limits: HeldLimits) -> Self {
        Self { limits, messages: Vec::new(), bytes: 0, is_replaying: false, overflowed: false }
    }

    /// For a subscription that reads from a history what came before.
    pub(super) fn replaying(limits: HeldLimits) -> Self {
        Self { is_replaying: true, ..Self::new(limits) }
    }

    /// Holds back anew, from nothing.
    pub(super) fn restart(&mut self) {
        *self = Self::replaying(self.limits);
    }

    pub(super) fn push(&mut self, waiting: Waiting) -> Result<(), HeldFull> {
        if self.overflowed {
            return Ok(());
        }
        self.bytes += waiting.message.octets();
        if self.messages.len() < self.limits.max_messages && self.bytes <= self.limits.max_bytes {
            self.messages.push(waiting);
            return Ok(());
        }
        if !self.is_replaying {
            return Err(HeldFull);
        }
        *self = Self { overflowed: true, ..Self::replaying(self.limits) };
        Ok(())
    }

    /// Whether messages were forgotten.
    pub(super) fn has_forgotten(&self) -> bool {
        self.overflowed
    }

    /// What comes after `last` in the history.
    pub(super) fn after(&self, last: Position) -> Vec<Waiting> {
        let is_later = |waiting: &&Waiting| waiting.message.position().is_none_or(|position| !position.is_within(last));
        self.messages.iter().filter(is_later).cloned().collect()
    }

    pub(super) fn into_messages(self) -> Vec<Waiting> {
        self.messages
    }
}
