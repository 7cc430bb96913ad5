//! Rules 9 to 11: one session's frames in order beside a slow handler, receipts, refusals, panics.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail")]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use parlor_core::{
    Config, Realtime,
    app::{Rejection, Route, Router, Rules},
    auth::Anonymous,
    destination::Prefixes,
    extract::{Header, NamedHeader, Payload, State},
    stomp::HeartBeat,
};
use support::{Client, Log, Received, assert_silent, body, header, user};
use tokio::sync::Semaphore;

/// What the handlers of these tests share: a log, and a gate that slow handlers wait at.
#[derive(Clone)]
struct Shared {
    log: Log,
    gate: Arc<Semaphore>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { log: Arc::new(Mutex::default()), gate: Arc::new(Semaphore::new(0)) }
    }
}

impl Shared {
    fn note(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }

    fn noted(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

async fn slow(State(shared): State<Shared>, text: String) {
    shared.note(format!("{text} begins"));
    shared.gate.acquire().await.unwrap().forget();
    shared.note(format!("{text} ends"));
}

async fn refuse() -> Result<(), Rejection> {
    Err(Rejection::new("no-luck", "Not today."))
}

async fn panic_now(text: String) {
    assert_ne!(text, "boom", "this is the test's own panic");
}

struct Priority(u8);

impl NamedHeader for Priority {
    const NAME: &'static str = "priority";
    type Error = std::num::ParseIntError;

    fn from_value(value: &str) -> Result<Self, Self::Error> {
        value.parse().map(Self)
    }
}

async fn with_priority(Header(Priority(priority)): Header<Priority>, State(shared): State<Shared>) {
    shared.note(priority.to_string());
}

async fn typed(Payload(_): Payload<Vec<u8>>) {}

fn realtime_with(shared: &Shared, config: Config) -> Realtime {
    let routes = Router::new()
        .mount(Route::message("/app/slow", slow))
        .mount(Route::message("/app/refuse", refuse))
        .mount(Route::message("/app/panic", panic_now))
        .mount(Route::message("/app/priority", with_priority))
        .mount(Route::message("/app/typed", typed))
        .mount(Route::subscribe("/topic/refused", refuse))
        .with_state(shared.clone());
    let rules = Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**");
    Realtime::builder(routes).authenticate(Anonymous).authorize(rules).config(config).build().unwrap()
}

fn realtime(shared: &Shared) -> Realtime {
    realtime_with(shared, Config::default())
}

#[tokio::test(start_paused = true)]
async fn rule_9_messages_of_one_session_are_handled_one_at_a_time_in_order() {
    let shared = Shared::default();
    let realtime = realtime(&shared);
    let mut client = Client::connect(&realtime, user("ada")).await;
    for text in ["one", "two"] {
        client.send(&format!("SEND\ndestination:/app/slow\nreceipt:{text}\n\n{text}")).await;
    }
    assert_silent(&mut client).await;
    assert_eq!(shared.noted(), ["one begins"]);
    shared.gate.add_permits(2);
    client.receipt("one").await;
    client.receipt("two").await;
    assert_eq!(shared.noted(), ["one begins", "one ends", "two begins", "two ends"]);
}

#[tokio::test(start_paused = true)]
async fn heart_beats_and_other_sessions_go_on_beside_a_slow_handler() {
    let shared = Shared::default();
    let config = Config::default().heart_beat(HeartBeat { can_send_ms: 1000, wants_ms: 0 });
    let realtime = realtime_with(&shared, config);
    let mut client = Client::open(&realtime, user("ada"));
    client.send("CONNECT\naccept-version:1.2\nheart-beat:0,1000\n\n").await;
    client.frame().await;
    client.send("SEND\ndestination:/app/slow\n\none").await;
    let mut other = Client::connect(&realtime, user("bob")).await;
    other.subscribe("0", "/topic/a").await;
    for _ in 0..3 {
        assert_eq!(client.next().await, Received::Beat);
    }
    client.send_message(0x9, b"").await;
    while client.next().await != Received::Pong {}
    assert_eq!(shared.noted(), ["one begins"]);
}

#[tokio::test(start_paused = true)]
async fn reading_stops_at_the_bound_of_the_inbox_and_nothing_is_lost() {
    let shared = Shared::default();
    let realtime = realtime_with(&shared, Config::development().max_inbox_frames(4));
    let mut client = Client::connect(&realtime, user("ada")).await;
    for number in 0..100 {
        client.send(&format!("SEND\ndestination:/app/slow\nreceipt:{number}\n\n{number}")).await;
    }
    shared.gate.add_permits(100);
    for number in 0..100 {
        client.receipt(&number.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_10_what_was_read_before_the_connection_broke_is_still_handled() {
    let shared = Shared::default();
    let realtime = realtime(&shared);
    let mut client = Client::connect(&realtime, user("ada")).await;
    for text in ["one", "two"] {
        client.send(&format!("SEND\ndestination:/app/slow\n\n{text}")).await;
    }
    shared.gate.add_permits(2);
    client.vanish().await;
    assert_eq!(shared.noted().last().unwrap(), "two ends");
}

#[tokio::test(start_paused = true)]
async fn rule_10_disconnect_is_answered_after_everything_before_it_and_closes_with_1000() {
    let shared = Shared::default();
    let realtime = realtime(&shared);
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.send("SEND\ndestination:/app/slow\nreceipt:1\n\none").await;
    client.send("DISCONNECT\nreceipt:2\n\n").await;
    client.send("SEND\ndestination:/app/slow\nreceipt:3\n\nlate").await;
    shared.gate.add_permits(2);
    client.receipt("1").await;
    client.receipt("2").await;
    assert_eq!(client.next().await, Received::Close(1000, String::new()));
    assert_eq!(shared.noted(), ["one begins", "one ends"]);
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_refusal_goes_to_the_error_queue_where_the_session_listens() {
    let shared = Shared::default();
    let realtime = realtime(&shared);
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("e", "/user/queue/errors").await;
    client.send("SEND\ndestination:/app/refuse\nreceipt:7\n\n").await;
    let refusal = client.frame().await;
    assert!(refusal.starts_with("MESSAGE\n"), "{refusal}");
    assert_eq!(header(&refusal, "destination"), Some("/user/queue/errors"));
    assert_eq!(header(&refusal, "refused-destination"), Some("/app/refuse"));
    assert_eq!(header(&refusal, "code"), Some("no-luck"));
    assert_eq!(header(&refusal, "receipt-id"), Some("7"));
    assert_eq!(body(&refusal), r#"{"code":"no-luck","message":"Not today."}"#);
    client.send("SUBSCRIBE\nid:x\ndestination:/topic/refused\n\n").await;
    assert_eq!(header(&client.frame().await, "code"), Some("no-luck"));
    client.send("UNSUBSCRIBE\nid:x\nreceipt:u\n\n").await;
    client.receipt("u").await;
}

#[tokio::test(start_paused = true)]
async fn rule_11_the_error_queue_of_another_tab_hears_nothing() {
    let shared = Shared::default();
    let realtime = realtime(&shared);
    let mut tab = Client::connect(&realtime, user("ada")).await;
    let mut other = Client::connect(&realtime, user("ada")).await;
    tab.subscribe("e", "/user/queue/errors").await;
    other.subscribe("e", "/user/queue/errors").await;
    tab.send("SEND\ndestination:/app/refuse\n\n").await;
    assert_eq!(header(&tab.frame().await, "code"), Some("no-luck"));
    assert_silent(&mut other).await;
}

#[tokio::test(start_paused = true)]
async fn rule_11_without_the_error_queue_a_receipt_or_a_subscribe_draws_error_and_close() {
    let shared = Shared::default();
    let realtime = realtime(&shared);
    for frame in
        ["SEND\ndestination:/app/refuse\nreceipt:7\n\n", "SUBSCRIBE\nid:0\ndestination:/topic/refused\nreceipt:7\n\n"]
    {
        let mut client = Client::connect(&realtime, user("ada")).await;
        client.send(frame).await;
        let (error, status) = client.error_and_close().await;
        assert_eq!((header(&error, "code"), header(&error, "receipt-id")), (Some("no-luck"), Some("7")));
        assert_eq!(status, 1008);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_refused_send_that_asked_for_nothing_leaves_the_connection_alone() {
    let shared = Shared::default();
    let realtime = realtime(&shared);
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.send("SEND\ndestination:/app/refuse\n\n").await;
    client.subscribe("0", "/topic/a").await;
}

#[tokio::test(start_paused = true)]
async fn a_panicking_handler_ends_one_message_and_nothing_else() {
    let shared = Shared::default();
    let realtime = realtime(&shared);
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("e", "/user/queue/errors").await;
    client.send("SEND\ndestination:/app/panic\nreceipt:1\n\nboom").await;
    assert_eq!(header(&client.frame().await, "code"), Some("internal"));
    client.send("SEND\ndestination:/app/panic\nreceipt:2\n\nfine").await;
    client.receipt("2").await;
    assert_eq!(realtime.registry().session_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_extracted_is_refused_with_its_reason() {
    let shared = Shared::default();
    let realtime = realtime(&shared);
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("e", "/user/queue/errors").await;
    for (frame, code) in [
        ("SEND\ndestination:/app/priority\n\n", "missing-header"),
        ("SEND\ndestination:/app/priority\npriority:high\n\n", "invalid-header"),
        ("SEND\ndestination:/app/typed\n\n{}", "invalid-payload"),
        ("SEND\ndestination:/app/typed\ncontent-type:text/plain\n\n[1]", "unsupported-content-type"),
        ("SEND\ndestination:/app/nowhere\n\n", "no-such-destination"),
    ] {
        client.send(frame).await;
        assert_eq!(header(&client.frame().await, "code"), Some(code), "{frame}");
    }
    client.send("SEND\ndestination:/app/priority\npriority:9\nreceipt:p\n\n").await;
    client.receipt("p").await;
    assert_eq!(shared.noted(), ["9"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_supported_is_refused_clearly() {
    let shared = Shared::default();
    let realtime = realtime(&shared);
    for frame in
        ["SUBSCRIBE\nid:0\nselector:a=1\ndestination:/topic/a\n\n", "SUBSCRIBE\nid:0\ndestination:/topic/*\n\n"]
    {
        let mut client = Client::connect(&realtime, user("ada")).await;
        client.send(frame).await;
        let (error, status) = client.error_and_close().await;
        assert_eq!((header(&error, "code"), status), (Some("not-supported"), 1008), "{frame}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_ends_is_dropped_when_the_patience_is_over() {
    let shared = Shared::default();
    let config = Config::default().finish_timeout(Duration::from_secs(3));
    let realtime = realtime_with(&shared, config);
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.send("SEND\ndestination:/app/slow\n\none").await;
    assert_silent(&mut client).await;
    client.vanish().await;
    assert_eq!(shared.noted(), ["one begins"]);
    assert_eq!(realtime.registry().session_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_11_the_error_queue_lies_under_the_configured_prefixes() {
    let prefixes = Prefixes::default().queue("/q".parse().unwrap()).user("/me".parse().unwrap());
    let realtime = realtime_with(&Shared::default(), Config::default().prefixes(prefixes));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("e", "/me/q/errors").await;
    client.send("SEND\ndestination:/app/refuse\nreceipt:7\n\n").await;
    let refusal = client.frame().await;
    assert_eq!((header(&refusal, "code"), header(&refusal, "destination")), (Some("no-luck"), Some("/me/q/errors")));
}
