//! Subscribers that come and go while others publish: none misses a message once it is confirmed, and all see one order.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};

use parking_lot::Mutex;
use parlor_stomp::{AckMode, Version};

use super::{model_tests::Kept, *};
use crate::{
    destination::{Owner, Pattern, UserDestination},
    session_id::SessionId,
};

/// A connection that keeps what it is sent.
struct Ear {
    kept: Kept,
    subscriber: Subscriber,
}

impl Ear {
    fn new() -> Self {
        let kept = Kept::default();
        let subscriber = Subscriber {
            session: SessionId::random(),
            encoding: Encoding::stomp(Version::V1_2, Some("0")),
            outbox: Arc::new(Outbox::new(Box::new(kept.clone()), OutboxLimits::default())),
            ack: AckMode::Auto,
            prefetch: usize::MAX,
            begins: Begins::Live,
        };
        Self { kept, subscriber }
    }

    fn listen(&self, broker: &Broker, place: &str) -> ActiveSubscription {
        match place.parse::<Destination>() {
            Ok(destination) => broker.subscribe(Address::Topic(destination), self.subscriber.clone()).0,
            Err(_) => broker.subscribe_pattern(place.parse().unwrap(), self.subscriber.clone()).0,
        }
    }

    /// The bodies of what arrived, by destination.
    fn heard(&self) -> HashMap<String, Vec<String>> {
        let octets = self.kept.0.lock().clone();
        let mut heard = HashMap::<_, Vec<_>>::new();
        for frame in String::from_utf8_lossy(&octets).split('\0') {
            let Some((head, body)) = frame.split_once("\n\n") else { continue };
            let destination = head.lines().find_map(|line| line.strip_prefix("destination:")).unwrap();
            heard.entry(destination.to_owned()).or_default().push(body.to_owned());
        }
        heard
    }
}

/// While a message to a user passes it, the last listener leaves and another one comes.
struct Change {
    broker: Mutex<Option<Broker>>,
    leaving: Mutex<Option<ActiveSubscription>>,
    came: Mutex<Option<ActiveSubscription>>,
    coming: Ear,
    passed: AtomicUsize,
}

impl OutboundInterceptor for Arc<Change> {
    fn on_publish(&self, to: &Address, publication: Publication) -> Option<Publication> {
        self.passed.fetch_add(1, SeqCst);
        drop(self.leaving.lock().take());
        let broker = self.broker.lock().take().unwrap();
        *self.came.lock() = Some(broker.subscribe(to.clone(), self.coming.subscriber.clone()).0);
        Some(publication)
    }
}

#[test]
fn a_message_to_a_user_finds_who_came_while_the_last_listener_left() {
    let broker = Broker::default();
    let to = UserDestination { owner: Owner::User("ada".parse().unwrap()), path: "/queue/x".parse().unwrap() };
    let leaving = broker.subscribe(Address::User(to.clone()), Ear::new().subscriber).0;
    let change = Arc::new(Change {
        broker: Mutex::new(Some(broker.clone())),
        leaving: Mutex::new(Some(leaving)),
        came: Mutex::default(),
        coming: Ear::new(),
        passed: AtomicUsize::new(0),
    });
    broker.intercept(vec![Arc::new(Arc::clone(&change))]);
    let (sent, _) = broker.hand_to_owner(&to, &Publication::text("hello"), None).unwrap();
    assert_eq!(sent.subscriptions, 1);
    assert_eq!(change.coming.heard()["/user/queue/x"], ["hello"]);
    assert_eq!(change.passed.load(SeqCst), 1, "interceptors hear of a message once");
}

/// Two publishers meet at a topic whose lock is taken; a subscription by pattern is confirmed before either has its turn.
#[test]
fn a_subscription_by_pattern_that_is_confirmed_while_publishers_wait_gets_what_they_publish() {
    let broker = Broker::default();
    let destination: Destination = "/topic/a/x".parse().unwrap();
    let (exact, late) = (Ear::new(), Ear::new());
    let _exact = exact.listen(&broker, "/topic/a/x");
    let topic = broker.inner.index.topic(&Address::Topic(destination.clone())).unwrap();
    thread::scope(|scope| {
        let turn = topic.lock().unwrap();
        for body in ["1", "2"] {
            let (broker, destination) = (broker.clone(), destination.clone());
            scope.spawn(move || {
                let published = broker.publish_message(destination, Publication::text(body));
                futures_util::FutureExt::now_or_never(published).unwrap().unwrap();
            });
        }
        // So that they are most likely at the lock; if not, the test shows less and is green all the same.
        (0..10_000).for_each(|_| thread::yield_now());
        let _late = late.listen(&broker, "/topic/a/*");
        drop(turn);
        while exact.heard().get("/topic/a/x").is_none_or(|heard| heard.len() < 2) {
            thread::yield_now();
        }
    });
    assert_eq!(late.heard(), exact.heard());
}

