//! One consumer of a queue: what it has and has not settled yet.

use parlor_stomp::AckMode;
use tokio::time::Instant;

use crate::{delivery::SmallMap, limits::QueueLimits};

/// A consumer. Its bound of messages holds at any time, its bound of octets but for the message that reaches it.
#[derive(Debug)]
pub(super) struct Consumer<M> {
    mode: AckMode,
    /// Messages that may be in flight; 1 at least.
    prefetch: usize,
    max_bytes: usize,
    /// When it was given something last, in turns of the queue.
    pub(super) turn: u64,
    /// The ack value of the next delivery; all below it were given.
    next_ack: u64,
    in_flight: SmallMap<u64, InFlight<M>, 4>,
    bytes: usize,
}

/// A message that a consumer has and has not settled.
#[derive(Debug)]
pub(super) struct InFlight<M> {
    pub(super) sequence: u64,
    pub(super) deadline: Instant,
    pub(super) stored: Stored<M>,
}

/// A message with what the queue counts of it.
#[derive(Debug)]
pub(super) struct Stored<M> {
    pub(super) message: M,
    pub(super) octets: usize,
    /// How often it was handed to somebody.
    pub(super) attempts: u32,
}

impl<M> Consumer<M> {
    pub(super) fn new(mode: AckMode, prefetch: usize, limits: &QueueLimits, turn: u64) -> Self {
        Self {
            mode,
            prefetch: prefetch.min(limits.max_unacknowledged).max(1),
            max_bytes: limits.max_unacknowledged_bytes,
            turn,
            next_ack: 1,
            in_flight: SmallMap::default(),
            bytes: 0,
        }
    }

    /// Keeps a message until it is settled, and gives it the name to settle it by.
    pub(super) fn keep(&mut self, message: InFlight<M>) -> u64 {
        let ack = self.next_ack;
        self.next_ack += 1;
        self.bytes += message.stored.octets;
        self.in_flight.insert(ack, message);
        ack
    }

    /// Takes the message of that name out.
    pub(super) fn take(&mut self, ack: u64) -> Option<InFlight<M>> {
        let message = self.in_flight.remove(&ack)?;
        self.bytes -= message.stored.octets;
        Some(message)
    }

    /// The next delivery that a word about `ack` settles: in the mode `client` all up to it, oldest first.
    pub(super) fn settled_by(&self, ack: u64) -> Option<u64> {
        match self.mode {
            AckMode::Client => self.in_flight.first_key().copied().filter(|&first| first <= ack),
            AckMode::Auto | AckMode::ClientIndividual => self.has(ack).then_some(ack),
        }
    }

    /// Whether there was a delivery of that name.
    pub(super) fn was_given(&self, ack: u64) -> bool {
        (1..self.next_ack).contains(&ack)
    }

    /// Whether that delivery is not settled.
    pub(super) fn has(&self, ack: u64) -> bool {
        self.in_flight.contains_key(&ack)
    }

    /// Whether its messages count as consumed once they are handed over.
    pub(super) fn is_auto(&self) -> bool {
        self.mode == AckMode::Auto
    }

    /// Whether it may be given another message.
    pub(super) fn is_free(&self) -> bool {
        self.in_flight.is_empty() || (self.in_flight.len() < self.prefetch && self.bytes < self.max_bytes)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// When the oldest delivery that is not settled times out.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.in_flight.first_key_value().map(|(_, message)| message.deadline)
    }

    /// The name of the oldest delivery that is not settled.
    pub(super) fn first(&self) -> Option<u64> {
        self.in_flight.first_key().copied()
    }
}
