//! What a route may ask of its events, and what becomes of its errors: guards, rates, sizes, layers, error handlers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parlor_core::{
    Realtime,
    app::{Context, FromContext, Rate, Rejection, Route, Router, Routes, Rules, require_role},
    auth::{Anonymous, Principal},
    connection::Closing,
    extract::{Path, Payload, Reply, SendToUser},
};
use support::{Client, assert_silent, body, header, user};
use tokio::sync::Semaphore;
use tower::{limit::GlobalConcurrencyLimitLayer, load_shed::LoadShedLayer, timeout::TimeoutLayer};

fn realtime(routes: Routes) -> Realtime {
    let rules = Rules::deny_all().allow_subscribe("/topic/**");
    Realtime::builder(routes).authenticate(Anonymous).authorize(rules).build().unwrap()
}

/// A client that hears of refusals.
async fn listening(realtime: &Realtime, principal: Principal) -> Client {
    let mut client = Client::connect(realtime, principal).await;
    client.subscribe("errors", "/user/queue/errors").await;
    client
}

/// Sends to `destination` and answers the code of the refusal, or none for a receipt.
async fn refusal(client: &mut Client, destination: &str, payload: &str) -> Option<String> {
    client.send(&format!("SEND\ndestination:{destination}\nreceipt:r\n\n{payload}")).await;
    let frame = client.frame().await;
    if frame.starts_with("RECEIPT\n") {
        return None;
    }
    assert_eq!(header(&frame, "receipt-id"), Some("r"), "{frame}");
    header(&frame, "code").map(str::to_owned)
}

async fn nothing() {}

async fn is_room_of(Path(room): Path<String>, principal: Principal) -> bool {
    principal.id().is_some_and(|user| user.as_str() == room)
}

async fn is_open(Path(room): Path<String>) -> Result<(), Rejection> {
    if room == "closed" { Err(Rejection::new("room-closed", "This room is closed.")) } else { Ok(()) }
}

