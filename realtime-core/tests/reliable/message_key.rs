//! A SEND with a `message-key` that repeats an earlier one is answered and not handled.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use parlor_core::{
    Config, Realtime,
    app::{Rejection, Route, Router},
    auth::Anonymous,
    extract::{Payload, State},
    limits::RepeatLimits,
    testing::TestClient,
};

use crate::{MOMENT, config, rules};

/// How often something was handled.
type Count = Arc<AtomicU32>;

async fn pay(State(count): State<Count>, Payload(amount): Payload<u32>) -> Result<Payload<u32>, Rejection> {
    count.fetch_add(1, Ordering::SeqCst);
    match amount {
        0 => Err(Rejection::new("nothing", "Pay something.")),
        1 => panic!("this is the test's own panic"),
        _ => Ok(Payload(amount)),
    }
}

async fn pay_slowly(State(count): State<Count>, Payload(amount): Payload<u32>) -> Result<(), Rejection> {
    tokio::time::sleep(Duration::from_secs(2)).await;
    match count.fetch_add(1, Ordering::SeqCst) {
        0 if amount == 0 => Err(Rejection::new("nothing", "Pay something.")),
        _ => Ok(()),
    }
}

fn endpoint(config: Config) -> (Realtime, Count) {
    let count = Count::default();
    let routes = Router::new()
        .mount(Route::message("/app/pay", pay).send_to("/topic/paid"))
        .mount(Route::message("/app/slow", pay_slowly))
        .mount(Route::message("/app/beside", pay_slowly).concurrent(4))
        .with_state(Arc::clone(&count));
    let realtime = Realtime::builder(routes).authenticate(Anonymous).authorize(rules()).config(config).build().unwrap();
    (realtime, count)
}

