//! How connections end: the close handshake of RFC 6455 section 7, and a stop that misses nobody.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use futures_util::future::{BoxFuture, ready};
use parlor_core::{
    Config, Realtime,
    app::{Route, Router, Rules},
    auth::{Anonymous, AuthError, Authenticator, Handshake, Principal},
    broker::OutboxLimits,
    connection::Closing,
    extract::State,
};
use support::{Client, Received};
use tokio::{sync::Semaphore, time::Instant};

fn endpoint() -> Realtime {
    let rules = Rules::deny_all().allow_subscribe("/topic/**");
    Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build().unwrap()
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the test measures its own, paused clock")]
async fn rfc_6455_7_1_1_the_server_closes_the_stream_as_soon_as_both_have_sent_close() {
    let mut client = Client::connect(&endpoint(), Principal::anonymous()).await;
    let begin = Instant::now();
    client.send_message(0x8, &1000_u16.to_be_bytes()).await;
    assert_eq!(client.next().await, Received::Close(1000, String::new()));
    assert_eq!(client.next().await, Received::End);
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the test measures its own, paused clock")]
async fn a_close_frame_that_came_before_the_servers_own_is_heard() {
    let mut client = Client::connect(&endpoint(), Principal::anonymous()).await;
    let begin = Instant::now();
    client.send("DISCONNECT\nreceipt:bye\n\n").await;
    client.send_message(0x8, &1000_u16.to_be_bytes()).await;
    client.receipt("bye").await;
    assert_eq!(client.next().await, Received::Close(1000, String::new()));
    assert_eq!(client.next().await, Received::End);
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn rule_27_who_connects_while_the_server_stops_is_told_so_too() {
    let realtime = endpoint();
    let mut client = Client::open(&realtime, Principal::anonymous());
    let mut stopping = std::pin::pin!(realtime.shutdown(Duration::from_secs(30)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(stopping.as_mut().poll(&mut context).is_pending());
    client.send("CONNECT\naccept-version:1.2\nhost:a\n\n").await;
    match client.next().await {
        Received::Close(1012, reason) => assert!(reason.starts_with("retry-after="), "{reason}"),
        other => panic!("a close with 1012 was expected, not {other:?}"),
    }
    client.vanish().await;
    assert!(stopping.await);
}

/// Lets everyone in and takes it back at once, as a log-out does that comes between the handshake and the registry.
struct TakenBack;

impl Authenticator for TakenBack {
    fn authenticate<'a>(&'a self, _: Handshake<'a>) -> BoxFuture<'a, Result<Principal, AuthError>> {
        Box::pin(ready(Ok(Principal::anonymous())))
    }

    fn is_still_good<'a>(&'a self, _: &'a Principal) -> BoxFuture<'a, bool> {
        Box::pin(ready(false))
    }
}

#[tokio::test(start_paused = true)]
async fn rule_24_a_token_that_was_taken_back_after_the_handshake_opens_no_session() {
    let realtime = Realtime::builder(Router::new().with_state(())).authenticate(TakenBack).build().unwrap();
    let mut client = Client::open(&realtime, Principal::anonymous());
    client.send("CONNECT\naccept-version:1.2\nhost:a\n\n").await;
    let (error, status) = client.error_and_close().await;
    assert!(error.contains("\ncode:token-expired\n"), "{error}");
    assert_eq!(status, 4401);
}

#[tokio::test(start_paused = true)]
async fn rule_18_a_session_is_gone_for_others_before_its_client_has_closed() {
    let realtime = endpoint();
    let mut client = Client::connect(&realtime, Principal::anonymous()).await;
    client.subscribe("0", "/topic/a").await;
    client.send("DISCONNECT\n\n").await;
    assert_eq!(client.next().await, Received::Close(1000, String::new()));
    tokio::task::yield_now().await;
    assert_eq!((realtime.registry().session_count(), realtime.broker().destination_count()), (0, 0));
    assert!(!client.server.is_finished(), "it still waits for the client's close");
}

async fn commit(State(gate): State<Arc<Semaphore>>) {
    gate.acquire().await.unwrap().forget();
}

fn with_gate(gate: &Arc<Semaphore>) -> Realtime {
    let routes = Router::new().mount(Route::message("/app/commit", commit)).with_state(Arc::clone(gate));
    Realtime::builder(routes).authenticate(Anonymous).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn rule_27_running_handlers_finish_and_their_receipts_go_out_before_1012() {
    let gate = Arc::new(Semaphore::new(0));
    let realtime = with_gate(&gate);
    let mut client = Client::connect(&realtime, Principal::anonymous()).await;
    for receipt in ["running", "waiting"] {
        client.send(&format!("SEND\ndestination:/app/commit\nreceipt:{receipt}\n\n")).await;
    }
    support::assert_silent(&mut client).await;
    let stopping = realtime.shutdown(Duration::from_secs(60));
    let answers = async {
        gate.add_permits(2);
        client.receipt("running").await;
        client.receipt("waiting").await;
        assert!(matches!(client.next().await, Received::Close(1012, _)));
        client.vanish().await;
    };
    assert!(tokio::join!(stopping, answers).0);
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the test measures its own, paused clock")]
async fn rule_27_a_handler_that_does_not_finish_is_waited_for_once() {
    let realtime = with_gate(&Arc::new(Semaphore::new(0)));
    let mut client = Client::connect(&realtime, Principal::anonymous()).await;
    client.send("SEND\ndestination:/app/commit\n\n").await;
    support::assert_silent(&mut client).await;
    let begin = Instant::now();
    let stopping = realtime.shutdown(Duration::from_secs(60));
    let closed = async {
        assert!(matches!(client.next().await, Received::Close(1012, _)));
        client.vanish().await;
    };
    assert!(tokio::join!(stopping, closed).0);
    assert_eq!(begin.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn rule_19_whoever_is_banned_before_connect_does_not_get_in() {
    let realtime = endpoint();
    let mut client = Client::open(&realtime, support::user("ada"));
    tokio::task::yield_now().await;
    let closing = Closing::application("banned", 4403, "You were banned.");
    assert_eq!(realtime.registry().disconnect_user(&"ada".parse().unwrap(), &closing), 1);
    client.send("CONNECT\naccept-version:1.2\nhost:a\n\n").await;
    assert_eq!(client.error_and_close().await.1, 4403);
    client.vanish().await;
    assert_eq!(realtime.registry().disconnect_where(|_| true, &closing), 0);
}

#[tokio::test(start_paused = true)]
async fn limits_that_mean_never_are_taken() {
    let config = Config::default()
        .max_connections(usize::MAX)
        .connect_timeout(Duration::MAX)
        .finish_timeout(Duration::MAX)
        .outbox(OutboxLimits::default().max_age(Duration::MAX));
    let rules = Rules::deny_all().allow_subscribe("/topic/**");
    let routes = Router::new().with_state(());
    let realtime = Realtime::builder(routes).authenticate(Anonymous).authorize(rules).config(config).build().unwrap();
    let mut client = Client::connect(&realtime, Principal::anonymous()).await;
    client.subscribe("0", "/topic/a").await;
    client.vanish().await;
    assert!(realtime.shutdown(Duration::MAX).await);
}

/// Whenever a stop comes, a message of which the first frames count counts whole: a hundred ACKs take more than three turns.
#[tokio::test(start_paused = true)]
async fn rule_27_what_was_read_before_a_stop_counts_whenever_that_comes() {
    async fn heard() {}
    let mut seen = std::collections::BTreeSet::new();
    for turns in 0..40 {
        let rules = Rules::deny_all().allow_subscribe("/topic/**");
        let routes = Router::new().mount(Route::message("/app/heard", heard)).with_state(());
        let builder = Realtime::builder(routes).authenticate(Anonymous).authorize(rules);
        let realtime = builder.config(Config::development()).build().unwrap();
        let mut client = Client::connect(&realtime, Principal::anonymous()).await;
        client.send("SUBSCRIBE\nid:a\ndestination:/topic/a\nack:client-individual\nreceipt:a\n\n").await;
        client.receipt("a").await;
        let mut message = String::new();
        for number in 0..100 {
            realtime.broker().publish("/topic/a", &number).await.unwrap();
            let frame = client.frame().await;
            message.push_str(&format!("ACK\nid:{}\n\n\0", support::header(&frame, "ack").unwrap()));
        }
        message.push_str("SEND\ndestination:/app/heard\n\n\0");
        client.send_message(0x1, message.as_bytes()).await;
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        assert!(realtime.shutdown(Duration::from_secs(30)).await);
        let frames = realtime.stats().traffic.frames_received;
        let count = |command| frames.get(command).copied().unwrap_or_default();
        let handled = realtime.stats().by_route.get("SEND /app/heard").map_or(0, |route| route.done);
        assert!(matches!((count("ACK"), count("SEND"), handled), (0, 0, 0) | (100, 1, 1)), "{turns} turns: {frames:?}");
        seen.insert(handled);
    }
    assert_eq!(seen.len(), 2, "some stops came before, and some behind");
}
