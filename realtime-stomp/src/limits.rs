//! How much of a frame is accepted. Enforced while reading, before memory is spent.

/// Limits of frames. Each has a safe default.
///
/// ```
/// use parlor_stomp::Limits;
///
/// let limits = Limits::default().max_body_bytes(1024 * 1024);
/// assert_eq!(limits.max_headers, 32);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of a body, default 65,536. A body of exactly this size passes.
    pub max_body_bytes: usize,
    /// Octets of a whole frame, its NUL not counted, before CONNECT was accepted, default 8,192: strangers get less.
    pub max_connect_bytes: usize,
    /// Octets of command and header lines of one frame, line ends and the blank line included, default 8,192.
    pub max_head_bytes: usize,
    /// Octets of one header's name and value as sent (escapes count as two), default 1,024.
    pub max_header_bytes: usize,
    /// Headers of one frame, repeated ones included, default 32.
    pub max_headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 64 * 1024,
            max_connect_bytes: 8 * 1024,
            max_head_bytes: 8 * 1024,
            max_header_bytes: 1024,
            max_headers: 32,
        }
    }
}

impl Limits {
    /// No limit at all, for a client that trusts its server.
    #[must_use]
    pub fn unlimited() -> Self {
        Self {
            max_body_bytes: usize::MAX,
            max_connect_bytes: usize::MAX,
            max_head_bytes: usize::MAX,
            max_header_bytes: usize::MAX,
            max_headers: usize::MAX,
        }
    }

    /// Sets [`max_body_bytes`](Self#structfield.max_body_bytes).
    #[must_use]
    pub fn max_body_bytes(mut self, octets: usize) -> Self {
        self.max_body_bytes = octets;
        self
    }

    /// Sets [`max_connect_bytes`](Self#structfield.max_connect_bytes).
    #[must_use]
    pub fn max_connect_bytes(mut self, octets: usize) -> Self {
        self.max_connect_bytes = octets;
        self
    }

    /// Sets [`max_head_bytes`](Self#structfield.max_head_bytes).
    #[must_use]
    pub fn max_head_bytes(mut self, octets: usize) -> Self {
        self.max_head_bytes = octets;
        self
    }

    /// Sets [`max_header_bytes`](Self#structfield.max_header_bytes).
    #[must_use]
    pub fn max_header_bytes(mut self, octets: usize) -> Self {
        self.max_header_bytes = octets;
        self
    }

    /// Sets [`max_headers`](Self#structfield.max_headers).
    #[must_use]
    pub fn max_headers(mut self, headers: usize) -> Self {
        self.max_headers = headers;
        self
    }
}
