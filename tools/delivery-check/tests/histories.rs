//! Whatever a sound broker may do is proved, and any single thing that it may not do is found.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{HashMap, VecDeque};

use delivery_check::{
    Event, Record,
    checker::{Violation, check},
};
use proptest::prelude::*;

const PUBLISHERS: usize = 3;
const SUBSCRIBERS: usize = 3;
const DESTINATIONS: usize = 2;

/// One thing that happens next, if it can.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send { publisher: usize, destination: usize },
    Accept { publisher: usize },
    Answer { publisher: usize, known: bool },
    Register { subscriber: usize, destination: usize },
    Confirm { subscriber: usize, destination: usize },
    Deliver { subscriber: usize, destination: usize },
    Resume { subscriber: usize, destination: usize, recovered: bool },
}

/// A broker without a fault, its clients, and what they logged.
#[derive(Default)]
struct World {
    records: Vec<Record>,
    sent: [VecDeque<(usize, String)>; PUBLISHERS],
    unanswered: [VecDeque<String>; PUBLISHERS],
    /// Each destination's order.
    accepted: [Vec<String>; DESTINATIONS],
    subscriptions: HashMap<(usize, usize), Subscription>,
    messages: usize,
    /// `resumed` records, by their indices, with what was lost in the hole.
    holes: Vec<(usize, Vec<String>)>,
}

#[derive(Default)]
struct Subscription {
    confirmed: bool,
    /// How many of its destination's messages were delivered or skipped.
    next: usize,
}

fn topic(destination: usize) -> String {
    format!("/topic/{destination}")
}

impl World {
    fn log(&mut self, client: String, event: Event) {
        self.records.push(Record { at: self.records.len() as u64, client, event });
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send { publisher, destination } => {
                self.messages += 1;
                let id = format!("m{}", self.messages);
                self.log(format!("p{publisher}"), Event::Send { destination: topic(destination), id: id.clone() });
                self.sent[publisher].push_back((destination, id));
            }
            Step::Accept { publisher } => {
                if let Some((destination, id)) = self.sent[publisher].pop_front() {
                    self.accepted[destination].push(id.clone());
                    self.unanswered[publisher].push_back(id);
                }
            }
            Step::Answer { publisher, known } => {
                if let Some(id) = self.unanswered[publisher].pop_front() {
                    let event = if known { Event::Receipt { id } } else { Event::Unknown { id } };
                    self.log(format!("p{publisher}"), event);
                }
            }
            Step::Register { subscriber, destination } => {
                let next = self.accepted[destination].len();
                self.subscriptions.entry((subscriber, destination)).or_insert(Subscription { confirmed: false, next });
            }
            Step::Confirm { subscriber, destination } => {
                if let Some(subscription) = self.subscriptions.get_mut(&(subscriber, destination))
                    && !std::mem::replace(&mut subscription.confirmed, true)
                {
                    self.log(format!("s{subscriber}"), Event::Subscribed { destination: topic(destination) });
                }
            }
            Step::Deliver { subscriber, destination } => {
                if let Some(subscription) = self.subscriptions.get_mut(&(subscriber, destination))
                    && let Some(id) = self.accepted[destination].get(subscription.next)
                {
                    subscription.next += 1;
                    let event = Event::Deliver { destination: topic(destination), id: id.clone() };
                    self.log(format!("s{subscriber}"), event);
                }
            }
            Step::Resume { subscriber, destination, recovered } => {
                let Some(subscription) = self.subscriptions.get_mut(&(subscriber, destination)) else { return };
                if !subscription.confirmed {
                    return;
                }
                if !recovered {
                    let missed = self.accepted[destination][subscription.next..].to_vec();
                    subscription.next = self.accepted[destination].len();
                    self.holes.push((self.records.len(), missed));
                }
                let event = Event::Resumed { destination: topic(destination), recovered };
                self.log(format!("s{subscriber}"), event);
            }
        }
    }

    /// Accepts what a publisher has sent, and says so.
    fn answer_all(&mut self, publisher: usize) {
        while !self.sent[publisher].is_empty() {
            self.step(Step::Accept { publisher });
        }
        while !self.unanswered[publisher].is_empty() {
            self.step(Step::Answer { publisher, known: true });
        }
    }

    /// Lets everything arrive that is on its way.
    fn settle(&mut self) {
        (0..PUBLISHERS).for_each(|publisher| self.answer_all(publisher));
        let mut places: Vec<_> = self.subscriptions.keys().copied().collect();
        places.sort_unstable();
        for (subscriber, destination) in places {
            self.step(Step::Confirm { subscriber, destination });
            while self.subscriptions[&(subscriber, destination)].next < self.accepted[destination].len() {
                self.step(Step::Deliver { subscriber, destination });
            }
            self.log(format!("s{subscriber}"), Event::Ended { destination: topic(destination) });
        }
    }

    fn sent_at(&self, id: &str) -> usize {
        let is = |record: &Record| matches!(&record.event, Event::Send { id: sent, .. } if sent == id);
        self.records.iter().position(is).unwrap()
    }

    fn has_receipt(&self, id: &str) -> bool {
        let is = |record: &Record| matches!(&record.event, Event::Receipt { id: received } if received == id);
        self.records.iter().any(is)
    }

    /// When the window began in which the record of that index lies; none before the confirmation.
    fn window_of(&self, index: usize) -> Option<usize> {
        let (client, destination) = (&self.records[index].client, place_of(&self.records[index].event)?);
        self.records[..index].iter().rposition(|record| {
            record.client == *client
                && match &record.event {
                    Event::Subscribed { destination: here }
                    | Event::Resumed { destination: here, recovered: false } => here == destination,
                    _ => false,
                }
        })
    }

    /// The deliveries, by the indices of their records.
    fn deliveries(&self) -> Vec<usize> {
        let is = |index: &usize| matches!(self.records[*index].event, Event::Deliver { .. });
        (0..self.records.len()).filter(is).collect()
    }
}

