//! The figures of an endpoint at one moment, to be read by a program or shown as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::telemetry::{ConnectionStats, DestinationStats, FaultStats, Meters, RouteStats, SessionStats, TrafficStats};

/// What an endpoint and its broker counted since they were made, from [`Realtime::stats`](crate::Realtime::stats).
///
/// Each figure is exact, but they are read one after another while the server works on: two of them may differ by what
/// happened in between. Endpoints that share a broker share its figures.
///
/// ```
/// # use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// # let rules = Rules::deny_all().allow_subscribe("/topic/news");
/// # let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// let ada = TestClient::connect(&realtime, "ada").await;
/// let news = ada.subscribe("/topic/news").await;
/// realtime.broker().publish("/topic/news", "hello").await?;
/// realtime.broker().settled().await;
/// let stats = realtime.stats();
/// assert_eq!((stats.connections.total, stats.sessions.connected, stats.sessions.users), (1, 1, 1));
/// assert_eq!((stats.messages.published, stats.messages.delivered), (1, 1));
/// # drop(news);
/// # Ok(()) }) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Connections, and how they ended or never began.
    pub connections: ConnectionStats,
    /// Sessions and their users.
    pub sessions: SessionStats,
    /// Frames and octets, and what was refused.
    pub traffic: TrafficStats,
    /// Messages.
    pub messages: MessageStats,
    /// Destinations that have subscribers.
    pub destinations: u64,
    /// What happened where, by pattern of the routing table and the rules, `user` and `other`; never by destination.
    pub by_destination: BTreeMap<String, DestinationStats>,
    /// What happened at each route that was called, by command and pattern: `SEND /app/rooms/{room}`.
    pub by_route: BTreeMap<String, RouteStats>,
    /// Faults of application code that were caught.
    pub faults: FaultStats,
    /// What waits for clients now.
    pub outboxes: OutboxStats,
    /// Log lines that only the level DEBUG shows because there were too many of their reason, by reason.
    pub log_lines_suppressed: BTreeMap<String, u64>,
}

/// Messages, at all destinations together.
///
/// ```
/// # use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// # let rules = Rules::deny_all().allow_subscribe("/topic/news");
/// # let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// let news = TestClient::connect(&realtime, "ada").await.subscribe("/topic/news").await;
/// realtime.broker().publish("/topic/news", "heard").await?;
/// realtime.broker().publish("/topic/other", "by nobody").await?;
/// realtime.broker().settled().await;
/// let messages = realtime.stats().messages;
/// assert_eq!((messages.published, messages.delivered), (2, 1));
/// assert_eq!(messages.dropped_slow_consumer + messages.dropped_overflow, 0);
/// # drop(news);
/// # Ok(()) }) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MessageStats {
    /// Messages that were published.
    pub published: u64,
    /// Messages that were handed to subscriptions.
    pub delivered: u64,
    /// Messages that were not, because their connection was closing already.
    pub dropped_closing: u64,
    /// Messages that nobody acknowledged in as many deliveries as their destination allows.
    pub dropped_dead_letter: u64,
    /// Messages for a client that was too slow, which the overflow policy of their destination dropped. Counted when the
    /// connection ends.
    pub dropped_overflow: u64,
    /// Messages that waited for a client that was too slow, and were thrown away with its connection.
    pub dropped_slow_consumer: u64,
    /// Messages of destinations of which only the latest counts, that waited when a later one took their place. Counted
    /// when the connection ends.
    pub dropped_superseded: u64,
}

/// What waits for clients.
///
/// ```
/// # use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// # let rules = Rules::deny_all().allow_subscribe("/topic/news");
/// # let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// let ada = TestClient::connect(&realtime, "ada").pipe(256).await;
/// let news = ada.subscribe("/topic/news").await;
/// ada.freeze(); // it reads nothing any more
/// realtime.broker().publish("/topic/news", &"x".repeat(4_000)).await?;
/// realtime.broker().settled().await;
/// let outboxes = realtime.stats().outboxes;
/// assert_eq!(outboxes.waiting_connections, 1);
/// assert_eq!(outboxes.waiting_octets, outboxes.fullest_octets);
/// assert!(outboxes.fullest_octets > 3_000, "all but what the pipe has taken");
/// # drop(news);
/// # Ok(()) }) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OutboxStats {
    /// Connections for which anything waits.
    pub waiting_connections: u64,
    /// Octets that wait, for all of them.
    pub waiting_octets: u64,
    /// The most octets that wait for one of them.
    pub fullest_octets: u64,
}

impl OutboxStats {
    /// Of all outboxes, by the octets that wait in each.
    pub(crate) fn of(waiting: impl Iterator<Item = usize>) -> Self {
        let mut stats = Self::default();
        for octets in waiting.filter(|octets| *octets > 0) {
            stats.waiting_connections += 1;
            stats.waiting_octets += octets as u64;
            stats.fullest_octets = stats.fullest_octets.max(octets as u64);
        }
        stats
    }
}

impl Meters {
    /// All figures.
    pub(crate) fn stats(&self, outboxes: OutboxStats) -> Stats {
        let (connections, sessions) = self.connections.stats();
        let by_destination = self.destinations.stats();
        let (by_route, faults) = self.handlers.stats();
        let sum = |figure: fn(&DestinationStats) -> u64| by_destination.values().map(figure).sum();
        Stats {
            connections,
            sessions,
            traffic: self.traffic.stats(),
            messages: MessageStats {
                published: sum(|stats| stats.published),
                delivered: sum(|stats| stats.delivered),
                dropped_closing: self.destinations.dropped_closing.value(),
                dropped_dead_letter: self.destinations.dropped_dead.value(),
                dropped_overflow: self.destinations.dropped_overflow.value(),
                dropped_slow_consumer: self.destinations.dropped_slow.value(),
                dropped_superseded: self.destinations.dropped_superseded.value(),
            },
            destinations: self.destinations.count.value(),
            by_destination,
            by_route,
            faults,
            outboxes,
            log_lines_suppressed: self.logs.collect(|lines| Some(lines.suppressed()).filter(|count| *count > 0)),
        }
    }
}
