//! What lives on when a connection ends: subscriptions from their positions, messages with a key, and nothing else.

#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{future::IntoFuture, time::Duration};

use parlor_client::{
    AckError, AckMode, Client, ClientBuilder, ConnectionError, ConnectionState, ReconnectPolicy, SendError,
    SubscriptionEvent, SubscriptionEvents,
};
use parlor_stomp::Command;
use support::{Listener, Peer, client, connected};
use tokio::time::{Instant, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// A client with a subscription `/topic/a` in force.
async fn subscribed(
    builder: ClientBuilder,
    listener: &mut Listener,
    ack: AckMode,
) -> (Client, SubscriptionEvents, Peer) {
    let (client, mut peer) = connected(builder, listener).await;
    let (subscription, _) = tokio::join!(client.subscribe("/topic/a").ack(ack).into_future(), peer.subscribed());
    (client, subscription.unwrap().events(), peer)
}

async fn text(events: &mut SubscriptionEvents) -> String {
    match events.recv().await {
        Some(SubscriptionEvent::Message(message)) => message.text().unwrap().to_owned(),
        other => panic!("{other:?} in place of a message"),
    }
}

async fn recovered(events: &mut SubscriptionEvents) -> bool {
    match events.recv().await {
        Some(SubscriptionEvent::Resumed { recovered }) => recovered,
        other => panic!("{other:?} in place of the news that it resumed"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_resumes_from_its_last_position_and_what_comes_twice_is_dropped() {
    let (builder, mut listener) = client();
    let (_client, mut events, mut peer) = subscribed(builder, &mut listener, AckMode::Auto).await;
    for position in ["p1", "p2"] {
        peer.publish("0", position, &[("position", position)]).await;
        assert_eq!(text(&mut events).await, position);
    }
    drop(peer.into_stream());
    let mut peer = listener.accept().await;
    let names = ["id", "destination", "resume-from", "receipt"];
    let [id, destination, from, receipt] = peer.expect(Command::Subscribe, names).await;
    assert_eq!([&*id, &destination, &from], ["0", "/topic/a", "p2"]);
    peer.receipt(&receipt, &[("recovered", "true")]).await;
    for position in ["p2", "p3", "p3", "p4"] {
        peer.publish("0", position, &[("position", position)]).await;
    }
    assert!(recovered(&mut events).await);
    assert_eq!([text(&mut events).await, text(&mut events).await], ["p3", "p4"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_cut_off_before_its_first_message_resumes_from_where_it_began() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder, &mut listener).await;
    let (subscription, ()) = tokio::join!(client.subscribe("/topic/a").into_future(), async {
        let [receipt] = peer.expect(Command::Subscribe, ["receipt"]).await;
        peer.receipt(&receipt, &[("position", "p0")]).await;
    });
    let subscription = subscription.unwrap();
    assert_eq!(subscription.position(), Some("p0"));
    let mut events = subscription.events();
    drop(peer.into_stream());
    let mut peer = listener.accept().await;
    let [from, receipt] = peer.expect(Command::Subscribe, ["resume-from", "receipt"]).await;
    assert_eq!(from, "p0");
    // The place was lost, and the new one is told.
    peer.receipt(&receipt, &[("recovered", "false"), ("position", "q0")]).await;
    assert!(!recovered(&mut events).await);
    drop(peer.into_stream());
    let mut peer = listener.accept().await;
    let [from, receipt] = peer.expect(Command::Subscribe, ["resume-from", "receipt"]).await;
    assert_eq!(from, "q0");
    // A message may come before the RECEIPT, and lies behind the beginning.
    peer.publish("0", "q1", &[("position", "q1"), ("recovered", "true")]).await;
    peer.receipt(&receipt, &[("recovered", "true"), ("position", "q0")]).await;
    assert!(recovered(&mut events).await);
    assert_eq!(text(&mut events).await, "q1");
    drop(peer.into_stream());
    let mut peer = listener.accept().await;
    assert_eq!(peer.expect(Command::Subscribe, ["resume-from"]).await, ["q1"]);
}

#[tokio::test(start_paused = true)]
async fn a_hole_is_told_where_it_is_by_the_receipt_or_by_the_first_message() {
    for (on_receipt, on_message, expected) in [
        (Some("true"), None, true),
        (Some("false"), None, false),
        (None, None, false),
        (Some("maybe"), None, false),
        // The replay may come before the RECEIPT.
        (None, Some("true"), true),
        (None, Some("false"), false),
    ] {
        let (builder, mut listener) = client();
        let (_client, mut events, peer) = subscribed(builder, &mut listener, AckMode::Auto).await;
        drop(peer.into_stream());
        let mut peer = listener.accept().await;
        let [receipt] = peer.expect(Command::Subscribe, ["receipt"]).await;
        let header = |value: Option<&'static str>| value.map(|value| ("recovered", value));
        if on_message.is_some() {
            peer.publish("0", "m", &Vec::from_iter(header(on_message))).await;
            peer.receipt(&receipt, &Vec::from_iter(header(on_message))).await;
        } else {
            peer.receipt(&receipt, &Vec::from_iter(header(on_receipt))).await;
            peer.publish("0", "m", &[]).await;
        }
        peer.publish("0", "n", &[]).await;
        assert_eq!(recovered(&mut events).await, expected, "{on_receipt:?} {on_message:?}");
        assert_eq!([text(&mut events).await, text(&mut events).await], ["m", "n"]);
    }
}

#[tokio::test(start_paused = true)]
async fn with_acknowledgement_what_comes_again_is_seen_again_and_the_old_one_cannot_be_acknowledged() {
    let (builder, mut listener) = client();
    let (_client, mut events, mut peer) = subscribed(builder, &mut listener, AckMode::ClientIndividual).await;
    peer.publish("0", "m", &[("position", "p1"), ("ack", "a1")]).await;
    let Some(SubscriptionEvent::Message(old)) = events.recv().await else { panic!("no message") };
    drop(peer.into_stream());
    let mut peer = listener.accept().await;
    peer.subscribed().await;
    peer.publish("0", "m", &[("position", "p1"), ("ack", "a2"), ("redelivered", "true")]).await;
    recovered(&mut events).await;
    let Some(SubscriptionEvent::Message(again)) = events.recv().await else { panic!("no message") };
    assert_eq!(old.ack().await, Err(AckError::SessionEnded));
    again.ack().await.unwrap();
    assert_eq!(peer.expect(Command::Ack, ["id"]).await, ["a2"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_was_dropped_meanwhile_is_not_made_again() {
    let (builder, mut listener) = client();
    let (client, events, peer) = subscribed(builder, &mut listener, AckMode::Auto).await;
    drop(peer.into_stream());
    drop(events);
    let mut peer = listener.accept().await;
    client.send("/app/a").await.unwrap();
    peer.expect(Command::Send, []).await;
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_refused_when_it_is_made_again_ends_with_the_reason() {
    let (builder, mut listener) = client();
    let builder = builder.error_queue(Some("/user/queue/errors"));
    let (client, mut peer) = connected(builder, &mut listener).await;
    peer.expect(Command::Subscribe, []).await;
    let (subscription, _) = tokio::join!(client.subscribe("/topic/a").into_future(), peer.subscribed());
    let mut events = subscription.unwrap().events();
    drop(peer.into_stream());
    let mut peer = listener.accept().await;
    assert_eq!(peer.expect(Command::Subscribe, ["id"]).await, ["errors"]);
    let [receipt] = peer.expect(Command::Subscribe, ["receipt"]).await;
    peer.publish("errors", "", &[("code", "forbidden"), ("receipt-id", &receipt)]).await;
    let Some(SubscriptionEvent::Ended(refusal)) = events.recv().await else { panic!("it goes on") };
    assert_eq!(refusal.code.as_deref(), Some("forbidden"));
    assert!(events.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_key_is_unknown_and_one_with_a_key_is_sent_again_until_its_receipt() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder, &mut listener).await;
    let (plain, keyed) = (client.send("/app/a").receipt(), client.send("/app/b").text("x").resend_with_key("k"));
    let (plain, keyed, ()) = tokio::join!(plain, keyed.receipt(), async {
        peer.expect(Command::Send, []).await;
        let first = peer.frame().await;
        drop(peer.into_stream());
        let mut peer = listener.accept().await;
        let second = peer.frame().await;
        assert_eq!((&first, second.headers.get("message-key")), (&second, Some("k")));
        peer.receipt(second.headers.get("receipt").unwrap(), &[]).await;
        // It stays open until the receipt is read.
        tokio::time::sleep(SECOND).await;
    });
    assert!(matches!(plain, Err(SendError::Unknown)), "{plain:?}");
    keyed.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_error_for_silence_lets_a_message_be_sent_again_and_one_that_may_be_because_of_it_does_not() {
    for (code, again) in [
        ("frame-timeout", true),
        ("heart-beat-timeout", true),
        ("malformed-frame", false),
        ("slow-consumer", true),
        ("slow-handler", true),
    ] {
        let (builder, mut listener) = client();
        let (client, mut peer) = connected(builder, &mut listener).await;
        let (outcome, ()) = tokio::join!(client.send("/app/a").resend_with_key("k").receipt(), async {
            peer.expect(Command::Send, []).await;
            peer.send(Command::Error, &[("code", code)], "").await;
            peer.close(1002, "").await;
            let mut peer = listener.accept().await;
            if again {
                let [receipt] = peer.expect(Command::Send, ["receipt"]).await;
                peer.receipt(&receipt, &[]).await;
            }
            // It stays open until the receipt is read.
            tokio::time::sleep(SECOND).await;
        });
        match again {
            true => outcome.unwrap(),
            false => assert!(matches!(outcome, Err(SendError::Unknown)), "{code}: {outcome:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_while_there_is_no_connection_goes_over_the_next_one() {
    let (builder, mut listener) = client();
    let (client, peer) = connected(builder, &mut listener).await;
    drop(peer.into_stream());
    client.state().wait_for(|state| !state.is_connected()).await.unwrap();
    client.send("/app/a").text("waits").await.unwrap();
    let mut peer = listener.accept().await;
    assert_eq!(&peer.frame().await.body[..], b"waits");
}

#[tokio::test(start_paused = true)]
async fn a_transaction_ends_with_its_connection() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder, &mut listener).await;
    let (transaction, ()) = tokio::join!(client.begin(), async {
        let [receipt] = peer.expect(Command::Begin, ["receipt"]).await;
        peer.receipt(&receipt, &[]).await;
    });
    let transaction = transaction.unwrap();
    drop(peer.into_stream());
    let mut peer = listener.accept().await;
    assert!(matches!(transaction.send("/app/a").receipt().await, Err(SendError::SessionEnded)));
    transaction.send("/app/a").await.unwrap();
    assert!(matches!(transaction.commit().await, Err(SendError::SessionEnded)));
    client.send("/app/b").await.unwrap();
    assert_eq!(peer.expect(Command::Send, ["destination"]).await, ["/app/b"]);
}

#[tokio::test(start_paused = true)]
async fn the_server_says_when_to_come_back_by_close_reason_error_and_http() {
    let policy = ReconnectPolicy::default().base(Duration::ZERO);
    let (builder, mut listener) = client();
    let (client, peer) = connected(builder.reconnect(policy), &mut listener).await;
    let since = Instant::now();
    peer.close(1012, "retry-after=3200").await;
    listener.refuse_handshake(503, &[("retry-after", "2")], "").await;
    assert_eq!(since.elapsed(), Duration::from_millis(3200));
    let mut peer = listener.accept().await;
    assert_eq!(since.elapsed(), Duration::from_millis(5200));
    peer.send(Command::Error, &[("code", "rate-limited"), ("retry-after", "700")], "").await;
    peer.close(1008, "").await;
    let _peer = listener.accept().await;
    assert_eq!(since.elapsed(), Duration::from_millis(5900));
    client.state().wait_for(ConnectionState::is_connected).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_does_not_come_back_where_it_is_not_wanted() {
    for status in [4400, 4401, 4499] {
        let (builder, mut listener) = client();
        let (client, mut events, peer) = subscribed(builder, &mut listener, AckMode::Auto).await;
        peer.close(status, "").await;
        let mut state = client.state();
        let ended = state.wait_for(ConnectionState::is_closed).await.unwrap();
        let ConnectionState::Closed { cause: Some(ConnectionError::Closed { status: found, .. }) } = &*ended else {
            panic!("{ended:?}")
        };
        assert_eq!(*found, status);
        drop(ended);
        assert!(events.recv().await.is_none());
        assert!(matches!(client.send("/app/a").receipt().await, Err(SendError::Closed)));
    }
    for status in [401, 403] {
        let (builder, mut listener) = client();
        let (client, peer) = connected(builder, &mut listener).await;
        drop(peer.into_stream());
        listener.refuse_handshake(status, &[], "").await;
        client.state().wait_for(ConnectionState::is_closed).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_as_many_as_the_policy_says_and_are_watched() {
    let policy = ReconnectPolicy::default().max_attempts(Some(2));
    let (builder, mut listener) = client();
    let (client, peer) = connected(builder.reconnect(policy), &mut listener).await;
    let mut state = client.state();
    drop(peer.into_stream());
    for expected in 1..=2 {
        state.changed().await.unwrap();
        let now = state.borrow_and_update().clone();
        let ConnectionState::Reconnecting { attempt, delay, .. } = now else { panic!("{now:?}") };
        assert!(attempt == expected && delay <= SECOND, "{attempt} {delay:?}");
        listener.refuse_network().await;
    }
    state.changed().await.unwrap();
    assert!(state.borrow().is_closed());
    assert!(listener.attempt().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_for_a_connection_can_be_closed() {
    let (builder, mut listener) = client();
    let (client, peer) = connected(builder, &mut listener).await;
    peer.close(1012, "retry-after=600000").await;
    client.state().wait_for(|state| !state.is_connected()).await.unwrap();
    timeout(SECOND, client.close()).await.unwrap().unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_end_is_read_after_it() {
    let (builder, mut listener) = client();
    let builder = builder.subscription_buffer(1).reconnect(ReconnectPolicy::never());
    let (client, mut events, mut peer) = subscribed(builder, &mut listener, AckMode::Auto).await;
    for body in ["1", "2", "3"] {
        peer.publish("0", body, &[]).await;
    }
    drop(peer.into_stream());
    for body in ["1", "2", "3"] {
        assert_eq!(text(&mut events).await, body);
    }
    assert!(events.recv().await.is_none());
    assert!(client.state().borrow().is_closed());
}
