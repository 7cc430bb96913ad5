//! Streams of payloads: published, replied, cancelled, bounded, and slowed down by a slow client.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{Stream, StreamExt, stream};
use parlor_core::{
    Config, Realtime,
    app::{Rejection, Route, Router, Routes, Rules},
    auth::Anonymous,
    broker::OutboxLimits,
    extract::{Path, Payload, Payloads, Replies, Reply},
    limits::QueueLimits,
};
use support::{Client, assert_silent, body, header, user};

fn realtime_with(routes: Routes, config: Config) -> Realtime {
    let rules = Rules::deny_all().allow_subscribe("/topic/**");
    Realtime::builder(routes).authenticate(Anonymous).authorize(rules).config(config).build().unwrap()
}

fn realtime(routes: Routes) -> Realtime {
    realtime_with(routes, Config::default())
}

async fn count(Path(to): Path<u32>) -> Replies<impl Stream<Item = Payload<u32>>> {
    Replies(stream::iter((1..=to).map(Payload)))
}

/// One number a second, for ever.
async fn ticks() -> Replies<impl Stream<Item = Payload<u64>>> {
    let ticks = stream::unfold(0, |tick| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Payload(tick), tick + 1))
    });
    Replies(ticks)
}

/// Counts how often it was dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_gets_the_items_and_then_the_end() {
    let realtime = realtime(Router::new().mount(Route::subscribe("/app/count/{to}", count)).with_state(()));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("0", "/app/count/3").await;
    for number in ["1", "2", "3"] {
        let item = client.frame().await;
        assert_eq!((header(&item, "subscription"), body(&item)), (Some("0"), number));
    }
    let end = client.frame().await;
    assert_eq!((header(&end, "complete"), body(&end)), (Some("true"), ""));
}