#[tokio::test(start_paused = true)]
async fn a_guard_with_extractors_decides_before_the_handler() {
    let called = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&called);
    let handler = move || {
        count.fetch_add(1, Ordering::Relaxed);
        nothing()
    };
    let realtime = realtime(
        Router::new()
            .mount(Route::message("/app/rooms/{room}/say", handler).authorize(is_open).authorize(is_room_of))
            .with_state(()),
    );
    let mut ada = listening(&realtime, user("ada")).await;
    assert_eq!(refusal(&mut ada, "/app/rooms/bob/say", "").await.as_deref(), Some("forbidden"));
    assert_eq!(refusal(&mut ada, "/app/rooms/closed/say", "").await.as_deref(), Some("room-closed"));
    assert_eq!(called.load(Ordering::Relaxed), 0);
    assert_eq!(refusal(&mut ada, "/app/rooms/ada/say", "").await, None);
    assert_eq!(called.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_role_opens_a_route_and_a_subscription() {
    let realtime = realtime(
        Router::new()
            .mount(Route::message("/app/close", nothing).authorize(require_role("admin")))
            .mount(Route::subscribe("/topic/audit", nothing).authorize(require_role("admin")))
            .with_state(()),
    );
    let mut ada = listening(&realtime, user("ada").with_roles(["member", "admin"])).await;
    assert_eq!(refusal(&mut ada, "/app/close", "").await, None);
    ada.subscribe("0", "/topic/audit").await;
    let mut bob = listening(&realtime, user("bob").with_roles(["administrator"])).await;
    assert_eq!(refusal(&mut bob, "/app/close", "").await.as_deref(), Some("forbidden"));
    bob.send("SUBSCRIBE\nid:0\ndestination:/topic/audit\n\n").await;
    assert_eq!(header(&bob.frame().await, "code"), Some("forbidden"));
    realtime.broker().publish("/topic/audit", "secret").await.unwrap();
    assert_silent(&mut bob).await;
    assert_eq!(body(&ada.frame().await), "\"secret\"");
}

#[tokio::test(start_paused = true)]
async fn a_body_of_the_largest_size_passes_and_one_octet_more_is_refused() {
    let routes = Router::new().mount(Route::message("/app/a", nothing).max_size(4)).with_state(());
    let realtime = realtime(routes);
    let mut client = listening(&realtime, user("ada")).await;
    assert_eq!(refusal(&mut client, "/app/a", "1234").await, None);
    assert_eq!(refusal(&mut client, "/app/a", "12345").await.as_deref(), Some("payload-too-large"));
}

#[tokio::test(start_paused = true)]
async fn a_rate_lets_its_count_pass_and_names_the_time_to_wait_for_the_next() {
    let routes = Router::new()
        .mount(Route::message("/app/a", nothing).rate(Rate::per_second(2)))
        .mount(Route::message("/app/b", nothing).rate(Rate::per_second(2)))
        .with_state(());
    let realtime = realtime(routes);
    let mut client = listening(&realtime, user("ada")).await;
    let mut other = listening(&realtime, user("ada")).await;
    assert_eq!(refusal(&mut client, "/app/a", "").await, None);
    assert_eq!(refusal(&mut client, "/app/a", "").await, None);
    client.send("SEND\ndestination:/app/a\n\n").await;
    let refused = client.frame().await;
    assert_eq!(header(&refused, "code"), Some("rate-limited"), "{refused}");
    assert_eq!(header(&refused, "retry-after"), Some("500"), "{refused}");
    // Neither another route nor another session pays for it.
    assert_eq!(refusal(&mut client, "/app/b", "").await, None);
    assert_eq!(refusal(&mut other, "/app/a", "").await, None);
    tokio::time::advance(Duration::from_millis(500)).await;
    assert_eq!(refusal(&mut client, "/app/a", "").await, None);
    assert_eq!(refusal(&mut client, "/app/a", "").await.as_deref(), Some("rate-limited"));
}

#[tokio::test(start_paused = true)]
async fn concurrent_messages_overtake_each_other_and_disconnect_waits_for_all() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let slow = move |Payload(text): Payload<String>| {
        let gate = Arc::clone(&opened);
        async move {
            if text == "slow" {
                gate.acquire().await.unwrap().forget();
            }
        }
    };
    let routes = Router::new().mount(Route::message("/app/work", slow).concurrent(2)).with_state(());
    let realtime = realtime(routes);
    let mut client = listening(&realtime, user("ada")).await;
    client.send("SEND\ndestination:/app/work\nreceipt:1\n\n\"slow\"").await;
    client.send("SEND\ndestination:/app/work\nreceipt:2\n\n\"fast\"").await;
    client.receipt("2").await;
    client.send("SEND\ndestination:/app/work\nreceipt:3\n\n\"slow\"").await;
    client.send("SEND\ndestination:/app/work\nreceipt:4\n\n\"fast\"").await;
    // Two are at work: the third in turn waits, and DISCONNECT for all of them.
    client.send("DISCONNECT\nreceipt:5\n\n").await;
    assert_silent(&mut client).await;
    gate.add_permits(2);
    let mut receipts = Vec::new();
    for _ in 0..3 {
        receipts.push(header(&client.frame().await, "receipt-id").unwrap().to_owned());
    }
    receipts.sort();
    assert_eq!(receipts, ["1", "3", "4"]);
    client.receipt("5").await;
}

