//! The focus timer: the same second for everyone, whoever comes when, and bounded.

use super::*;

const TIMER: &str = "/topic/rooms/algebra/timer";
const MINUTE: i64 = 60_000;

/// Looks at the timer of `algebra`: how it stands, and what follows.
async fn look(client: &TestClient) -> (Value, TestSubscription) {
    let timer = client.subscribe(TIMER).await;
    (timer.expect().await, timer)
}

async fn command(client: &TestClient, what: &str) {
    client.send("/app/rooms/algebra/timer", &json!({ "do": what })).await;
}

/// What is left by the server's clock, in milliseconds.
fn left(shown: &Value) -> i64 {
    shown["ends_at"].as_i64().unwrap() - shown["now"].as_i64().unwrap()
}

/// The same, but for the few ticks by which a test's clock goes further than it is told.
#[track_caller]
fn assert_about(left: i64, expected: i64) {
    assert!((expected - 100..=expected).contains(&left), "{left} ms, not {expected}");
}

#[tokio::test]
async fn everyone_sees_the_same_second_whoever_comes_late_too() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    let mut clock = TestClock::hold();
    let (_chat, (ready, at_ada)) = (enter(&ada).await, look(&ada).await);
    assert_eq!(ready["state"], "ready");
    command(&ada, "start").await;
    let started: Value = at_ada.expect().await;
    assert_eq!(
        (&started["state"], &started["phase"], &started["by"]),
        (&json!("running"), &json!("focus"), &json!("Ada"))
    );
    assert_eq!(left(&started), 25 * MINUTE);
    clock.advance(Duration::from_secs(600)).await;
    let (late, at_bob) = look(&bob).await;
    assert_eq!(late["ends_at"], started["ends_at"]);
    assert_about(left(&late), 15 * MINUTE);
    for silent in [&at_ada, &at_bob] {
        silent.assert_silent().await;
    }
}

#[tokio::test]
async fn a_phase_ends_by_itself_and_is_told() {
    let study = StudyRoom::open().await;
    let ada = study.client("Ada").await;
    let mut clock = TestClock::hold();
    let (_chat, (_, timer)) = (enter(&ada).await, look(&ada).await);
    command(&ada, "start").await;
    let started: Value = timer.expect().await;
    clock.advance(Duration::from_secs(25 * 60 - 1)).await;
    timer.assert_silent().await;
    clock.advance(Duration::from_secs(1)).await;
    let rest: Value = timer.expect().await;
    assert_eq!(rest["phase"], "break");
    assert_eq!(rest["ends_at"].as_i64().unwrap(), started["ends_at"].as_i64().unwrap() + 5 * MINUTE, "without a drift");
    clock.advance(Duration::from_secs(5 * 60)).await;
    let over: Value = timer.expect().await;
    assert_eq!(over["state"], "ready");
    let versions = [&started, &rest, &over].map(|shown| shown["version"].as_i64().unwrap());
    assert!(versions.is_sorted_by(|before, after| before < after), "{versions:?}");
}

#[tokio::test]
async fn a_pause_keeps_what_is_left_for_everyone() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    let mut clock = TestClock::hold();
    let (_chats, (_, timer)) = ([enter(&ada).await, enter(&bob).await], look(&ada).await);
    command(&ada, "start").await;
    clock.advance(Duration::from_secs(60)).await;
    command(&bob, "pause").await;
    command(&ada, "pause").await;
    clock.advance(Duration::from_secs(600)).await;
    let (late, _) = look(&bob).await;
    assert_eq!((&late["state"], &late["by"]), (&json!("paused"), &json!("Bob")));
    assert_about(late["left"].as_i64().unwrap(), 24 * MINUTE);
    command(&ada, "resume").await;
    let [_, _, resumed]: [Value; 3] = [timer.expect().await, timer.expect().await, timer.expect().await];
    assert_eq!(left(&resumed), late["left"].as_i64().unwrap(), "the second pause said nothing new");
    command(&bob, "reset").await;
    timer.expect_message().await;
    assert_eq!(look(&bob).await.0["state"], "ready");
}

#[tokio::test]
async fn a_timer_that_nobody_resumes_is_forgotten_after_an_hour() {
    let study = StudyRoom::open().await;
    let ada = study.client("Ada").await;
    let mut clock = TestClock::hold();
    let (_chat, (_, timer)) = (enter(&ada).await, look(&ada).await);
    command(&ada, "start").await;
    command(&ada, "pause").await;
    for _ in 0..2 {
        timer.expect_message().await;
    }
    clock.advance(Duration::from_secs(3_599)).await;
    timer.assert_silent().await;
    clock.advance(Duration::from_secs(1)).await;
    assert_eq!(timer.expect::<Value>().await["state"], "ready");
}

#[tokio::test]
async fn the_lobby_sees_every_timer() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    let _chat = enter(&ada).await;
    command(&ada, "start").await;
    let lobby = bob.subscribe("/topic/lobby/timers").await;
    let all: Value = lobby.expect().await;
    assert_eq!(all["timers"]["algebra"]["phase"], "focus");
    assert_eq!(all["timers"].as_object().unwrap().len(), 1);
    command(&ada, "reset").await;
    let one: Value = lobby.expect().await;
    assert_eq!((&one["room"], &one["state"]), (&json!("algebra"), &json!("ready")));
}

#[tokio::test]
async fn only_who_is_in_the_room_sets_its_timer_and_only_to_what_makes_sense() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    let (_clock, start) = (TestClock::hold(), json!({ "do": "start" }));
    look(&bob).await;
    bob.send("/app/rooms/algebra/timer", &start).refused("not-in-the-room").await;
    bob.subscribe("/topic/rooms/none/timer").refused("room-not-found").await;
    let _chat = enter(&ada).await;
    for lengths in [[0, 5], [25, 0], [121, 5], [25, 121]] {
        let start = json!({ "do": "start", "focus": lengths[0], "break": lengths[1] });
        ada.send("/app/rooms/algebra/timer", &start).refused("bad-lengths").await;
    }
    command(&ada, "reset").await;
    ada.send("/app/rooms/algebra/timer", &start).refused("rate-limited").await;
    assert_eq!(look(&bob).await.0["state"], "ready");
}
