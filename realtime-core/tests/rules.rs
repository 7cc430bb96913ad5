//! Authorisation and publishing as user code: a rule that fails or hangs, a handler that publishes in a loop.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::{future::pending, time::Duration};

use futures_util::future::BoxFuture;
use parlor_core::{
    Config, Realtime,
    app::{Authorize, Route, Router, Rules, SendTarget},
    auth::{Anonymous, Principal},
    broker::Broker,
    destination::Pattern,
};
use support::{Client, assert_silent, body, header, user};

/// Panics at `/topic/panic` and never answers at `/topic/hang`.
struct Unreliable;

impl Authorize for Unreliable {
    fn may_send<'a>(&'a self, _: &'a Principal, _: &'a SendTarget) -> BoxFuture<'a, bool> {
        Box::pin(async { panic!("this is the test's own panic") })
    }

    fn may_subscribe<'a>(&'a self, _: &'a Principal, pattern: &'a Pattern) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            match pattern.as_str() {
                "/topic/panic" => panic!("this is the test's own panic"),
                "/topic/hang" => pending().await,
                _ => true,
            }
        })
    }
}

fn unreliable() -> Realtime {
    Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(Unreliable)
        .config(Config::default().finish_timeout(Duration::from_secs(3)))
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_panics_refuses_one_frame_and_the_session_goes_on() {
    let realtime = unreliable();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("e", "/user/queue/errors").await;
    for frame in ["SEND\ndestination:/topic/a\n\n", "SUBSCRIBE\nid:0\ndestination:/topic/panic\n\n"] {
        client.send(frame).await;
        assert_eq!(header(&client.frame().await, "code"), Some("internal"));
    }
    client.subscribe("1", "/topic/a").await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_hangs_does_not_keep_a_session_that_is_gone() {
    let realtime = unreliable();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/hang\n\n").await;
    assert_silent(&mut client).await;
    client.vanish().await;
    assert_eq!(realtime.registry().session_count(), 0);
}

async fn burst(broker: Broker) {
    for number in 0..3000 {
        broker.publish("/topic/burst", &number).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_16_a_handler_that_publishes_in_a_loop_does_not_close_a_reader_that_keeps_up() {
    let realtime = Realtime::builder(Router::new().mount(Route::message("/app/burst", burst)).with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
        .build()
        .unwrap();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("0", "/topic/burst").await;
    client.send("SEND\ndestination:/app/burst\nreceipt:r\n\n").await;
    for number in 0..3000 {
        assert_eq!(body(&client.frame().await), number.to_string());
    }
    client.receipt("r").await;
}