fn handled(count: &Count) -> u32 {
    count.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_answered_like_the_first_and_not_handled_also_after_a_reconnect() {
    let (realtime, count) = endpoint(config());
    let watcher = TestClient::connect(&realtime, "bob").await;
    let paid = watcher.subscribe("/topic/paid").await;
    let ada = TestClient::connect(&realtime, "ada").await;
    for _ in 0..3 {
        ada.send("/app/pay", &7).header("message-key", "k").await;
    }
    ada.abort().await;
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.send("/app/pay", &7).header("message-key", "k").await;
    let tab = TestClient::connect(&realtime, "ada").await;
    tab.send("/app/pay", &7).header("message-key", "k").await;
    assert_eq!(handled(&count), 1);
    paid.expect_json(7).await;
    paid.assert_silent().await;
    ada.send("/app/pay", &8).header("message-key", "l").await;
    ada.send("/app/pay", &8).await;
    ada.send("/app/pay", &8).await;
    assert_eq!(handled(&count), 4, "another key, and none");
    watcher.send("/app/pay", &9).header("message-key", "k").await;
    assert_eq!(handled(&count), 5, "keys are each user's own");
}

#[tokio::test(start_paused = true)]
async fn topics_and_queues_know_repeats_too() {
    let (realtime, _) = endpoint(config());
    let ada = TestClient::connect(&realtime, "ada").await;
    let topic = ada.subscribe("/topic/a").await;
    for destination in ["/topic/a", "/queue/a"] {
        for _ in 0..2 {
            ada.send(destination, &1).header("message-key", destination).await;
        }
    }
    let message = topic.expect_json(1).await;
    assert_eq!(message.header("message-key"), None);
    topic.assert_silent().await;
    assert_eq!(realtime.broker().waiting_count(&"/queue/a".parse().unwrap()), 1);
}

#[tokio::test(start_paused = true)]
async fn the_keys_of_an_anonymous_session_are_its_own() {
    let (realtime, count) = endpoint(config());
    for expected in 1..=3 {
        let guest = TestClient::anonymous(&realtime).await;
        guest.send("/app/pay", &7).header("message-key", "k").await;
        guest.send("/app/pay", &7).header("message-key", "k").await;
        assert_eq!(handled(&count), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_forgotten_and_handled_anew() {
    let (realtime, count) = endpoint(config());
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.send("/app/pay", &0).header("message-key", "k").refused("nothing").await;
    ada.send("/app/pay", &1).header("message-key", "k").refused("internal").await;
    ada.send("/app/none", &1).header("message-key", "k").refused("no-such-destination").await;
    ada.send("/app/pay", &7).header("message-key", "k").await;
    ada.send("/app/pay", &7).header("message-key", "k").await;
    assert_eq!(handled(&count), 3);
}

#[tokio::test(start_paused = true)]
async fn who_repeats_what_is_being_handled_waits_for_the_outcome() {
    for route in ["/app/slow", "/app/beside"] {
        for (amount, expected) in [(7, 1), (0, 2)] {
            let (realtime, count) = endpoint(config());
            let ada = TestClient::connect(&realtime, "ada").await;
            let tab = TestClient::connect(&realtime, "ada").await;
            ada.send(route, &amount).header("message-key", "k").unconfirmed();
            ada.sync().await;
            let begun = tokio::time::Instant::now();
            tab.send(route, &amount).header("message-key", "k").await;
            // The first one fails at 0, and then the repeat is handled itself.
            let time = Duration::from_secs(2) * if expected == 1 { 1 } else { 2 };
            assert_eq!(
                (handled(&count), begun.elapsed() >= time - Duration::from_secs(2)),
                (expected, true),
                "{route}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_beside_itself_in_one_session_is_handled_once() {
    let (realtime, count) = endpoint(config());
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.send("/app/beside", &7).header("message-key", "k").unconfirmed();
    ada.send("/app/beside", &7).header("message-key", "k").await;
    assert_eq!(handled(&count), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_after_its_session_broke_while_the_handler_ran_is_not_handled_twice() {
    let (realtime, count) = endpoint(config());
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.send("/app/slow", &7).header("message-key", "k").unconfirmed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    ada.abort().await;
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.send("/app/slow", &7).header("message-key", "k").await;
    assert_eq!(handled(&count), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_remembered_for_five_minutes_and_not_longer() {
    let window = RepeatLimits::default().window;
    assert_eq!(window, Duration::from_secs(5 * 60));
    for (wait, expected) in [(window - MOMENT, 1), (window, 2)] {
        let (realtime, count) = endpoint(config());
        let ada = TestClient::connect(&realtime, "ada").await;
        ada.send("/app/pay", &7).header("message-key", "k").await;
        tokio::time::sleep(wait).await;
        ada.send("/app/pay", &7).header("message-key", "k").await;
        assert_eq!(handled(&count), expected, "{wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_keys_of_a_user_and_in_all_are_remembered_and_not_one_more() {
    let limits = [RepeatLimits::default().max_keys_per_owner(2), RepeatLimits::default().max_keys(2)];
    for limits in limits {
        for (others, expected) in [(1, 0), (2, 1)] {
            let (realtime, count) = endpoint(config().repeats(limits));
            let ada = TestClient::connect(&realtime, "ada").await;
            for key in 0..=others {
                ada.send("/app/pay", &7).header("message-key", &key.to_string()).await;
            }
            let before = handled(&count);
            ada.send("/app/pay", &7).header("message-key", "0").await;
            assert_eq!(handled(&count) - before, expected, "{limits:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_has_128_octets_and_not_one_more() {
    let (realtime, count) = endpoint(config());
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.send("/app/pay", &7).header("message-key", &"k".repeat(128)).await;
    ada.send("/app/pay", &7).header("message-key", &"k".repeat(129)).refused("invalid-message-key").await;
    ada.send("/app/pay", &7).header("message-key", "").refused("invalid-message-key").await;
    assert_eq!(handled(&count), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_counts_when_its_transaction_is_committed() {
    let (realtime, count) = endpoint(config());
    let ada = TestClient::connect(&realtime, "ada").await;
    for keep in [false, true, true] {
        ada.begin_transaction("t").await;
        ada.send("/app/pay", &7).header("message-key", "k").in_transaction("t");
        match keep {
            true => ada.commit_transaction("t").await,
            false => ada.abort_transaction("t").await,
        }
    }
    assert_eq!(handled(&count), 1);
}
