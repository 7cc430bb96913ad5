//! Notifications: kept until they are acknowledged, in every tab of whom they are for, and of nobody else.

use parlor::notifications::{NewNotification, NotificationEvent};

use super::*;

const QUEUE: &str = "/user/queue/notifications";

/// What a new tab finds: who did what, oldest first, and whether there is more; and what comes next.
async fn listen(client: &TestClient) -> (Vec<String>, bool, TestSubscription) {
    let bell = client.subscribe(QUEUE).await;
    let NotificationEvent::Unread(unread) = bell.expect().await else { panic!("the first message") };
    (unread.notifications.iter().map(|one| told(&one.kind, &one.payload)).collect(), unread.more, bell)
}

fn told(kind: &str, payload: &Value) -> String {
    format!("{kind} by {} in {}", payload["by"].as_str().unwrap(), payload["room_name"].as_str().unwrap())
}

/// The id of the next live one, and what it says.
async fn rings(bell: &TestSubscription) -> (String, String) {
    let NotificationEvent::Notification(one) = bell.expect().await else { panic!("a new one") };
    (one.id.to_string(), told(&one.kind, &one.payload))
}

async fn acknowledge(client: &TestClient, which: Value) {
    client.send("/app/notifications/acknowledge", &which).await;
}

#[tokio::test]
async fn who_is_mentioned_hears_of_it_at_once_and_nobody_else_does() {
    let study = StudyRoom::open().await;
    let (ada, bob, cy) = (study.client("Ada").await, study.client("Bob").await, study.client("Cy").await);
    let (_, _, at_ada) = listen(&ada).await;
    let (_, _, at_bob) = listen(&bob).await;
    let (_, _, at_cy) = listen(&cy).await;
    say(&ada, "@bob, @BOB and @Ada and @nobody: look at cy@example.com", "k1").await;
    let NotificationEvent::Notification(one) = at_bob.expect().await else { panic!("a new one") };
    assert_eq!(
        (one.kind.as_str(), &one.payload["by"], &one.payload["room"], &one.payload["room_name"]),
        ("mention", &json!("Ada"), &json!("algebra"), &json!("ALGEBRA"))
    );
    assert!(one.payload["text"].as_str().unwrap().starts_with("@bob, @BOB"), "{}", one.payload);
    for silent in [&at_bob, &at_ada, &at_cy] {
        silent.assert_silent().await;
    }
}

#[tokio::test]
async fn of_two_names_the_longer_one_is_meant() {
    let study = StudyRoom::open().await;
    let (ada, al, alan) = (study.client("Ada").await, study.client("Al").await, study.client("Al Turing").await);
    let (_, _, at_al) = listen(&al).await;
    let (_, _, at_alan) = listen(&alan).await;
    say(&ada, "what does @al turing say?", "k1").await;
    assert_eq!(rings(&at_alan).await.1, "mention by Ada in ALGEBRA");
    at_al.assert_silent().await;
    say(&ada, "and @Al?", "k2").await;
    rings(&at_al).await;
    at_alan.assert_silent().await;
}

#[tokio::test]
async fn whoever_was_away_finds_it_on_return_also_after_a_restart() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    bob.abort().await;
    say(&ada, "@Bob, are you there?", "k1").await;
    let bob = study.returning("Bob").await;
    let (found, more, _) = listen(&bob).await;
    assert_eq!((found, more), (vec!["mention by Ada in ALGEBRA".to_owned()], false));
    let study = study.restarted().await;
    let bob = study.returning("Bob").await;
    assert_eq!(listen(&bob).await.0.len(), 1, "until it is acknowledged");
}

