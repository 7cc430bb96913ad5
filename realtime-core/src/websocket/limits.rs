//! How much of a WebSocket message is accepted.

/// Limits of WebSocket messages. Judged when a frame's header is read, before its payload arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketLimits {
    /// Octets of one message over all its fragments, default 73,729: the largest STOMP frame by default (64 KiB of body,
    /// 8 KiB of head, a NUL). A larger one is closed with 1009.
    pub max_message_bytes: usize,
    /// Fragments of one message, empty ones included, default 64. More are closed with 1008.
    pub max_fragments: usize,
}

impl Default for WebSocketLimits {
    fn default() -> Self {
        Self { max_message_bytes: 72 * 1024 + 1, max_fragments: 64 }
    }
}

impl WebSocketLimits {
    /// Sets [`max_message_bytes`](Self#structfield.max_message_bytes).
    #[must_use]
    pub fn max_message_bytes(mut self, octets: usize) -> Self {
        self.max_message_bytes = octets;
        self
    }

    /// Sets [`max_fragments`](Self#structfield.max_fragments).
    #[must_use]
    pub fn max_fragments(mut self, fragments: usize) -> Self {
        self.max_fragments = fragments;
        self
    }
}
