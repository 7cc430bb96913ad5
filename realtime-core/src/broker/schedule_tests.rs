//! Threads that publish, resume, forget, come and go, under many schedules: at every lock shuttle decides which of them goes
//! on (`scripts/schedules`). A schedule that fails is printed, and can be run again.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use futures_util::{StreamExt, future::BoxFuture};
use parlor_stomp::{AckMode, Version};
use shuttle::{Config, MaxSteps, Runner, future::block_on, scheduler::RandomScheduler, thread};

use super::{model_tests::Kept, *};
use crate::{
    closing::Closing,
    destination::Pattern,
    history::{
        Appended, Entry, Journal, JournalError, JournalSink, MemoryJournal, MemoryLimits, Page, Position, ReadLimit,
        Retain, Retention,
    },
    session_id::SessionId,
};

const CHAT: &str = "/topic/chat";

/// Schedules of each scenario; `PARLOR_SCHEDULES` sets another number.
const SCHEDULES: usize = 10_000;

/// Messages of each publisher.
const MESSAGES: usize = 3;

/// Runs a scenario under random schedules. The seed is printed, and `PARLOR_SCHEDULE_SEED` sets it.
fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let schedules = number("PARLOR_SCHEDULES").map_or(SCHEDULES, |schedules| usize::try_from(schedules).unwrap());
    let seed = number("PARLOR_SCHEDULE_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("{schedules} schedules, PARLOR_SCHEDULE_SEED={seed}");
    let mut config = Config::default();
    // Of debug builds; the default is 32 KiB.
    config.stack_size = 512 * 1024;
    // A schedule that takes so many has come to no end.
    config.max_steps = MaxSteps::FailAfter(100_000);
    Runner::new(RandomScheduler::new_from_seed(seed, schedules), config).run(scenario);
}

fn chat() -> Destination {
    CHAT.parse().unwrap()
}

/// A broker that keeps the last so many messages of each topic.
fn keeping(messages: usize) -> Broker {
    let rules = DeliveryRules::default().history("/topic/**", Retain::last(messages));
    Broker::with_rules(Prefixes::default(), rules).unwrap()
}

/// Publishes from threads, each its numbers from 0, as `<publisher>-<number>`.
fn publishers(broker: &Broker, count: usize) -> Vec<thread::JoinHandle<()>> {
    let publish = |publisher: usize| {
        let broker = broker.clone();
        thread::spawn(move || {
            for number in 0..MESSAGES {
                let publication = Publication::text(format!("{publisher}-{number}"));
                block_on(broker.publish_message(chat(), publication)).unwrap();
            }
        })
    };
    (0..count).map(publish).collect()
}

/// A connection that keeps what it is sent.
struct Ear {
    kept: Kept,
    subscriber: Subscriber,
}

impl Ear {
    fn new(begins: Begins) -> Self {
        let kept = Kept::default();
        let subscriber = Subscriber {
            session: SessionId::random(),
            encoding: Encoding::stomp(Version::V1_2, Some("0")),
            outbox: Arc::new(Outbox::new(Box::new(kept.clone()), OutboxLimits::default())),
            ack: AckMode::Auto,
            prefetch: usize::MAX,
            begins,
        };
        Self { kept, subscriber }
    }

    /// Subscribes as a SUBSCRIBE with `resume-from` does; false where nothing could be proved, `Err` where it was left behind.
    fn resume(&self, broker: &Broker, from: &str) -> Result<(ActiveSubscription, bool), Closing> {
        let (active, _) = broker.subscribe(Address::Topic(chat()), self.subscriber.clone());
        let missed = block_on(active.resume(Some(&chat()), from, CHAT, &[]));
        let recovered = missed.is_some();
        if let Some(mut missed) = missed {
            while let Some(sent) = block_on(missed.next()) {
                sent?;
            }
        }
        Ok((active, recovered))
    }

    /// The bodies of what came, in their order.
    fn heard(&self) -> Vec<String> {
        let octets = self.kept.0.lock().clone();
        let text = String::from_utf8_lossy(&octets).into_owned();
        text.split('\0').filter_map(|frame| Some(frame.split_once("\n\n")?.1.to_owned())).collect()
    }
}

