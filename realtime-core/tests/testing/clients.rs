//! What clients do: connecting, sending, being refused, and every way for a connection to end.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::Request;
use parlor_core::{
    Config, Realtime,
    app::{Router, Rules},
    auth::{AuthError, Principal},
    broker::OutboxLimits,
    connection::Closing,
    limits::AdmissionError,
    session::{DisconnectReason, LifecycleEvent, Session},
    stomp::{Command, Frame, Version},
    testing::{ConnectError, TestClient},
};

use crate::endpoint;

#[tokio::test(start_paused = true)]
async fn a_client_is_who_the_test_says_and_is_in_the_registry() {
    let realtime = endpoint();
    let ada =
        TestClient::connect(&realtime, Principal::user("u-1".parse().unwrap()).with_name("Ada").with_claims(7_u8))
            .await;
    let nobody = TestClient::anonymous(&realtime).await;
    let session = ada.session().unwrap();
    assert_eq!(
        (session.id().to_string().as_str(), session.principal().display_name()),
        (ada.session_id(), Some("Ada"))
    );
    assert_eq!(session.principal().claims::<u8>(), Some(&7));
    assert!(nobody.session().unwrap().principal().id().is_none());
    assert_eq!(realtime.registry().session_count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_speaks_the_version_that_it_is_told() {
    let realtime = endpoint();
    for (accepts, version) in [(Some("1.2"), Version::V1_2), (Some("1.1"), Version::V1_1), (None, Version::V1_0)] {
        let client = TestClient::connect(&realtime, "ada").accept_version(accepts).header("x", "y").await;
        assert_eq!(client.version(), Some(version));
        let room = client.subscribe("/topic/rooms/7").await;
        client.send("/app/rooms/7/say", "a:b\\c").await;
        room.expect_json("ada: a:b\\c").await;
        client.disconnect().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_is_refused_is_told() {
    let refused = TestClient::connect(&endpoint(), "ada").accept_version(Some("9.9")).try_connect().await;
    let Err(ConnectError::Closed(closed)) = refused else { panic!("{refused:?}") };
    assert_eq!((closed.status, closed.code.as_deref()), (1002, Some("version-not-supported")));
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "ada could not connect: the connection ended before CONNECTED: the server closed it with 1002"
)]
async fn a_connect_that_is_refused_fails_the_test() {
    let _ = TestClient::connect(&endpoint(), "ada").accept_version(Some("9.9")).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_is_judged_by_the_endpoints_own_authenticator_and_origins() {
    let realtime = endpoint();
    let request = |uri: &str, origin: Option<&str>| {
        let request = Request::get(uri.to_owned());
        origin.into_iter().fold(request, |request, origin| request.header("origin", origin)).body(()).unwrap()
    };
    let ada = TestClient::anonymous(&realtime).request(request("/ws?user=ada", None)).await;
    assert_eq!(ada.session().unwrap().principal().to_string(), "ada");
    let refused = TestClient::anonymous(&realtime).request(request("/ws", None)).try_connect().await;
    assert!(matches!(refused, Err(ConnectError::Authentication(AuthError::Missing))), "{refused:?}");
    let refused = TestClient::anonymous(&realtime).request(request("/ws?user=ada", Some("https://evil.example")));
    assert!(matches!(refused.try_connect().await, Err(ConnectError::Origin(_))));
}

#[tokio::test(start_paused = true)]
async fn a_full_endpoint_is_told() {
    let config = Config::default().max_connections(1);
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(parlor_core::auth::Anonymous)
        .config(config)
        .build()
        .unwrap();
    let ada = TestClient::connect(&realtime, "ada").await;
    assert!(matches!(
        TestClient::connect(&realtime, "bob").try_connect().await,
        Err(ConnectError::Admission(AdmissionError::Full))
    ));
    ada.disconnect().await;
    assert!(TestClient::connect(&realtime, "bob").try_connect().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_send_of_any_body_has_been_handled() {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    let room = ada.subscribe("/topic/rooms/7").await;
    ada.send("/app/rooms/7/say", "json").await;
    ada.send_bytes("/app/rooms/7/say", "application/json", &b"\"octets\""[..]).await;
    assert_eq!(room.messages().len(), 2);
    ada.send_text("/app/rooms/7/echo", "text").header("mood", "good").await;
    let echo = room.messages().remove(0);
    assert_eq!((echo.text(), echo.header("mood")), ("text", Some("good")));
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "SEND to /app/rooms/7/say was refused: empty: Write something first.")]
async fn a_send_that_is_refused_fails_the_test() {
    TestClient::connect(&endpoint(), "ada").await.send("/app/rooms/7/say", "").await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_is_expected_is_given_back_and_the_session_goes_on() {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    let refusal = ada.send("/app/rooms/7/say", "").refused("empty").await;
    assert_eq!(
        (refusal.message.as_str(), refusal.destination.as_str()),
        ("Write something first.", "/app/rooms/7/say")
    );
    assert_eq!(ada.send("/app/nothing", "").outcome().await.unwrap_err().code, "no-such-destination");
    ada.subscribe("/topic/secret").refused("forbidden").await;
    ada.send("/app/rooms/7/say", "x").await;
    assert!(ada.refusals().is_empty(), "each was asked about");
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "SEND to /app/rooms/7/say should have been refused with code empty")]
async fn a_send_that_should_have_been_refused_fails_the_test() {
    TestClient::connect(&endpoint(), "ada").await.send("/app/rooms/7/say", "x").refused("empty").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "was refused, but with another code than full: empty: Write something first.")]
async fn a_send_that_is_refused_for_another_reason_fails_the_test() {
    TestClient::connect(&endpoint(), "ada").await.send("/app/rooms/7/say", "").refused("full").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "SUBSCRIBE to /topic/secret was refused: forbidden: You may not subscribe to /topic/secret.")]
async fn a_subscription_that_is_refused_fails_the_test() {
    let _ = TestClient::connect(&endpoint(), "ada").await.subscribe("/topic/secret").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_deaf_to_refusals_is_closed_by_one() {
    let ada = TestClient::connect(&endpoint(), "ada").deaf_to_refusals().await;
    assert!(ada.session().unwrap().subscriptions().is_empty());
    let refusal = ada.send("/app/rooms/7/say", "").refused("empty").await;
    assert_eq!(refusal.message, "Write something first.");
    assert_eq!(ada.expect_closed("empty").await.status, 1008);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_frames_without_receipts_wait_to_be_asked_about() {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    ada.send("/app/rooms/7/say", "").unconfirmed();
    assert_eq!(ada.expect_refusal("empty").await.receipt, None);
    drop(ada.subscribe("/topic/secret").unconfirmed());
    ada.sync().await;
    assert_eq!(ada.refusals()[0].code, "forbidden");
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "a refusal with code full was expected, not empty: Write something first.")]
async fn another_refusal_fails_the_test() {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    ada.send("/app/rooms/7/say", "").unconfirmed();
    ada.expect_refusal("full").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "no refusal with code empty came within 5s")]
async fn a_refusal_that_does_not_come_fails_the_test() {
    TestClient::connect(&endpoint(), "ada").await.expect_refusal("empty").await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_take_its_time_within_the_bound() {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    ada.send("/app/sleep", &4).await;
    ada.send("/app/sleep", &59).within(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "SEND to /app/sleep was not confirmed within 5s; its handler may still be running")]
async fn a_handler_that_takes_longer_fails_the_test() {
    TestClient::connect(&endpoint(), "ada").await.send("/app/sleep", &6).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "an earlier frame of this client was not handled within 5s")]
async fn sync_fails_behind_a_handler_that_hangs() {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    ada.send("/app/sleep", &60).unconfirmed();
    ada.sync().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_gives_back_its_own_reply() {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    let sum: i64 = ada.request("/app/sum", &(1, 2)).await;
    assert_eq!(sum, 3);
    let (one, two): (i64, i64) =
        tokio::join!(ada.request("/app/sum", &(1, 0)).into_future(), ada.request("/app/sum", &(1, 1)).into_future());
    assert_eq!((one, two), (1, 2));
    assert_eq!(ada.session().unwrap().subscriptions().len(), 2, "refusals and replies");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_says_when_to_try_again_and_what_programs_may_read() {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    let refusal = ada.request::<i64, _>("/app/sum", &(i64::MAX, 1)).refused("too-large").await;
    assert_eq!(refusal.retry_after, Some(Duration::from_millis(1500)));
    assert_eq!(refusal.details.unwrap()["largest"], i64::MAX);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the reply to the SEND to /app/sum: the body is no bool")]
async fn a_reply_of_another_type_fails_the_test() {
    let _: bool = TestClient::connect(&endpoint(), "ada").await.request("/app/sum", &(1, 2)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the SEND to /app/rooms/7/say was handled, but not answered within 5s")]
async fn a_request_that_is_not_answered_fails_the_test() {
    let _: bool = TestClient::connect(&endpoint(), "ada").await.request("/app/rooms/7/say", "x").await;
}

/// What a listener heard last.
fn listening() -> (Realtime, Arc<Mutex<Option<DisconnectReason>>>) {
    let heard: Arc<Mutex<Option<DisconnectReason>>> = Arc::default();
    let tell = Arc::clone(&heard);
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(parlor_core::auth::Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
        .config(Config::default().outbox(OutboxLimits::default().max_messages(8)))
        .listen(move |_: Session, event: LifecycleEvent| -> BoxFuture<'static, ()> {
            if let LifecycleEvent::Disconnected(end) = event {
                *tell.lock().unwrap() = Some(end.reason);
            }
            Box::pin(async {})
        })
        .build()
        .unwrap();
    (realtime, heard)
}

#[tokio::test(start_paused = true)]
async fn each_way_to_leave_is_another_one_for_the_server_and_leaves_nothing_behind() {
    let (realtime, heard) = listening();
    let client = || TestClient::connect(&realtime, "ada");
    client().await.disconnect().await;
    assert_eq!(heard.lock().unwrap().take(), Some(DisconnectReason::Client));
    client().await.close(1001).await;
    assert_eq!(heard.lock().unwrap().take(), Some(DisconnectReason::ClosedByClient));
    client().await.abort().await;
    assert_eq!(heard.lock().unwrap().take(), Some(DisconnectReason::Lost));
    assert_eq!(realtime.registry().session_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_lives_as_long_as_its_client_or_a_subscription() {
    let (realtime, _) = listening();
    let ada = TestClient::connect(&realtime, "ada").await;
    let topic = ada.subscribe("/topic/a").await;
    drop(ada);
    topic.assert_silent().await;
    assert_eq!(realtime.registry().session_count(), 1);
    drop(topic);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(realtime.registry().session_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_end_by_the_server_is_expected_by_code_or_by_status() {
    let realtime = endpoint();
    let banned = Closing::application("banned", 4403, "You were banned.");
    for by_code in [true, false] {
        let ada = TestClient::connect(&realtime, "ada").await;
        ada.session().unwrap().close(banned.clone());
        let closed = if by_code { ada.expect_closed("banned").await } else { ada.expect_closed(4403).await };
        assert_eq!((closed.status, closed.message.as_deref()), (4403, Some("You were banned.")));
        assert!(!ada.is_open() && ada.session().is_none());
    }
    let ada = TestClient::connect(&realtime, "ada").await;
    assert!(realtime.shutdown(Duration::from_secs(5)).await);
    assert!(ada.expect_closed(1012).await.reason.starts_with("retry-after="));
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "an end with status 1012 was expected\n")]
async fn another_end_fails_the_test() {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    ada.session().unwrap().close(Closing::token_expired());
    ada.expect_closed(1012).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "no end with code token-expired came within 5s")]
async fn an_end_that_does_not_come_fails_the_test() {
    TestClient::connect(&endpoint(), "ada").await.expect_closed("token-expired").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "DISCONNECT was not answered by a close with 1000")]
async fn a_disconnect_that_is_not_answered_by_a_normal_end_fails_the_test() {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    ada.session().unwrap().close(Closing::token_expired());
    ada.disconnect().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the server did not let go of the session within 5s")]
async fn a_session_that_outlives_its_connection_fails_the_test() {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    ada.send("/app/sleep", &20).unconfirmed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    ada.abort().await;
}

#[tokio::test(start_paused = true)]
async fn a_frozen_client_is_a_slow_reader_and_hears_of_it_when_it_thaws() {
    let (realtime, _) = listening();
    let ada = TestClient::connect(&realtime, "ada").pipe(256).await;
    let topic = ada.subscribe("/topic/a").await;
    ada.freeze();
    for number in 0..100 {
        realtime.broker().publish("/topic/a", &number).await.unwrap();
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    ada.thaw();
    ada.expect_closed("slow-consumer").await;
    assert!(!topic.messages().is_empty() && topic.messages().len() < 100);
}

#[tokio::test(start_paused = true)]
async fn frames_that_no_good_client_sends_can_be_sent() {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    ada.send_frame(&Frame::new(Command::Send).with_body("to nowhere"));
    assert_eq!(ada.expect_closed("missing-header").await.status, 1002);
}
