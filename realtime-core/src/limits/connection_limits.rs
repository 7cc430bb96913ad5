//! How many connections there may be, by whom and from where.

use crate::limits::Rate;

/// Bounds of connections that are judged before the upgrade, beside
/// [`max_connections`](crate::Config::max_connections) in all.
///
/// Where the peer's address is not known (another accept loop than Parlor's that leaves none, a pipe in memory) bounds by
/// address do not apply.
///
/// ```
/// use parlor_core::{Config, limits::{ConnectionLimits, Rate}};
///
/// let connections = ConnectionLimits::default().max_per_user(8).failed_handshakes(Rate::per_minute(5));
/// let config = Config::default().connections(connections);
/// # let _ = config;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// Handshakes that the authenticator refused (401 or 403), by network address. Default 10/min, burst 10; then 429 with
    /// `Retry-After`, whatever the credentials. Protects passwords and tokens from being guessed. A refused Origin does not
    /// count: a page of somebody else's makes the browsers of innocent users send those.
    pub failed_handshakes: Rate,
    /// Connections of anonymous clients together with handshakes that are not authenticated yet. Default 1,000; one more is
    /// refused with 503. Protects the room of those who have logged in.
    pub max_anonymous: usize,
    /// Connections from one network address: an IPv4 address or a /64 of IPv6. Default 100; one more is refused with 429.
    /// Protects everyone else's room.
    pub max_per_address: usize,
    /// Event streams from one network address, which count as connections too. Default 64; one more is refused for now. Protects
    /// the room of WebSockets from pages that open streams without end; a school or an office behind one address has several.
    pub max_event_streams_per_address: usize,
    /// Event streams of one user, which count as connections too. Default 8; one more is refused for now. Protects from
    /// tabs and scripts that run away.
    pub max_event_streams_per_user: usize,
    /// Connections of one user. Default 32; one more is refused with 429. Protects from tabs and scripts that run away.
    pub max_per_user: usize,
    /// Network addresses, and users, without a connection whose failures or frames are still remembered. Default 10,000 of
    /// each; beyond it those are forgotten that have the least to be remembered for. Protects memory from clients that
    /// come from many addresses.
    pub max_remembered: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            failed_handshakes: Rate::per_minute(10),
            max_anonymous: 1000,
            max_per_address: 100,
            max_event_streams_per_address: 64,
            max_event_streams_per_user: 8,
            max_per_user: 32,
            max_remembered: 10_000,
        }
    }
}

impl ConnectionLimits {
    /// Sets [`failed_handshakes`](Self#structfield.failed_handshakes).
    #[must_use]
    pub const fn failed_handshakes(mut self, rate: Rate) -> Self {
        self.failed_handshakes = rate;
        self
    }

    /// Sets [`max_anonymous`](Self#structfield.max_anonymous).
    #[must_use]
    pub const fn max_anonymous(mut self, connections: usize) -> Self {
        self.max_anonymous = connections;
        self
    }

    /// Sets [`max_per_address`](Self#structfield.max_per_address).
    #[must_use]
    pub const fn max_per_address(mut self, connections: usize) -> Self {
        self.max_per_address = connections;
        self
    }

    /// Sets [`max_event_streams_per_address`](Self#structfield.max_event_streams_per_address).
    #[must_use]
    pub const fn max_event_streams_per_address(mut self, streams: usize) -> Self {
        self.max_event_streams_per_address = streams;
        self
    }

    /// Sets [`max_event_streams_per_user`](Self#structfield.max_event_streams_per_user).
    #[must_use]
    pub const fn max_event_streams_per_user(mut self, streams: usize) -> Self {
        self.max_event_streams_per_user = streams;
        self
    }

    /// Sets [`max_per_user`](Self#structfield.max_per_user).
    #[must_use]
    pub const fn max_per_user(mut self, connections: usize) -> Self {
        self.max_per_user = connections;
        self
    }

    /// Sets [`max_remembered`](Self#structfield.max_remembered).
    #[must_use]
    pub const fn max_remembered(mut self, parties: usize) -> Self {
        self.max_remembered = parties;
        self
    }
}
