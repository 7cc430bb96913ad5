//! Who is typing: told to everyone in the room, and bounded.

use super::*;

const TYPING: &str = "/topic/rooms/algebra/typing";

#[tokio::test]
async fn everyone_in_the_room_sees_who_types_and_nothing_of_it_is_kept() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    let (_chat, seen) = (enter(&ada).await, bob.subscribe(TYPING).await);
    ada.send("/app/rooms/algebra/typing", &json!({ "typing": true })).await;
    seen.expect_json(json!({ "author": "Ada", "typing": true })).await;
    ada.send("/app/rooms/algebra/typing", &json!({ "typing": false })).await;
    seen.expect_json(json!({ "author": "Ada", "typing": false })).await;
    let late = study.client("Cy").await.subscribe(TYPING).await;
    late.assert_silent().await;
}

#[tokio::test]
async fn nobody_types_in_a_room_from_outside_or_faster_than_twice_a_second() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    let mut clock = TestClock::hold();
    let signal = json!({ "typing": true });
    let (_chat, seen) = (enter(&ada).await, bob.subscribe(TYPING).await);
    bob.send("/app/rooms/algebra/typing", &signal).refused("not-in-the-room").await;
    bob.send("/topic/rooms/algebra/typing", &signal).refused("forbidden").await;
    bob.subscribe("/topic/rooms/none/typing").refused("room-not-found").await;
    for _ in 0..2 {
        ada.send("/app/rooms/algebra/typing", &signal).await;
        seen.expect_message().await;
    }
    ada.send("/app/rooms/algebra/typing", &signal).refused("rate-limited").await;
    seen.assert_silent().await;
    clock.advance(Duration::from_secs(1)).await;
    ada.send("/app/rooms/algebra/typing", &signal).await;
    seen.expect_message().await;
}
