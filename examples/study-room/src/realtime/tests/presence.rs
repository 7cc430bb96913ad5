//! Who is here: people and not tabs, with a status, told once.

use std::time::Duration;

use parlor::connection::Closing;

use super::*;

const PRESENCE: &str = "/topic/rooms/algebra/presence";
const OCCUPANCY: &str = "/topic/lobby/occupancy";

/// What the system says next in a room: what happened, and to whom.
async fn system(room: &TestSubscription) -> (String, String) {
    let told: Value = room.expect().await;
    assert_eq!(told["type"], "system", "{told}");
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    (text("event"), text("name"))
}

/// Bob in the room, who has heard that he entered.
async fn witness(study: &StudyRoom) -> (TestClient, TestSubscription) {
    let bob = study.client("Bob").await;
    let (_, room) = enter(&bob).await;
    assert_eq!(system(&room).await, ("entered".into(), "Bob".into()));
    (bob, room)
}

/// Who is here, of a snapshot: names and statuses.
async fn snapshot(client: &TestClient) -> (Vec<(String, String)>, TestSubscription) {
    let presence = client.subscribe(PRESENCE).await;
    let told: Value = presence.expect().await;
    assert_eq!(told["type"], "snapshot");
    let text = |member: &Value, name: &str| member[name].as_str().unwrap().to_owned();
    let members = told["members"].as_array().unwrap().iter().map(|one| (text(one, "name"), text(one, "status")));
    (members.collect(), presence)
}

/// What the next diff says of one person: in which list, and the status.
async fn change(presence: &TestSubscription, user: &str) -> (&'static str, String) {
    let told: Value = presence.expect().await;
    assert_eq!(told["type"], "diff", "{told}");
    for list in ["joined", "updated", "left"] {
        if let Some(one) = told[list].as_array().unwrap().iter().find(|one| one["user"] == user) {
            return (list, one["status"].as_str().unwrap().to_owned());
        }
    }
    panic!("{told} says nothing of {user}")
}

async fn set(client: &TestClient, status: &str) {
    client.send("/app/status", &json!({ "status": status })).await;
}

#[tokio::test]
async fn rule_17_a_person_with_two_tabs_enters_once_and_a_reload_is_silent() {
    let study = StudyRoom::open_at_once().await;
    let mut clock = TestClock::hold();
    let (_bob, room) = witness(&study).await;
    let ada = study.client("Ada").await;
    let _first = enter(&ada).await;
    assert_eq!(system(&room).await, ("entered".into(), "Ada".into()));
    let tab = study.returning("Ada").await;
    let _second = enter(&tab).await;
    ada.close(1001).await;
    clock.advance(Duration::from_secs(60)).await;
    let mut last = tab;
    for _ in 0..10 {
        last.close(1001).await;
        clock.advance(Duration::from_secs(9)).await;
        last = study.returning("Ada").await;
        let _again = enter(&last).await;
    }
    clock.advance(Duration::from_secs(60)).await;
    room.assert_silent().await;
}

#[tokio::test]
async fn rule_17_left_is_told_once_after_the_grace_and_whoever_resumes_hears_it() {
    let study = StudyRoom::open_at_once().await;
    let mut clock = TestClock::hold();
    let (bob, room) = witness(&study).await;
    say(&bob, "hello", "k1").await;
    let (_, position, _) = heard(&room).await;
    let (ada, tab) = (study.client("Ada").await, study.returning("Ada").await);
    let _tabs = [enter(&ada).await, enter(&tab).await];
    assert_eq!(system(&room).await.0, "entered");
    for tab in [ada, tab] {
        tab.disconnect().await;
    }
    clock.advance(Duration::from_secs(9)).await;
    room.assert_silent().await;
    clock.advance(Duration::from_secs(1)).await;
    assert_eq!(system(&room).await, ("left".into(), "Ada".into()));
    clock.advance(Duration::from_secs(60)).await;
    room.assert_silent().await;
    let late = resume(&study.returning("Bob").await, &position).await;
    for event in ["entered", "left"] {
        assert_eq!(system(&late).await, (event.into(), "Ada".into()));
    }
    let (texts, anew) = enter(&study.client("Cy").await).await;
    assert_eq!(texts, ["hello"], "who came and went is not in the database");
    assert_eq!(system(&anew).await, ("entered".into(), "Cy".into()));
}

