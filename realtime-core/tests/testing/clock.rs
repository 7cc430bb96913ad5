//! The clock: it moves when it is told to, and never alone while it is held.

#![expect(clippy::disallowed_methods, reason = "the tests compare clocks")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use parlor_core::{
    Config, Realtime,
    app::{Route, Router},
    auth::Principal,
    extract::State,
    stomp::HeartBeat,
    testing::{TestClient, TestClock},
};
use tokio::time::Instant;

use crate::endpoint;

#[tokio::test]
async fn a_held_clock_stands_still_whatever_happens_and_moves_by_what_it_is_told() {
    let mut clock = TestClock::hold();
    let begun = Instant::now();
    let ada = TestClient::connect(&endpoint(), "ada").await;
    ada.send("/app/rooms/7/say", "x").await;
    // A thread outside of the runtime works, and the runtime has nothing to do but to wait for it.
    let (done, is_done) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        done.send(()).unwrap();
    });
    tokio::time::timeout(Duration::from_millis(1), is_done).await.expect("no time passes").unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    clock.advance(Duration::from_secs(9)).await;
    assert_eq!(begun.elapsed().as_secs(), 9);
    let now = Instant::now();
    clock.settle().await;
    assert!(now.elapsed() <= Duration::from_millis(2), "{:?}", now.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_jumps_to_the_next_timer() {
    let _clock = TestClock::pause();
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_secs(1000)).await;
    assert!(begun.elapsed() >= Duration::from_secs(1000));
}

#[tokio::test]
async fn what_is_due_on_the_way_runs_at_its_moment() {
    let mut clock = TestClock::hold();
    let begun = Instant::now();
    let ticks = tokio::spawn(async move {
        let mut seen = Vec::new();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            seen.push(begun.elapsed().as_secs());
        }
        seen
    });
    clock.settle().await;
    clock.advance(Duration::from_secs(30)).await;
    assert!(ticks.is_finished(), "what is due at the end has run too");
    assert_eq!(ticks.await.unwrap(), [10, 20, 30]);
}

#[tokio::test]
async fn the_wall_clock_goes_along() {
    let mut clock = TestClock::hold();
    let wall = clock.wall();
    assert!(wall.duration_since(SystemTime::now() - Duration::from_secs(5)).is_ok());
    assert_eq!(clock.wall(), wall);
    clock.advance(Duration::from_secs(3600)).await;
    let moved = clock.wall().duration_since(wall).unwrap();
    assert!((Duration::from_secs(3600)..Duration::from_millis(3_600_010)).contains(&moved), "{moved:?}");
}

#[tokio::test]
async fn rule_24_a_token_that_expires_is_one_advance_away() {
    let realtime = endpoint();
    let mut clock = TestClock::hold();
    clock.advance(Duration::from_secs(24 * 3600)).await;
    let expiring = Principal::user("ada".parse().unwrap()).with_expiry(clock.wall() + Duration::from_secs(60));
    let ada = TestClient::connect(&realtime, expiring).await;
    clock.advance(Duration::from_secs(59)).await;
    assert!(ada.is_open());
    clock.advance(Duration::from_secs(1)).await;
    assert_eq!(ada.expect_closed("token-expired").await.status, 4401);
}

#[tokio::test(start_paused = true)]
async fn a_client_keeps_its_side_of_the_heart_beats_unless_it_is_frozen() {
    let config = Config::default().heart_beat(HeartBeat { can_send_ms: 10_000, wants_ms: 10_000 });
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(parlor_core::auth::Anonymous)
        .config(config)
        .build()
        .unwrap();
    let beats = HeartBeat { can_send_ms: 10_000, wants_ms: 10_000 };
    let ada = TestClient::connect(&realtime, "ada").heart_beat(beats).await;
    let mut clock = TestClock::pause();
    clock.advance(Duration::from_secs(3600)).await;
    assert!(ada.is_open());
    ada.freeze();
    clock.advance(Duration::from_secs(31)).await;
    ada.thaw();
    ada.expect_closed("heart-beat-timeout").await;
}

async fn count(State(counter): State<Arc<AtomicUsize>>) {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    counter.fetch_add(1, Ordering::Relaxed);
}

#[tokio::test]
async fn settle_waits_until_nothing_can_run() {
    let counter = Arc::new(AtomicUsize::new(0));
    let routes = Router::new().mount(Route::message("/app/count", count)).with_state(Arc::clone(&counter));
    let realtime = Realtime::builder(routes).authenticate(parlor_core::auth::Anonymous).build().unwrap();
    let ada = TestClient::connect(&realtime, "ada").await;
    let mut clock = TestClock::hold();
    for _ in 0..10 {
        ada.send("/app/count", "").unconfirmed();
    }
    clock.settle().await;
    assert_eq!(counter.load(Ordering::Relaxed), 10);
}