#[tokio::test(start_paused = true)]
async fn a_request_gets_the_items_under_its_correlation_id() {
    let realtime = realtime(Router::new().mount(Route::message("/app/count/{to}", count)).with_state(()));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("r", "/user/queue/replies").await;
    client.send("SEND\ndestination:/app/count/2\ncorrelation-id:c\nreceipt:1\n\n").await;
    // The receipt says that the handler has returned; the stream goes on after it.
    client.receipt("1").await;
    for expected in ["1", "2", ""] {
        let item = client.frame().await;
        assert_eq!((header(&item, "correlation-id"), body(&item)), (Some("c"), expected), "{item}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_publishes_reaches_every_subscriber_in_order() {
    async fn lines(Payload(text): Payload<String>) -> Payloads<impl Stream<Item = String>> {
        Payloads(stream::iter(text.split(' ').map(str::to_owned).collect::<Vec<_>>()))
    }
    let routes = Router::new().mount(Route::message("/app/print", lines).send_to("/topic/lines")).with_state(());
    let realtime = realtime(routes);
    let mut ada = Client::connect(&realtime, user("ada")).await;
    let mut bob = Client::connect(&realtime, user("bob")).await;
    bob.subscribe("0", "/topic/lines").await;
    ada.send("SEND\ndestination:/app/print\n\n\"a b c\"").await;
    for line in ["a", "b", "c"] {
        assert_eq!(body(&bob.frame().await), line);
    }
    assert_silent(&mut bob).await;
}

#[tokio::test(start_paused = true)]
async fn unsubscribe_drops_the_stream_and_no_item_follows_its_receipt() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let witness = Arc::clone(&dropped);
    let forever = move || {
        let guard = Dropped(Arc::clone(&witness));
        async move {
            Replies(stream::repeat_with(move || {
                let _ = &guard;
                Payload("x".repeat(100))
            }))
        }
    };
    let realtime = realtime(Router::new().mount(Route::subscribe("/app/forever", forever)).with_state(()));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("0", "/app/forever").await;
    client.send("UNSUBSCRIBE\nid:0\nreceipt:gone\n\n").await;
    while !client.frame().await.starts_with("RECEIPT\n") {}
    assert_silent(&mut client).await;
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_drops_its_streams() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let witness = Arc::clone(&dropped);
    let never = move || {
        let guard = Dropped(Arc::clone(&witness));
        async move {
            Replies(stream::pending::<String>().map(move |item| {
                let _ = &guard;
                item
            }))
        }
    };
    let routes = Router::new()
        .mount(Route::subscribe("/app/never", never.clone()))
        .mount(Route::message("/app/never", never))
        .with_state(());
    let realtime = realtime(routes);
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("0", "/app/never").await;
    client.send("SEND\ndestination:/app/never\nreceipt:1\n\n").await;
    client.receipt("1").await;
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    // A stream holds up neither the next frame nor the end.
    client.send("DISCONNECT\nreceipt:2\n\n").await;
    client.receipt("2").await;
    client.vanish().await;
    assert_eq!(dropped.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn streams_are_bounded_at_the_limit_and_not_one_beyond() {
    let routes = Router::new().mount(Route::subscribe("/app/ticks", ticks)).with_state(());
    let realtime = realtime_with(routes, Config::default().max_streams(2));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("e", "/user/queue/errors").await;
    client.subscribe("0", "/app/ticks").await;
    client.subscribe("1", "/app/ticks").await;
    client.send("SUBSCRIBE\nid:2\ndestination:/app/ticks\n\n").await;
    assert_eq!(header(&client.frame().await, "code"), Some("too-many-streams"));
    client.send("UNSUBSCRIBE\nid:0\nreceipt:gone\n\n").await;
    client.receipt("gone").await;
    client.subscribe("3", "/app/ticks").await;
}

#[tokio::test(start_paused = true)]
async fn an_error_or_a_panic_in_a_stream_is_told_and_ends_it_alone() {
    async fn fails() -> Replies<impl Stream<Item = Result<Payload<u8>, Rejection>>> {
        Replies(stream::iter([Ok(Payload(1)), Err(Rejection::new("no-more", "There is no more.")), Ok(Payload(3))]))
    }
    async fn panics() -> Replies<impl Stream<Item = Payload<u8>>> {
        Replies(stream::iter([1, 0]).map(|divisor| Payload(1 / divisor)))
    }
    let routes = Router::new()
        .mount(Route::subscribe("/app/fails", fails))
        .mount(Route::subscribe("/app/panics", panics))
        .with_state(());
    let realtime = realtime(routes);
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("e", "/user/queue/errors").await;
    for (destination, code) in [("/app/fails", "no-more"), ("/app/panics", "internal")] {
        client.subscribe(destination, destination).await;
        assert_eq!(body(&client.frame().await), "1");
        assert_eq!(header(&client.frame().await, "code"), Some(code));
        assert_silent(&mut client).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_slows_its_stream_down_and_loses_nothing() {
    const ITEMS: u32 = 2_000;
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let many = move || {
        let count = Arc::clone(&count);
        async move {
            Replies(stream::iter(0..ITEMS).map(move |item| {
                count.fetch_add(1, Ordering::SeqCst);
                Payload((item, "x".repeat(1000)))
            }))
        }
    };
    let routes = Router::new().mount(Route::subscribe("/app/many", many)).with_state(());
    let config = Config::default().outbox(OutboxLimits::default().max_bytes(64 * 1024));
    let realtime = realtime_with(routes, config);
    // 4 KiB between the two ends: the server must wait for the client.
    let mut client = Client::open_with_buffer(&realtime, user("ada"), 4096);
    client.send("CONNECT\naccept-version:1.2\n\n").await;
    client.frame().await;
    client.subscribe("0", "/app/many").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ahead = made.load(Ordering::SeqCst);
    assert!(ahead < 100, "{ahead} items were made for a client that has read none");
    for item in 0..ITEMS {
        assert!(body(&client.frame().await).starts_with(&format!("[{item},")));
    }
    assert_eq!(header(&client.frame().await, "complete"), Some("true"));
}

#[tokio::test(start_paused = true)]
async fn live_messages_of_a_topic_and_its_handlers_stream_share_one_subscription() {
    async fn enter() -> (Reply<&'static str>, Replies<impl Stream<Item = Payload<u64>>>) {
        (Reply("welcome"), ticks().await)
    }
    let realtime = realtime(Router::new().mount(Route::subscribe("/topic/room", enter)).with_state(()));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/room\n\n").await;
    assert_eq!(body(&client.frame().await), "\"welcome\"");
    realtime.broker().publish("/topic/room", "live").await.unwrap();
    assert_eq!(body(&client.frame().await), "\"live\"");
    assert_eq!(body(&client.frame().await), "0");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_ended_makes_room_for_the_next_at_once() {
    let routes = Router::new().mount(Route::subscribe("/app/ticks", ticks)).with_state(());
    let realtime = realtime_with(routes, Config::default().max_streams(1));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("0", "/app/ticks").await;
    for id in 1..10 {
        client
            .send(&format!(
                "UNSUBSCRIBE
id:{}

",
                id - 1
            ))
            .await;
        client
            .send(&format!(
                "SUBSCRIBE
id:{id}
destination:/app/ticks
receipt:{id}

"
            ))
            .await;
        client.receipt(&id.to_string()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ended_by_itself_makes_room_for_the_next() {
    let routes = Router::new().mount(Route::subscribe("/app/count/{to}", count)).with_state(());
    let realtime = realtime_with(routes, Config::default().max_streams(1));
    let mut client = Client::connect(&realtime, user("ada")).await;
    for id in 0..3 {
        client.subscribe(&id.to_string(), "/app/count/1").await;
        assert_eq!(body(&client.frame().await), "1");
        assert_eq!(header(&client.frame().await, "complete"), Some("true"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_cannot_be_sent_is_told_once_and_ends_its_stream() {
    async fn three() -> Payloads<impl Stream<Item = Payload<u32>>> {
        Payloads(stream::iter((1..=3).map(Payload)))
    }
    let routes = Router::new().mount(Route::message("/app/three", three).send_to("/queue/full")).with_state(());
    let realtime = realtime_with(routes, Config::default().queues(QueueLimits::default().max_messages(1)));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("errors", "/user/queue/errors").await;
    client
        .send(
            "SEND
destination:/app/three

",
        )
        .await;
    assert_eq!(header(&client.frame().await, "code"), Some("queue-full"));
    assert_silent(&mut client).await;
}
