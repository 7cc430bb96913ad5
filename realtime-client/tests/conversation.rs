//! One connection, against a server that does what the test says.

#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{future::IntoFuture, time::Duration};

use parlor_client::{
    AckError, AckMode, CloseError, ConnectionError, HeartBeat, ReconnectPolicy, SendError, SubscribeError,
};
use parlor_stomp::Command;
use support::{client, connected};
use tokio::{
    task::yield_now,
    time::{Instant, advance, timeout},
};
use tokio_tungstenite::tungstenite::Message;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_session_opens_with_the_hosts_name_and_the_offers_of_the_client() {
    let (builder, mut listener) = client();
    let connecting = tokio::join!(builder.login("ada", "secret").connect(), async {
        let mut peer = listener.accept_socket().await;
        let names = ["host", "accept-version", "heart-beat", "login", "passcode"];
        let found = peer.expect(Command::Connect, names).await;
        assert_eq!(found, ["scripted", "1.0,1.1,1.2", "10000,10000", "ada", "secret"]);
        peer.send(Command::Connected, &[("version", "1.1"), ("session", "s-1")], "").await;
        peer
    });
    let state = connecting.0.unwrap().state();
    assert!(format!("{:?}", *state.borrow()).contains("s-1"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let (builder, mut listener) = client();
    let since = Instant::now();
    let (failed, _peer) = tokio::join!(builder.connect_timeout(3 * SECOND).connect(), listener.accept_socket());
    assert!(matches!(failed, Err(ConnectionError::TimedOut)));
    assert_eq!(since.elapsed(), 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_refused_connect_says_code_and_close_status() {
    let (builder, mut listener) = client();
    let (failed, ()) = tokio::join!(builder.connect(), async {
        let mut peer = listener.accept_socket().await;
        peer.expect(Command::Connect, []).await;
        peer.send(Command::Error, &[("code", "token-expired"), ("message", "Log in.")], "").await;
        peer.close(4401, "").await;
    });
    let Err(error @ ConnectionError::Refused { status: Some(4401), .. }) = failed else { panic!("{failed:?}") };
    assert!(error.to_string().contains("Log in. (token-expired)") && !error.may_reconnect());
}

#[tokio::test(start_paused = true)]
async fn a_refused_handshake_says_code_and_when_to_come_back() {
    let (builder, mut listener) = client();
    let body = r#"{"code":"full","message":"Too many."}"#;
    let (failed, ()) = tokio::join!(builder.connect(), listener.refuse_handshake(503, &[("retry-after", "7")], body));
    let Err(ConnectionError::Handshake { status, code, message, retry_after }) = failed else { panic!("{failed:?}") };
    assert_eq!((status, code.as_deref(), message.as_str()), (503, Some("full"), "Too many."));
    assert_eq!(retry_after, Some(7 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn messages_come_as_they_were_sent() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder, &mut listener).await;
    let (subscription, id) = tokio::join!(client.subscribe("/topic/a").into_future(), peer.subscribed());
    let mut subscription = subscription.unwrap();
    peer.publish(&id, "[1,2]", &[("position", "e:7"), ("dropped", "3"), ("redelivered", "true")]).await;
    let message = subscription.recv().await.unwrap();
    assert_eq!(message.json::<(u8, u8)>().unwrap(), (1, 2));
    assert_eq!((message.position(), message.dropped(), message.is_redelivered()), (Some("e:7"), 3, true));
    assert_eq!((message.destination(), message.message_id()), ("/topic/a", "[1,2]"));
    assert_eq!(message.ack().await, Err(AckError::Auto));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_says_what_it_was_asked_to() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder, &mut listener).await;
    let subscribing = client
        .subscribe("/queue/a")
        .ack(AckMode::ClientIndividual)
        .prefetch(5)
        .resume_from("e:3")
        .header("selector", "x");
    let (subscription, ()) = tokio::join!(subscribing.into_future(), async {
        let names = ["destination", "ack", "prefetch-count", "resume-from", "selector", "receipt"];
        let [destination, ack, prefetch, from, selector, receipt] = peer.expect(Command::Subscribe, names).await;
        assert_eq!([destination, ack, prefetch, from, selector], ["/queue/a", "client-individual", "5", "e:3", "x"]);
        peer.receipt(&receipt, &[]).await;
    });
    drop(subscription.unwrap());
    assert_eq!(peer.expect(Command::Unsubscribe, ["id"]).await, ["0"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_not_confirmed_in_time_leaves_nothing_behind() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder.receipt_timeout(SECOND), &mut listener).await;
    assert!(matches!(client.subscribe("/topic/a").await, Err(SubscribeError::TimedOut)));
    let [id] = peer.expect(Command::Subscribe, ["id"]).await;
    assert_eq!(peer.expect(Command::Unsubscribe, ["id"]).await, [id]);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_resolves_by_its_own_answer() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder.error_queue(Some("/user/queue/errors")), &mut listener).await;
    assert_eq!(peer.expect(Command::Subscribe, ["id", "destination"]).await, ["errors", "/user/queue/errors"]);
    let mut refusals = client.refusals();
    let (first, second) = (client.send("/app/a").json(&1).message_key("k"), client.send("/app/b").text("x"));
    let (first, second, ()) = tokio::join!(first.receipt(), second.receipt(), async {
        let names = ["receipt", "content-type", "message-key"];
        let [first, content, key] = peer.expect(Command::Send, names).await;
        assert_eq!([content.as_str(), &key], ["application/json", "k"]);
        let [second] = peer.expect(Command::Send, ["receipt"]).await;
        let headers = [("code", "forbidden"), ("receipt-id", &*second), ("refused-destination", "/app/b")];
        peer.publish("errors", r#"{"code":"forbidden","message":"No."}"#, &headers).await;
        peer.receipt(&first, &[]).await;
    });
    first.unwrap();
    let Err(SendError::Refused(refusal)) = second else { panic!("{second:?}") };
    assert_eq!((refusal.code.as_deref(), refusal.message.as_str()), (Some("forbidden"), "No."));
    assert_eq!(refusals.recv().await.unwrap(), *refusal);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_does_not_come_in_time_is_unknown() {
    let (builder, mut listener) = client();
    let (client, _peer) = connected(builder, &mut listener).await;
    let since = Instant::now();
    let outcome = client.send("/app/a").timeout(2 * SECOND).receipt().await.unwrap_err();
    assert!(matches!(outcome, SendError::TimedOut) && outcome.is_unknown());
    assert_eq!(since.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_error_resolves_its_own_receipt_and_leaves_the_others_unknown() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder.reconnect(ReconnectPolicy::never()), &mut listener).await;
    let (a, b) = (client.send("/app/a").receipt(), client.send("/app/b").resend_with_key("k").receipt());
    let (first, second, ()) = tokio::join!(a, b, async {
        let [receipt] = peer.expect(Command::Send, ["receipt"]).await;
        peer.expect(Command::Send, []).await;
        peer.send(Command::Error, &[("code", "forbidden"), ("receipt-id", &receipt)], "").await;
        peer.close(1008, "").await;
    });
    assert!(matches!(first, Err(SendError::Refused(_))), "{first:?}");
    assert!(matches!(second, Err(SendError::Unknown)), "{second:?}");
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_have_the_form_of_the_version() {
    let forms = [("1.0", ["m", "-", "-"]), ("1.1", ["m", "0", "-"]), ("1.2", ["-", "-", "a"])];
    for (version, form) in forms {
        let (builder, mut listener) = client();
        let answer = [("version", version)];
        let (client, mut peer) = tokio::join!(builder.connect(), listener.accept_with(&answer));
        let client = client.unwrap();
        let subscribing = client.subscribe("/queue/a").ack(AckMode::Client);
        let (subscription, id) = tokio::join!(subscribing.into_future(), peer.subscribed());
        let mut subscription = subscription.unwrap();
        peer.publish(&id, "m", &[("ack", "a")]).await;
        let message = subscription.recv().await.unwrap();
        message.ack().await.unwrap();
        assert_eq!(peer.expect(Command::Ack, ["message-id", "subscription", "id"]).await, form, "{version}");
        message.nack().await.unwrap();
        assert_eq!(peer.expect(Command::Nack, ["message-id", "subscription", "id"]).await, form, "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_names_itself_in_all_of_its_frames_and_is_aborted_when_dropped() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder, &mut listener).await;
    let (transaction, id) = tokio::join!(client.begin(), async {
        let [id, receipt] = peer.expect(Command::Begin, ["transaction", "receipt"]).await;
        peer.receipt(&receipt, &[]).await;
        id
    });
    let transaction = transaction.unwrap();
    transaction.send("/app/a").await.unwrap();
    assert_eq!(peer.expect(Command::Send, ["transaction"]).await[0], id);
    let (committed, ()) = tokio::join!(transaction.commit(), async {
        let [committed, receipt] = peer.expect(Command::Commit, ["transaction", "receipt"]).await;
        assert_eq!(committed, id);
        peer.receipt(&receipt, &[]).await;
    });
    committed.unwrap();
    let (transaction, id) = tokio::join!(client.begin(), async {
        let [id, receipt] = peer.expect(Command::Begin, ["transaction", "receipt"]).await;
        peer.receipt(&receipt, &[]).await;
        id
    });
    drop(transaction.unwrap());
    assert_eq!(peer.expect(Command::Abort, ["transaction"]).await, [id]);
}

#[tokio::test(start_paused = true)]
async fn heart_beats_are_sent_and_a_silent_server_is_pinged_and_left() {
    let (builder, mut listener) = client();
    let builder =
        builder.heart_beat(HeartBeat { can_send_ms: 4000, wants_ms: 10_000 }).reconnect(ReconnectPolicy::never());
    let connected = [("version", "1.2"), ("heart-beat", "10000,4000")];
    let (client, mut peer) = tokio::join!(builder.connect(), listener.accept_with(&connected));
    let client = client.unwrap();
    let since = Instant::now();
    assert_eq!(peer.message().await.unwrap(), Message::text("\n"));
    assert_eq!(since.elapsed(), Duration::from_millis(3500));
    let mut state = client.state();
    // The peer does not read, so that it does not answer the ping either.
    state.wait_for(parlor_client::ConnectionState::is_closed).await.unwrap();
    assert_eq!(since.elapsed(), 30 * SECOND);
    let Err(CloseError::Ended(ConnectionError::HeartBeat)) = client.close().await else { panic!("another end") };
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_not_read_stops_the_socket_at_its_buffer_and_loses_nothing() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder.subscription_buffer(2), &mut listener).await;
    let (subscription, id) = tokio::join!(client.subscribe("/topic/a").into_future(), peer.subscribed());
    let mut subscription = subscription.unwrap();
    let large = "x".repeat(8 * 1024);
    let mut sent = 0;
    // The stream in memory holds 64 KiB: a client that went on reading would let this go on for ever.
    while timeout(SECOND, peer.publish(&id, &format!("{sent} {large}"), &[])).await.is_ok() {
        sent += 1;
        assert!(sent < 100, "the client grows");
    }
    for expected in 0..sent {
        let message = subscription.recv().await.unwrap();
        assert!(message.text().unwrap().starts_with(&format!("{expected} ")));
    }
}

#[tokio::test(start_paused = true)]
async fn closing_sends_what_was_asked_for_and_waits_for_the_servers_word() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder, &mut listener).await;
    client.send("/app/a").text("last").await.unwrap();
    let (closed, ()) = tokio::join!(client.close(), async {
        assert_eq!(&peer.frame().await.body[..], b"last");
        let [receipt] = peer.expect(Command::Disconnect, ["receipt"]).await;
        peer.receipt(&receipt, &[]).await;
        assert!(matches!(peer.message().await, Some(Message::Close(Some(frame))) if u16::from(frame.code) == 1000));
        assert!(peer.next().await.is_none());
    });
    closed.unwrap();
    assert!(matches!(client.send("/app/a").await, Err(SendError::Closed)));
    assert!(matches!(client.subscribe("/topic/a").await, Err(SubscribeError::Closed)));
    client.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_confirm_the_end_is_waited_for_no_longer_than_the_time_for_it() {
    let (builder, mut listener) = client();
    let (client, _peer) = connected(builder.close_timeout(2 * SECOND), &mut listener).await;
    let since = Instant::now();
    assert!(matches!(client.close().await, Err(CloseError::Unconfirmed)));
    assert_eq!(since.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_a_subscription_that_nobody_reads() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder.subscription_buffer(1), &mut listener).await;
    let (subscription, id) = tokio::join!(client.subscribe("/topic/a").into_future(), peer.subscribed());
    let mut subscription = subscription.unwrap();
    for body in ["1", "2", "3"] {
        peer.publish(&id, body, &[]).await;
    }
    advance(SECOND).await;
    let (closed, ()) = tokio::join!(client.close(), async {
        let [receipt] = peer.expect(Command::Disconnect, ["receipt"]).await;
        peer.receipt(&receipt, &[]).await;
        while peer.next().await.is_some() {}
    });
    closed.unwrap();
    assert_eq!(subscription.recv().await.unwrap().text(), Some("1"));
    assert!(subscription.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_closes_and_subscriptions_are_handles() {
    let (builder, mut listener) = client();
    let (client, mut peer) = connected(builder, &mut listener).await;
    let (subscription, id) = tokio::join!(client.subscribe("/topic/a").into_future(), peer.subscribed());
    let mut subscription = subscription.unwrap();
    drop(client);
    peer.publish(&id, "still here", &[]).await;
    let message = subscription.recv().await.unwrap();
    assert_eq!(message.text(), Some("still here"));
    drop(subscription);
    yield_now().await;
    let [receipt] = loop {
        let frame = peer.frame().await;
        if frame.command == Command::Disconnect {
            break [frame.headers.get("receipt").unwrap().to_owned()];
        }
        assert_eq!(frame.command, Command::Unsubscribe);
    };
    peer.receipt(&receipt, &[]).await;
    while peer.next().await.is_some() {}
}

#[tokio::test]
async fn what_is_no_address_and_no_header_is_said_at_once() {
    for address in ["http://a/ws", "a", "", "ws://"] {
        let failed = parlor_client::Client::builder(address).connect().await;
        let Err(error @ ConnectionError::Address(_)) = failed else { panic!("{address}: {failed:?}") };
        assert!(!error.may_reconnect());
    }
    let failed = parlor_client::Client::builder("ws://a").bearer("a\nb").connect().await.unwrap_err();
    assert!(failed.to_string().contains("authorization") && !failed.to_string().contains("a\nb"));
}
