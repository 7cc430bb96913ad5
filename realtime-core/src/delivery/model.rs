//! The model of a queue: one list of messages, searched from end to end, and one of consumers.
//!
//! It is written from the rules, not from the queue: no index, nothing counted twice, everything looked up anew.

use std::time::Duration;

use parlor_stomp::AckMode;
use tokio::time::Instant;

use super::{Cause, Dead, Delivery, QueueFull, Returned, Settled};
use crate::limits::QueueLimits;

/// How ACK and NACK name a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// By the name of that delivery (STOMP 1.2: the MESSAGE's `ack`).
    Ack(u64),
    /// By the message itself (1.0 and 1.1: its `message-id`): the delivery of it that the consumer has now.
    Sequence(u64),
}

pub(crate) struct Model {
    limits: QueueLimits,
    /// In order of sequence.
    messages: Vec<Message>,
    consumers: Vec<Consumer>,
    published: u64,
    /// Counts additions and deliveries: who comes first in it has waited longest.
    moment: u64,
}

struct Message {
    sequence: u64,
    octets: usize,
    attempts: u32,
    at: Option<Holder>,
}

struct Holder {
    consumer: u64,
    ack: u64,
    deadline: Instant,
}

struct Consumer {
    key: u64,
    mode: AckMode,
    prefetch: usize,
    served: u64,
    /// The sequence of every delivery, and the ack value, if there was one.
    given: Vec<(u64, Option<u64>)>,
}

