//! How much may wait for one client.

use std::time::Duration;

/// How much may wait in one connection's outbox.
///
/// ```
/// use std::time::Duration;
/// use parlor_core::{Config, broker::OutboxLimits};
///
/// let outbox = OutboxLimits::default().max_messages(256).max_bytes(64 << 10).max_age(Duration::from_secs(5));
/// let config = Config::default().outbox(outbox);
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxLimits {
    /// Octets that may wait behind the message that is being written, default 256 KiB. That one does not count, so that a
    /// message of any size can be sent to a client that reads.
    pub max_bytes: usize,
    /// Messages that may wait, default 1,024.
    pub max_messages: usize,
    /// How long the oldest message may wait without an octet of it being written, default 10 s.
    pub max_age: Duration,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self { max_bytes: 256 * 1024, max_messages: 1024, max_age: Duration::from_secs(10) }
    }
}

impl OutboxLimits {
    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, octets: usize) -> Self {
        self.max_bytes = octets;
        self
    }

    /// Sets [`max_messages`](Self::max_messages).
    #[must_use]
    pub fn max_messages(mut self, messages: usize) -> Self {
        self.max_messages = messages;
        self
    }

    /// Sets [`max_age`](Self::max_age).
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }
}
