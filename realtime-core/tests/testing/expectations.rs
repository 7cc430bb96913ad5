//! What subscriptions expect: each check passes when it should and fails when it should, saying what came instead.

use std::time::Duration;

use parlor_core::testing::{TestClient, TestSubscription};
use serde_json::json;

use crate::endpoint;

async fn ada() -> (TestClient, TestSubscription) {
    let ada = TestClient::connect(&endpoint(), "ada").await;
    let room = ada.subscribe("/topic/rooms/7").await;
    (ada, room)
}

#[tokio::test(start_paused = true)]
async fn messages_are_taken_one_by_one_in_their_order() {
    let (ada, room) = ada().await;
    for text in ["a", "b", "c", "d"] {
        ada.send("/app/rooms/7/say", text).await;
    }
    assert_eq!(room.expect::<String>().await, "ada: a");
    let message = room.expect_json("ada: b").await;
    assert_eq!((message.destination(), message.header("content-type")), ("/topic/rooms/7", Some("application/json")));
    room.expect_text("\"ada: c\"").await;
    assert_eq!(room.expect_message().await.text(), "\"ada: d\"");
    room.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn each_subscription_has_its_own_messages() {
    let (ada, seven) = ada().await;
    let eight = ada.subscribe("/topic/rooms/8").await;
    ada.send("/app/rooms/8/say", "x").await;
    seven.assert_silent().await;
    eight.expect_json("ada: x").await;
}

#[tokio::test(start_paused = true)]
async fn messages_takes_what_is_there_and_no_more() {
    let (ada, room) = ada().await;
    assert!(room.messages().is_empty());
    ada.send("/app/rooms/7/say", "a").unconfirmed();
    ada.send("/app/rooms/7/say", "b").unconfirmed();
    ada.sync().await;
    let texts: Vec<String> = room.messages().iter().map(|message| message.json()).collect();
    assert_eq!(texts, ["ada: a", "ada: b"]);
    assert!(room.messages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_a_subscriptions_first_message() {
    let (ada, _) = ada().await;
    let greeting = ada.subscribe("/app/greeting").await;
    assert_eq!(greeting.messages()[0].json::<String>(), "welcome");
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_after_unsubscribe() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say", "before").await;
    room.unsubscribe().await;
    ada.send("/app/rooms/7/say", "after").await;
    room.expect_json("ada: before").await;
    room.assert_silent().await;
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the test measures its own, paused clock")]
async fn an_expectation_waits_for_its_bound_in_test_time() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say-later", "x").await;
    let begun = tokio::time::Instant::now();
    room.expect_json("x").within(Duration::from_secs(2)).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_comes_at_the_last_moment_counts() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say-later", "x").await;
    room.expect_json("x").within(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "silence on /topic/rooms/7 was expected, not \"x\"")]
async fn silence_is_broken_at_the_last_moment_too() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say-later", "x").await;
    room.assert_silent().during(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "no alloc::string::String came on /topic/rooms/7 within 999ms")]
async fn an_expectation_that_is_not_met_in_its_bound_fails() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say-later", "x").await;
    room.expect::<String>().within(Duration::from_millis(999)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "no message came on /topic/rooms/7 within 5s\n  at realtime-core/tests/testing/expectations.rs:"
)]
async fn an_expectation_that_is_not_met_at_all_fails_and_names_the_line() {
    let (_ada, room) = ada().await;
    room.expect_message().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "the body is no u32: invalid type: string \"ada: x\", expected u32 at line 1 column 8; it is: \"ada: x\""
)]
async fn a_message_of_another_type_fails() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say", "x").await;
    room.expect::<u32>().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "expected: {\"text\":\"y\"}\n  received: \"ada: x\"")]
async fn another_json_fails_and_shows_both() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say", "x").await;
    room.expect_json(json!({ "text": "y" })).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "expected: ada: x\n  received: \"ada: x\"")]
async fn another_text_fails_and_shows_both() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say", "x").await;
    room.expect_text("ada: x").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the connection has ended: it was lost without a close frame")]
async fn an_expectation_fails_at_once_when_the_connection_ends() {
    let (ada, room) = ada().await;
    ada.abort().await;
    room.expect_message().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "silence on /topic/rooms/7 was expected, not \"ada: x\"")]
async fn silence_is_broken_by_a_message_that_was_there() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say", "x").await;
    room.assert_silent().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "silence on /topic/rooms/7 was expected, not \"ada: x\"")]
async fn silence_is_broken_by_what_was_sent_before_and_is_not_handled_yet() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say", "x").unconfirmed();
    room.assert_silent().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "silence on /topic/rooms/7 was expected, not \"x\"")]
async fn silence_is_broken_by_what_was_published_before_from_anywhere() {
    let realtime = endpoint();
    let ada = TestClient::connect(&realtime, "ada").await;
    let room = ada.subscribe("/topic/rooms/7").await;
    realtime.broker().publish("/topic/rooms/7", "x").await.unwrap();
    room.assert_silent().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "silence on /topic/rooms/7 was expected, not \"x\"")]
async fn silence_is_broken_by_tasks_that_a_handler_started() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say-soon", "x").await;
    room.assert_silent().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "silence on /topic/rooms/7 was expected, not \"x\"")]
async fn silence_that_lasts_is_broken_by_what_comes_meanwhile() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say-later", "x").await;
    room.assert_silent().during(Duration::from_secs(2)).await;
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the test measures its own, paused clock")]
async fn silence_takes_no_time_and_lasts_as_long_as_it_is_told() {
    let (ada, room) = ada().await;
    ada.send("/app/rooms/7/say-later", "x").await;
    let begun = tokio::time::Instant::now();
    room.assert_silent().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    room.assert_silent().during(Duration::from_millis(999)).await;
    room.expect_json("x").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the connection is not there any more")]
async fn the_silence_of_a_connection_that_has_ended_says_nothing() {
    let (ada, room) = ada().await;
    ada.disconnect().await;
    room.assert_silent().await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the connection ended while silence was expected")]
async fn silence_that_ends_with_the_connection_says_nothing() {
    let realtime = endpoint();
    let ada = TestClient::connect(&realtime, "ada").await;
    let room = ada.subscribe("/topic/rooms/7").await;
    let (_, _) = tokio::join!(room.assert_silent().during(Duration::from_secs(60)).into_future(), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        realtime.shutdown(Duration::from_secs(60)).await
    });
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "< MESSAGE subscription:sub-3 destination:/topic/rooms/8  \"ada: there\"")]
async fn a_failure_shows_what_came_instead() {
    let (ada, seven) = ada().await;
    let eight = ada.subscribe("/topic/rooms/8").id("sub-3").await;
    ada.send("/app/rooms/8/say", "there").await;
    seven.expect_message().await;
    drop(eight);
}

#[tokio::test]
async fn real_time_works_too_and_on_several_threads() {
    let runtime = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let (ada, room) = ada().await;
            for number in 0..50 {
                ada.send("/app/rooms/7/say", &number.to_string()).await;
            }
            for number in 0..50 {
                room.expect_json(format!("ada: {number}")).await;
            }
            room.assert_silent().await;
            ada.disconnect().await;
        });
    });
    tokio::task::spawn_blocking(move || runtime.join().unwrap()).await.unwrap();
}
