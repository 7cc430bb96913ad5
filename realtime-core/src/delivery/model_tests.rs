//! The queue against its model, and its promises by themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use parlor_stomp::AckMode;
use proptest::{collection::vec, prelude::*};
use tokio::time::Instant;

use super::{
    model::{Model, Reference, small},
    *,
};
use crate::limits::QueueLimits;

/// Keys of consumers, and as many again that are used after a removal.
const KEYS: u64 = 4;

#[derive(Clone, Copy, Debug)]
enum Op {
    Ack { consumer: u64, ack: u64 },
    Add { consumer: u64, mode: AckMode, prefetch: usize },
    Advance { seconds: u64 },
    Expire,
    Nack { consumer: u64, ack: u64 },
    Next { room: u8 },
    Publish { octets: usize },
    Remove { consumer: u64 },
}

/// Operations are decoded from three small numbers: a strategy for each would take most of the time of the test.
fn op((kind, a, b): (u8, u8, u8)) -> Op {
    let consumer = u64::from(a) % KEYS;
    let number = u64::from(b) % 12;
    match kind {
        0..4 => Op::Publish { octets: usize::from(a) % 30 },
        4..8 => Op::Next { room: if b < 192 { u8::MAX } else { b } },
        8..10 => {
            let mode = [AckMode::Auto, AckMode::Client, AckMode::ClientIndividual][usize::from(b) % 3];
            Op::Add { consumer, mode, prefetch: usize::from(a) % 10 }
        }
        10..12 => Op::Ack { consumer, ack: number },
        12..14 => Op::Nack { consumer, ack: number },
        14 => Op::Advance { seconds: number },
        15 if b < 128 => Op::Expire,
        _ => Op::Remove { consumer },
    }
}

fn ops() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    vec((0..16_u8, any::<u8>(), any::<u8>()), 1..60)
}

fn limits() -> impl Strategy<Value = QueueLimits> {
    (0..17_usize, 0..300_usize, 0..4_u32, 0..10_usize).prop_map(|(m, o, a, u)| small(m, o, a, u))
}

fn has_room(room: u8) -> impl Fn(u64) -> bool {
    move |consumer| room & (1 << consumer) != 0
}

