//! Rules 14, 15 and 25: positions, and subscriptions that go on from one, over whole connections.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::panic, reason = "a test may fail")]

mod beginnings;
mod catching_up;
mod journals;
mod never_a_hole;
mod races;
#[path = "../support/mod.rs"]
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

async fn begin_slow_replay(realtime: &Realtime, position: &str) -> Client {
    let mut slow = Client::open_with_buffer(realtime, user("ada"), 2048);
    slow.send("CONNECT\naccept-version:1.2\n\n").await;
    slow.frame().await;
    slow.send(&format!("SUBSCRIBE\nid:0\ndestination:{CHAT}\nresume-from:{position}\n\n")).await;
    assert_eq!(header(&slow.frame().await, "recovered"), Some("true"));
    slow
}
