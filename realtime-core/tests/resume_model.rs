//! Histories and resuming against a written model: what each subscription receives, message by message, through whatever
//! sessions, publishers, time and restarts do.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "a test may fail")]

use std::{collections::HashMap, time::Duration};

use parlor_core::{
    Config, Realtime,
    app::{Router, Rules},
    auth::Anonymous,
    broker::DeliveryRules,
    history::{PositionCodec, Retain},
    testing::{TestClient, TestSubscription},
};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use tokio::time::Instant;

/// Two with a history, one without.
const DESTINATIONS: [&str; 3] = ["/topic/kept/a", "/topic/kept/b", "/topic/plain"];
const SESSIONS: usize = 2;
const KEPT: usize = 5;
const AGE: Duration = Duration::from_secs(60);

/// How often every task has its turn before something counts as not coming.
const TURNS: usize = 100;

#[derive(Clone, Debug)]
enum Op {
    Leave(usize),
    Pass(u64),
    Publish {
        destination: usize,
        count: usize,
        by: Option<usize>,
    },
    Restart,
    /// Connects, if need be, and subscribes to everything that it does not listen to, going on from where it was.
    Return(usize),
    /// As if for the first time.
    Subscribe {
        session: usize,
        destination: usize,
    },
    Unsubscribe {
        session: usize,
        destination: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let (session, destination) = (0..SESSIONS, 0..DESTINATIONS.len());
    prop_oneof![
        3 => session.clone().prop_map(Op::Leave),
        2 => (1..40_u64).prop_map(Op::Pass),
        10 => (destination.clone(), 1..4_usize, proptest::option::of(session.clone()))
            .prop_map(|(destination, count, by)| Op::Publish { destination, count, by }),
        1 => Just(Op::Restart),
        6 => session.clone().prop_map(Op::Return),
        1 => (session.clone(), destination.clone())
            .prop_map(|(session, destination)| Op::Subscribe { session, destination }),
        3 => (session, destination).prop_map(|(session, destination)| Op::Unsubscribe { session, destination }),
    ]
}

/// How often each way to resume was taken.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    missed_nothing: usize,
    missed_some: usize,
    forgotten: usize,
    other_life: usize,
    not_its_own: usize,
}

/// What a destination has had in one life of the server, and how much of it is forgotten.
#[derive(Default)]
struct Log {
    entries: Vec<(usize, Instant)>,
    forgotten: usize,
}

impl Log {
    fn trim(&mut self) {
        let now = Instant::now();
        let too_old = self.entries.iter().take_while(|(_, at)| *at + AGE < now).count();
        self.forgotten = self.forgotten.max(too_old).max(self.entries.len().saturating_sub(KEPT));
    }
}

/// Where a session has come to on a destination: the position, the life, and how many entries it has behind it.
#[derive(Clone)]
struct Place {
    token: String,
    life: usize,
    seen: usize,
}

/// A subscription, what it must receive next, and what its next message must say about resuming.
struct Listening {
    subscription: TestSubscription,
    expected: Vec<usize>,
    says: Option<&'static str>,
}

#[derive(Default)]
struct Session {
    client: Option<TestClient>,
    listening: HashMap<usize, Listening>,
    places: HashMap<usize, Place>,
}

struct World {
    realtime: Realtime,
    life: usize,
    logs: [Log; DESTINATIONS.len()],
    sessions: [Session; SESSIONS],
    next: usize,
    taken: Taken,
}

fn start() -> Realtime {
    let rules = DeliveryRules::default()
        .history("/topic/kept/*", Retain::last(KEPT).within(AGE))
        .positions(PositionCodec::with_key(&[1; 32]));
    Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**"))
        .config(Config::development())
        .delivery(rules)
        .build()
        .unwrap()
}

impl World {
    fn new() -> Self {
        let (logs, sessions) = (Default::default(), Default::default());
        Self { realtime: start(), life: 0, logs, sessions, next: 0, taken: Taken::default() }
    }

    fn has_history(destination: usize) -> bool {
        destination < 2
    }

