//! What was published and delivered where, by pattern of the routing table and the rules: clients choose destinations, so a
//! destination itself is never a label.
//!
//! A topic finds its pattern once, at its first message; a publish then costs two additions, however many subscribe.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;
use serde::Serialize;

use crate::{
    destination::{Destination, Pattern},
    telemetry::{Counter, Gauge, MAX_LABEL_VALUES, OTHER, catalog},
};

/// The label of what is sent to users.
const USER: &str = "user";

/// The meters of one pattern.
#[derive(Debug)]
pub(crate) struct DestinationMeters {
    pub(crate) published: Counter,
    pub(crate) delivered: Counter,
    pub(crate) subscriptions: Gauge,
}

/// The meters of all patterns.
#[derive(Debug)]
pub(crate) struct DestinationTable {
    /// The most specific pattern first.
    patterns: RwLock<Vec<(Pattern, Arc<DestinationMeters>)>>,
    pub(crate) user: Arc<DestinationMeters>,
    other: Arc<DestinationMeters>,
    /// Destinations that have subscribers.
    pub(crate) count: Gauge,
    /// Messages for connections that were closing already.
    pub(crate) dropped_closing: Counter,
    /// Messages that an overflow policy dropped.
    pub(crate) dropped_overflow: Counter,
    /// Messages that nobody acknowledged in as many deliveries as there may be.
    pub(crate) dropped_dead: Counter,
    /// Messages that waited for a client that was too slow.
    pub(crate) dropped_slow: Counter,
    /// Messages that a later one superseded.
    pub(crate) dropped_superseded: Counter,
}

/// What happened at the destinations of one pattern.
///
/// ```
/// # use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let rules = Rules::deny_all().allow_subscribe("/topic/rooms/{room}");
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// let room = TestClient::connect(&realtime, "ada").await.subscribe("/topic/rooms/7").await;
/// realtime.broker().publish("/topic/rooms/7", "hello").await?;
/// realtime.broker().settled().await; // a test may wait until it is written
/// let rooms = realtime.stats().by_destination["/topic/rooms/{room}"]; // all rooms together
/// assert_eq!((rooms.published, rooms.delivered, rooms.subscriptions), (1, 1, 1));
/// # drop(room);
/// # Ok(()) }) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DestinationStats {
    /// Messages that were published.
    pub published: u64,
    /// Messages that were handed to subscriptions.
    pub delivered: u64,
    /// Subscriptions in force.
    pub subscriptions: u64,
}

impl DestinationMeters {
    fn new(label: &str) -> Self {
        let labels = [("destination", label)];
        Self {
            published: Counter::new(&catalog::MESSAGES_PUBLISHED, &labels),
            delivered: Counter::new(&catalog::MESSAGES_DELIVERED, &labels),
            subscriptions: Gauge::new(&catalog::SUBSCRIPTIONS, &labels),
        }
    }

    fn stats(&self) -> DestinationStats {
        DestinationStats {
            published: self.published.value(),
            delivered: self.delivered.value(),
            subscriptions: self.subscriptions.value(),
        }
    }
}

impl DestinationTable {
    pub(super) fn new() -> Self {
        let dropped = |reason| Counter::new(&catalog::MESSAGES_DROPPED, &[("reason", reason)]);
        Self {
            patterns: RwLock::default(),
            user: Arc::new(DestinationMeters::new(USER)),
            other: Arc::new(DestinationMeters::new(OTHER)),
            count: Gauge::new(&catalog::DESTINATIONS, &[]),
            dropped_closing: dropped("closing"),
            dropped_overflow: dropped("overflow"),
            dropped_dead: dropped("dead-letter"),
            dropped_slow: dropped("slow-consumer"),
            dropped_superseded: dropped("superseded"),
        }
    }

    /// Gives patterns meters of their own, as many as there may be. Topics that have had a message already keep what they had.
    pub(crate) fn declare(&self, patterns: impl IntoIterator<Item = Pattern>) {
        let mut known = self.patterns.write();
        for pattern in patterns {
            if known.len() >= MAX_LABEL_VALUES || known.iter().any(|(other, _)| other.as_str() == pattern.as_str()) {
                continue;
            }
            let place = known.partition_point(|(other, _)| other.specificity() >= pattern.specificity());
            let meters = Arc::new(DestinationMeters::new(pattern.as_str()));
            known.insert(place, (pattern, meters));
        }
    }

    /// The meters of the most specific pattern that matches.
    pub(crate) fn of(&self, destination: &Destination) -> Arc<DestinationMeters> {
        self.find(|pattern| pattern.matches(destination))
    }

    /// The meters of the most specific pattern that a client's own pattern lies within.
    pub(crate) fn of_pattern(&self, wanted: &Pattern) -> Arc<DestinationMeters> {
        self.find(|pattern| pattern.includes(wanted))
    }

    fn find(&self, matches: impl Fn(&Pattern) -> bool) -> Arc<DestinationMeters> {
        let patterns = self.patterns.read();
        let found = patterns.iter().find(|(pattern, _)| matches(pattern)).map(|(_, meters)| meters);
        Arc::clone(found.unwrap_or(&self.other))
    }

    /// By pattern; `user` and `other` beside them.
    pub(super) fn stats(&self) -> BTreeMap<String, DestinationStats> {
        let patterns = self.patterns.read();
        let all = patterns.iter().map(|(pattern, meters)| (pattern.as_str(), meters));
        let all = all.chain([(USER, &self.user), (OTHER, &self.other)]);
        all.map(|(label, meters)| (label.to_owned(), meters.stats())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn the_most_specific_pattern_counts_whatever_the_order() {
        let table = DestinationTable::new();
        table.declare(["/topic/**", "/topic/rooms/{room}", "/topic/rooms/lobby"].map(pattern));
        for (destination, label) in [
            ("/topic/rooms/lobby", "/topic/rooms/lobby"),
            ("/topic/rooms/7", "/topic/rooms/{room}"),
            ("/topic/news", "/topic/**"),
            ("/elsewhere/a", OTHER),
        ] {
            let before = table.stats()[label].published;
            table.of(&destination.parse().unwrap()).published.add(1);
            assert_eq!(table.stats()[label].published, before + 1, "{destination}");
        }
        table.of_pattern(&pattern("/topic/rooms/*")).subscriptions.increment();
        assert_eq!(table.stats()["/topic/rooms/{room}"].subscriptions, 1);
    }

    #[test]
    fn a_thousand_rules_and_destinations_make_a_bounded_number_of_labels() {
        let table = DestinationTable::new();
        table.declare((0..1000).map(|number| pattern(&format!("/topic/{number}"))));
        for number in 0..1000 {
            table.of(&format!("/topic/{number}").parse().unwrap()).published.add(1);
        }
        let stats = table.stats();
        assert_eq!(stats.len(), MAX_LABEL_VALUES + 2);
        assert_eq!(stats[OTHER].published, 1000 - MAX_LABEL_VALUES as u64);
    }
}
