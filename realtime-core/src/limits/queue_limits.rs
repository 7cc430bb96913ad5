//! How much a queue keeps, and how often and how long it tries to deliver.

use std::time::Duration;

/// Bounds of one queue: of a destination of the queue prefix, or of one acknowledging subscription to a topic.
///
/// ```
/// use std::time::Duration;
/// use parlor_core::limits::QueueLimits;
///
/// let limits = QueueLimits::default().ack_timeout(Duration::from_secs(30)).max_attempts(3);
/// assert_eq!(limits.max_unacknowledged, 256);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLimits {
    /// How long a consumer may keep a message without ACK or NACK, default 5 min; then it is delivered again. Protects
    /// messages from consumers that hang.
    pub ack_timeout: Duration,
    /// Deliveries of one message, the first one included, default 5; a message that then comes back again is dead. 0 is as
    /// 1. Protects consumers from messages that nobody can handle.
    pub max_attempts: u32,
    /// Octets of the messages that wait and of those that are not acknowledged yet, default 4 MiB; one message more is
    /// refused. Protects memory while nobody listens.
    pub max_bytes: usize,
    /// Messages that wait and that are not acknowledged yet, default 4,096; one more is refused. Protects memory, as
    /// [`max_bytes`](Self::max_bytes) does, from messages without a body.
    pub max_messages: usize,
    /// Messages that one consumer may have without ACK or NACK, default 256; then it is given nothing more until it
    /// settles one. A smaller `prefetch-count` of the client counts instead, and 1 is the least.
    pub max_unacknowledged: usize,
    /// Octets of those messages, default 1 MiB: at the bound nothing more is given. The message that reaches it may go
    /// beyond it, so that a message of any size can be delivered.
    pub max_unacknowledged_bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            ack_timeout: Duration::from_secs(5 * 60),
            max_attempts: 5,
            max_bytes: 4 << 20,
            max_messages: 4096,
            max_unacknowledged: 256,
            max_unacknowledged_bytes: 1 << 20,
        }
    }
}

impl QueueLimits {
    /// Sets [`ack_timeout`](Self#structfield.ack_timeout).
    #[must_use]
    pub const fn ack_timeout(mut self, time: Duration) -> Self {
        self.ack_timeout = time;
        self
    }

    /// Sets [`max_attempts`](Self#structfield.max_attempts).
    #[must_use]
    pub const fn max_attempts(mut self, deliveries: u32) -> Self {
        self.max_attempts = deliveries;
        self
    }

    /// Sets [`max_bytes`](Self#structfield.max_bytes).
    #[must_use]
    pub const fn max_bytes(mut self, octets: usize) -> Self {
        self.max_bytes = octets;
        self
    }

    /// Sets [`max_messages`](Self#structfield.max_messages).
    #[must_use]
    pub const fn max_messages(mut self, messages: usize) -> Self {
        self.max_messages = messages;
        self
    }

    /// Sets [`max_unacknowledged`](Self#structfield.max_unacknowledged).
    #[must_use]
    pub const fn max_unacknowledged(mut self, messages: usize) -> Self {
        self.max_unacknowledged = messages;
        self
    }

    /// Sets [`max_unacknowledged_bytes`](Self#structfield.max_unacknowledged_bytes).
    #[must_use]
    pub const fn max_unacknowledged_bytes(mut self, octets: usize) -> Self {
        self.max_unacknowledged_bytes = octets;
        self
    }
}
