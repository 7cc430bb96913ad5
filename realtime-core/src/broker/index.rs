//! From addresses and patterns to their subscribers.
//!
//! Addresses are spread over shards by hash; patterns stand in a trie. Lock order, written down here alone; each may be taken
//! under those before it:
//!
//! ```text
//! a journal's order of a destination
//!   -> shard of addresses -> topic of an address
//!                              -> trie of patterns -> topic of a pattern
//!                                                       -> shared queue -> log of a shard, outbox
//! ```
//!
//! A lock of the index is never held while something is delivered. Two topics of addresses are never locked together, nor two
//! of patterns. Retiring takes the index's lock and then the topic's; publishing takes the topic of the address, and under it
//! looks for patterns in the trie and gives that lock back before it takes their topics, one after another.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    broker::{
        Address,
        patterns::PatternTrie,
        topic::{SharedTopic, Topic},
    },
    destination::{Destination, Pattern},
    fan_out::Shards,
    sync::RwLock,
    telemetry::Meters,
};

/// How many shards the addresses are spread over: enough that a few cores seldom meet.
const SHARDS: usize = 64;

/// What a subscription is registered under.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Address(Address),
    Pattern(Pattern),
}

/// The index of all subscriptions.
#[derive(Debug)]
pub(super) struct Index {
    /// Keyed hashing: clients choose destinations, so a plain hash could be flooded.
    hasher: RandomState,
    shards: Box<[RwLock<HashMap<Address, SharedTopic>>]>,
    patterns: RwLock<PatternTrie>,
    /// Pattern subscriptions in force: while there are none, a publish does not look.
    pattern_count: AtomicUsize,
    meters: Arc<Meters>,
    /// What reaches the subscribers.
    fan_out: Arc<Shards>,
}

impl Index {
    pub(super) fn new(meters: Arc<Meters>, fan_out: Arc<Shards>) -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            patterns: RwLock::default(),
            pattern_count: AtomicUsize::new(0),
            meters,
            fan_out,
        }
    }

    /// The topic of an address, if anybody subscribed to it.
    pub(super) fn topic(&self, address: &Address) -> Option<SharedTopic> {
        self.shard(address).read().get(address).cloned()
    }

    /// The topic of an address, made if need be.
    pub(super) fn topic_or_new(&self, address: &Address) -> SharedTopic {
        if let Some(topic) = self.topic(address) {
            return topic;
        }
        let mut shard = self.shard(address).write();
        let topic = shard.entry(address.clone()).or_insert_with(|| {
            self.meters.destinations.count.increment();
            self.new_topic()
        });
        Arc::clone(topic)
    }

    /// The topic that a new subscription belongs to.
    pub(super) fn enter(&self, place: &Place) -> SharedTopic {
        match place {
            Place::Address(address) => self.topic_or_new(address),
            Place::Pattern(pattern) => self.patterns.write().topic_or_insert(pattern, || self.new_topic()),
        }
    }

    /// Counts a registered subscription.
    pub(super) fn registered(&self, place: &Place) {
        if matches!(place, Place::Pattern(_)) {
            self.pattern_count.fetch_add(1, Ordering::Release);
        }
    }

    /// Counts a removed subscription.
    pub(super) fn removed(&self, place: &Place) {
        if matches!(place, Place::Pattern(_)) {
            self.pattern_count.fetch_sub(1, Ordering::Release);
        }
    }

    /// Takes a topic out if nobody is left there.
    pub(super) fn retire(&self, place: &Place) {
        match place {
            Place::Address(address) => self.retire_address(address),
            Place::Pattern(pattern) => self.patterns.write().retire(pattern),
        }
    }

    /// The topics of all patterns that match `destination`.
    pub(super) fn matching_patterns(&self, destination: &Destination) -> Vec<SharedTopic> {
        let mut found = Vec::new();
        if self.pattern_count.load(Ordering::Acquire) > 0 {
            self.patterns.read().collect(destination, &mut found);
        }
        found
    }

    /// A number that tells addresses apart for those who subscribe by pattern.
    pub(super) fn salt(&self, address: &Address) -> u64 {
        self.hasher.hash_one(address)
    }

    /// How many addresses have a topic.
    pub(super) fn address_count(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    fn new_topic(&self) -> SharedTopic {
        Arc::new(Topic::new(Arc::clone(&self.fan_out)))
    }

    fn shard(&self, address: &Address) -> &RwLock<HashMap<Address, SharedTopic>> {
        let hash = self.hasher.hash_one(address);
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or_default()]
    }

    fn retire_address(&self, address: &Address) {
        let mut shard = self.shard(address).write();
        let Some(topic) = shard.get(address) else { return };
        let empty = topic.lock().is_some_and(|mut state| {
            let empty = state.is_empty();
            if empty {
                state.retire();
            }
            empty
        });
        if empty {
            shard.remove(address);
            self.meters.destinations.count.decrement();
        }
    }
}