#[tokio::test(start_paused = true)]
async fn a_concurrent_handler_still_counts_when_the_client_is_gone() {
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let slow = move || {
        let count = Arc::clone(&count);
        async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    let realtime = realtime(Router::new().mount(Route::message("/app/work", slow).concurrent(2)).with_state(()));
    let mut client = Client::connect(&realtime, user("ada")).await;
    for _ in 0..3 {
        client.send("SEND\ndestination:/app/work\n\n").await;
    }
    client.vanish().await;
    assert_eq!(done.load(Ordering::Relaxed), 3);
}

/// Connects, has two messages wait at a route of one turn, and bans the client; how many messages were handled.
async fn handled_of_two_at_a_ban(work: Duration) -> usize {
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let handler = move || {
        let count = Arc::clone(&count);
        async move {
            tokio::time::sleep(work).await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    let realtime = realtime(Router::new().mount(Route::message("/app/work", handler).concurrent(1)).with_state(()));
    let mut client = Client::connect(&realtime, user("ada")).await;
    for _ in 0..2 {
        client.send("SEND\ndestination:/app/work\n\n").await;
    }
    assert_silent(&mut client).await;
    let banned = Closing::application("banned", 4403, "You are banned");
    realtime.registry().disconnect_user(&"ada".parse().unwrap(), &banned);
    let ended = tokio::time::timeout(Duration::from_secs(600), client.server).await;
    assert!(ended.is_ok(), "the connection never ends");
    assert_eq!(realtime.registry().session_count(), 0);
    done.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_its_turn_is_handled_before_its_connection_ends() {
    assert_eq!(handled_of_two_at_a_ban(Duration::from_secs(2)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_behind_a_handler_without_an_end_ends_with_its_connection() {
    assert_eq!(handled_of_two_at_a_ban(Duration::from_secs(3600)).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_of_tower_drops_the_handler_and_refuses_its_message() {
    let routes = Router::new()
        .mount(Route::message("/app/hang", pending::<()>))
        .mount(Route::subscribe("/topic/hang", pending::<()>))
        .layer(TimeoutLayer::new(Duration::from_secs(1)))
        .mount(Route::message("/app/outside", || tokio::time::sleep(Duration::from_secs(3))))
        .with_state(());
    let realtime = realtime(routes);
    let mut client = listening(&realtime, user("ada")).await;
    assert_eq!(refusal(&mut client, "/app/hang", "").await.as_deref(), Some("timeout"));
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/hang\n\n").await;
    assert_eq!(header(&client.frame().await, "code"), Some("timeout"));
    // A layer is around what was mounted before it, and not what comes after.
    assert_eq!(refusal(&mut client, "/app/outside", "").await, None);
}

#[tokio::test(start_paused = true)]
async fn load_is_shed_beyond_the_limit_of_tower_whoever_sends() {
    let routes = Router::new()
        .mount(Route::message("/app/hang", || tokio::time::sleep(Duration::from_secs(60))))
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .layer(LoadShedLayer::new())
        .with_state(());
    let realtime = realtime(routes);
    let mut ada = listening(&realtime, user("ada")).await;
    let mut bob = listening(&realtime, user("bob")).await;
    ada.send("SEND\ndestination:/app/hang\nreceipt:1\n\n").await;
    assert_silent(&mut ada).await;
    assert_eq!(refusal(&mut bob, "/app/hang", "").await.as_deref(), Some("overloaded"));
    ada.receipt("1").await;
}

/// An error of the application.
#[derive(Debug)]
struct RoomIsFull(u32);

impl From<RoomIsFull> for Rejection {
    fn from(_: RoomIsFull) -> Self {
        Self::new("room-full", "This room is full.")
    }
}

async fn full(Path(room): Path<u32>) -> Result<(), RoomIsFull> {
    Err(RoomIsFull(room))
}

async fn told(RoomIsFull(room): RoomIsFull, Path(segment): Path<u32>, user: Principal) -> (Rejection, SendToUser<u32>) {
    let rejection = Rejection::new("room-full", format!("Sorry {user}, {room} is {segment}."));
    (rejection, SendToUser::new("/queue/full", room))
}

#[tokio::test(start_paused = true)]
async fn an_error_handler_has_the_error_by_its_type_and_tells_and_sends() {
    let routes = Router::new()
        .mount(Route::message("/app/rooms/{room}/enter", full))
        .mount(Route::subscribe("/topic/rooms/{room}", full))
        .on_error(told)
        .with_state(());
    let realtime = realtime(routes);
    let mut client = listening(&realtime, user("ada")).await;
    client.subscribe("full", "/user/queue/full").await;
    for frame in ["SEND\ndestination:/app/rooms/7/enter\n\n", "SUBSCRIBE\nid:0\ndestination:/topic/rooms/7\n\n"] {
        client.send(frame).await;
        let sent = client.frame().await;
        assert_eq!((header(&sent, "destination"), body(&sent)), (Some("/user/queue/full"), "7"));
        let refused = client.frame().await;
        assert_eq!(header(&refused, "code"), Some("room-full"));
        assert!(body(&refused).contains("Sorry ada, 7 is 7."), "{refused}");
    }
    // It is told and not granted.
    assert_eq!(realtime.broker().subscription_count(&"/topic/rooms/7".parse().unwrap()), 0);
}

#[tokio::test(start_paused = true)]
async fn without_an_error_handler_the_error_says_itself_what_the_client_is_told() {
    let realtime = realtime(Router::new().mount(Route::message("/app/rooms/{room}/enter", full)).with_state(()));
    let mut client = listening(&realtime, user("ada")).await;
    client.send("SEND\ndestination:/app/rooms/7/enter\n\n").await;
    assert!(body(&client.frame().await).contains("This room is full."));
}

#[test]
fn two_error_handlers_for_one_type_are_an_error_at_start_up() {
    let routes = Router::<()>::new().on_error(told).on_error(told).with_state(());
    let error = Realtime::builder(routes).build().unwrap_err().to_string();
    assert!(error.contains("two error handlers for `routes::RoomIsFull`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_answered_under_its_correlation_id_to_its_session_alone() {
    async fn sum(Payload((a, b)): Payload<(i64, i64)>) -> Result<Reply<i64>, Rejection> {
        let sum = a.checked_add(b).ok_or_else(|| Rejection::new("too-large", "This is too much for me."))?;
        Ok(Reply(sum))
    }
    let realtime = realtime(Router::new().mount(Route::message("/app/sum", sum)).with_state(()));
    let mut one = listening(&realtime, user("ada")).await;
    let mut two = listening(&realtime, user("ada")).await;
    for client in [&mut one, &mut two] {
        client.subscribe("replies", "/user/queue/replies").await;
    }
    one.send("SEND\ndestination:/app/sum\ncorrelation-id:a-17\n\n[1,2]").await;
    let reply = one.frame().await;
    assert_eq!((header(&reply, "correlation-id"), body(&reply)), (Some("a-17"), "3"), "{reply}");
    one.send(&format!("SEND\ndestination:/app/sum\ncorrelation-id:a-18\n\n[1,{}]", i64::MAX)).await;
    let refused = one.frame().await;
    assert_eq!((header(&refused, "code"), header(&refused, "correlation-id")), (Some("too-large"), Some("a-18")));
    assert_silent(&mut two).await;
}

/// An argument that says by its own error why it is missing.
struct Seat;

impl<S: Sync, K: Sync> FromContext<S, K> for Seat {
    type Rejection = RoomIsFull;

    async fn from_context(_: &Context<K>, _: &S) -> Result<Self, RoomIsFull> {
        Err(RoomIsFull(7))
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_handler_has_the_errors_of_extractors_and_guards_too() {
    async fn sit(_: Seat) {}
    async fn has_seat(_: Seat) -> bool {
        true
    }
    async fn told(RoomIsFull(room): RoomIsFull) -> Rejection {
        Rejection::new("told", format!("Room {room} is full."))
    }
    let routes = Router::new()
        .mount(Route::message("/app/sit", sit))
        .mount(Route::message("/app/guarded", nothing).authorize(has_seat))
        .on_error(told)
        .with_state(());
    let realtime = realtime(routes);
    let mut client = listening(&realtime, user("ada")).await;
    assert_eq!(refusal(&mut client, "/app/sit", "").await.as_deref(), Some("told"));
    assert_eq!(refusal(&mut client, "/app/guarded", "").await.as_deref(), Some("told"));
}

#[tokio::test(start_paused = true)]
async fn a_path_that_does_not_fit_is_the_clients_fault_or_found_at_start_up() {
    async fn one(Path(_): Path<u32>) {}
    let realtime = realtime(Router::new().mount(Route::message("/app/one/{a}", one)).with_state(()));
    let mut client = listening(&realtime, user("ada")).await;
    assert_eq!(refusal(&mut client, "/app/one/x", "").await.as_deref(), Some("invalid-path"));
    let two = Router::new().mount(Route::message("/app/two/{a}/{b}", one)).with_state(());
    let error = Realtime::builder(two).authenticate(Anonymous).build().unwrap_err();
    assert!(error.to_string().contains("does not fit"), "{error}");
}