const PUBLISHERS: usize = 4;
const MESSAGES: usize = 1500;
const PLACES: &[&str] = &["/topic/a/x", "/topic/a/*", "/topic/*/x", "/topic/b/x", "/topic/b/*", "/topic/b/**"];

/// How far the publishers are.
#[derive(Default)]
struct Progress {
    begun: [AtomicUsize; PUBLISHERS],
    done: [AtomicUsize; PUBLISHERS],
    finished: AtomicBool,
}

/// What one subscription heard, and what it had to hear: of each publisher's messages those in between.
struct Stay {
    place: &'static str,
    ear: Ear,
    after: [usize; PUBLISHERS],
    before: [usize; PUBLISHERS],
}

fn snapshot(counts: &[AtomicUsize; PUBLISHERS]) -> [usize; PUBLISHERS] {
    std::array::from_fn(|at| counts[at].load(SeqCst))
}

async fn publish_all(broker: Broker, publisher: usize, progress: Arc<Progress>) {
    for number in 0..MESSAGES {
        progress.begun[publisher].store(number, SeqCst);
        for destination in ["/topic/a/x", "/topic/b/x"] {
            let message = Publication::text(format!("{publisher} {number}"));
            broker.publish_message(destination.parse().unwrap(), message).await.unwrap();
        }
        progress.done[publisher].store(number + 1, SeqCst);
        tokio::task::yield_now().await;
    }
}

async fn come_and_go(broker: Broker, mut turn: usize, progress: Arc<Progress>) -> Vec<Stay> {
    let mut stays = Vec::new();
    while !progress.finished.load(SeqCst) {
        turn += 1;
        let (place, ear) = (PLACES[turn % PLACES.len()], Ear::new());
        let subscription = ear.listen(&broker, place);
        // One that has begun may have been accepted before.
        let after = snapshot(&progress.begun);
        for _ in 0..turn % 7 {
            tokio::task::yield_now().await;
        }
        let before = snapshot(&progress.done);
        drop(subscription);
        stays.push(Stay { place, ear, after, before });
        tokio::task::yield_now().await;
    }
    stays
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(clippy::disallowed_methods, reason = "the tasks of the test race on purpose, and all are waited for")]
async fn rules_8_and_9_hold_while_subscriptions_come_and_go() {
    let (broker, progress) = (Broker::default(), Arc::new(Progress::default()));
    // One by pattern, so that the topic itself comes and goes, and one by name, so that patterns do.
    let references = [("/topic/a/x", Ear::new()), ("/topic/b/x", Ear::new())];
    let _references = [references[0].1.listen(&broker, "/topic/a/**"), references[1].1.listen(&broker, "/topic/b/x")];
    let listeners: Vec<_> =
        (0..4).map(|turn| tokio::spawn(come_and_go(broker.clone(), turn, Arc::clone(&progress)))).collect();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| tokio::spawn(publish_all(broker.clone(), publisher, Arc::clone(&progress))))
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    progress.finished.store(true, SeqCst);
    broker.settled().await;
    let orders = references.map(|(destination, ear)| (destination, ear.heard().remove(destination).unwrap()));
    let places = orders.each_ref().map(|(destination, order)| {
        assert_eq!(order.len(), PUBLISHERS * MESSAGES, "everything reaches who always listens, once");
        let places: HashMap<_, _> = order.iter().enumerate().map(|(place, body)| (body.as_str(), place)).collect();
        assert_eq!(places.len(), order.len(), "and nothing twice");
        (*destination, places)
    });
    let mut proved = 0;
    for listener in listeners {
        for stay in listener.await.unwrap() {
            let heard = stay.ear.heard();
            let pattern: Pattern = stay.place.parse().unwrap();
            for (destination, order) in &places {
                let heard = heard.get(*destination).map(Vec::as_slice).unwrap_or_default();
                if !pattern.matches(&destination.parse().unwrap()) {
                    assert!(heard.is_empty());
                    continue;
                }
                let run: Vec<_> = heard.iter().map(|body| order[body.as_str()]).collect();
                assert!(
                    run.windows(2).all(|pair| pair[0] + 1 == pair[1]),
                    "{} has a hole or another order",
                    stay.place
                );
                for publisher in 0..PUBLISHERS {
                    for number in stay.after[publisher] + 1..stay.before[publisher] {
                        assert!(heard.contains(&format!("{publisher} {number}")), "{} missed a message", stay.place);
                        proved += 1;
                    }
                }
            }
        }
    }
    assert!(proved > 0, "no subscription was there long enough to prove anything");
    assert_eq!(broker.destination_count(), 1, "what nobody listens to any more is gone");
}
