//! How much of a WebSocket message is accepted.

/// Limits of WebSocket messages. Judged when a frame's header is read, before its payload arrives.
///
/// ```
/// use parlor_core::{Config, websocket::WebSocketLimits};
///
/// let config = Config::default().websocket(WebSocketLimits::default().max_message_bytes(64 << 10));
/// # let _ = config;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketLimits {
    /// Octets of one message over all its fragments, default 1 MiB. A larger one is closed with 1009.
    ///
    /// A message may pack many STOMP frames, each of which has its own, smaller limit, and it is never stored as a whole: the
    /// bound is on how long a peer may stay inside one message.
    pub max_message_bytes: usize,
    /// Empty fragments of one message, default 64. More are closed with 1008.
    ///
    /// Only empty ones need a count: the others are bounded by their octets, and RFC 6455 section 5.4 lets a client cut where
    /// it likes, one octet each included.
    pub max_empty_fragments: usize,
}

impl Default for WebSocketLimits {
    fn default() -> Self {
        Self { max_message_bytes: 1024 * 1024, max_empty_fragments: 64 }
    }
}

impl WebSocketLimits {
    /// Sets [`max_message_bytes`](Self#structfield.max_message_bytes).
    #[must_use]
    pub fn max_message_bytes(mut self, octets: usize) -> Self {
        self.max_message_bytes = octets;
        self
    }

    /// Sets [`max_empty_fragments`](Self#structfield.max_empty_fragments).
    #[must_use]
    pub fn max_empty_fragments(mut self, fragments: usize) -> Self {
        self.max_empty_fragments = fragments;
        self
    }
}
