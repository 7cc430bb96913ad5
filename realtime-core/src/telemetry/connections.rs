//! Connections, sessions and users: how many there are, how many there were, and why they ended or never began.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::telemetry::{Counter, Family, Gauge, Histogram, HistogramStats, catalog};

/// The meters of connections and sessions.
#[derive(Debug)]
pub(crate) struct ConnectionMeters {
    opened: Counter,
    waiting: Gauge,
    streams: Gauge,
    streams_opened: Counter,
    sessions: Gauge,
    sessions_opened: Counter,
    users: Gauge,
    users_arrived: Counter,
    closes: Family<Counter>,
    disconnects: Family<Counter>,
    handshakes_refused: Family<Counter>,
    outbox_peak: Histogram,
}

/// Connections, and how they ended or never began.
///
/// ```
/// # use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// # let rules = Rules::deny_all().allow_subscribe("/topic/news");
/// # let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// use parlor_core::connection::Closing;
///
/// let ada = TestClient::connect(&realtime, "ada").await;
/// ada.session().unwrap().close(Closing::application("banned", 4403, "You were banned"));
/// ada.expect_closed("banned").await;
/// let connections = realtime.stats().connections;
/// assert_eq!((connections.total, connections.waiting), (1, 0));
/// assert_eq!(connections.closes["banned"], 1);
/// # Ok(()) }) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// WebSocket connections that were opened.
    pub total: u64,
    /// Open ones that have not sent CONNECT yet.
    pub waiting: u64,
    /// Event streams that are open.
    pub event_streams: u64,
    /// Event streams that were opened.
    pub event_streams_total: u64,
    /// Handshakes that were refused before the upgrade, by code of `docs/codes.md`.
    pub handshakes_refused: BTreeMap<String, u64>,
    /// Connections that the server ended with a close frame, by code. Slow consumers are `slow-consumer`.
    pub closes: BTreeMap<String, u64>,
    /// The most octets that ever waited for a client, seen once for each connection at its end.
    pub outbox_peak: HistogramStats,
}

/// Sessions and their users.
///
/// ```
/// # use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// # let rules = Rules::deny_all().allow_subscribe("/topic/news");
/// # let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// let first = TestClient::connect(&realtime, "ada").await;
/// let second = TestClient::connect(&realtime, "ada").await;
/// first.disconnect().await;
/// let sessions = realtime.stats().sessions;
/// assert_eq!((sessions.connected, sessions.total), (1, 2));
/// assert_eq!((sessions.users, sessions.users_total), (1, 1));
/// assert_eq!(sessions.disconnects["client"], 1);
/// # drop(second);
/// # Ok(()) }) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SessionStats {
    /// Sessions that are open.
    pub connected: u64,
    /// Sessions that were opened.
    pub total: u64,
    /// Users with at least one session. Anonymous sessions have none.
    pub users: u64,
    /// Times that a user without a session opened one.
    pub users_total: u64,
    /// Sessions that ended, by reason: `client`, `closed-by-client`, `lost`, `server`.
    pub disconnects: BTreeMap<String, u64>,
}

impl ConnectionMeters {
    pub(super) fn new() -> Self {
        Self {
            opened: Counter::new(&catalog::CONNECTIONS, &[]),
            waiting: Gauge::new(&catalog::CONNECTIONS_WAITING, &[]),
            streams: Gauge::new(&catalog::EVENT_STREAMS, &[]),
            streams_opened: Counter::new(&catalog::EVENT_STREAMS_OPENED, &[]),
            sessions: Gauge::new(&catalog::SESSIONS, &[]),
            sessions_opened: Counter::new(&catalog::SESSIONS_OPENED, &[]),
            users: Gauge::new(&catalog::USERS, &[]),
            users_arrived: Counter::new(&catalog::USERS_ARRIVED, &[]),
            closes: Family::new(|code| Counter::new(&catalog::CLOSES, &[("code", code)])),
            disconnects: Family::new(|reason| Counter::new(&catalog::DISCONNECTS, &[("reason", reason)])),
            handshakes_refused: Family::new(|code| Counter::new(&catalog::HANDSHAKES_REFUSED, &[("code", code)])),
            outbox_peak: Histogram::octets(&catalog::OUTBOX_PEAK, &[]),
        }
    }

    /// A connection was opened and waits for CONNECT.
    pub(crate) fn opened(&self) {
        self.opened.add(1);
        self.waiting.increment();
    }

    /// It has sent CONNECT, or is gone.
    pub(crate) fn waited(&self) {
        self.waiting.decrement();
    }

    /// An event stream began.
    pub(crate) fn stream_opened(&self) {
        self.streams_opened.add(1);
        self.streams.increment();
    }

    /// An event stream is gone.
    pub(crate) fn stream_ended(&self) {
        self.streams.decrement();
    }

    /// A session began; `arrived` where it is its user's first.
    pub(crate) fn session_entered(&self, arrived: bool) {
        self.sessions_opened.add(1);
        self.sessions.increment();
        if arrived {
            self.users_arrived.add(1);
            self.users.increment();
        }
    }

    /// A session ended; `departed` where it was its user's last.
    pub(crate) fn session_left(&self, departed: bool) {
        self.sessions.decrement();
        if departed {
            self.users.decrement();
        }
    }

    pub(super) fn closed(&self, code: &str) {
        self.closes.get(code).add(1);
    }

    pub(super) fn disconnected(&self, reason: &str) {
        self.disconnects.get(reason).add(1);
    }

    pub(super) fn handshake_refused(&self, code: &str) {
        self.handshakes_refused.get(code).add(1);
    }

    pub(super) fn outbox_peaked(&self, octets: u64) {
        self.outbox_peak.record(octets);
    }

    pub(super) fn stats(&self) -> (ConnectionStats, SessionStats) {
        let connections = ConnectionStats {
            total: self.opened.value(),
            waiting: self.waiting.value(),
            event_streams: self.streams.value(),
            event_streams_total: self.streams_opened.value(),
            handshakes_refused: seen(&self.handshakes_refused),
            closes: seen(&self.closes),
            outbox_peak: self.outbox_peak.stats(),
        };
        let sessions = SessionStats {
            connected: self.sessions.value(),
            total: self.sessions_opened.value(),
            users: self.users.value(),
            users_total: self.users_arrived.value(),
            disconnects: seen(&self.disconnects),
        };
        (connections, sessions)
    }
}

/// The counters that are not zero.
pub(super) fn seen(family: &Family<Counter>) -> BTreeMap<String, u64> {
    family.collect(|counter| Some(counter.value()).filter(|count| *count > 0))
}
