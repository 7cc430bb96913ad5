//! Rules 14, 15 and 25: positions, and subscriptions that go on from one, over whole connections.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::panic, reason = "a test may fail")]

mod support;

use std::{
    future::ready,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use parlor_core::{
    Config, Realtime,
    app::{Route, Router, Rule, Rules},
    auth::Anonymous,
    broker::{Broker, DeliveryRules, Publication},
    destination::Destination,
    extract::Reply,
    history::{
        Appended, Entry, Journal, JournalError, JournalSink, MemoryJournal, MemoryLimits, Page, Position,
        PositionCodec, ReadLimit, Retain, Retention, Stamp,
    },
    testing::{TestClient, TestMessage, TestSubscription},
};
use support::{Client, Received, header, user};
use tokio::task::yield_now;

const CHAT: &str = "/topic/chat";

fn retaining(messages: usize) -> DeliveryRules {
    DeliveryRules::default().history("/topic/**", Retain::last(messages).up_to(64 << 20))
}

fn rules() -> Rules {
    Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**").allow_subscribe("/queue/**")
}

fn with_routes(routes: Router<()>, delivery: DeliveryRules) -> Realtime {
    Realtime::builder(routes.with_state(()))
        .authenticate(Anonymous)
        .authorize(rules())
        .config(Config::development().pattern_subscriptions(true))
        .delivery(delivery)
        .build()
        .unwrap()
}

fn realtime(delivery: DeliveryRules) -> Realtime {
    with_routes(Router::new(), delivery)
}

async fn publish(broker: &Broker, number: usize) {
    broker.publish(CHAT, &number).await.unwrap();
}

/// The position of a client that has seen message 0 and nothing else.
async fn seen_the_first(realtime: &Realtime) -> String {
    let ada = TestClient::connect(realtime, "ada").await;
    let chat = ada.subscribe(CHAT).await;
    publish(realtime.broker(), 0).await;
    let position = chat.expect_message().await.position().unwrap().to_owned();
    ada.disconnect().await;
    position
}

async fn expect_numbers(chat: &TestSubscription, numbers: std::ops::Range<usize>) -> Vec<TestMessage> {
    let mut messages = Vec::new();
    for number in numbers {
        messages.push(chat.expect_json(number).await);
    }
    messages
}

/// Nothing of before is told, the receipt and the first message say so, and no other message does.
async fn assert_not_recovered(realtime: &Realtime, chat: &TestSubscription, publish_to: &str) {
    assert_eq!(chat.recovered(), Some(false));
    chat.assert_silent().await;
    realtime.broker().publish(publish_to, "next").await.unwrap();
    let first = chat.expect_json("next").await;
    assert_eq!(first.header("recovered"), Some("false"));
    realtime.broker().publish(publish_to, "later").await.unwrap();
    assert_eq!(chat.expect_json("later").await.header("recovered"), None);
}

#[tokio::test(start_paused = true)]
async fn rule_14_messages_of_a_history_carry_their_position_and_others_do_not() {
    let realtime = realtime(DeliveryRules::default().history(CHAT, Retain::last(10)));
    let ada = TestClient::connect(&realtime, "ada").await;
    let (chat, news) = (ada.subscribe(CHAT).await, ada.subscribe("/topic/news").await);
    let published = realtime.broker().publish(CHAT, &1).await.unwrap();
    assert!(published.position.is_some());
    let position = chat.expect_json(1).await.position().unwrap().to_owned();
    assert_eq!(position.len(), PositionCodec::TOKEN_OCTETS);
    ada.send(CHAT, &2).await;
    assert_ne!(chat.expect_json(2).await.position().unwrap(), position);
    assert_eq!(realtime.broker().publish("/topic/news", &3).await.unwrap().position, None);
    assert_eq!(news.expect_json(3).await.position(), None);
    assert_eq!(chat.recovered(), None);
}

#[tokio::test(start_paused = true)]
async fn rule_14_what_was_missed_comes_first_in_order_with_the_same_ids_and_then_it_is_live() {
    let realtime = realtime(retaining(1000));
    let bob = TestClient::connect(&realtime, "bob").await;
    let witness = bob.subscribe(CHAT).await;
    let position = seen_the_first(&realtime).await;
    for number in 1..200 {
        publish(realtime.broker(), number).await;
    }
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&position).await;
    assert_eq!(chat.recovered(), Some(true));
    for number in 200..210 {
        publish(realtime.broker(), number).await;
    }
    let resumed = expect_numbers(&chat, 1..210).await;
    assert_eq!(resumed[0].header("recovered"), Some("true"));
    assert!(resumed[1..].iter().all(|message| message.header("recovered").is_none()));
    chat.assert_silent().await;
    let first_hand = expect_numbers(&witness, 0..210).await;
    for (again, first) in resumed.iter().zip(&first_hand[1..]) {
        for name in ["message-id", "position", "content-type"] {
            assert_eq!(again.header(name), first.header(name));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_14_who_missed_nothing_is_told_so_with_the_first_message() {
    let realtime = realtime(retaining(10));
    let position = seen_the_first(&realtime).await;
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&position).await;
    assert_eq!(chat.recovered(), Some(true));
    chat.assert_silent().await;
    publish(realtime.broker(), 1).await;
    assert_eq!(chat.expect_json(1).await.header("recovered"), Some("true"));
}

/// Two publishers, a client that comes and goes, and a course of events for each seed.
async fn race(seed: u64, journal: Option<Late>) {
    let delivery = match journal {
        Some(journal) => retaining(100_000).journal(journal),
        None => retaining(100_000),
    };
    let realtime = realtime(delivery);
    let mut chance = Chance(seed);
    let mut position = seen_the_first(&realtime).await;
    let next = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let publishers = [0, 1].map(|publisher| {
        let (broker, mut chance) = (realtime.broker().clone(), Chance(seed.wrapping_mul(31) + publisher));
        let (next, stop) = (Arc::clone(&next), Arc::clone(&stop));
        tokio::spawn(async move {
            while !stop.load(Ordering::Acquire) {
                let number = next.fetch_add(1, Ordering::AcqRel);
                broker.publish(CHAT, &format!("{publisher}-{number}")).await.unwrap();
                chance.pause().await;
            }
        })
    });
    let mut seen: Vec<String> = Vec::new();
    for round in 0..4 {
        chance.pause().await;
        let ada = TestClient::connect(&realtime, "ada").await;
        let chat = ada.subscribe(CHAT).resume_from(&position).await;
        assert_eq!(chat.recovered(), Some(true), "seed {seed}");
        if round == 3 {
            stop.store(true, Ordering::Release);
        } else {
            for _ in 0..chance.below(30) {
                let message = chat.expect_message().await;
                message.position().unwrap().clone_into(&mut position);
                seen.push(message.json());
            }
            ada.abort().await;
            continue;
        }
        for publisher in &publishers {
            while !publisher.is_finished() {
                yield_now().await;
            }
        }
        while seen.len() < next.load(Ordering::Acquire) {
            let message = chat.expect_message().await;
            seen.push(message.json());
        }
        chat.assert_silent().await;
    }
    for publisher in ["0-", "1-"] {
        let numbers: Vec<usize> = seen.iter().filter_map(|text| text.strip_prefix(publisher)?.parse().ok()).collect();
        assert!(numbers.is_sorted_by(|one, other| one < other), "seed {seed}: {numbers:?}");
    }
    let mut sorted: Vec<usize> = seen.iter().map(|text| text[2..].parse().unwrap()).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..sorted.len()).collect::<Vec<_>>(), "seed {seed}: everything once");
}

/// A generator of numbers that a seed decides (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    async fn pause(&mut self) {
        for _ in 0..self.below(12) {
            yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_14_under_races_with_publishers_nothing_is_lost_and_nothing_comes_twice() {
    for seed in 0..25 {
        race(seed, None).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_14_a_journal_that_tells_of_entries_later_than_it_shows_them_loses_and_repeats_nothing() {
    for seed in 0..25 {
        race(seed, Some(Late::new(seed))).await;
    }
}

/// The same where threads race: what one task does is cut by others anywhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_14_under_races_of_threads_nothing_is_lost_and_nothing_comes_twice() {
    const PUBLISHERS: usize = 3;
    let realtime = realtime(retaining(1_000_000));
    let position = seen_the_first(&realtime).await;
    let stop = Arc::new(AtomicBool::new(false));
    let counts: Arc<[AtomicUsize; PUBLISHERS]> = Arc::default();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let (broker, stop, counts) = (realtime.broker().clone(), Arc::clone(&stop), Arc::clone(&counts));
            tokio::spawn(async move {
                while !stop.load(Ordering::Acquire) {
                    let number = counts[publisher].fetch_add(1, Ordering::AcqRel);
                    broker.publish(CHAT, &[publisher, number]).await.unwrap();
                    // Paced by the clock of the wall, or the readers would never be done.
                    tokio::time::sleep(Duration::from_micros(300)).await;
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..4)
        .map(|reader| {
            let (realtime, mut position) = (realtime.clone(), position.clone());
            tokio::spawn(async move {
                let mut next = [0; PUBLISHERS];
                for _ in 0..40 {
                    let client = TestClient::connect(&realtime, format!("reader-{reader}").as_str()).await;
                    let chat = client.subscribe(CHAT).resume_from(&position).await;
                    assert_eq!(chat.recovered(), Some(true));
                    for _ in 0..30 {
                        let message = chat.expect_message().await;
                        let [publisher, number] = message.json::<[usize; 2]>();
                        assert_eq!(number, next[publisher], "of {publisher}");
                        next[publisher] += 1;
                        message.position().unwrap().clone_into(&mut position);
                    }
                    client.abort().await;
                }
            })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
    stop.store(true, Ordering::Release);
    for publisher in publishers {
        publisher.await.unwrap();
    }
}

/// A reader that takes a frame now and then, over a pipe that holds little.
#[tokio::test(start_paused = true)]
async fn rule_14_more_than_an_outbox_holds_is_replayed_to_a_slow_but_steady_reader() {
    const MISSED: usize = 3000;
    let realtime = realtime(retaining(10_000));
    let position = seen_the_first(&realtime).await;
    let filler = "x".repeat(400);
    for number in 1..=MISSED {
        realtime.broker().publish(CHAT, &(number, &filler)).await.unwrap();
    }
    let mut slow = Client::open_with_buffer(&realtime, user("ada"), 4096);
    slow.send("CONNECT\naccept-version:1.2\n\n").await;
    slow.frame().await;
    slow.send(&format!("SUBSCRIBE\nid:0\ndestination:{CHAT}\nresume-from:{position}\nreceipt:r\n\n")).await;
    assert_eq!(slow.frame().await, "RECEIPT\nreceipt-id:r\nrecovered:true\n\n");
    for number in 1..=MISSED + 300 {
        if number % 10 == 0 && number <= MISSED {
            realtime.broker().publish(CHAT, &(MISSED + number / 10, &filler)).await.unwrap();
        }
        let frame = slow.frame().await;
        assert!(support::body(&frame).starts_with(&format!("[{number},")), "{number}: {}", &frame[..200]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    support::assert_silent(&mut slow).await;
}

/// Each message fits, two of them do not.
#[tokio::test(start_paused = true)]
async fn rule_14_messages_that_are_large_for_the_outbox_are_replayed_one_after_another() {
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(rules())
        .config(Config::development().outbox(parlor_core::broker::OutboxLimits::default().max_bytes(1000)))
        .delivery(retaining(100))
        .build()
        .unwrap();
    let position = seen_the_first(&realtime).await;
    for number in 1..=20 {
        // On both sides of half of what may wait, and beyond all of it.
        let filler = "x".repeat([10, 500, 700, 5000][number % 4]);
        realtime.broker().publish(CHAT, &(number, filler)).await.unwrap();
    }
    let mut slow = Client::open_with_buffer(&realtime, user("ada"), 64);
    slow.send("CONNECT\naccept-version:1.2\n\n").await;
    slow.frame().await;
    slow.send(&format!("SUBSCRIBE\nid:0\ndestination:{CHAT}\nresume-from:{position}\n\n")).await;
    for number in 1..=20 {
        let frame = slow.frame().await;
        assert!(support::body(&frame).starts_with(&format!("[{number},")), "{number}: {frame}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_15_where_completeness_cannot_be_proved_the_client_is_told_and_nothing_partial_comes() {
    let realtime = realtime(retaining(5));
    let position = seen_the_first(&realtime).await;
    for number in 1..=5 {
        publish(realtime.broker(), number).await;
    }
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&position).await;
    expect_numbers(&chat, 1..6).await;
    chat.unsubscribe().await;
    // One more, and the first that was missed is gone.
    publish(realtime.broker(), 6).await;
    let mut forged = position.clone().into_bytes();
    forged[20] = if forged[20] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for token in [position.as_str(), &forged, "nonsense", "0", &position[1..], &"A".repeat(900)] {
        let chat = ada.subscribe(CHAT).resume_from(token).await;
        assert_not_recovered(&realtime, &chat, CHAT).await;
        chat.unsubscribe().await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_position_is_good_for_its_destination_alone() {
    let realtime = realtime(retaining(100));
    let position = seen_the_first(&realtime).await;
    realtime.broker().publish("/topic/news", "before").await.unwrap();
    let ada = TestClient::connect(&realtime, "ada").await;
    let news = ada.subscribe("/topic/news").resume_from(&position).await;
    assert_not_recovered(&realtime, &news, "/topic/news").await;
}

#[tokio::test(start_paused = true)]
async fn rule_15_what_has_no_history_cannot_be_resumed_and_says_so() {
    let realtime = realtime(DeliveryRules::default().history(CHAT, Retain::last(9)));
    let position = seen_the_first(&realtime).await;
    let ada = TestClient::connect(&realtime, "ada").await;
    let plain = ada.subscribe("/topic/plain").resume_from(&position).await;
    assert_not_recovered(&realtime, &plain, "/topic/plain").await;
    plain.unsubscribe().await;

    let pattern = ada.subscribe("/topic/*").resume_from(&position).await;
    assert_not_recovered(&realtime, &pattern, CHAT).await;
    pattern.unsubscribe().await;

    let queue = ada.subscribe("/queue/jobs").resume_from(&position).await;
    assert_eq!(queue.recovered(), Some(false));
    for (job, said) in [(1, Some("false")), (2, None)] {
        realtime.broker().publish("/queue/jobs", &job).await.unwrap();
        assert_eq!(queue.expect_json(job).await.header("recovered"), said);
    }

    let notes = ada.subscribe("/user/queue/notes").resume_from(&position).await;
    assert_eq!(notes.recovered(), Some(false));
    for (note, said) in [(1, Some("false")), (2, None)] {
        realtime.broker().send_to_user(&"ada".parse().unwrap(), "/queue/notes", &note).await.unwrap();
        assert_eq!(notes.expect_json(note).await.header("recovered"), said);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_restart_is_another_epoch_and_rule_15_tells() {
    let rules = || retaining(100).positions(PositionCodec::with_key(&[7; 32]));
    let position = seen_the_first(&realtime(rules())).await;
    let restarted = realtime(rules());
    // As many as the position has seen, so that the offset alone would fit.
    publish(restarted.broker(), 0).await;
    let ada = TestClient::connect(&restarted, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&position).await;
    assert_not_recovered(&restarted, &chat, CHAT).await;
}

#[tokio::test(start_paused = true)]
async fn rule_25_rights_are_those_of_the_day_also_for_what_was_missed() {
    let may = Arc::new(AtomicBool::new(true));
    let now = Arc::clone(&may);
    let rule = Rule::subscribe("/topic/**").when(move |_, _| ready(now.load(Ordering::Acquire)));
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow(rule))
        .delivery(retaining(100))
        .build()
        .unwrap();
    let position = seen_the_first(&realtime).await;
    publish(realtime.broker(), 1).await;
    let ada = TestClient::connect(&realtime, "ada").await;
    may.store(false, Ordering::Release);
    ada.subscribe(CHAT).resume_from(&position).refused("forbidden").await;
    may.store(true, Ordering::Release);
    let chat = ada.subscribe(CHAT).resume_from(&position).await;
    expect_numbers(&chat, 1..2).await;
}

async fn topic_of_the_day(broker: Broker) -> Reply<&'static str> {
    broker.publish(CHAT, "published while the reply was made").await.unwrap();
    Reply("welcome")
}

#[tokio::test(start_paused = true)]
async fn rule_9_a_reply_comes_before_what_was_missed_and_says_whether_that_is_all() {
    let realtime = with_routes(Router::new().mount(Route::subscribe(CHAT, topic_of_the_day)), retaining(100));
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).await;
    let welcome = chat.expect_json("welcome").await;
    assert_eq!((welcome.header("recovered"), welcome.position()), (None, None));
    let position = chat.expect::<String>();
    position.await;
    publish(realtime.broker(), 0).await;
    let position = chat.expect_json(0).await.position().unwrap().to_owned();
    chat.unsubscribe().await;
    publish(realtime.broker(), 1).await;
    for (token, recovered) in [(position.as_str(), true), ("nonsense", false)] {
        let chat = ada.subscribe(CHAT).resume_from(token).await;
        assert_eq!(chat.recovered(), Some(recovered));
        let said = if recovered { "true" } else { "false" };
        assert_eq!(chat.expect_json("welcome").await.header("recovered"), Some(said));
        if recovered {
            assert_eq!(chat.expect_json(1).await.header("recovered"), None);
        }
        chat.expect_json("published while the reply was made").await;
        chat.unsubscribe().await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_12_what_was_missed_is_acknowledged_like_everything_else() {
    let realtime = realtime(retaining(100_000));
    let position = seen_the_first(&realtime).await;
    // More than such a subscription may have without acknowledging.
    for number in 1..3000 {
        publish(realtime.broker(), number).await;
    }
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&position).header("ack", "client").header("prefetch-count", "10").await;
    assert_eq!(chat.recovered(), Some(true));
    let mut number = 1;
    while number < 3100 {
        let messages = expect_numbers(&chat, number..(number + 10).min(3100)).await;
        assert_eq!(messages[0].header("recovered"), (number == 1).then_some("true"));
        number += messages.len();
        chat.assert_silent().await;
        if number % 300 == 1 {
            for more in 0..10 {
                publish(realtime.broker(), 3000 + number / 300 * 10 - 10 + more).await;
            }
        }
        let ack = messages.last().unwrap().header("ack").unwrap().to_owned();
        ada.send_frame(&parlor_stomp::Frame::new(parlor_stomp::Command::Ack).with_header("id", &ack));
        ada.sync().await;
    }
    chat.assert_silent().await;
}

async fn begin_slow_replay(realtime: &Realtime, position: &str) -> Client {
    let mut slow = Client::open_with_buffer(realtime, user("ada"), 2048);
    slow.send("CONNECT\naccept-version:1.2\n\n").await;
    slow.frame().await;
    slow.send(&format!("SUBSCRIBE\nid:0\ndestination:{CHAT}\nresume-from:{position}\n\n")).await;
    assert_eq!(header(&slow.frame().await, "recovered"), Some("true"));
    slow
}

#[tokio::test(start_paused = true)]
async fn a_replay_ends_with_its_subscription_and_with_its_session() {
    let realtime = realtime(retaining(10_000));
    let position = seen_the_first(&realtime).await;
    let filler = "x".repeat(1000);
    for number in 1..5000 {
        realtime.broker().publish(CHAT, &(number, &filler)).await.unwrap();
    }
    for command in ["UNSUBSCRIBE\nid:0\nreceipt:end\n\n", "DISCONNECT\nreceipt:end\n\n"] {
        let mut slow = begin_slow_replay(&realtime, &position).await;
        slow.send(command).await;
        let mut replayed = 1;
        loop {
            let frame = slow.frame().await;
            if frame.starts_with("RECEIPT") {
                break;
            }
            replayed += 1;
        }
        // What waited was sent; what had not been read from the history was not.
        assert!(replayed < 1000, "{replayed}");
        if command.starts_with('U') {
            publish(realtime.broker(), 5000).await;
            support::assert_silent(&mut slow).await;
        } else {
            assert!(matches!(slow.next().await, Received::Close(1000, _)));
        }
        drop(slow);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(realtime.broker().destination_count(), 0);
    }
    begin_slow_replay(&realtime, &position).await.vanish().await;
    assert_eq!(realtime.broker().destination_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_reader_that_the_history_leaves_behind_is_closed_as_slow_and_told_when_it_is_back() {
    let realtime = realtime(retaining(2000));
    let position = seen_the_first(&realtime).await;
    let filler = "x".repeat(1000);
    for number in 1..2000 {
        realtime.broker().publish(CHAT, &(number, &filler)).await.unwrap();
    }
    let mut slow = begin_slow_replay(&realtime, &position).await;
    for number in 2000..6000 {
        realtime.broker().publish(CHAT, &(number, &filler)).await.unwrap();
    }
    let (mut number, mut last) = (2, String::new());
    loop {
        let frame = slow.frame().await;
        if frame.starts_with("ERROR") {
            assert_eq!(header(&frame, "code"), Some("slow-consumer"));
            assert!(matches!(slow.next().await, Received::Close(1013, _)));
            break;
        }
        // Without a hole to the end.
        assert!(support::body(&frame).starts_with(&format!("[{number},")), "{number}: {frame}");
        header(&frame, "position").unwrap().clone_into(&mut last);
        number += 1;
    }
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&last).await;
    assert_not_recovered(&realtime, &chat, CHAT).await;
}

/// A journal that takes its time, and tells of an entry some time after it can be read.
struct Late {
    inner: MemoryJournal,
    sink: OnceLock<Arc<dyn JournalSink>>,
    /// Keeps the order of what the sink is told.
    order: tokio::sync::Mutex<Chance>,
    reads: AtomicUsize,
}

impl Late {
    fn new(seed: u64) -> Self {
        let retain = Retain::last(100_000).up_to(64 << 20);
        let retention = Retention::new([("/topic/**".parse().unwrap(), retain)]).unwrap();
        Self {
            inner: MemoryJournal::new(retention, MemoryLimits::default()),
            sink: OnceLock::new(),
            order: tokio::sync::Mutex::new(Chance(seed)),
            reads: AtomicUsize::new(0),
        }
    }
}

impl Journal for Late {
    fn attach(&self, sink: Arc<dyn JournalSink>) {
        self.sink.get_or_init(|| sink);
    }

    fn append<'a>(&'a self, on: &'a Destination, entry: Entry) -> BoxFuture<'a, Result<Appended, JournalError>> {
        Box::pin(async move {
            let mut chance = self.order.lock().await;
            let Position { epoch, offset } = self.inner.append(on, entry.clone()).await?.position;
            chance.pause().await;
            let stamp = Stamp { epoch, offset, prev: offset - 1 };
            let reached = self.sink.get().unwrap().appended(on, stamp, &entry);
            drop(chance);
            yield_now().await;
            Ok(Appended::new(stamp.position(), reached))
        })
    }

    fn read<'a>(
        &'a self,
        on: &'a Destination,
        after: Position,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Page, JournalError>> {
        Box::pin(async move {
            for _ in 0..self.reads.fetch_add(1, Ordering::Relaxed) % 5 {
                yield_now().await;
            }
            let page = self.inner.read(on, after, limit).await;
            yield_now().await;
            page
        })
    }

    fn top<'a>(&'a self, on: &'a Destination) -> BoxFuture<'a, Result<Position, JournalError>> {
        self.inner.top(on)
    }

    fn forget<'a>(&'a self, on: &'a Destination) -> BoxFuture<'a, Result<(), JournalError>> {
        self.inner.forget(on)
    }
}

/// A journal whose store can be away.
struct Failing {
    inner: MemoryJournal,
    away: Arc<AtomicBool>,
}

impl Failing {
    fn judge(&self) -> Result<(), JournalError> {
        match self.away.load(Ordering::Acquire) {
            true => Err(JournalError::Store("the store is away".into())),
            false => Ok(()),
        }
    }
}

impl Journal for Failing {
    fn attach(&self, sink: Arc<dyn JournalSink>) {
        self.inner.attach(sink);
    }

    fn append<'a>(&'a self, on: &'a Destination, entry: Entry) -> BoxFuture<'a, Result<Appended, JournalError>> {
        Box::pin(async move {
            self.judge()?;
            self.inner.append(on, entry).await
        })
    }

    fn read<'a>(
        &'a self,
        on: &'a Destination,
        after: Position,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Page, JournalError>> {
        Box::pin(async move {
            self.judge()?;
            self.inner.read(on, after, limit).await
        })
    }

    fn top<'a>(&'a self, on: &'a Destination) -> BoxFuture<'a, Result<Position, JournalError>> {
        self.inner.top(on)
    }

    fn forget<'a>(&'a self, on: &'a Destination) -> BoxFuture<'a, Result<(), JournalError>> {
        self.inner.forget(on)
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_delivers_nothing_and_resumes_nobody_and_says_so() {
    let away = Arc::new(AtomicBool::new(false));
    let retention = Retention::new([("/topic/**".parse().unwrap(), Retain::last(10_000))]).unwrap();
    let inner = MemoryJournal::new(retention, MemoryLimits::default());
    let realtime = realtime(retaining(1).journal(Failing { inner, away: Arc::clone(&away) }));
    let position = seen_the_first(&realtime).await;
    for number in 1..1000 {
        publish(realtime.broker(), number).await;
    }
    let bob = TestClient::connect(&realtime, "bob").await;
    let witness = bob.subscribe(CHAT).await;
    away.store(true, Ordering::Release);
    assert!(realtime.broker().publish(CHAT, "lost").await.is_err());
    bob.send(CHAT, "lost").refused("internal").await;
    witness.assert_silent().await;
    let chat = bob.subscribe(CHAT).resume_from(&position).await;
    assert_eq!(chat.recovered(), Some(false));
    chat.assert_silent().await;
    away.store(false, Ordering::Release);
    bob.send(CHAT, "back").await;
    assert_eq!(chat.expect_json("back").await.header("recovered"), Some("false"));
    witness.expect_json("back").await;
    // Away in the middle: the connection ends, so that the client comes back to where it was.
    let mut slow = begin_slow_replay(&realtime, &position).await;
    away.store(true, Ordering::Release);
    loop {
        let frame = slow.frame().await;
        if frame.starts_with("ERROR") {
            assert_eq!(header(&frame, "code"), Some("slow-consumer"));
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn destinations_to_which_nothing_is_published_give_their_memory_back_while_somebody_is_connected() {
    struct Watched(Arc<MemoryJournal>);
    impl Journal for Watched {
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
        fn tidy(&self) {
            self.0.tidy();
        }
    }
    let retain = Retain::last(10).within(Duration::from_secs(60));
    let retention = Retention::new([("/topic/**".parse().unwrap(), retain)]).unwrap();
    let journal = Arc::new(MemoryJournal::new(retention, MemoryLimits::default()));
    let realtime = realtime(retaining(1).journal(Watched(Arc::clone(&journal))));
    let idle = TestClient::connect(&realtime, "ada")
        .heart_beat(parlor_stomp::HeartBeat { can_send_ms: 10_000, wants_ms: 10_000 })
        .await;
    for room in 0..500 {
        realtime.broker().publish(format!("/topic/{room}").as_str(), "x").await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert!(journal.usage().octets > 0);
    // By the heart-beats of one idle client alone.
    tokio::time::sleep(Duration::from_secs(180)).await;
    assert_eq!(journal.usage().octets, 0);
    // And where there are none, by whoever comes.
    idle.disconnect().await;
    realtime.broker().publish(CHAT, &Publication::text("x").body.len()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(journal.usage().octets > 0);
    TestClient::connect(&realtime, "bob").await;
    assert_eq!(journal.usage().octets, 0);
}