proptest! {
    #[test]
    fn every_answer_and_every_count_is_the_models(limits in limits(), ops in ops()) {
        let (mut queue, mut model) = (Queue::new(limits), Model::new(limits));
        let mut now = crate::clock::now();
        let mut published = 0;
        for op in ops.into_iter().map(op) {
            match op {
                Op::Ack { consumer, ack } => {
                    let expected = model.ack(consumer, Reference::Ack(ack));
                    prop_assert_eq!(queue.ack(consumer, ack), expected, "{:?}", op);
                }
                Op::Add { consumer, mode, prefetch } => {
                    prop_assert_eq!(queue.add(consumer, mode, prefetch), model.add(consumer, mode, prefetch));
                }
                Op::Advance { seconds } => now += Duration::from_secs(seconds),
                Op::Expire => prop_assert_eq!(queue.expire(now), model.expire(now)),
                Op::Nack { consumer, ack } => {
                    let expected = model.nack(consumer, Reference::Ack(ack));
                    prop_assert_eq!(queue.nack(consumer, ack), expected, "{:?}", op);
                }
                Op::Next { room } => {
                    prop_assert_eq!(queue.next(now, has_room(room)), model.next(now, has_room(room)));
                }
                Op::Publish { octets } => {
                    let answer = queue.publish(published + 1, octets);
                    published += u64::from(answer.is_ok());
                    prop_assert_eq!(answer, model.publish(octets));
                }
                Op::Remove { consumer } => prop_assert_eq!(queue.remove(consumer), model.remove(consumer)),
            }
            prop_assert_eq!(queue.next_deadline(), model.next_deadline());
            prop_assert_eq!(queue.waiting(), model.waiting());
            prop_assert_eq!(queue.waiting() + queue.in_flight(), model.len());
            prop_assert_eq!(queue.bytes(), model.bytes());
            prop_assert_eq!(queue.consumers(), model.consumers());
            prop_assert_eq!(queue.is_idle(), model.consumers() == 0 && model.len() == 0);
            for consumer in 0..KEYS {
                prop_assert_eq!(queue.in_flight_of(consumer), model.in_flight_of(consumer));
            }
        }
    }

    /// Written from what users are promised, without the model: what was published and what became of it.
    #[test]
    fn nothing_is_lost_or_delivered_again_without_saying_so_and_what_is_settled_stays_settled(
        limits in limits(),
        ops in ops(),
    ) {
        let mut queue = Queue::new(limits);
        let mut now = crate::clock::now();
        let mut lives = Lives::default();
        for op in ops.into_iter().map(op) {
            match op {
                Op::Ack { consumer, ack } => {
                    let named = lives.named(consumer, ack);
                    match queue.ack(consumer, ack) {
                        Settled::Settled(count) => {
                            prop_assert_eq!(named.len(), count);
                            lives.take_from(consumer, &named);
                            for sequence in named {
                                prop_assert!(lives.ended.insert(sequence), "{} ended twice", sequence);
                            }
                        }
                        Settled::AlreadySettled | Settled::NeverGiven => prop_assert!(named.is_empty()),
                    }
                }
                Op::Add { consumer, mode, prefetch } => {
                    if queue.add(consumer, mode, prefetch) {
                        lives.consumers.insert(consumer, (mode, BTreeMap::new()));
                        lives.latest.remove(&consumer);
                    }
                }
                Op::Advance { seconds } => now += Duration::from_secs(seconds),
                Op::Expire => {
                    let late = lives.take_late(now);
                    lives.returned(&queue.expire(now), late, limits.max_attempts)?;
                }
                Op::Nack { consumer, ack } => {
                    let named = lives.named(consumer, ack);
                    let (settled, returned) = queue.nack(consumer, ack);
                    prop_assert_eq!(matches!(settled, Settled::Settled(_)), !named.is_empty());
                    lives.take_from(consumer, &named);
                    lives.returned(&returned, named.len(), limits.max_attempts)?;
                }
                Op::Next { room } => {
                    while let Some(delivery) = queue.next(now, has_room(room)) {
                        lives.delivered(&delivery, now + limits.ack_timeout)?;
                    }
                }
                Op::Publish { octets } => {
                    if let Ok(sequence) = queue.publish(lives.published + 1, octets) {
                        lives.published += 1;
                        prop_assert_eq!(sequence, lives.published);
                    }
                }
                Op::Remove { consumer } => {
                    let had = lives.consumers.remove(&consumer).map_or(0, |(_, has)| has.len());
                    lives.returned(&queue.remove(consumer), had, limits.max_attempts)?;
                }
            }
            prop_assert!(queue.waiting() + queue.in_flight() <= limits.max_messages);
            prop_assert!(queue.bytes() <= limits.max_bytes);
            for consumer in lives.consumers.keys() {
                prop_assert!(queue.in_flight_of(*consumer) <= limits.max_unacknowledged.max(1));
            }
        }
        // Whoever is there leaves, and one that takes everything comes: each message ends, and nothing is left.
        for consumer in 0..KEYS {
            let had = lives.consumers.remove(&consumer).map_or(0, |(_, has)| has.len());
            lives.returned(&queue.remove(consumer), had, limits.max_attempts)?;
        }
        queue.add(KEYS, AckMode::Auto, 0);
        lives.consumers.insert(KEYS, (AckMode::Auto, BTreeMap::new()));
        while let Some(delivery) = queue.next(now, |_| true) {
            lives.delivered(&delivery, now)?;
        }
        queue.remove(KEYS);
        prop_assert_eq!(lives.ended.len() as u64, lives.published);
        prop_assert_eq!((queue.waiting(), queue.in_flight(), queue.bytes()), (0, 0, 0));
        prop_assert!(queue.is_idle() && queue.next_deadline().is_none());
    }

    #[test]
    fn consumers_that_are_always_ready_get_the_same_number_but_for_one(
        consumers in 1..9_u64,
        messages in 0..64_usize,
        mode in 0..3_usize,
    ) {
        let mode = [AckMode::Auto, AckMode::Client, AckMode::ClientIndividual][mode];
        let mut queue = Queue::new(QueueLimits::default());
        let mut given = vec![0_usize; usize::try_from(consumers).unwrap()];
        for consumer in 0..consumers {
            queue.add(consumer, mode, 1);
        }
        for message in 0..messages {
            queue.publish(message, 1).unwrap();
            let delivery = queue.next(crate::clock::now(), |_| true).unwrap();
            given[usize::try_from(delivery.consumer).unwrap()] += 1;
            if let Some(ack) = delivery.ack {
                queue.ack(delivery.consumer, ack);
            }
        }
        prop_assert!(given.iter().max().unwrap() - given.iter().min().unwrap() <= 1, "{:?}", given);
    }
}