#[tokio::test]
async fn rule_19_who_logs_out_has_left_at_once_also_while_away() {
    let study = StudyRoom::open_at_once().await;
    let mut clock = TestClock::hold();
    let (bob, room) = witness(&study).await;
    let ada = study.client("Ada").await;
    let _ada = enter(&ada).await;
    assert_eq!(system(&room).await.0, "entered");
    clock.advance(Duration::from_millis(50)).await;
    let (_, presence) = snapshot(&bob).await;
    let id = "id-Ada".parse().unwrap();
    study.realtime.registry().disconnect_user(&id, &Closing::application("logged-out", 4401, "You were logged out"));
    assert_eq!(system(&room).await, ("left".into(), "Ada".into()));
    clock.advance(Duration::from_millis(50)).await;
    assert_eq!(change(&presence, "id-Ada").await, ("left", "OFFLINE".into()));
    let back = study.returning("Ada").await;
    let _back = enter(&back).await;
    assert_eq!(system(&room).await.0, "entered");
    clock.advance(Duration::from_millis(50)).await;
    assert_eq!(change(&presence, "id-Ada").await.0, "joined");
    back.abort().await;
    study.presence.dismiss(&id);
    assert_eq!(system(&room).await, ("left".into(), "Ada".into()));
    clock.advance(Duration::from_millis(50)).await;
    assert_eq!(change(&presence, "id-Ada").await, ("left", "OFFLINE".into()));
}

#[tokio::test]
async fn rule_17_after_a_restart_nobody_is_announced_until_all_had_time_to_come_back() {
    let study = StudyRoom::open().await;
    let mut clock = TestClock::hold();
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    let ((_, room), _ada) = (enter(&bob).await, enter(&ada).await);
    room.assert_silent().await;
    clock.advance(Duration::from_millis(50)).await;
    assert_eq!(snapshot(&bob).await.0.len(), 2, "they are here all the same");
    clock.advance(Duration::from_secs(10)).await;
    let _cy = enter(&study.client("Cy").await).await;
    assert_eq!(system(&room).await, ("entered".into(), "Cy".into()));
}

#[tokio::test]
async fn rule_21_a_status_by_hand_is_seen_by_others_and_survives_tabs_and_reloads() {
    let study = StudyRoom::open_at_once().await;
    let mut clock = TestClock::hold();
    let (bob, _room) = witness(&study).await;
    clock.advance(Duration::from_millis(50)).await;
    let (members, presence) = snapshot(&bob).await;
    assert_eq!(members, [("Bob".to_owned(), "STUDYING".to_owned())]);
    let ada = study.client("Ada").await;
    let _ada = enter(&ada).await;
    clock.advance(Duration::from_millis(50)).await;
    assert_eq!(change(&presence, "id-Ada").await, ("joined", "STUDYING".into()));
    set(&ada, "BREAK").await;
    clock.advance(Duration::from_millis(50)).await;
    assert_eq!(change(&presence, "id-Ada").await, ("updated", "BREAK".into()));
    let tab = study.returning("Ada").await;
    let _tab = enter(&tab).await;
    ada.abort().await;
    clock.advance(Duration::from_secs(30)).await;
    tab.abort().await;
    clock.advance(Duration::from_secs(9)).await;
    let reloaded = study.returning("Ada").await;
    let _reloaded = enter(&reloaded).await;
    clock.advance(Duration::from_secs(30)).await;
    presence.assert_silent().await;
    let ada_and_bob = [("Ada".to_owned(), "BREAK".to_owned()), ("Bob".to_owned(), "STUDYING".to_owned())];
    assert_eq!(snapshot(&bob).await.0, ada_and_bob);
    reloaded.abort().await;
    clock.advance(Duration::from_secs(11)).await;
    assert_eq!(change(&presence, "id-Ada").await, ("left", "OFFLINE".into()));
    let _anew = enter(&study.returning("Ada").await).await;
    clock.advance(Duration::from_millis(50)).await;
    assert_eq!(change(&presence, "id-Ada").await, ("joined", "STUDYING".into()), "whoever enters studies");
}

