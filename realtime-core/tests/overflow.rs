//! Rule 16: what happens to a client that reads too slowly, by the policy of the destination, over whole connections.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use parlor_core::{
    Config, Realtime,
    app::{Router, Rules},
    auth::Anonymous,
    broker::{OutboxLimits, Overflow, Published},
    testing::{TestClient, TestMessage},
};
use support::{Client, Received, body, header, user};
use tokio::time::Instant;

/// Octets between server and client: less than a message, so that a client that does not read is one at once.
const PIPE: usize = 64;

const MESSAGES: usize = 10;

fn realtime(limits: OutboxLimits) -> Realtime {
    Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**"))
        .config(Config::development().outbox(limits).pattern_subscriptions(true))
        .overflow("/topic/lossy/**", Overflow::DropOldest)
        .overflow("/topic/lossy/whole", Overflow::Disconnect)
        .overflow("/topic/latest/**", Overflow::LatestOnly)
        .overflow("/user/queue/cursors", Overflow::LatestOnly)
        .build()
        .unwrap()
}

fn few_messages() -> Realtime {
    realtime(OutboxLimits::default().max_messages(MESSAGES))
}

async fn stalled(realtime: &Realtime) -> TestClient {
    TestClient::connect(realtime, "slow").pipe(PIPE).await
}

async fn publish(realtime: &Realtime, to: &str, number: usize) -> Published {
    realtime.broker().publish(to, &number).await.unwrap()
}

/// Every number from the first to `last` came, or the next one says that it did not; returns how many are missing.
fn assert_every_gap_is_told(messages: &[TestMessage], last: usize) -> usize {
    let (mut next, mut missing) = (0, 0);
    for message in messages {
        let number: usize = message.json();
        assert_eq!(number - next, message.dropped() as usize, "in front of {number}");
        missing += number - next;
        next = number + 1;
    }
    assert_eq!(next, last + 1, "the latest comes");
    missing
}

#[tokio::test(start_paused = true)]
async fn rule_16_by_default_a_slow_reader_is_disconnected_and_nobody_else_notices() {
    let realtime = few_messages();
    let slow = stalled(&realtime).await;
    let fast = TestClient::connect(&realtime, "fast").await;
    let (_missed, heard) = (slow.subscribe("/topic/plain").await, fast.subscribe("/topic/plain").await);
    slow.freeze();
    let begun = Instant::now();
    for number in 0..100 {
        publish(&realtime, "/topic/plain", number).await;
    }
    assert_eq!(Instant::now(), begun, "no publisher waits");
    for number in 0..100 {
        heard.expect_json(number).await;
    }
    realtime.broker().settled().await;
    slow.thaw();
    assert_eq!(slow.expect_closed("slow-consumer").await.status, 1013);
    assert_eq!(publish(&realtime, "/topic/plain", 100).await.subscriptions, 1);
}

#[tokio::test(start_paused = true)]
async fn rule_16_a_more_specific_pattern_has_its_own_policy() {
    let realtime = few_messages();
    let slow = stalled(&realtime).await;
    let _whole = slow.subscribe("/topic/lossy/whole").await;
    slow.freeze();
    for number in 0..=MESSAGES {
        publish(&realtime, "/topic/lossy/whole", number).await;
    }
    realtime.broker().settled().await;
    slow.thaw();
    slow.expect_closed("slow-consumer").await;
}

