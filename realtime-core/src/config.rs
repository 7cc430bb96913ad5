//! Every limit and period of a real-time endpoint, with its default.

use std::time::Duration;

use parlor_stomp::{HeartBeat, Limits};

use crate::{
    broker::{HeldLimits, QueueSettings},
    destination::Prefixes,
    limits::{
        ConnectionLimits, QueueLimits, Rate, RateLimits, RepeatLimits, SocketRates, TransactionLimits, TrustedProxies,
    },
    outbox::OutboxLimits,
    websocket::WebSocketLimits,
};

/// The settings of a [`Realtime`](crate::Realtime). Every field has a safe default, the production profile; set what
/// differs. `docs/limits.md` has all of them in one table, with what each protects.
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
    profile: Profile,
    /// Limits of STOMP frames, enforced while they are read.
    pub stomp: Limits,
    /// Limits of WebSocket frames and messages.
    pub websocket: WebSocketLimits,
    /// Bounds of what may wait for one client.
    pub outbox: OutboxLimits,
    /// What the server offers in heart-beats, default 10,000 ms each way. `0,0` switches them off.
    pub heart_beat: HeartBeat,
    /// How much a connection and a user may send in a time.
    pub rates: RateLimits,
    /// Connections by user and by network address, and of who is not known by name.
    pub connections: ConnectionLimits,
    /// The proxies whose word about a client's address is believed, default none.
    pub trusted_proxies: TrustedProxies,
    /// How long the authenticator may take, default 10 s; then the handshake is refused with 503. Protects the room for
    /// handshakes from an identity store that does not answer.
    pub authenticate_timeout: Duration,
    /// From the upgrade to an accepted CONNECT, default 10 s.
    pub connect_timeout: Duration,
    /// From the first octet of a WebSocket message or STOMP frame to its last, default 10 s; then ERROR with the code
    /// `frame-timeout` and close with 1008. Time in which the server itself does not read does not count. Protects from
    /// clients that send an octet now and then.
    pub frame_timeout: Duration,
    /// Connections at a time, default 10,000 and at most 4,294,967,295; one more is refused with 503 before the upgrade.
    /// Where the limit of open files is known, 80 % of it, or all but 1,000 where that is more, is the most in any case.
    pub max_connections: usize,
    /// Subscriptions of one session, default 128.
    pub max_subscriptions: usize,
    /// Frames that were read and wait for a handler, default 64; then reading stops until one is done.
    pub max_inbox_frames: usize,
    /// Octets of frames, headers and bodies, that were read and wait for a handler, default 256 KiB; one frame always may.
    pub max_inbox_bytes: usize,
    /// Messages that a subscription holds back while its handler makes the reply that comes first, default 1,024; one more ends
    /// the connection with `slow-handler` (1013). While a subscription catches up from a history instead, what is beyond is read
    /// from there.
    pub max_held_messages: usize,
    /// Octets of those messages, and 256 for each, default 256 KiB; beyond, the same.
    pub max_held_bytes: usize,
    /// Streams of payloads that one session's handlers may have running, default 16; one more is refused with
    /// `too-many-streams`.
    pub max_streams: usize,
    /// Bounds of each queue: how much is stored while nobody listens, and how often and how long delivery is tried.
    pub queues: QueueLimits,
    /// Bounds of each subscription to a topic that acknowledges (`ack:client`, `ack:client-individual`), by default those of
    /// queues but for 1,024 messages and 1 MiB that may wait or be in flight; at the bound the connection ends as that of a
    /// slow consumer.
    pub acknowledgements: QueueLimits,
    /// Queues that have messages or consumers, default 10,000; beyond, sends and subscriptions are refused.
    pub max_queues: usize,
    /// Octets that all queues hold together, default 64 MiB; beyond, sends are refused with `queue-full`.
    pub max_queued_bytes: usize,
    /// Bounds of the open transactions of a connection.
    pub transactions: TransactionLimits,
    /// How many sends are remembered by their `message-key`, and for how long.
    pub repeats: RepeatLimits,
    /// Of how many users that left is remembered when they were here, default 10,000; the latest.
    pub max_last_seen: usize,
    /// How long one lifecycle listener may take for one event, default 5 s; what takes longer is cut off and logged.
    pub listener_timeout: Duration,
    /// Octets that the operating system may hold back for one client behind what the outbox holds (`SO_SNDBUF`, which Linux
    /// doubles for its own accounts), default 131,072; 0 leaves it to the system, which then holds up to some MiB. Protects the
    /// kernel's memory, and lets a client that does not read be noticed soon. Of WebSockets over TCP, and over
    /// the accept loop's TLS: there HTTP/2 connections have it from the beginning, as a WebSocket may come to share them.
    pub send_buffer_bytes: usize,
    /// How long a closing connection may take to deliver its farewell and hear the client's close, default 5 s.
    pub close_linger: Duration,
    /// How long frames that were read before the connection ended may still take, default 30 s.
    pub finish_timeout: Duration,
    /// How long before its token ends a client is told so, default 60 s: time to refresh, also for a person who is asked. Where
    /// less is left when it connects, it is told at once. 0 tells nobody.
    pub expiry_warning: Duration,
    /// After how long a silence an event stream sends a comment, default 15 s. Keeps proxies from taking the connection for
    /// dead, and finds clients that are gone.
    pub sse_heart_beat: Duration,
    /// How long the client of an event stream waits before it reconnects, default 3 s; it is told when the stream begins.
    /// Where the server stops it says a spread time instead.
    pub sse_retry: Duration,
    /// Whether clients may subscribe to patterns (`/topic/rooms/*`), default no. Authorisation must allow every
    /// destination that the pattern can match.
    pub pattern_subscriptions: bool,
    /// The destination prefixes.
    pub prefixes: Prefixes,
    /// The `server` header of CONNECTED, default `parlor/<version>`.
    pub server_name: String,
}

