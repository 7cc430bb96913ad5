//! What a subscription may not see yet: its first reply, or what came before, is still on its way.

use std::sync::Arc;

use crate::broker::stored::Stored;

/// Octets that one subscription may hold back.
const MAX_BYTES: usize = 256 * 1024;

/// Messages that one subscription may hold back.
const MAX_MESSAGES: usize = 1024;

/// Live messages that wait until a subscription goes live.
#[derive(Debug, Default)]
pub(super) struct Held {
    messages: Vec<Arc<Stored>>,
    bytes: usize,
    /// What waits can be read from a history too: rather than ending the connection, it is forgotten at a bound and read.
    is_replaying: bool,
    /// It was forgotten.
    overflowed: bool,
}

/// There is no room for another message.
#[derive(Debug)]
pub(super) struct HeldFull;

impl Held {
    /// For a subscription that reads from a history what came before.
    pub(super) fn replaying() -> Self {
        Self { is_replaying: true, ..Self::default() }
    }

    pub(super) fn push(&mut self, message: Arc<Stored>) -> Result<(), HeldFull> {
        if self.overflowed {
            return Ok(());
        }
        self.bytes += message.octets();
        if self.messages.len() < MAX_MESSAGES && self.bytes <= MAX_BYTES {
            self.messages.push(message);
            return Ok(());
        }
        if !self.is_replaying {
            return Err(HeldFull);
        }
        *self = Self { is_replaying: true, overflowed: true, ..Self::default() };
        Ok(())
    }

    /// Holds back anew, from nothing, where something was forgotten or shall be: it is read from the history. False where
    /// nothing was.
    pub(super) fn begin_again(&mut self, forget: bool) -> bool {
        let again = self.overflowed || forget;
        if again {
            *self = Self::replaying();
        }
        again
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn into_messages(self) -> Vec<Arc<Stored>> {
        self.messages
    }
}
