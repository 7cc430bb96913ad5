//! The queue: messages in order, each for one of the consumers.

use parlor_stomp::AckMode;
use tokio::time::Instant;

use crate::{
    clock,
    delivery::{
        Cause, Dead, Delivery, Returned, Settled, SmallMap,
        consumer::{Consumer, InFlight, Stored},
    },
    limits::QueueLimits,
};

/// An ordered store of messages with competing consumers.
///
/// - A message is with one consumer at a time. It leaves the queue when it is acknowledged, dead, or handed to a consumer
///   with `ack:auto`.
/// - It keeps its place: what comes back from a consumer is before everything that was published later.
/// - What waits and what is in flight together keep to the bounds of [`QueueLimits`], so that what comes back always fits.
///
/// After `publish`, `add`, `remove`, `ack`, `nack` and `expire`, and when a consumer's socket has room again, call
/// [`next`](Self::next) until it has nothing; `expire` at [`next_deadline`](Self::next_deadline). Each call costs the
/// logarithm of what is stored, for each message that it moves.
#[derive(Debug)]
pub(crate) struct Queue<M> {
    limits: QueueLimits,
    /// Messages that nobody has, by sequence.
    waiting: SmallMap<u64, Stored<M>, 1>,
    consumers: SmallMap<u64, Consumer<M>, 1>,
    /// The consumers that are free, by turn: the one that waited longest is first.
    free: SmallMap<u64, u64, 1>,
    /// When the oldest delivery of each consumer times out: the moment and the consumer. Later ones do so no earlier.
    deadlines: SmallMap<(Instant, u64), (), 1>,
    /// Messages that are in flight.
    in_flight: usize,
    /// Octets of all messages, waiting and in flight.
    bytes: usize,
    next_sequence: u64,
    next_turn: u64,
}

/// Why a queue takes no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueueFull {
    /// Its octets.
    #[error("the queue is full: with this message it would hold more than {0} octets that nobody has acknowledged")]
    Bytes(usize),
    /// Its messages.
    #[error("the queue is full: it holds {0} messages that nobody has acknowledged")]
    Messages(usize),
}