/// Which set of defaults a [`Config`] began with.
///
/// ```
/// use parlor_core::{Config, Profile};
///
/// assert_eq!(Config::default().profile(), Profile::Production);
/// assert_eq!(Config::development().profile(), Profile::Development);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "rule 26 knows these two")]
pub enum Profile {
    /// [`Config::development`].
    Development,
    /// [`Config::default`].
    #[default]
    Production,
}

impl Config {
    /// The settings for development and load tests on one machine: no caps by network address, on anonymous clients or on
    /// rates (rule 26). All else is as in production. Named in a line of the log when the endpoint is built.
    ///
    /// ```
    /// use parlor_core::Config;
    ///
    /// let config = Config::development();
    /// assert!(config.rates.frames.is_unlimited());
    /// assert_eq!(config.connections.max_per_user, Config::default().connections.max_per_user);
    /// ```
    #[must_use]
    pub fn development() -> Self {
        let connections = ConnectionLimits::default()
            .failed_handshakes(Rate::unlimited())
            .max_anonymous(usize::MAX)
            .max_per_address(usize::MAX)
            .max_event_streams_per_address(usize::MAX);
        Self { profile: Profile::Development, rates: RateLimits::unlimited(), connections, ..Self::default() }
    }

    /// How much each connection may send: as the rates say, and room for what the other settings promise.
    pub(crate) fn socket_rates(&self) -> SocketRates {
        SocketRates {
            octets: self.rates.octets_with_messages(self.websocket.max_message_bytes),
            empty_units: self.rates.empty_units_with_beats(self.heart_beat.wants_ms),
        }
    }

    /// Which defaults these settings began with.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }
}

impl Default for Config {
    fn default() -> Self {
        let (queues, held) = (QueueSettings::default(), HeldLimits::default());
        Self {
            profile: Profile::Production,
            stomp: Limits::default(),
            websocket: WebSocketLimits::default(),
            outbox: OutboxLimits::default(),
            heart_beat: HeartBeat { can_send_ms: 10_000, wants_ms: 10_000 },
            rates: RateLimits::default(),
            connections: ConnectionLimits::default(),
            trusted_proxies: TrustedProxies::default(),
            authenticate_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            frame_timeout: Duration::from_secs(10),
            max_connections: 10_000,
            max_subscriptions: 128,
            max_inbox_frames: 64,
            max_inbox_bytes: 256 * 1024,
            max_held_messages: held.max_messages,
            max_held_bytes: held.max_bytes,
            max_streams: 16,
            queues: queues.queues,
            acknowledgements: queues.acknowledgements,
            max_queues: queues.max_queues,
            max_queued_bytes: queues.max_bytes,
            transactions: TransactionLimits::default(),
            repeats: RepeatLimits::default(),
            max_last_seen: 10_000,
            listener_timeout: Duration::from_secs(5),
            send_buffer_bytes: 128 * 1024,
            close_linger: Duration::from_secs(5),
            finish_timeout: Duration::from_secs(30),
            expiry_warning: Duration::from_secs(60),
            sse_heart_beat: Duration::from_secs(15),
            sse_retry: Duration::from_secs(3),
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
    rates: RateLimits,
    connections: ConnectionLimits,
    trusted_proxies: TrustedProxies,
    authenticate_timeout: Duration,
    connect_timeout: Duration,
    frame_timeout: Duration,
    max_connections: usize,
    max_subscriptions: usize,
    max_inbox_frames: usize,
    max_inbox_bytes: usize,
    max_held_messages: usize,
    max_held_bytes: usize,
    max_streams: usize,
    queues: QueueLimits,
    acknowledgements: QueueLimits,
    max_queues: usize,
    max_queued_bytes: usize,
    transactions: TransactionLimits,
    repeats: RepeatLimits,
    max_last_seen: usize,
    listener_timeout: Duration,
    send_buffer_bytes: usize,
    close_linger: Duration,
    finish_timeout: Duration,
    expiry_warning: Duration,
    sse_heart_beat: Duration,
    sse_retry: Duration,
    pattern_subscriptions: bool,
    prefixes: Prefixes,
    server_name: String,
}