fn place_of(event: &Event) -> Option<&String> {
    match event {
        Event::Deliver { destination, .. } | Event::Resumed { destination, .. } => Some(destination),
        _ => None,
    }
}

fn delivered(record: &Record) -> Option<(&str, &str, &str)> {
    match &record.event {
        Event::Deliver { destination, id } => Some((&record.client, destination, id)),
        _ => None,
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step =
        (0..16_u8, 0..SUBSCRIBERS, 0..DESTINATIONS, 0..8_u8).prop_map(|(kind, who, destination, rare)| match kind {
            0..=2 => Step::Send { publisher: who, destination },
            3..=5 => Step::Accept { publisher: who },
            6..=7 => Step::Answer { publisher: who, known: rare > 0 },
            8..=9 => Step::Register { subscriber: who, destination },
            10..=11 => Step::Confirm { subscriber: who, destination },
            12..=14 => Step::Deliver { subscriber: who, destination },
            _ => Step::Resume { subscriber: who, destination, recovered: rare > 3 },
        });
    prop::collection::vec(step, 0..150)
}

/// What happened after `steps`, and two messages of one publisher that two subscribers get, so that there is something to
/// change. With `hole`, one of the two subscribers is told that it misses them.
fn world(steps: &[Step], hole: bool) -> World {
    let mut world = World::default();
    steps.iter().for_each(|step| world.step(*step));
    for subscriber in [0, 1] {
        world.step(Step::Register { subscriber, destination: 0 });
        world.step(Step::Confirm { subscriber, destination: 0 });
    }
    for _ in 0..2 {
        world.step(Step::Send { publisher: 0, destination: 0 });
    }
    if hole {
        world.answer_all(0);
        world.step(Step::Resume { subscriber: 0, destination: 0, recovered: false });
    }
    world.settle();
    world
}

/// The violations of changed records.
fn violations(mut records: Vec<Record>) -> Vec<Violation> {
    // Times stay; only the order of a client's lines counts for what it saw.
    records.sort_by(|one, two| one.client.cmp(&two.client));
    check(&records).violations
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_sound_broker_does_is_proved(steps in steps()) {
        let world = world(&steps, false);
        prop_assert_eq!(violations(world.records), []);
    }

    #[test]
    fn a_message_that_was_owed_and_did_not_come_is_found(steps in steps(), choice: prop::sample::Index) {
        let world = world(&steps, false);
        let owed = |index: &usize| {
            let (_, _, id) = delivered(&world.records[*index]).unwrap();
            let last = !world.holes.iter().any(|(hole, _)| hole > index);
            last && world.has_receipt(id) && world.window_of(*index).is_some_and(|begun| begun < world.sent_at(id))
        };
        let deliveries: Vec<_> = world.deliveries().into_iter().filter(owed).collect();
        let mut records = world.records.clone();
        let removed = records.remove(*choice.get(&deliveries));
        let found = violations(records);
        let is = |violation: &Violation| matches!(violation, Violation::Lost { id, subscriber, .. }
            if delivered(&removed).is_some_and(|(client, _, lost)| client == subscriber && lost == id));
        prop_assert!(found.len() == 1 && is(&found[0]), "{:?} {:?}", removed, found);
    }

    #[test]
    fn a_message_that_came_twice_is_found(steps in steps(), choice: prop::sample::Index, later: prop::sample::Index) {
        let world = world(&steps, false);
        let deliveries = world.deliveries();
        let index = *choice.get(&deliveries);
        let mut records = world.records.clone();
        let (client, destination, id) = delivered(&world.records[index]).unwrap();
        let end = records.iter().position(|record| {
            record.client == client && matches!(&record.event, Event::Ended { destination: here } if here == destination)
        });
        let place = index + 1 + later.index(end.unwrap() - index);
        records.insert(place, records[index].clone());
        let found = violations(records);
        let is = |violation: &Violation| matches!(violation, Violation::Duplicate { id: twice, .. } if twice == id);
        prop_assert!(found.len() == 1 && is(&found[0]), "{:?}", found);
    }

    #[test]
    fn two_messages_in_the_other_order_are_found(steps in steps(), choice: prop::sample::Index) {
        let world = world(&steps, false);
        let records = &world.records;
        let publisher = |id: &str| records[world.sent_at(id)].client.clone();
        let has = |client: &str, destination: &str, id: &str| {
            records.iter().any(|record| delivered(record) == Some((client, destination, id)))
        };
        let mut pairs = Vec::new();
        for index in world.deliveries() {
            let (client, destination, one) = delivered(&records[index]).unwrap();
            let next = (index + 1..records.len()).find(|next| {
                delivered(&records[*next]).is_some_and(|(who, place, _)| (who, place) == (client, destination))
            });
            let Some(next) = next else { continue };
            let other = delivered(&records[next]).unwrap().2;
            let witness = (0..SUBSCRIBERS).map(|number| format!("s{number}")).any(|witness| {
                witness != client && has(&witness, destination, one) && has(&witness, destination, other)
            });
            // Over a hole, the first window would have ended earlier, and the other message would be one of the hole.
            let same_window = world.window_of(index) == world.window_of(next);
            if same_window && (witness || publisher(one) == publisher(other)) {
                pairs.push((index, next));
            }
        }
        let (one, other) = *choice.get(&pairs);
        let mut changed = records.clone();
        let event = changed[one].event.clone();
        changed[one].event = std::mem::replace(&mut changed[other].event, event);
        let is = |violation: &Violation| {
            matches!(violation, Violation::PublisherOrder { .. } | Violation::SubscriberOrder { .. })
        };
        prop_assert!(violations(changed).iter().any(is));
    }

    #[test]
    fn a_hole_that_is_called_recovered_is_found(steps in steps()) {
        let world = world(&steps, true);
        let (index, missed) = world.holes.last().unwrap();
        let mut records = world.records.clone();
        let Event::Resumed { recovered, .. } = &mut records[*index].event else { panic!("no hole") };
        *recovered = true;
        let found = violations(records);
        let is = |violation: &Violation| matches!(violation, Violation::Lost { id, .. } if missed.contains(id));
        // The two messages at least.
        prop_assert!(found.len() >= 2 && found.iter().all(is), "{:?}", found);
    }

    #[test]
    fn a_message_that_nobody_sent_there_is_found(steps in steps(), choice: prop::sample::Index, elsewhere: bool) {
        let world = world(&steps, false);
        let deliveries = world.deliveries();
        let index = *choice.get(&deliveries);
        let mut records = world.records;
        let Event::Deliver { destination, id } = &mut records[index].event else { panic!("no delivery") };
        match elsewhere {
            true => *destination = "/topic/elsewhere".to_owned(),
            false => *id = "forged".to_owned(),
        }
        let is = |violation: &Violation| matches!(violation, Violation::Stray { .. });
        prop_assert!(violations(records).iter().any(is));
    }
}

/// Three subscribers of which every two agree, because they share one message only.
#[test]
fn orders_that_only_all_together_contradict_each_other_are_found() {
    let mut world = World::default();
    for publisher in 0..PUBLISHERS {
        world.step(Step::Send { publisher, destination: 0 });
    }
    for (subscriber, [first, second]) in [["m1", "m2"], ["m2", "m3"], ["m3", "m1"]].into_iter().enumerate() {
        for id in [first, second] {
            world.log(format!("s{subscriber}"), Event::Deliver { destination: topic(0), id: id.to_owned() });
        }
    }
    let found = check(&world.records).violations;
    let [Violation::Circle { destination, ids }] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&**destination, ids.len()), ("/topic/0", 3));
    let next = |id: &str| match id {
        "m1" => "m2",
        "m2" => "m3",
        _ => "m1",
    };
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(ids[(number + 1) % 3], next(id), "{ids:?}");
    }
}
