//! Acknowledgement over a whole broker against a model: several sessions of every version, queues and a topic.
//!
//! The model of one queue is that of [`delivery`](crate::delivery); here are the sessions, the names by which they settle,
//! their ends, the bounds on queues, and who hears what.

use std::{
    collections::BTreeMap,
    io::{self, IoSlice},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use parlor_stomp::{AckMode, Request, ServerConfig, ServerSession};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    broker::{
        ActiveSubscription, Address, Begins, DeadLetter, DeliveryRules, Encoding, Outbox, OutboxLimits, Publication,
        QueueSettings, Subscriber, WireWriter,
    },
    clock,
    delivery::{Dead, Model, Reference},
    destination::{Destination, Prefixes},
    limits::QueueLimits,
    session_id::SessionId,
};

const QUEUES: usize = 3;
const MAX_QUEUES: usize = 2;
const DESTINATIONS: [&str; QUEUES + 1] = ["/queue/a", "/queue/b", "/queue/c", "/topic/a"];
const VERSIONS: [Version; 4] = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_2];

#[derive(Clone, Debug)]
enum Op {
    Publish {
        destination: usize,
    },
    Subscribe {
        session: usize,
        destination: usize,
        mode: AckMode,
        prefetch: usize,
    },
    Unsubscribe {
        index: usize,
    },
    /// By a session, about one of all messages that any session was ever given.
    Settle {
        session: usize,
        given: prop::sample::Index,
        accepted: bool,
    },
    SettleOwn {
        given: prop::sample::Index,
        accepted: bool,
    },
    SettleUnknown {
        session: usize,
    },
    Disconnect {
        session: usize,
    },
    Wait {
        seconds: u64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let session = 0..VERSIONS.len();
    let mode = prop_oneof![
        1 => Just(AckMode::Auto),
        2 => Just(AckMode::Client),
        2 => Just(AckMode::ClientIndividual)
    ];
    prop_oneof![
        8 => (0..DESTINATIONS.len()).prop_map(|destination| Op::Publish { destination }),
        4 => (session.clone(), 0..DESTINATIONS.len(), mode, 1..4_usize)
            .prop_map(|(session, destination, mode, prefetch)| Op::Subscribe { session, destination, mode, prefetch }),
        1 => (0..16_usize).prop_map(|index| Op::Unsubscribe { index }),
        2 => (session.clone(), any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(session, given, accepted)| Op::Settle { session, given, accepted }),
        8 => (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(given, accepted)| Op::SettleOwn { given, accepted }),
        1 => session.clone().prop_map(|session| Op::SettleUnknown { session }),
        1 => session.prop_map(|session| Op::Disconnect { session }),
        2 => (1..12_u64).prop_map(|seconds| Op::Wait { seconds }),
    ]
}

/// A socket that keeps everything.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl WireWriter for Kept {
    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn poll_write(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.try_write(&slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct TestSession {
    id: SessionId,
    version: Version,
    kept: Kept,
    outbox: Arc<Outbox>,
    acknowledgements: Acknowledgements,
    stomp: ServerSession,
}

/// A MESSAGE as it came.
#[derive(Clone, Debug)]
struct Came {
    session: SessionId,
    subscription: usize,
    body: u64,
    is_redelivered: bool,
    message_id: String,
    ack: Option<String>,
    /// Which of the acknowledged deliveries of its subscription it is; counts from 1.
    number: u64,
}

/// What must come: subscription, body, `redelivered`.
type Expected = (usize, u64, bool);

/// A subscription, in both worlds.
struct Subscription {
    session: SessionId,
    slot: usize,
    destination: usize,
    mode: AckMode,
    /// Of a topic that is acknowledged.
    private: Option<Ledger>,
    /// What keeps it in force.
    real: Option<(Option<ActiveSubscription>, Option<Arc<Consumer>>)>,
    given: u64,
}

/// The model of one queue, and which message has which place.
struct Ledger {
    model: Model,
    bodies: Vec<u64>,
}

struct World {
    broker: Broker,
    sessions: Vec<TestSession>,
    subscriptions: Vec<Subscription>,
    queues: Vec<Ledger>,
    expected: Vec<Expected>,
    came: Vec<Came>,
    /// How many of them were compared with what was expected.
    compared: usize,
    ids: BTreeMap<u64, String>,
    expected_dead: Vec<(u64, u32)>,
    dead: Arc<Mutex<Vec<(u64, u32)>>>,
}

impl TestSession {
    fn new(slot: usize, broker: &Broker) -> Self {
        let (kept, version) = (Kept::default(), VERSIONS[slot]);
        let mut stomp = ServerSession::new(ServerConfig::default());
        stomp.handle_input(Bytes::from(format!("CONNECT\naccept-version:{version}\nhost:a\n\n\0")));
        stomp.poll_request().unwrap();
        Self {
            id: SessionId::random(),
            version,
            outbox: Arc::new(Outbox::new(Box::new(kept.clone()), OutboxLimits::default())),
            kept,
            acknowledgements: Acknowledgements::new(broker.clone()),
            stomp,
        }
    }

    /// Settles as a client of its version names a message.
    fn settle(&mut self, message_id: &str, subscription: &str, ack: &str, accepted: bool) -> Result<(), Fault> {
        let command = if accepted { "ACK" } else { "NACK" };
        let names = match self.version {
            Version::V1_0 => format!("message-id:{message_id}"),
            Version::V1_1 => format!("message-id:{message_id}\nsubscription:{subscription}"),
            _ => format!("id:{ack}"),
        };
        self.stomp.handle_input(Bytes::from(format!("{command}\n{names}\n\n\0")));
        match self.stomp.poll_request().unwrap() {
            Request::Ack(settle) | Request::Nack(settle) => {
                self.acknowledgements.settle(&settle, self.version, accepted)
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Ledger {
    fn new(limits: QueueLimits) -> Self {
        Self { model: Model::new(limits), bodies: Vec::new() }
    }

    fn body(&self, sequence: u64) -> u64 {
        self.bodies[sequence as usize - 1]
    }

    fn sequence(&self, body: u64) -> Option<u64> {
        self.bodies.iter().position(|known| *known == body).map(|index| index as u64 + 1)
    }

    fn exists(&self) -> bool {
        self.model.len() + self.model.consumers() > 0
    }

    /// Hands out what somebody can take.
    fn hand_out(&mut self, expected: &mut Vec<Expected>) {
        while let Some(delivery) = self.model.next(clock::now(), |_| true) {
            expected.push((delivery.consumer as usize, self.body(delivery.sequence), delivery.is_redelivered()));
        }
    }

    fn bury(&self, dead: &[Dead<u64>], into: &mut Vec<(u64, u32)>) {
        into.extend(dead.iter().map(|dead| (self.body(dead.sequence), dead.attempts)));
    }
}

/// Small, so that a short run meets each of them; what is not met here has tests of its own.
fn limits() -> QueueLimits {
    QueueLimits::default().ack_timeout(Duration::from_secs(10)).max_attempts(3).max_messages(5)
}

/// Of topics: wide, as a connection that is too slow ends.
fn wide() -> QueueLimits {
    limits().max_messages(1000)
}

impl World {
    fn new() -> Self {
        let dead: Arc<Mutex<Vec<_>>> = Arc::default();
        let letters = Arc::clone(&dead);
        let rules = DeliveryRules::default().on_dead_letter(move |letter: DeadLetter| {
            let body = std::str::from_utf8(&letter.publication.body).unwrap().parse().unwrap();
            letters.lock().push((body, letter.attempts));
        });
        let broker = Broker::with_rules(Prefixes::default(), rules).unwrap();
        broker.set_queues(QueueSettings {
            queues: limits(),
            acknowledgements: wide(),
            max_queues: MAX_QUEUES,
            ..QueueSettings::default()
        });
        Self {
            sessions: (0..VERSIONS.len()).map(|slot| TestSession::new(slot, &broker)).collect(),
            broker,
            subscriptions: Vec::new(),
            queues: (0..QUEUES).map(|_| Ledger::new(limits())).collect(),
            expected: Vec::new(),
            came: Vec::new(),
            compared: 0,
            ids: BTreeMap::new(),
            expected_dead: Vec::new(),
            dead,
        }
    }

    /// Whether there is no room for this queue.
    fn is_one_too_many(&self, queue: usize) -> bool {
        !self.queues[queue].exists() && self.queues.iter().filter(|queue| queue.exists()).count() >= MAX_QUEUES
    }

    /// The subscriptions of a session that are in force, in their order.
    fn live(&self, session: SessionId) -> Vec<usize> {
        let of_session = |subscription: &Subscription| subscription.session == session && subscription.real.is_some();
        (0..self.subscriptions.len()).filter(|index| of_session(&self.subscriptions[*index])).collect()
    }

    async fn publish(&mut self, destination: usize, body: u64) -> Result<(), TestCaseError> {
        let name: Destination = DESTINATIONS[destination].parse().unwrap();
        let published = self.broker.publish_message(name, Publication::text(body.to_string())).await;
        if destination < QUEUES {
            let is_one_too_many = self.is_one_too_many(destination);
            let queue = &mut self.queues[destination];
            let taken = !is_one_too_many && queue.model.publish(1).is_ok();
            prop_assert_eq!(published.is_ok(), taken);
            if taken {
                queue.bodies.push(body);
                queue.hand_out(&mut self.expected);
            }
            return Ok(());
        }
        prop_assert!(published.is_ok());
        for (number, subscription) in self.subscriptions.iter_mut().enumerate() {
            if subscription.destination != destination || subscription.real.is_none() {
                continue;
            }
            match &mut subscription.private {
                None => self.expected.push((number, body, false)),
                Some(ledger) => {
                    ledger.model.publish(1).unwrap();
                    ledger.bodies.push(body);
                    ledger.hand_out(&mut self.expected);
                }
            }
        }
        Ok(())
    }

    fn subscribe(
        &mut self,
        slot: usize,
        destination: usize,
        mode: AckMode,
        prefetch: usize,
    ) -> Result<(), TestCaseError> {
        let session = &self.sessions[slot];
        let mode = match (session.version, mode) {
            (Version::V1_0, AckMode::ClientIndividual) => AckMode::Client,
            (_, mode) => mode,
        };
        let number = self.subscriptions.len();
        let id: Arc<str> = format!("sub-{number}").into();
        let subscriber = Subscriber {
            session: session.id,
            encoding: Encoding::stomp(session.version, Some(&id)),
            outbox: Arc::clone(&session.outbox),
            ack: mode,
            prefetch,
            begins: Begins::Live,
        };
        let name: Destination = DESTINATIONS[destination].parse().unwrap();
        let prefetch = if mode == AckMode::Auto { usize::MAX } else { prefetch };
        let (mut private, active, consumer);
        if destination < QUEUES {
            private = None;
            active = None;
            consumer = self.broker.consume(&name, &subscriber);
            prop_assert_eq!(consumer.is_none(), self.is_one_too_many(destination));
            if consumer.is_none() {
                return Ok(());
            }
            self.queues[destination].model.add(number as u64, mode, prefetch);
        } else {
            let (subscription, queue) = self.broker.subscribe(Address::Topic(name), subscriber);
            active = Some(subscription);
            consumer = queue;
            private = (mode != AckMode::Auto).then(|| Ledger::new(wide()));
            if let Some(ledger) = &mut private {
                ledger.model.add(number as u64, mode, prefetch);
            }
        }
        if let Some(consumer) = &consumer {
            session.acknowledgements.enter(&SubscriptionId::Named(id), consumer);
            consumer.begin();
        }
        let (session, real) = (session.id, Some((active, consumer)));
        self.subscriptions.push(Subscription { session, slot, destination, mode, private, real, given: 0 });
        if destination < QUEUES {
            self.queues[destination].hand_out(&mut self.expected);
        }
        Ok(())
    }

    fn unsubscribe(&mut self, number: usize) {
        let subscription = &mut self.subscriptions[number];
        subscription.real = None;
        let private = subscription.private.take();
        if subscription.destination < QUEUES {
            let queue = &mut self.queues[subscription.destination];
            let returned = queue.model.remove(number as u64);
            queue.bury(&returned.dead, &mut self.expected_dead);
            queue.hand_out(&mut self.expected);
        } else if let Some(mut ledger) = private {
            let returned = ledger.model.remove(number as u64);
            ledger.bury(&returned.dead, &mut self.expected_dead);
        }
    }

    fn settle(&mut self, slot: usize, came: &Came, accepted: bool) -> Result<(), TestCaseError> {
        let session = &mut self.sessions[slot];
        let accepted = accepted || session.version == Version::V1_0;
        let Some(ack) = came.ack.as_deref().or_else(|| (session.version < Version::V1_2).then_some("")) else {
            return Ok(());
        };
        let settled = session.settle(&came.message_id, &format!("sub-{}", came.subscription), ack, accepted);
        // Before 1.2 any message of the broker is believed to have been given.
        let is_own = came.session == session.id;
        prop_assert_eq!(settled.is_ok(), is_own || session.version < Version::V1_2, "{:?}", settled);
        let (version, id) = (session.version, session.id);
        let meant: Vec<usize> = match version {
            Version::V1_0 => self.live(id),
            _ => self.live(id).into_iter().filter(|number| *number == came.subscription).collect(),
        };
        for number in meant {
            let subscription = &mut self.subscriptions[number];
            if subscription.mode == AckMode::Auto {
                continue;
            }
            let ledger = match &mut subscription.private {
                Some(ledger) => ledger,
                None => &mut self.queues[subscription.destination],
            };
            let Some(sequence) = ledger.sequence(came.body) else { continue };
            let reference =
                if version >= Version::V1_2 { Reference::Ack(came.number) } else { Reference::Sequence(sequence) };
            let settled = if accepted {
                ledger.model.ack(number as u64, reference)
            } else {
                let (settled, returned) = ledger.model.nack(number as u64, reference);
                ledger.bury(&returned.dead, &mut self.expected_dead);
                settled
            };
            ledger.hand_out(&mut self.expected);
            if matches!(settled, Settled::Settled(_)) {
                break;
            }
        }
        Ok(())
    }

    async fn disconnect(&mut self, slot: usize) {
        self.sessions[slot].acknowledgements.pause();
        let ending = self.live(self.sessions[slot].id);
        // Paused: none of them takes what another one gives back.
        let paused = ending.clone();
        for number in ending {
            let destination = self.subscriptions[number].destination;
            self.subscriptions[number].real = None;
            let private = self.subscriptions[number].private.take();
            if let Some(mut ledger) = private {
                let returned = ledger.model.remove(number as u64);
                ledger.bury(&returned.dead, &mut self.expected_dead);
            } else if destination < QUEUES {
                let queue = &mut self.queues[destination];
                let returned = queue.model.remove(number as u64);
                queue.bury(&returned.dead, &mut self.expected_dead);
                while let Some(delivery) = queue.model.next(clock::now(), |key| !paused.contains(&(key as usize))) {
                    let body = queue.body(delivery.sequence);
                    self.expected.push((delivery.consumer as usize, body, delivery.is_redelivered()));
                }
            }
        }
        // What it was given is on its way perhaps.
        self.broker.settled().await;
        self.collect(slot);
        self.sessions[slot] = TestSession::new(slot, &self.broker);
    }

    fn expire(&mut self) {
        let now = clock::now();
        for slot in 0..self.sessions.len() {
            self.sessions[slot].acknowledgements.expire(now);
            for number in self.live(self.sessions[slot].id) {
                let subscription = &mut self.subscriptions[number];
                let ledger = match &mut subscription.private {
                    Some(ledger) => ledger,
                    None if subscription.destination < QUEUES => &mut self.queues[subscription.destination],
                    None => continue,
                };
                let returned = ledger.model.expire(now);
                ledger.bury(&returned.dead, &mut self.expected_dead);
                ledger.hand_out(&mut self.expected);
            }
        }
    }

    /// Takes what has come to a session.
    fn collect(&mut self, slot: usize) {
        let octets = std::mem::take(&mut *self.sessions[slot].kept.0.lock());
        let text = String::from_utf8_lossy(&octets).into_owned();
        for frame in text.split('\0').filter(|frame| frame.contains("MESSAGE\n")) {
            let (head, body) = frame.rsplit_once("\n\n").unwrap();
            let value = |name: &str| {
                head.lines().filter_map(|line| line.split_once(':')).find(|(known, _)| *known == name).map(|(_, v)| v)
            };
            let subscription: usize = value("subscription").unwrap().strip_prefix("sub-").unwrap().parse().unwrap();
            let known = &mut self.subscriptions[subscription];
            known.given += u64::from(known.mode != AckMode::Auto);
            self.came.push(Came {
                session: known.session,
                subscription,
                body: body.parse().unwrap(),
                is_redelivered: value("redelivered") == Some("true"),
                message_id: value("message-id").unwrap().to_owned(),
                ack: value("ack").map(str::to_owned),
                number: known.given,
            });
        }
    }

    /// Both worlds are the same.
    async fn compare(&mut self) -> Result<(), TestCaseError> {
        self.broker.settled().await;
        for slot in 0..self.sessions.len() {
            self.collect(slot);
        }
        let by_subscription = |all: &mut dyn Iterator<Item = Expected>| {
            let mut sorted: BTreeMap<usize, Vec<(u64, bool)>> = BTreeMap::new();
            for (subscription, body, is_redelivered) in all {
                sorted.entry(subscription).or_default().push((body, is_redelivered));
            }
            sorted
        };
        let new = &self.came[self.compared..];
        let came = by_subscription(&mut new.iter().map(|came| (came.subscription, came.body, came.is_redelivered)));
        let expected = by_subscription(&mut std::mem::take(&mut self.expected).into_iter());
        prop_assert_eq!(came, expected);
        for came in new {
            let id = self.ids.entry(came.body).or_insert_with(|| came.message_id.clone());
            prop_assert_eq!(&*id, &came.message_id);
            let subscription = &self.subscriptions[came.subscription];
            let is_named = subscription.mode != AckMode::Auto && VERSIONS[subscription.slot] >= Version::V1_2;
            prop_assert_eq!(came.ack.is_some(), is_named);
        }
        self.compared = self.came.len();
        let mut dead = std::mem::take(&mut *self.dead.lock());
        dead.sort_unstable();
        self.expected_dead.sort_unstable();
        prop_assert_eq!(dead, std::mem::take(&mut self.expected_dead));
        for (queue, name) in self.queues.iter().zip(DESTINATIONS) {
            let name: Destination = name.parse().unwrap();
            prop_assert_eq!(self.broker.waiting_count(&name), queue.model.waiting());
            prop_assert_eq!(self.broker.subscription_count(&name), queue.model.consumers());
        }
        Ok(())
    }

    async fn run(ops: Vec<Op>) -> Result<(), TestCaseError> {
        let mut world = Self::new();
        for (body, op) in (0..).zip(ops) {
            match op {
                Op::Publish { destination } => world.publish(destination, body).await?,
                Op::Subscribe { session, destination, mode, prefetch } => {
                    world.subscribe(session, destination, mode, prefetch)?;
                }
                Op::Unsubscribe { index } => {
                    let all: Vec<_> =
                        world.sessions.iter().map(|session| session.id).flat_map(|id| world.live(id)).collect();
                    if !all.is_empty() {
                        world.unsubscribe(all[index % all.len()]);
                    }
                }
                Op::Settle { session, given, accepted } if !world.came.is_empty() => {
                    let came = given.get(&world.came).clone();
                    world.settle(session, &came, accepted)?;
                }
                Op::SettleOwn { given, accepted } if !world.came.is_empty() => {
                    let came = given.get(&world.came).clone();
                    let slot = world.sessions.iter().position(|session| session.id == came.session);
                    if let Some(slot) = slot {
                        world.settle(slot, &came, accepted)?;
                    }
                }
                Op::Settle { .. } | Op::SettleOwn { .. } => {}
                Op::SettleUnknown { session } => {
                    let settled = world.sessions[session].settle("none", "none", "none", true);
                    prop_assert_eq!(settled.map_err(|fault| fault.code.to_string()), Err("unknown-ack".to_owned()));
                }
                Op::Disconnect { session } => world.disconnect(session).await,
                Op::Wait { seconds } => {
                    tokio::time::advance(Duration::from_secs(seconds)).await;
                    world.expire();
                }
            }
            world.compare().await?;
        }
        // Nothing is left of anything once everybody has left and everything is taken.
        for slot in 0..VERSIONS.len() {
            world.disconnect(slot).await;
        }
        for destination in 0..QUEUES {
            world.subscribe(3, destination, AckMode::Auto, 1)?;
            world.disconnect(3).await;
        }
        world.compare().await?;
        for name in &DESTINATIONS[..MAX_QUEUES] {
            prop_assert!(world.broker.publish(*name, &0).await.is_ok());
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn what_comes_and_what_is_settled_equals_the_models(ops in vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(World::run(ops))?;
    }
}