/// Each publisher's messages stand in its order, each once; from its first on where `whole`, and none is left out behind the
/// first that came.
fn assert_in_order(heard: &[String], count: usize, whole: bool) {
    let mut next: HashMap<&str, usize> = HashMap::new();
    for body in heard {
        let (publisher, number) = body.split_once('-').unwrap();
        let number: usize = number.parse().unwrap();
        let expected = next.entry(publisher).or_insert(if whole { 0 } else { number });
        assert_eq!(number, *expected, "{heard:?}");
        *expected += 1;
    }
    if whole {
        assert_eq!(heard.len(), count * MESSAGES, "{heard:?}");
    } else {
        // Live to the end: whoever came at all came to its last one.
        assert!(next.values().all(|next| *next == MESSAGES), "{heard:?}");
    }
}

#[test]
fn rule_14_who_resumes_while_others_publish_loses_nothing_and_sees_nothing_twice() {
    explore(|| {
        let broker = keeping(100);
        let from = block_on(broker.position_of(&chat())).unwrap();
        let publishing = publishers(&broker, 2);
        let (ear, witness) = (Ear::new(Begins::Resuming), Ear::new(Begins::Resuming));
        let early = witness.resume(&broker, &from).unwrap();
        let late = ear.resume(&broker, &from).unwrap();
        assert!(early.1 && late.1);
        publishing.into_iter().for_each(|thread| thread.join().unwrap());
        assert_in_order(&ear.heard(), 2, true);
        assert_eq!(ear.heard(), witness.heard(), "one order for all");
    });
}

#[test]
fn rule_14_a_place_that_was_told_before_a_subscription_covers_all_that_the_subscription_sees() {
    explore(|| {
        let broker = keeping(100);
        let publishing = publishers(&broker, 2);
        let from = block_on(broker.position_of(&chat())).unwrap();
        let (uncut, resumed) = (Ear::new(Begins::Live), Ear::new(Begins::Resuming));
        let _uncut = broker.subscribe(Address::Topic(chat()), uncut.subscriber.clone());
        let _resumed = resumed.resume(&broker, &from).unwrap();
        publishing.into_iter().for_each(|thread| thread.join().unwrap());
        let (uncut, resumed) = (uncut.heard(), resumed.heard());
        assert_in_order(&resumed, 2, false);
        assert!(resumed.ends_with(&uncut), "{uncut:?} {resumed:?}");
    });
}

#[test]
fn rule_15_who_resumes_while_the_history_is_trimmed_is_told_of_a_hole_or_has_none() {
    explore(|| {
        let broker = keeping(2);
        let from = block_on(broker.position_of(&chat())).unwrap();
        let publishing = publishers(&broker, 2);
        let ear = Ear::new(Begins::Resuming);
        let resumed = ear.resume(&broker, &from);
        publishing.into_iter().for_each(|thread| thread.join().unwrap());
        match resumed {
            Ok((_, recovered)) => assert_in_order(&ear.heard(), 2, recovered),
            // Left behind: without a hole up to there.
            Err(closing) => assert_eq!(closing.code(), "slow-consumer"),
        }
    });
}

#[test]
fn rule_17_who_resumes_while_the_history_is_lost_is_told_of_a_hole_or_has_none() {
    explore(|| {
        let retention = Retention::new([("/topic/**".parse::<Pattern>().unwrap(), Retain::last(100))]).unwrap();
        let journal = Arc::new(MemoryJournal::new(retention, MemoryLimits::default()));
        let rules =
            DeliveryRules::default().history("/topic/**", Retain::last(100)).journal(Shared(Arc::clone(&journal)));
        let broker = Broker::with_rules(Prefixes::default(), rules).unwrap();
        let from = block_on(broker.position_of(&chat())).unwrap();
        let publishing = publishers(&broker, 2);
        let forgetting = thread::spawn(move || block_on(journal.forget(&chat())).unwrap());
        let ear = Ear::new(Begins::Resuming);
        let resumed = ear.resume(&broker, &from);
        publishing.into_iter().for_each(|thread| thread.join().unwrap());
        forgetting.join().unwrap();
        match resumed {
            Ok((_, recovered)) => assert_in_order(&ear.heard(), 2, recovered),
            Err(closing) => assert_eq!(closing.code(), "slow-consumer"),
        }
    });
}