impl Model {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { limits, messages: Vec::new(), consumers: Vec::new(), published: 0, moment: 0 }
    }

    pub(crate) fn publish(&mut self, octets: usize) -> Result<u64, QueueFull> {
        if self.messages.len() >= self.limits.max_messages {
            return Err(QueueFull::Messages(self.limits.max_messages));
        }
        if self.bytes() + octets > self.limits.max_bytes {
            return Err(QueueFull::Bytes(self.limits.max_bytes));
        }
        self.published += 1;
        self.messages.push(Message { sequence: self.published, octets, attempts: 0, at: None });
        Ok(self.published)
    }

    pub(crate) fn add(&mut self, key: u64, mode: AckMode, prefetch: usize) -> bool {
        if self.consumers.iter().any(|consumer| consumer.key == key) {
            return false;
        }
        self.moment += 1;
        let prefetch = prefetch.min(self.limits.max_unacknowledged).max(1);
        self.consumers.push(Consumer { key, mode, prefetch, served: self.moment, given: Vec::new() });
        true
    }

    pub(crate) fn remove(&mut self, key: u64) -> Returned<u64> {
        self.consumers.retain(|consumer| consumer.key != key);
        self.give_back(Cause::ConsumerGone, |holder| holder.consumer == key)
    }

    pub(crate) fn next(&mut self, now: Instant, has_room: impl Fn(u64) -> bool) -> Option<Delivery<u64>> {
        let free = |consumer: &&Consumer| {
            let held = || self.messages.iter().filter(|message| message.is_at(consumer.key));
            let (count, octets) = (held().count(), held().map(|message| message.octets).sum::<usize>());
            count == 0 || count < consumer.prefetch && octets < self.limits.max_unacknowledged_bytes
        };
        let takers = self.consumers.iter().filter(free).filter(|consumer| has_room(consumer.key));
        let key = takers.min_by_key(|consumer| consumer.served)?.key;
        let index = self.messages.iter().position(|message| message.at.is_none())?;
        let consumer = self.consumers.iter_mut().find(|consumer| consumer.key == key)?;
        self.moment += 1;
        consumer.served = self.moment;
        let ack = (consumer.mode != AckMode::Auto).then_some(consumer.given.len() as u64 + 1);
        let message = &mut self.messages[index];
        message.attempts += 1;
        let (sequence, attempt) = (message.sequence, message.attempts);
        consumer.given.push((sequence, ack));
        if let Some(ack) = ack {
            message.at = Some(Holder { consumer: key, ack, deadline: now + self.limits.ack_timeout });
        } else {
            self.messages.remove(index);
        }
        Some(Delivery { consumer: key, ack, sequence, attempt, message: sequence })
    }

    pub(crate) fn ack(&mut self, key: u64, reference: Reference) -> Settled {
        let Some((mode, ack)) = self.given(key, reference) else { return Settled::NeverGiven };
        let before = self.messages.len();
        self.messages.retain(|message| {
            !message.at.as_ref().is_some_and(|holder| holder.consumer == key && covers(mode, ack, holder.ack))
        });
        settled(before - self.messages.len())
    }

    pub(crate) fn nack(&mut self, key: u64, reference: Reference) -> (Settled, Returned<u64>) {
        let Some((mode, ack)) = self.given(key, reference) else { return (Settled::NeverGiven, Returned::default()) };
        let returned = self.give_back(Cause::Nacked, |holder| holder.consumer == key && covers(mode, ack, holder.ack));
        if returned.waiting + returned.dead.len() > 0 {
            self.pass_turn(key);
        }
        (settled(returned.waiting + returned.dead.len()), returned)
    }

    pub(crate) fn expire(&mut self, now: Instant) -> Returned<u64> {
        let holders = self.messages.iter().filter_map(|message| message.at.as_ref());
        let late = holders.filter(|holder| holder.deadline <= now);
        let mut late: Vec<_> = late.map(|holder| (holder.deadline, holder.consumer, holder.ack)).collect();
        late.sort_unstable();
        late.into_iter().for_each(|(_, key, _)| self.pass_turn(key));
        self.give_back(Cause::TimedOut, |holder| holder.deadline <= now)
    }

    /// Who gives something back waits behind all others.
    fn pass_turn(&mut self, key: u64) {
        self.moment += 1;
        if let Some(consumer) = self.consumers.iter_mut().find(|consumer| consumer.key == key) {
            consumer.served = self.moment;
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.messages.iter().filter_map(|message| Some(message.at.as_ref()?.deadline)).min()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.messages.iter().filter(|message| message.at.is_none()).count()
    }

    pub(crate) fn in_flight_of(&self, key: u64) -> usize {
        self.messages.iter().filter(|message| message.is_at(key)).count()
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.octets).sum()
    }

    pub(crate) fn consumers(&self) -> usize {
        self.consumers.len()
    }

    /// How the consumer acknowledges, and the latest of its deliveries that is meant; `None` inside where that one is over.
    fn given(&self, key: u64, reference: Reference) -> Option<(AckMode, Option<u64>)> {
        let consumer = self.consumers.iter().find(|consumer| consumer.key == key)?;
        let ack = match reference {
            Reference::Ack(ack) => consumer.given.iter().any(|&(_, given)| given == Some(ack)).then_some(Some(ack))?,
            Reference::Sequence(sequence) => {
                let latest = consumer.given.iter().map(|&(given, _)| given).max()?;
                let message = self.messages.iter().find(|message| message.sequence == sequence);
                let holder = message.and_then(|message| message.at.as_ref()).filter(|holder| holder.consumer == key);
                (sequence >= 1 && sequence <= latest).then_some(holder.map(|holder| holder.ack))?
            }
        };
        Some((consumer.mode, ack))
    }

    /// Takes back what `meant` says, in the order of the time-outs and deliveries.
    fn give_back(&mut self, cause: Cause, meant: impl Fn(&Holder) -> bool) -> Returned<u64> {
        let mut returned = Returned::default();
        let mut dead = Vec::new();
        let max_attempts = self.limits.max_attempts;
        self.messages.retain_mut(|message| {
            let Some(holder) = message.at.take_if(|holder| meant(holder)) else { return true };
            if message.attempts < max_attempts {
                returned.waiting += 1;
                return true;
            }
            let (sequence, attempts) = (message.sequence, message.attempts);
            let one = Dead { sequence, attempts, consumer: holder.consumer, cause, message: sequence };
            dead.push(((holder.deadline, holder.consumer, holder.ack), one));
            false
        });
        dead.sort_by_key(|&(order, _)| order);
        returned.dead = dead.into_iter().map(|(_, dead)| dead).collect();
        returned
    }
}

impl Message {
    fn is_at(&self, key: u64) -> bool {
        self.at.as_ref().is_some_and(|holder| holder.consumer == key)
    }
}

/// Whether a word about one delivery is also about another one of the same consumer.
fn covers(mode: AckMode, named: Option<u64>, other: u64) -> bool {
    match mode {
        AckMode::Client => named.is_some_and(|named| other <= named),
        AckMode::Auto | AckMode::ClientIndividual => named == Some(other),
    }
}

fn settled(messages: usize) -> Settled {
    if messages == 0 { Settled::AlreadySettled } else { Settled::Settled(messages) }
}

/// Limits so small that a short run meets each of them.
pub(super) fn small(messages: usize, octets: usize, attempts: u32, unacknowledged: usize) -> QueueLimits {
    QueueLimits::default()
        .ack_timeout(Duration::from_secs(10))
        .max_attempts(attempts)
        .max_bytes(octets)
        .max_messages(messages)
        .max_unacknowledged(unacknowledged)
        .max_unacknowledged_bytes(octets / 3)
}