#[tokio::test(start_paused = true)]
async fn rule_16_drop_oldest_keeps_the_latest_and_says_exactly_how_many_are_missing() {
    let realtime = few_messages();
    let slow = stalled(&realtime).await;
    let fast = TestClient::connect(&realtime, "fast").await;
    let (lossy, whole) = (slow.subscribe("/topic/lossy/a").await, fast.subscribe("/topic/lossy/a").await);
    slow.freeze();
    for number in 0..100 {
        publish(&realtime, "/topic/lossy/a", number).await;
    }
    realtime.broker().settled().await;
    slow.thaw();
    // The one that had begun, and as many as may wait with it.
    let mut messages = Vec::new();
    for _ in 0..MESSAGES {
        messages.push(lossy.expect_message().await);
    }
    assert_eq!(assert_every_gap_is_told(&messages, 99), 100 - MESSAGES);
    fast.sync().await;
    assert_eq!(assert_every_gap_is_told(&whole.messages(), 99), 0);
    // And again, from where it is now.
    publish(&realtime, "/topic/lossy/a", 100).await;
    assert_eq!(lossy.expect_json(100).await.dropped(), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_16_octets_are_a_bound_as_messages_are() {
    let realtime = realtime(OutboxLimits::default().max_bytes(2000));
    let slow = stalled(&realtime).await;
    let lossy = slow.subscribe("/topic/lossy/a").await;
    slow.freeze();
    for number in 0..100 {
        realtime.broker().publish("/topic/lossy/a", &(number, "x".repeat(300))).await.unwrap();
    }
    realtime.broker().settled().await;
    slow.thaw();
    slow.sync().await;
    let (mut next, messages) = (0, lossy.messages());
    for message in &messages {
        let (number, _) = message.json::<(u32, String)>();
        assert_eq!(number - next, message.dropped());
        next = number + 1;
    }
    assert_eq!(next, 100);
    // Each takes more than 400 octets and less than 500.
    assert_eq!(messages.len(), 1 + 2000 / 450);
}

/// One message fills the pipe to the last octet, so that the next one has not begun and may be dropped.
#[tokio::test(start_paused = true)]
async fn rule_16_age_is_a_bound_with_a_timer_of_its_own() {
    for (destination, lives) in [("/topic/lossy/age", true), ("/topic/plain/age", false)] {
        let mut octets = 1024;
        for measured in [false, true] {
            let realtime = realtime(OutboxLimits::default().max_age(Duration::from_secs(10)));
            let mut slow = Client::open_with_buffer(&realtime, user("slow"), octets);
            slow.send("CONNECT\naccept-version:1.2\n\n").await;
            slow.frame().await;
            slow.subscribe("0", destination).await;
            publish(&realtime, destination, 0).await;
            if !measured {
                // NUL, and the header of a WebSocket frame.
                octets = slow.frame().await.len() + 1;
                octets += if octets < 126 { 2 } else { 4 };
                continue;
            }
            for number in 1..5 {
                assert_eq!(publish(&realtime, destination, number).await.subscriptions, 1);
            }
            tokio::time::sleep(Duration::from_millis(9_900)).await;
            assert_eq!(realtime.stats().messages.dropped_overflow, 0);
            assert_eq!(publish(&realtime, destination, 5).await.subscriptions, 1);
            // Nothing is published, written or read meanwhile.
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(body(&slow.frame().await), "0");
            let next = slow.next().await;
            let Received::Frame(next) = next else { panic!("{next:?}") };
            if lives {
                assert_eq!((body(&next), header(&next, "dropped")), ("5", Some("4")));
            } else {
                assert_eq!(header(&next, "code"), Some("slow-consumer"));
                assert!(matches!(slow.next().await, Received::Close(1013, _)));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_16_a_reader_that_stands_still_inside_a_frame_is_disconnected_under_any_policy() {
    for destination in ["/topic/lossy/a", "/topic/latest/a"] {
        let realtime = realtime(OutboxLimits::default().max_age(Duration::from_secs(10)));
        let slow = stalled(&realtime).await;
        let _lossy = slow.subscribe(destination).await;
        slow.freeze();
        publish(&realtime, destination, 0).await;
        tokio::time::sleep(Duration::from_millis(9_900)).await;
        assert_eq!(realtime.registry().session_count(), 1);
        tokio::time::sleep(Duration::from_millis(200)).await;
        realtime.broker().settled().await;
        slow.thaw();
        slow.expect_closed("slow-consumer").await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_16_latest_only_keeps_the_latest_of_each_destination_and_nothing_is_missing() {
    let realtime = few_messages();
    let slow = stalled(&realtime).await;
    let (one, two) = (slow.subscribe("/topic/latest/1").await, slow.subscribe("/topic/latest/2").await);
    let all = slow.subscribe("/topic/latest/*").await;
    slow.freeze();
    for number in 0..100 {
        publish(&realtime, "/topic/latest/1", number).await;
        publish(&realtime, "/topic/latest/2", number).await;
    }
    realtime.broker().settled().await;
    slow.thaw();
    slow.sync().await;
    for subscription in [&one, &two, &all] {
        let messages = subscription.messages();
        assert!(messages.iter().all(|message| message.dropped() == 0));
        for destination in ["/topic/latest/1", "/topic/latest/2"] {
            let of_it: Vec<usize> =
                messages.iter().filter(|message| message.destination() == destination).map(TestMessage::json).collect();
            // The first may have begun.
            assert!(of_it.is_empty() || of_it == [99] || of_it == [0, 99], "{of_it:?}");
            assert_eq!(
                of_it.is_empty(),
                !matches!(subscription.destination(), "/topic/latest/*") && subscription.destination() != destination
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_16_users_destinations_have_policies_as_their_clients_name_them() {
    let realtime = few_messages();
    let slow = stalled(&realtime).await;
    let cursors = slow.subscribe("/user/queue/cursors").await;
    slow.freeze();
    for number in 0..100 {
        realtime.broker().send_to_user(&"slow".parse().unwrap(), "/queue/cursors", &number).await.unwrap();
    }
    realtime.broker().settled().await;
    slow.thaw();
    slow.sync().await;
    let numbers: Vec<usize> = cursors.messages().iter().map(TestMessage::json).collect();
    // One of the first may have begun.
    assert!(numbers.last() == Some(&99) && numbers.len() <= 2, "{numbers:?}");
}

#[tokio::test(start_paused = true)]
async fn what_may_be_dropped_makes_room_for_what_may_not() {
    let realtime = few_messages();
    let slow = stalled(&realtime).await;
    let (plain, lossy) = (slow.subscribe("/topic/plain").await, slow.subscribe("/topic/lossy/a").await);
    slow.freeze();
    // One of the others has begun, and the receipt of `sync` needs room as well.
    for number in 0..MESSAGES - 2 {
        publish(&realtime, "/topic/lossy/a", number).await;
        publish(&realtime, "/topic/plain", number).await;
    }
    for number in MESSAGES - 2..MESSAGES {
        publish(&realtime, "/topic/lossy/a", number).await;
    }
    realtime.broker().settled().await;
    slow.thaw();
    slow.sync().await;
    let numbers: Vec<usize> = plain.messages().iter().map(TestMessage::json).collect();
    assert_eq!(numbers, (0..MESSAGES - 2).collect::<Vec<_>>());
    publish(&realtime, "/topic/lossy/a", MESSAGES).await;
    slow.sync().await;
    assert!(assert_every_gap_is_told(&lossy.messages(), MESSAGES) > 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_dropped_counts_as_dropped_and_not_as_delivered() {
    let realtime = few_messages();
    let slow = stalled(&realtime).await;
    let (_plain, lossy) = (slow.subscribe("/topic/plain").await, slow.subscribe("/topic/lossy/a").await);
    slow.freeze();
    for number in 0..MESSAGES {
        assert_eq!(publish(&realtime, "/topic/plain", number).await.subscriptions, 1);
    }
    // All that waits must arrive, so the new ones are dropped.
    for number in 0..5 {
        publish(&realtime, "/topic/lossy/a", number).await;
    }
    realtime.broker().settled().await;
    let messages = realtime.stats().messages;
    assert_eq!((messages.published, messages.delivered), (MESSAGES as u64 + 5, MESSAGES as u64));
    realtime.broker().settled().await;
    slow.thaw();
    slow.sync().await;
    lossy.assert_silent().await;
    publish(&realtime, "/topic/lossy/a", 5).await;
    assert_eq!(lossy.expect_json(5).await.dropped(), 5);
    slow.disconnect().await;
    let messages = realtime.stats().messages;
    assert_eq!((messages.delivered, messages.dropped_overflow), (MESSAGES as u64 + 1, 5));
}
