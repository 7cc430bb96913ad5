//! How connections end: the close handshake of RFC 6455 section 7, and a stop that misses nobody.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{
    task::{Context, Waker},
    time::Duration,
};

use parlor_core::{
    Realtime,
    app::{Router, Rules},
    auth::{Anonymous, Principal},
};
use support::{Client, Received};
use tokio::time::Instant;

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