#[tokio::test]
async fn what_one_tab_acknowledges_is_gone_in_the_other_and_for_good() {
    let study = StudyRoom::open().await;
    let (ada, here) = (study.client("Ada").await, study.client("Bob").await);
    let there = study.returning("Bob").await;
    let (_, _, at_here) = listen(&here).await;
    let (_, _, at_there) = listen(&there).await;
    for key in ["k1", "k2", "k3"] {
        say(&ada, "@Bob", key).await;
    }
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (id, _) = rings(&at_here).await;
        assert_eq!(rings(&at_there).await.0, id, "the same in both");
        ids.push(id);
    }
    acknowledge(&here, json!({ "ids": [ids[1]] })).await;
    acknowledge(&here, json!({ "up_to": ids[1] })).await;
    for bell in [&at_here, &at_there] {
        bell.expect_json(json!({ "type": "acknowledged", "ids": [ids[1]] })).await;
        bell.expect_json(json!({ "type": "acknowledged", "ids": [ids[0]] })).await;
    }
    acknowledge(&ada, json!({ "ids": [ids[2]] })).await;
    at_here.assert_silent().await;
    assert_eq!(listen(&study.returning("Bob").await).await.0.len(), 1, "only what nobody has acknowledged");
}

#[tokio::test]
async fn a_full_mailbox_comes_page_by_page_and_fails_no_message() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    let id = "id-Bob".parse().unwrap();
    for number in 0..200 {
        let new = NewNotification::new("mention", json!({ "by": number.to_string(), "room_name": "x" }), 7);
        study.store.append(&id, new, 200).await.unwrap();
    }
    let bell = bob.subscribe(QUEUE).await;
    let NotificationEvent::Unread(mut page) = bell.expect().await else { panic!("the first message") };
    let mut all = page.notifications.clone();
    while page.more {
        assert_eq!(page.notifications.len(), 32);
        let after = json!({ "after": all.last().unwrap().id });
        let NotificationEvent::Unread(next) = bob.request("/app/notifications/unread", &after).await else {
            panic!("a page")
        };
        all.extend(next.notifications.clone());
        page = next;
    }
    assert_eq!(all.len(), 200);
    assert!(all.is_sorted_by_key(|one| one.id));

    let (_, room) = enter(&ada).await;
    say(&ada, "@Bob, one more", "k1").await;
    assert_eq!(said(&room).await["text"], "@Bob, one more");
    bell.assert_silent().await;
    acknowledge(&bob, json!({ "ids": [all[0].id] })).await;
    say(&ada, "@Bob, now?", "k2").await;
    let _: NotificationEvent = bell.expect().await;
    rings(&bell).await;
}

#[tokio::test]
async fn one_person_reaches_another_ten_times_at_once() {
    let study = StudyRoom::open().await;
    let (ada, bob, cy) = (study.client("Ada").await, study.client("Bob").await, study.client("Cy").await);
    let (_, _, bell) = listen(&bob).await;
    for number in 0..11 {
        say(&ada, "@Bob", &format!("k{number}")).await;
    }
    for _ in 0..10 {
        rings(&bell).await;
    }
    bell.assert_silent().await;
    say(&cy, "@Bob", "k1").await;
    assert_eq!(rings(&bell).await.1, "mention by Cy in ALGEBRA", "others are not held back by it");
}

#[tokio::test]
async fn who_made_a_room_hears_who_enters_it_and_not_again_at_each_reload() {
    let study = StudyRoom::open_at_once().await;
    let (ada, bob, cy) = (study.client("Ada").await, study.client("Bob").await, study.client("Cy").await);
    let (_, _, at_ada) = listen(&ada).await;
    enter(&ada).await;
    at_ada.assert_silent().await;
    let (_, room) = enter(&bob).await;
    assert_eq!(rings(&at_ada).await.1, "entered by Bob in ALGEBRA");
    room.unsubscribe().await;
    enter(&bob).await;
    at_ada.assert_silent().await;
    bob.subscribe("/topic/rooms/botany/chat").await;
    assert_eq!(rings(&at_ada).await.1, "entered by Bob in BOTANY");
    enter(&cy).await;
    assert_eq!(rings(&at_ada).await.1, "entered by Cy in ALGEBRA");
}