    async fn run(&mut self, op: Op) {
        match op {
            Op::Leave(session) => {
                self.sessions[session].listening.clear();
                if let Some(client) = self.sessions[session].client.take() {
                    client.abort().await;
                }
            }
            Op::Pass(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            Op::Publish { destination, count, by } => {
                for _ in 0..count {
                    self.publish(destination, by).await;
                }
            }
            Op::Restart => {
                self.realtime.shutdown(Duration::from_secs(60)).await;
                self.realtime = start();
                self.life += 1;
                self.logs = Default::default();
                for session in &mut self.sessions {
                    (session.client, session.listening) = (None, HashMap::new());
                }
            }
            Op::Return(session) => {
                if self.sessions[session].client.is_none() {
                    let name = format!("user-{session}");
                    let connecting = TestClient::connect(&self.realtime, name.as_str()).deaf_to_refusals();
                    self.sessions[session].client = Some(connecting.await);
                }
                for destination in 0..DESTINATIONS.len() {
                    self.subscribe(session, destination, true).await;
                }
            }
            Op::Subscribe { session, destination } => self.subscribe(session, destination, false).await,
            Op::Unsubscribe { session, destination } => {
                if let Some(listening) = self.sessions[session].listening.remove(&destination) {
                    listening.subscription.unsubscribe().await;
                    assert!(listening.subscription.messages().is_empty());
                }
            }
        }
    }

    async fn publish(&mut self, destination: usize, by: Option<usize>) {
        let (number, to) = (self.next, DESTINATIONS[destination]);
        self.next += 1;
        match by.and_then(|session| self.sessions[session].client.as_ref()) {
            Some(client) => client.send(to, &number).await,
            None => {
                let published = self.realtime.broker().publish(to, &number).await.unwrap();
                assert_eq!(published.position.is_some(), Self::has_history(destination));
            }
        }
        self.logs[destination].entries.push((number, Instant::now()));
        for session in &mut self.sessions {
            if let Some(listening) = session.listening.get_mut(&destination) {
                listening.expected.push(number);
            }
        }
    }

    async fn subscribe(&mut self, session: usize, destination: usize, resumes: bool) {
        let Session { client, listening, places } = &mut self.sessions[session];
        let Some(client) = client else { return };
        if listening.contains_key(&destination) {
            return;
        }
        let subscribing = client.subscribe(DESTINATIONS[destination]);
        // Where it has no position of this destination, one of another serves as badly as any.
        let place = places.get(&destination).or_else(|| places.get(&((destination + 1) % 2))).cloned();
        let Some(place) = place.filter(|_| resumes) else {
            let subscription = subscribing.await;
            assert_eq!(subscription.recovered(), None);
            self.begin(session, destination, &subscription);
            let Session { listening, .. } = &mut self.sessions[session];
            listening.insert(destination, Listening { subscription, expected: Vec::new(), says: None });
            return;
        };
        let log = &mut self.logs[destination];
        log.trim();
        let is_its_own = places.contains_key(&destination) && Self::has_history(destination);
        let recovered = is_its_own && place.life == self.life && place.seen >= log.forgotten;
        let missed = if recovered { &log.entries[place.seen..] } else { &[] };
        let taken = &mut self.taken;
        *(match (is_its_own, place.life == self.life, recovered) {
            (false, ..) => &mut taken.not_its_own,
            (_, false, _) => &mut taken.other_life,
            (.., false) => &mut taken.forgotten,
            _ if missed.is_empty() => &mut taken.missed_nothing,
            _ => &mut taken.missed_some,
        }) += 1;
        let expected: Vec<usize> = missed.iter().map(|(number, _)| *number).collect();
        let subscription = subscribing.resume_from(&place.token).await;
        assert_eq!(subscription.recovered(), Some(recovered));
        let says = Some(if recovered { "true" } else { "false" });
        if recovered {
            assert_eq!(subscription.position(), Some(&*place.token));
        } else {
            self.begin(session, destination, &subscription);
        }
        let Session { listening, .. } = &mut self.sessions[session];
        listening.insert(destination, Listening { subscription, expected, says });
    }

    /// A subscription begins after everything that was published before it, as its receipt says.
    fn begin(&mut self, session: usize, destination: usize, subscription: &TestSubscription) {
        assert_eq!(subscription.position().is_some(), Self::has_history(destination));
        if let Some(token) = subscription.position() {
            let seen = self.logs[destination].entries.len();
            let place = Place { token: token.to_owned(), life: self.life, seen };
            self.sessions[session].places.insert(destination, place);
        }
    }

    /// Everything that must have come has, and nothing else.
    async fn check(&mut self) {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        for session in self.sessions.iter_mut().filter(|session| session.client.is_some()) {
            for (destination, listening) in &mut session.listening {
                let messages = listening.subscription.messages();
                let numbers: Vec<usize> = messages.iter().map(|message| message.json()).collect();
                assert_eq!(numbers, std::mem::take(&mut listening.expected), "at {}", DESTINATIONS[*destination]);
                for message in &messages {
                    assert_eq!(message.header("recovered"), listening.says.take());
                    assert_eq!(message.position().is_some(), Self::has_history(*destination));
                }
                if let Some(token) = messages.last().and_then(|message| message.position()) {
                    let seen = self.logs[*destination].entries.len();
                    let place = Place { token: token.to_owned(), life: self.life, seen };
                    session.places.insert(*destination, place);
                }
            }
        }
    }
}

async fn run(ops: Vec<Op>) -> Taken {
    let mut world = World::new();
    for session in 0..SESSIONS {
        world.run(Op::Return(session)).await;
    }
    for op in ops {
        world.run(op).await;
        world.check().await;
    }
    world.taken
}

#[test]
fn rules_14_15_and_17_what_is_received_equals_the_model() {
    let all = std::cell::Cell::new(Taken::default());
    let judged = TestRunner::default().run(&vec(op(), 10..40), |ops| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let (Taken { missed_nothing, missed_some, forgotten, other_life, not_its_own }, sum) =
            (runtime.block_on(run(ops)), all.get());
        all.set(Taken {
            missed_nothing: sum.missed_nothing + missed_nothing,
            missed_some: sum.missed_some + missed_some,
            forgotten: sum.forgotten + forgotten,
            other_life: sum.other_life + other_life,
            not_its_own: sum.not_its_own + not_its_own,
        });
        Ok(())
    });
    judged.unwrap();
    let Taken { missed_nothing, missed_some, forgotten, other_life, not_its_own } = all.get();
    let least = [missed_nothing, missed_some, forgotten, other_life, not_its_own].into_iter().min();
    assert!(least > Some(0), "every way to resume was taken: {:?}", all.get());
}