#[tokio::test]
async fn a_status_holds_in_every_room_that_one_is_in() {
    let study = StudyRoom::open_at_once().await;
    let mut clock = TestClock::hold();
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    let _rooms = [enter(&ada).await.1, ada.subscribe("/topic/rooms/botany/chat").await];
    set(&ada, "AWAY").await;
    clock.advance(Duration::from_millis(50)).await;
    assert_eq!(snapshot(&bob).await.0, [("Ada".to_owned(), "AWAY".to_owned())]);
    let botany: Value = bob.subscribe("/topic/rooms/botany/presence").await.expect().await;
    assert_eq!(botany["members"][0]["status"], "AWAY");
}

#[tokio::test]
async fn nobody_sets_what_makes_no_sense_or_without_being_here_or_faster_than_one_can_click() {
    let study = StudyRoom::open_at_once().await;
    let mut clock = TestClock::hold();
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    bob.send("/app/status", &json!({ "status": "BREAK" })).refused("not-present").await;
    let nobody = TestClient::anonymous(&study.realtime).await;
    nobody.send("/app/status", &json!({ "status": "BREAK" })).refused("forbidden").await;
    let _ada = enter(&ada).await;
    for wrong in ["OFFLINE", "break", ""] {
        ada.send("/app/status", &json!({ "status": wrong })).refused("invalid-payload").await;
        clock.advance(Duration::from_secs(1)).await;
    }
    for status in ["BREAK", "AWAY", "STUDYING", "BREAK", "AWAY"] {
        set(&ada, status).await;
    }
    ada.send("/app/status", &json!({ "status": "STUDYING" })).refused("rate-limited").await;
}

#[tokio::test]
async fn nobody_is_seen_where_no_room_is_and_looking_makes_nobody_a_member() {
    let study = StudyRoom::open_at_once().await;
    let mut clock = TestClock::hold();
    let lobby = study.client("Looker").await.subscribe(OCCUPANCY).await;
    lobby.expect_json(json!({ "rooms": [] })).await;
    let (bob, room) = witness(&study).await;
    // The names come from the database, so the lobby hears of him later than the room.
    lobby.expect_json(json!({ "room": "algebra", "count": 1, "names": ["Bob"] })).await;
    clock.advance(Duration::from_millis(50)).await;
    bob.subscribe("/topic/rooms/none/presence").refused("room-not-found").await;
    bob.send(PRESENCE, &json!({})).refused("forbidden").await;
    let ada = study.client("Ada").await;
    ada.subscribe("/topic/rooms/none/chat").refused("room-not-found").await;
    let (members, _presence) = snapshot(&ada).await;
    assert_eq!(members, [("Bob".to_owned(), "STUDYING".to_owned())]);
    let nobody = TestClient::anonymous(&study.realtime).await;
    let _nobody = enter(&nobody).await;
    clock.advance(Duration::from_secs(1)).await;
    for silent in [&room, &lobby] {
        silent.assert_silent().await;
    }
}

#[tokio::test]
async fn the_lobby_sees_how_many_are_in_each_room_and_a_few_of_them() {
    let study = StudyRoom::open_at_once().await;
    let mut clock = TestClock::hold();
    let looks = study.client("Looker").await;
    let lobby = looks.subscribe(OCCUPANCY).await;
    lobby.expect_json(json!({ "rooms": [] })).await;
    let (_bob, _room) = witness(&study).await;
    let algebra = json!({ "room": "algebra", "count": 1, "names": ["Bob"] });
    lobby.expect_json(algebra.clone()).await;
    looks.subscribe(OCCUPANCY).await.expect_json(json!({ "rooms": [algebra] })).await;
    let mut others = Vec::new();
    for (name, count) in [("Cy", 2), ("Dee", 3), ("Eve", 4)] {
        let client = study.client(name).await;
        let _entered = enter(&client).await;
        others.push(client);
        let told: Value = lobby.expect().await;
        assert_eq!((&told["room"], &told["count"]), (&json!("algebra"), &json!(count)));
        assert_eq!(told["names"].as_array().unwrap().len(), count.min(3));
    }
    let tab = study.returning("Eve").await;
    let _tab = enter(&tab).await;
    lobby.assert_silent().await;
    for client in others.into_iter().take(2) {
        client.abort().await;
    }
    clock.advance(Duration::from_secs(10)).await;
    let mut last: Value = lobby.expect().await;
    for told in lobby.messages() {
        last = told.json();
    }
    assert_eq!(last, json!({ "room": "algebra", "count": 2, "names": ["Bob", "Eve"] }));
}
