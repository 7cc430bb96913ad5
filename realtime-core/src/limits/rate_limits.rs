//! How much a connection and a user may send in a time.

use crate::limits::Rate;

/// The burst of octets, as a multiple of the largest WebSocket message: its frames' headers, and another one behind it.
const LARGEST_MESSAGES_AT_ONCE: u64 = 2;

/// Legitimate heart-beats come once in a period; as many as this may come in it.
const BEATS_IN_A_PERIOD: u64 = 4;

/// Rates of what clients send. Whoever exceeds one gets ERROR with the code `rate-limited` and a `retry-after` in
/// milliseconds, and is closed with 1008. What was read before that is still answered.
///
/// Counted before anything is done with what has come: octets when they are read, units when they are decoded, frames
/// before they are looked at.
///
/// ```
/// use parlor_core::{Config, limits::{Rate, RateLimits}};
///
/// let rates = RateLimits::default().frames(Rate::per_second(10).burst(30)).user_frames(Rate::per_second(40).burst(120));
/// let config = Config::default().rates(rates);
/// # let _ = config;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimits {
    /// What carries nothing, of one connection: heart-beats (each EOL is one), pings, pongs, empty WebSocket messages and
    /// empty fragments. Default 100/s, burst 200. Protects the time of the processor from floods that other limits do not
    /// see.
    ///
    /// Raised to four for each heart-beat period that the server asks for ([`heart_beat`](crate::Config::heart_beat)) where
    /// that is more, so that heart-beats that were agreed on never exceed it.
    pub empty_units: Rate,
    /// STOMP frames of one connection, of any command. Default 50/s, burst 100. Protects handlers and the broker.
    pub frames: Rate,
    /// Octets of one connection, as they come from the transport. Default 1,048,576/s, burst 2,097,152. Protects the
    /// network and the time of the processor.
    ///
    /// The burst is raised to two of the largest WebSocket messages
    /// ([`max_message_bytes`](crate::websocket::WebSocketLimits::max_message_bytes)) where that is more.
    pub octets: Rate,
    /// In-band refreshes of one session (`/app/$refresh`), good ones and refused ones. Default 6/min, burst 6; one more is refused
    /// with `rate-limited` and the session goes on. Protects the time of the processor, and tokens from being guessed.
    pub refreshes: Rate,
    /// STOMP frames of one user over all of their connections to this node. Default 200/s, burst 400. Protects against many
    /// connections that each keep to [`frames`](Self::frames). Anonymous sessions are each a user of their own.
    pub user_frames: Rate,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            empty_units: Rate::per_second(100).burst(200),
            frames: Rate::per_second(50).burst(100),
            octets: Rate::per_second(1 << 20).burst(2 << 20),
            refreshes: Rate::per_minute(6).burst(6),
            user_frames: Rate::per_second(200).burst(400),
        }
    }
}

impl RateLimits {
    /// No rate is limited.
    #[must_use]
    pub const fn unlimited() -> Self {
        let no = Rate::unlimited();
        Self { empty_units: no, frames: no, octets: no, refreshes: no, user_frames: no }
    }

    /// Sets [`empty_units`](Self#structfield.empty_units).
    #[must_use]
    pub const fn empty_units(mut self, rate: Rate) -> Self {
        self.empty_units = rate;
        self
    }

    /// Sets [`frames`](Self#structfield.frames).
    #[must_use]
    pub const fn frames(mut self, rate: Rate) -> Self {
        self.frames = rate;
        self
    }

    /// Sets [`octets`](Self#structfield.octets).
    #[must_use]
    pub const fn octets(mut self, rate: Rate) -> Self {
        self.octets = rate;
        self
    }

    /// Sets [`refreshes`](Self#structfield.refreshes).
    #[must_use]
    pub const fn refreshes(mut self, rate: Rate) -> Self {
        self.refreshes = rate;
        self
    }

    /// Sets [`user_frames`](Self#structfield.user_frames).
    #[must_use]
    pub const fn user_frames(mut self, rate: Rate) -> Self {
        self.user_frames = rate;
        self
    }

    /// The rate of empty units beside beats that the client is asked for every so many milliseconds.
    pub(crate) fn empty_units_with_beats(&self, every_ms: u64) -> Rate {
        let beats = (BEATS_IN_A_PERIOD * 1000).checked_div(every_ms).unwrap_or(0);
        self.empty_units.at_least_per_second(beats)
    }

    /// The rate of octets beside messages of that size.
    pub(crate) fn octets_with_messages(&self, max_message_bytes: usize) -> Rate {
        let largest = u64::try_from(max_message_bytes).unwrap_or(u64::MAX);
        self.octets.with_room_for(largest.saturating_mul(LARGEST_MESSAGES_AT_ONCE))
    }
}