/// What became of each message, from the answers of a queue alone.
#[derive(Default)]
struct Lives {
    published: u64,
    /// How often each was delivered.
    deliveries: BTreeMap<u64, u32>,
    ended: BTreeSet<u64>,
    consumers: BTreeMap<u64, (AckMode, Has)>,
    /// The latest first delivery to each consumer.
    latest: BTreeMap<u64, u64>,
}

/// What a consumer has, by ack value: the sequence, and until when.
type Has = BTreeMap<u64, (u64, Instant)>;

impl Lives {
    fn delivered(&mut self, delivery: &Delivery<u64>, deadline: Instant) -> Result<(), TestCaseError> {
        let sequence = delivery.sequence;
        prop_assert_eq!(delivery.message, sequence);
        prop_assert!(!self.ended.contains(&sequence), "{} was settled or dead", sequence);
        let times = self.deliveries.entry(sequence).or_default();
        *times += 1;
        prop_assert_eq!(delivery.attempt, *times);
        prop_assert_eq!(delivery.is_redelivered(), *times > 1);
        let elsewhere = self.consumers.values().any(|(_, has)| has.values().any(|&(other, _)| other == sequence));
        prop_assert!(!elsewhere, "{} is with somebody", sequence);
        if !delivery.is_redelivered() {
            let before = self.latest.insert(delivery.consumer, sequence);
            prop_assert!(before.is_none_or(|before| before < sequence), "{:?} came before {}", before, sequence);
        }
        let (mode, has) = self.consumers.get_mut(&delivery.consumer).unwrap();
        prop_assert_eq!(delivery.ack.is_none(), *mode == AckMode::Auto);
        if let Some(ack) = delivery.ack {
            prop_assert!(has.keys().all(|&other| other < ack));
            has.insert(ack, (sequence, deadline));
        } else {
            self.ended.insert(sequence);
        }
        Ok(())
    }

    /// The messages that a word of this consumer is about.
    fn named(&self, consumer: u64, ack: u64) -> Vec<u64> {
        let Some((mode, has)) = self.consumers.get(&consumer) else { return Vec::new() };
        if !has.contains_key(&ack) {
            return Vec::new();
        }
        let from = if *mode == AckMode::Client { 0 } else { ack };
        has.range(from..=ack).map(|(_, &(sequence, _))| sequence).collect()
    }

    fn take_from(&mut self, consumer: u64, sequences: &[u64]) {
        if let Some((_, has)) = self.consumers.get_mut(&consumer) {
            has.retain(|_, (sequence, _)| !sequences.contains(sequence));
        }
    }

    /// Takes from all consumers what they have had for too long, and tells how many messages that is.
    fn take_late(&mut self, now: Instant) -> usize {
        let held = |lives: &Self| lives.consumers.values().map(|(_, has)| has.len()).sum::<usize>();
        let before = held(self);
        for (_, has) in self.consumers.values_mut() {
            has.retain(|_, (_, deadline)| *deadline > now);
        }
        before - held(self)
    }

    fn returned(&mut self, returned: &Returned<u64>, count: usize, max_attempts: u32) -> Result<(), TestCaseError> {
        prop_assert_eq!(returned.waiting + returned.dead.len(), count);
        for dead in &returned.dead {
            prop_assert_eq!(dead.attempts, self.deliveries[&dead.sequence]);
            prop_assert_eq!(dead.attempts, max_attempts.max(1));
            prop_assert!(self.ended.insert(dead.sequence), "{} ended twice", dead.sequence);
        }
        Ok(())
    }
}
