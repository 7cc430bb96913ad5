//! Every limit and period of a real-time endpoint, with its default.

use std::time::Duration;

use parlor_stomp::{HeartBeat, Limits};

use crate::{broker::OutboxLimits, destination::Prefixes, websocket::WebSocketLimits};

/// The settings of a [`Realtime`](crate::Realtime). Every field has a safe default; set what differs.
///
/// ```
/// use std::time::Duration;
/// use parlor_core::Config;
///
/// let config = Config::default().connect_timeout(Duration::from_secs(5)).max_connections(500);
/// assert_eq!(config.max_subscriptions, 128);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Limits of STOMP frames, enforced while they are read.
    pub stomp: Limits,
    /// Limits of WebSocket frames and messages.
    pub websocket: WebSocketLimits,
    /// Bounds of what may wait for one client.
    pub outbox: OutboxLimits,
    /// What the server offers in heart-beats, default 10,000 ms each way. `0,0` switches them off.
    pub heart_beat: HeartBeat,
    /// From the upgrade to an accepted CONNECT, default 10 s.
    pub connect_timeout: Duration,
    /// Connections at a time, default 10,000 and at most 4,294,967,295; one more is refused with 503 before the upgrade.
    pub max_connections: usize,
    /// Subscriptions of one session, default 128.
    pub max_subscriptions: usize,
    /// Frames that were read and wait for a handler, default 64; then reading stops until one is done.
    pub max_inbox_frames: usize,
    /// Octets of frame bodies that were read and wait for a handler, default 256 KiB; one frame always may.
    pub max_inbox_bytes: usize,
    /// Streams of payloads that one session's handlers may have running, default 16; one more is refused with
    /// `too-many-streams`.
    pub max_streams: usize,
    /// How long one lifecycle listener may take for one event, default 5 s; what takes longer is cut off and logged.
    pub listener_timeout: Duration,
    /// How long a closing connection may take to deliver its farewell and hear the client's close, default 5 s.
    pub close_linger: Duration,
    /// How long frames that were read before the connection ended may still take, default 30 s.
    pub finish_timeout: Duration,
    /// Whether clients may subscribe to patterns (`/topic/rooms/*`), default no. Authorisation must allow every
    /// destination that the pattern can match.
    pub pattern_subscriptions: bool,
    /// The destination prefixes.
    pub prefixes: Prefixes,
    /// The `server` header of CONNECTED, default `parlor/<version>`.
    pub server_name: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            stomp: Limits::default(),
            websocket: WebSocketLimits::default(),
            outbox: OutboxLimits::default(),
            heart_beat: HeartBeat { can_send_ms: 10_000, wants_ms: 10_000 },
            connect_timeout: Duration::from_secs(10),
            max_connections: 10_000,
            max_subscriptions: 128,
            max_inbox_frames: 64,
            max_inbox_bytes: 256 * 1024,
            max_streams: 16,
            listener_timeout: Duration::from_secs(5),
            close_linger: Duration::from_secs(5),
            finish_timeout: Duration::from_secs(30),
            pattern_subscriptions: false,
            prefixes: Prefixes::default(),
            server_name: concat!("parlor/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty),* $(,)?) => {
        impl Config {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self#structfield.", stringify!($name), ").")]
                #[must_use]
                pub fn $name(mut self, $name: $type) -> Self {
                    self.$name = $name;
                    self
                }
            )*
        }
    };
}

setters! {
    stomp: Limits,
    websocket: WebSocketLimits,
    outbox: OutboxLimits,
    heart_beat: HeartBeat,
    connect_timeout: Duration,
    max_connections: usize,
    max_subscriptions: usize,
    max_inbox_frames: usize,
    max_inbox_bytes: usize,
    max_streams: usize,
    listener_timeout: Duration,
    close_linger: Duration,
    finish_timeout: Duration,
    pattern_subscriptions: bool,
    prefixes: Prefixes,
    server_name: String,
}