impl<M: Clone> Queue<M> {
    /// An empty queue without consumers.
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            waiting: SmallMap::default(),
            consumers: SmallMap::default(),
            free: SmallMap::default(),
            deadlines: SmallMap::default(),
            in_flight: 0,
            bytes: 0,
            next_sequence: 1,
            next_turn: 1,
        }
    }

    /// Puts a message at the end, and tells its sequence, which counts from 1 in each `Queue`.
    ///
    /// # Errors
    /// When it would not fit. What is stored stays as it is.
    pub(crate) fn publish(&mut self, message: M, octets: usize) -> Result<u64, QueueFull> {
        if self.waiting.len() + self.in_flight >= self.limits.max_messages {
            return Err(QueueFull::Messages(self.limits.max_messages));
        }
        if octets > self.limits.max_bytes - self.bytes {
            return Err(QueueFull::Bytes(self.limits.max_bytes));
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.bytes += octets;
        self.waiting.insert(sequence, Stored { message, octets, attempts: 0 });
        Ok(sequence)
    }

    /// Adds a consumer, which may have up to `prefetch` messages in flight within
    /// [`max_unacknowledged`](QueueLimits::max_unacknowledged); `usize::MAX` says nothing. For `ack:auto` nothing is in
    /// flight. Its turn is after that of the others. False, and nothing changes, where `key` is a consumer already.
    pub(crate) fn add(&mut self, key: u64, mode: AckMode, prefetch: usize) -> bool {
        if self.consumers.contains_key(&key) {
            return false;
        }
        let turn = self.turn();
        self.consumers.insert(key, Consumer::new(mode, prefetch, &self.limits, turn));
        self.free.insert(turn, key);
        true
    }

    /// Removes a consumer. What it had in flight comes back and counts as attempted: whether the consumer has seen it
    /// cannot be known, and a message that ends its consumers must not do so for ever.
    pub(crate) fn remove(&mut self, key: u64) -> Returned<M> {
        let mut returned = Returned::default();
        while let Some(message) = self.consumers.get(&key).and_then(Consumer::first).and_then(|ack| self.take(key, ack))
        {
            self.give_back(message, key, Cause::ConsumerGone, &mut returned);
        }
        if let Some(consumer) = self.consumers.remove(&key) {
            self.free.remove(&consumer.turn);
        }
        returned
    }

    /// The next message and whom to hand it to: the consumer that has waited longest of those that are free and have
    /// room. None when nothing waits, or nobody can take it.
    ///
    /// `has_room` is asked of free consumers only, in their turn, and of each at most once, until one says yes: that one
    /// gets the message. One that has no room keeps its turn. `now` never goes back from one call to the next: of a consumer's
    /// deliveries the oldest times out first.
    pub(crate) fn next(&mut self, now: Instant, mut has_room: impl FnMut(u64) -> bool) -> Option<Delivery<M>> {
        let (&sequence, _) = self.waiting.first_key_value()?;
        let (&turn, &key) = self.free.iter().find(|&(_, &key)| has_room(key))?;
        let consumer = self.consumers.get_mut(&key)?;
        let mut stored = self.waiting.remove(&sequence)?;
        stored.attempts += 1;
        let attempt = stored.attempts;
        self.free.remove(&turn);
        consumer.turn = self.next_turn;
        self.next_turn += 1;
        let (ack, message) = if consumer.is_auto() {
            self.bytes -= stored.octets;
            (None, stored.message)
        } else {
            let (message, deadline) = (stored.message.clone(), clock::after(now, self.limits.ack_timeout));
            let ack = consumer.keep(InFlight { sequence, deadline, stored });
            self.in_flight += 1;
            if consumer.in_flight() == 1 {
                self.deadlines.insert((deadline, key), ());
            }
            (Some(ack), message)
        };
        if consumer.is_free() {
            self.free.insert(consumer.turn, key);
        }
        Some(Delivery { consumer: key, ack, sequence, attempt, message })
    }

    /// ACK: the message is consumed; in the mode `client`, all that were delivered to that consumer before it are too.
    pub(crate) fn ack(&mut self, consumer: u64, ack: u64) -> Settled {
        self.settle(consumer, ack, |queue, message| queue.bytes -= message.stored.octets)
    }

    /// NACK: the message is delivered again, to another consumer first, or dead; in the mode `client`, so are all that were delivered to that consumer
    /// before it and are not settled (NACK-02).
    pub(crate) fn nack(&mut self, consumer: u64, ack: u64) -> (Settled, Returned<M>) {
        let mut returned = Returned::default();
        let settled = self.settle(consumer, ack, |queue, message| {
            queue.give_back(message, consumer, Cause::Nacked, &mut returned);
        });
        if let Settled::Settled(_) = settled {
            self.pass_turn(consumer);
        }
        (settled, returned)
    }

    /// Takes back what was in flight for longer than the time-out, each message by itself in every mode.
    pub(crate) fn expire(&mut self, now: Instant) -> Returned<M> {
        let mut returned = Returned::default();
        while let Some(&(_, key)) = self.deadlines.first_key().filter(|&&(deadline, _)| deadline <= now) {
            let oldest = self.consumers.get(&key).and_then(Consumer::first);
            let Some(message) = oldest.and_then(|ack| self.take(key, ack)) else { break };
            self.give_back(message, key, Cause::TimedOut, &mut returned);
            self.pass_turn(key);
        }
        returned
    }

    /// When [`expire`](Self::expire) has something to do next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first_key().map(|&(deadline, _)| deadline)
    }

    /// Messages that nobody has.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Messages that a consumer has and has not settled.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether a delivery to this consumer is not settled.
    pub(crate) fn is_in_flight(&self, consumer: u64, ack: u64) -> bool {
        self.consumers.get(&consumer).is_some_and(|consumer| consumer.has(ack))
    }

    /// Messages that this consumer has and has not settled.
    pub(crate) fn in_flight_of(&self, consumer: u64) -> usize {
        self.consumers.get(&consumer).map_or(0, Consumer::in_flight)
    }

    /// What it keeps to.
    pub(crate) fn limits(&self) -> &QueueLimits {
        &self.limits
    }

    /// Octets of all of these.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Consumers.
    pub(crate) fn consumers(&self) -> usize {
        self.consumers.len()
    }

    /// Whether there is neither a message nor a consumer, so that nothing is lost with the queue.
    pub(crate) fn is_idle(&self) -> bool {
        self.consumers.is_empty() && self.waiting.is_empty()
    }

    /// Hands everything that a word about `upto` settles to `each`.
    fn settle(&mut self, key: u64, upto: u64, mut each: impl FnMut(&mut Self, InFlight<M>)) -> Settled {
        if !self.consumers.get(&key).is_some_and(|consumer| consumer.was_given(upto)) {
            return Settled::NeverGiven;
        }
        let mut count = 0;
        while let Some(ack) = self.consumers.get(&key).and_then(|consumer| consumer.settled_by(upto)) {
            let Some(message) = self.take(key, ack) else { break };
            each(self, message);
            count += 1;
        }
        if count == 0 {
            return Settled::AlreadySettled;
        }
        self.settle_turn(key);
        Settled::Settled(count)
    }

    /// Takes a message that is in flight out of all tables.
    fn take(&mut self, key: u64, ack: u64) -> Option<InFlight<M>> {
        let consumer = self.consumers.get_mut(&key)?;
        let before = consumer.deadline();
        let message = consumer.take(ack)?;
        self.in_flight -= 1;
        let after = consumer.deadline();
        if after != before {
            if let Some(deadline) = before {
                self.deadlines.remove(&(deadline, key));
            }
            if let Some(deadline) = after {
                self.deadlines.insert((deadline, key), ());
            }
        }
        Some(message)
    }

    fn give_back(&mut self, message: InFlight<M>, consumer: u64, cause: Cause, returned: &mut Returned<M>) {
        let InFlight { sequence, stored, .. } = message;
        if stored.attempts < self.limits.max_attempts {
            self.waiting.insert(sequence, stored);
            returned.waiting += 1;
        } else {
            self.bytes -= stored.octets;
            let Stored { message, attempts, .. } = stored;
            returned.dead.push(Dead { sequence, attempts, consumer, cause, message });
        }
    }

    /// Gives a consumer its turn back once it is free again: the one of its latest delivery, so that it has waited longest.
    fn settle_turn(&mut self, key: u64) {
        if let Some(consumer) = self.consumers.get(&key).filter(|consumer| consumer.is_free()) {
            self.free.insert(consumer.turn, key);
        }
    }

    /// Puts a consumer that could not do with a message behind all others: one of them may.
    fn pass_turn(&mut self, key: u64) {
        let turn = self.turn();
        let Some(consumer) = self.consumers.get_mut(&key) else { return };
        self.free.remove(&consumer.turn);
        consumer.turn = turn;
        if consumer.is_free() {
            self.free.insert(turn, key);
        }
    }

    fn turn(&mut self) -> u64 {
        let turn = self.next_turn;
        self.next_turn += 1;
        turn
    }
}