#[test]
fn rule_10_who_subscribes_while_the_last_one_leaves_sees_what_is_published_afterwards() {
    explore(|| {
        let broker = Broker::default();
        let leaving = broker.subscribe(Address::Topic(chat()), Ear::new(Begins::Live).subscriber);
        let leaving = thread::spawn(move || drop(leaving));
        let publishing = publishers(&broker, 1);
        let ear = Ear::new(Begins::Live);
        let _active = broker.subscribe(Address::Topic(chat()), ear.subscriber.clone());
        block_on(broker.publish_message(chat(), Publication::text("1-0"))).unwrap();
        leaving.join().unwrap();
        publishing.into_iter().for_each(|thread| thread.join().unwrap());
        let heard = ear.heard();
        assert!(heard.iter().any(|body| body == "1-0"), "{heard:?}");
        let others: Vec<String> = heard.into_iter().filter(|body| body != "1-0").collect();
        assert_in_order(&others, 1, false);
        assert_eq!(broker.subscription_count(&chat()), 1);
    });
}

#[test]
fn rule_12_what_several_consumers_of_a_queue_acknowledge_is_given_once() {
    explore(|| {
        let broker = Broker::default();
        let queue: Destination = "/queue/jobs".parse().unwrap();
        let ears = [Ear::new(Begins::Live), Ear::new(Begins::Live)];
        let publishing = [0, 1].map(|publisher| {
            let (broker, queue) = (broker.clone(), queue.clone());
            thread::spawn(move || {
                for number in 0..MESSAGES {
                    let publication = Publication::text(format!("{publisher}-{number}"));
                    block_on(broker.publish_message(queue.clone(), publication)).unwrap();
                }
            })
        });
        let consumers = ears.each_ref().map(|ear| broker.consume(&queue, &ear.subscriber).unwrap());
        consumers.iter().for_each(|consumer| consumer.begin());
        publishing.into_iter().for_each(|thread| thread.join().unwrap());
        let mut all: Vec<String> = ears.iter().flat_map(Ear::heard).collect();
        for heard in ears.iter().map(Ear::heard) {
            assert!(
                ["0", "1"]
                    .iter()
                    .all(|publisher| { heard.iter().filter(|body| body.starts_with(publisher)).is_sorted() })
            );
        }
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 2 * MESSAGES, "{all:?}");
        assert_eq!(broker.waiting_count(&queue), 0);
    });
}

/// What these tests are for: whoever reads first and subscribes then loses what was published in between, which is seldom.
#[test]
#[should_panic(expected = "a planted hole")]
fn a_reader_that_subscribes_after_it_has_read_is_found() {
    explore(|| {
        let broker = keeping(100);
        let journal = Arc::clone(broker.rules().unwrap().journal_of(&chat()).unwrap());
        let top = block_on(journal.top(&chat())).unwrap();
        let publishing = publishers(&broker, 1);
        let page = block_on(journal.read(&chat(), top, ReadLimit::default())).unwrap();
        let ear = Ear::new(Begins::Live);
        let _active = broker.subscribe(Address::Topic(chat()), ear.subscriber.clone());
        publishing.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(page.entries.len() + ear.heard().len() >= MESSAGES, "a planted hole");
    });
}

/// A journal that others can reach as well.
struct Shared(Arc<MemoryJournal>);

impl Journal for Shared {
    fn attach(&self, sink: Arc<dyn JournalSink>) {
        self.0.attach(sink);
    }

    fn append<'a>(&'a self, on: &'a Destination, entry: Entry) -> BoxFuture<'a, Result<Appended, JournalError>> {
        self.0.append(on, entry)
    }

    fn read<'a>(
        &'a self,
        on: &'a Destination,
        after: Position,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Page, JournalError>> {
        self.0.read(on, after, limit)
    }

    fn top<'a>(&'a self, on: &'a Destination) -> BoxFuture<'a, Result<Position, JournalError>> {
        self.0.top(on)
    }

    fn forget<'a>(&'a self, on: &'a Destination) -> BoxFuture<'a, Result<(), JournalError>> {
        self.0.forget(on)
    }
}
