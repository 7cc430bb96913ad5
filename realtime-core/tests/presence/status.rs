//! Rule 21: presence with a status, as a snapshot and diffs.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use parlor_core::{
    BuildError,
    app::{Rejection, Route, Router, Rules},
    auth::{Principal, UserId},
    extract::{Path, Payload, State},
    presence::{Presence, PresenceError, PresenceLimits},
    session::Session,
    testing::{TestClient, TestSubscription},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Studying,
    Break,
    Offline,
}

const BATCH: Duration = Duration::from_millis(50);

async fn status(
    Path(room): Path<u8>,
    user: Principal,
    State(presence): State<Presence<Status>>,
    Payload(status): Payload<Status>,
) -> Result<(), Rejection> {
    let user = user.id().ok_or(PresenceError::Anonymous)?;
    Ok(presence.update(&place(room), user, &status)?)
}

async fn everywhere(
    user: Principal,
    presence: State<Presence<Status>>,
    status: Payload<Status>,
) -> Result<(), Rejection> {
    presence.0.update_everywhere(user.id().ok_or(PresenceError::Anonymous)?, &status.0)?;
    Ok(())
}

async fn describe(
    Path(room): Path<u8>,
    session: Session,
    State(presence): State<Presence<Status>>,
    Payload(meta): Payload<Value>,
) -> Result<(), Rejection> {
    Ok(presence.describe(&place(room), &session, &meta)?)
}

fn place(room: u8) -> Destination {
    format!("/topic/rooms/{room}/presence").parse().unwrap()
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn study_room() -> Presence<Status> {
    Presence::at("/topic/rooms/{room}/presence", Status::Studying).leaving(Status::Offline)
}

fn endpoint(presence: &Presence<Status>) -> Realtime {
    let router = Router::new()
        .mount(presence.clone())
        .mount(Route::message("/app/rooms/{room}/status", status))
        .mount(Route::message("/app/status", everywhere))
        .mount(Route::message("/app/rooms/{room}/meta", describe));
    builder(router, presence.clone()).build().unwrap()
}

/// A page: it knows nothing but what it is sent.
#[derive(Clone, Debug, Default, PartialEq)]
struct Page {
    version: u64,
    members: BTreeMap<String, Value>,
}

impl Page {
    fn take(&mut self, told: &Value) {
        let of = |name: &str| told[name].as_array().cloned().unwrap_or_default();
        let name = |member: &Value| member["user"].as_str().unwrap().to_owned();
        match told["previous"].as_u64() {
            Some(0) => self.members.clear(),
            Some(previous) => assert!(previous <= self.version, "a diff is missing before {told}"),
            None => assert_eq!(told["type"], "snapshot"),
        }
        for member in ["members", "joined", "updated"].into_iter().flat_map(of) {
            self.members.insert(name(&member), member);
        }
        for gone in of("left") {
            self.members.remove(&name(&gone));
        }
        self.version = told["version"].as_u64().unwrap();
    }

    fn take_all(&mut self, subscription: &TestSubscription) {
        subscription.messages().iter().for_each(|message| self.take(&message.json()));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_21_a_snapshot_comes_first_and_then_diffs() {
    let presence = study_room();
    let realtime = endpoint(&presence);
    let ada = TestClient::connect(&realtime, "ada").await;
    let seen = ada.subscribe("/topic/rooms/7/presence").await;
    seen.expect_json(json!({ "type": "snapshot", "version": 0, "members": [] })).await;
    let member = json!({ "user": "ada", "status": "STUDYING", "metas": [] });
    let diff = json!({ "type": "diff", "version": 1, "previous": 0, "joined": [member], "updated": [], "left": [] });
    seen.expect_json(diff).await;

    let bob = Principal::user(user("bob")).with_name("Bob");
    let bob = TestClient::connect(&realtime, bob).await;
    let of_bob = bob.subscribe("/topic/rooms/7/presence").await;
    of_bob.expect_json(json!({ "type": "snapshot", "version": 1, "members": [member] })).await;
    let joined = json!({ "user": "bob", "name": "Bob", "status": "STUDYING", "metas": [] });
    for subscription in [&seen, &of_bob] {
        let diff: Value = subscription.expect().await;
        assert_eq!((&diff["joined"], &diff["previous"]), (&json!([joined]), &json!(1)));
    }
    bob.abort().await;
    seen.assert_silent().during(9 * SECOND).await;
    let diff: Value = seen.expect().await;
    assert_eq!(diff["left"], json!([{ "user": "bob", "status": "OFFLINE" }]));
    ada.abort().await;
    advance(11 * SECOND).await;
    assert!(presence.is_empty());
}

#[tokio::test(start_paused = true)]
async fn rule_21_diffs_are_batched_and_one_that_changes_nothing_is_not_sent() {
    let presence = study_room();
    let realtime = endpoint(&presence);
    let ada = TestClient::connect(&realtime, "ada").await;
    let seen = ada.subscribe("/topic/rooms/7/presence").await;
    advance(SECOND).await;
    let _ = seen.messages();
    for name in ["bob", "cy", "dee"] {
        let tab = TestClient::connect(&realtime, name).await;
        tab.subscribe("/topic/rooms/7/presence").await;
        std::mem::forget(tab);
    }
    ada.send("/app/rooms/7/status", &Status::Break).await;
    assert!(seen.messages().is_empty(), "nothing is sent at once");
    advance(BATCH).await;
    let [diff] = &seen.messages()[..] else { panic!("one diff for all") };
    let diff: Value = diff.json();
    assert_eq!((diff["joined"].as_array().unwrap().len(), diff["updated"].as_array().unwrap().len()), (3, 1));
    ada.send("/app/rooms/7/status", &Status::Studying).await;
    ada.send("/app/rooms/7/status", &Status::Break).await;
    seen.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn rule_21_a_status_set_by_hand_survives_other_tabs_and_reloads_and_not_leaving() {
    let presence = study_room();
    let realtime = endpoint(&presence);
    let one = TestClient::connect(&realtime, "ada").await;
    one.subscribe("/topic/rooms/7/presence").await;
    one.subscribe("/topic/rooms/8/presence").await;
    one.send("/app/status", &Status::Break).await;
    let two = TestClient::connect(&realtime, "ada").await;
    two.subscribe("/topic/rooms/7/presence").await;
    one.abort().await;
    two.abort().await;
    advance(9 * SECOND).await;
    let three = TestClient::connect(&realtime, "ada").await;
    let seven = three.subscribe("/topic/rooms/7/presence").await;
    let status = |room| presence.member(&place(room), &user("ada")).map(|member| member.status);
    assert_eq!((status(7), status(8)), (Some(Status::Break), Some(Status::Break)));
    advance(2 * SECOND).await;
    assert_eq!((status(7), status(8)), (Some(Status::Break), None));
    three.send("/app/rooms/8/status", &Status::Studying).refused("not-present").await;
    drop(seven);
    three.abort().await;
    advance(10 * SECOND).await;
    let four = TestClient::connect(&realtime, "ada").await;
    four.subscribe("/topic/rooms/7/presence").await;
    assert_eq!(status(7), Some(Status::Studying));
}

#[tokio::test(start_paused = true)]
async fn rule_21_metas_belong_to_sessions_and_end_with_them() {
    let presence = study_room();
    let realtime = endpoint(&presence);
    let (phone, laptop) = (TestClient::connect(&realtime, "ada").await, TestClient::connect(&realtime, "ada").await);
    phone.send("/app/rooms/7/meta", &json!({ "device": "phone" })).refused("not-present").await;
    for tab in [&phone, &laptop] {
        tab.subscribe("/topic/rooms/7/presence").await;
    }
    phone.send("/app/rooms/7/meta", &json!({ "device": "phone" })).await;
    laptop.send("/app/rooms/7/meta", &json!({ "device": "laptop" })).await;
    let metas = || presence.member(&place(7), &user("ada")).unwrap().metas;
    assert_eq!(metas(), [json!({ "device": "phone" }), json!({ "device": "laptop" })]);
    phone.abort().await;
    assert_eq!(metas(), [json!({ "device": "laptop" })]);
    laptop.send("/app/rooms/7/meta", &"x".repeat(1022)).await;
    laptop.send("/app/rooms/7/meta", &"x".repeat(1023)).refused("presence-too-large").await;
    laptop.send("/app/rooms/7/meta", &()).await;
    assert!(metas().is_empty());
}

#[tokio::test(start_paused = true)]
async fn those_who_chat_are_present_and_those_who_only_look_are_not() {
    let presence = study_room().of("/topic/rooms/{room}/chat");
    let realtime = endpoint(&presence);
    let looks = TestClient::connect(&realtime, "bob").await;
    let seen = looks.subscribe("/topic/rooms/7/presence").await;
    seen.expect::<Value>().await;
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.subscribe("/topic/rooms/7/chat").await;
    assert_eq!(seen.expect::<Value>().await["joined"][0]["user"], "ada");
    assert_eq!(presence.snapshot(&place(7)).members.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn tracked_sessions_are_present_until_they_end_or_are_untracked() {
    let presence = study_room().tracked_only();
    let realtime = endpoint(&presence);
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.subscribe("/topic/rooms/7/presence").await;
    assert!(presence.snapshot(&place(7)).members.is_empty());
    let session = ada.session().unwrap();
    presence.track(&place(7), &session, &json!({ "seat": 3 })).unwrap();
    presence.track(&place(8), &session, &()).unwrap();
    let member = |room| presence.member(&place(room), &user("ada"));
    assert_eq!(member(7).unwrap().metas, [json!({ "seat": 3 })]);
    assert!(presence.untrack(&place(8), &session) && !presence.untrack(&place(8), &session));
    assert!(member(8).is_none(), "at once");
    assert!(matches!(presence.track(&room(7), &session, &()), Err(PresenceError::NotAPlace)));
    let nobody = TestClient::anonymous(&realtime).await.session().unwrap();
    assert!(matches!(presence.track(&place(7), &nobody, &()), Err(PresenceError::Anonymous)));
    ada.abort().await;
    assert!(member(7).is_some(), "the grace is running");
    advance(10 * SECOND).await;
    assert!(member(7).is_none());
    assert!(matches!(presence.track(&place(7), &session, &()), Err(PresenceError::Ended)));
    advance(SECOND).await;
    assert!(presence.is_empty());
}

#[tokio::test(start_paused = true)]
async fn members_of_a_place_and_places_of_a_session_are_bounded_at_the_limit_and_not_one_beyond() {
    let limits = PresenceLimits::default().max_members_per_place(1).max_tracked_per_session(2);
    let presence = study_room().tracked_only().limits(limits);
    let realtime = endpoint(&presence);
    let (ada, bob) = (TestClient::connect(&realtime, "ada").await, TestClient::connect(&realtime, "bob").await);
    let (ada, bob) = (ada.session().unwrap(), bob.session().unwrap());
    presence.track(&place(1), &ada, &()).unwrap();
    assert!(matches!(presence.track(&place(1), &bob, &()), Err(PresenceError::Full)));
    presence.track(&place(2), &ada, &()).unwrap();
    presence.track(&place(2), &ada, &1).unwrap();
    assert!(matches!(presence.track(&place(3), &ada, &()), Err(PresenceError::TooManyPlaces { limit: 2 })));
}

#[tokio::test(start_paused = true)]
async fn rule_25_who_may_see_it_is_asked_of_the_rules() {
    let presence = study_room();
    let router = Router::new().mount(presence.clone());
    let rules = Rules::deny_all().allow_subscribe("/topic/rooms/7/presence");
    let realtime = builder(router, ()).authorize(rules).build().unwrap();
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.subscribe("/topic/rooms/8/presence").refused("forbidden").await;
    assert!(presence.is_empty(), "whoever may not see it is not in it");
    ada.subscribe("/topic/rooms/7/presence").await.expect::<Value>().await;
}

#[tokio::test(start_paused = true)]
async fn rule_21_an_event_stream_gets_the_snapshot_and_the_diffs() {
    let presence = study_room();
    let realtime = endpoint(&presence);
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.subscribe("/topic/rooms/7/presence").await;
    advance(BATCH).await;
    let (mut events, running) = stream(&realtime, "/topic/rooms/7/presence", "bob").await;
    let running = tokio::task::spawn(running);
    let mut text = String::new();
    while !text.contains("\"bob\"") {
        text += std::str::from_utf8(&events.next().await.unwrap()).unwrap();
    }
    let (snapshot, diff) = (text.find("\"snapshot\"").unwrap(), text.find("\"diff\"").unwrap());
    assert!(snapshot < diff && text[snapshot..diff].contains("\"ada\""), "{text}");
    drop(events);
    running.await.unwrap();
    advance(11 * SECOND).await;
    assert_eq!(presence.snapshot(&place(7)).members.len(), 1);
}

/// Tabs come, go, crash and change their status at random, pages come to look at any time: each page has what there is in the end.
#[tokio::test(start_paused = true)]
async fn rule_21_every_page_agrees_whenever_it_came() {
    let presence = study_room();
    let realtime = endpoint(&presence);
    let mut random = 7_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut tabs: Vec<(TestClient, TestSubscription)> = Vec::new();
    let mut pages: Vec<(TestClient, TestSubscription, Page)> = Vec::new();
    for _ in 0..400 {
        let step = next(8);
        if step < 3 && tabs.len() < 12 {
            let tab = TestClient::connect(&realtime, &*format!("user-{}", next(6))).await;
            let subscription = tab.subscribe("/topic/rooms/7/presence").await;
            tabs.push((tab, subscription));
        } else if step < 5 && !tabs.is_empty() {
            let (tab, _) = tabs.swap_remove(usize::try_from(next(tabs.len() as u64)).unwrap());
            if next(2) == 0 { tab.abort().await } else { tab.disconnect().await }
        } else if step < 6 && !tabs.is_empty() {
            let (tab, _) = &tabs[usize::try_from(next(tabs.len() as u64)).unwrap()];
            let status = if next(2) == 0 { Status::Break } else { Status::Studying };
            tab.send("/app/rooms/7/status", &status).await;
        } else if step < 7 && pages.len() < 20 {
            let page = TestClient::anonymous(&realtime).await;
            let subscription = page.subscribe("/topic/rooms/7/presence").await;
            pages.push((page, subscription, Page::default()));
        }
        tokio::time::sleep(Duration::from_millis(next(40) * next(40) * next(10))).await;
        pages.iter_mut().for_each(|(_, subscription, page)| page.take_all(subscription));
    }
    advance(BATCH).await;
    let snapshot = presence.snapshot(&place(7));
    let expected: BTreeMap<String, Value> = snapshot
        .members
        .iter()
        .map(|member| (member.user.to_string(), serde_json::to_value(member).unwrap()))
        .collect();
    assert!(pages.len() > 10 && !expected.is_empty());
    for (_, subscription, page) in &mut pages {
        page.take_all(subscription);
        assert_eq!((&page.members, page.version), (&expected, snapshot.version));
    }
    for (tab, _) in tabs {
        tab.abort().await;
    }
    advance(11 * SECOND).await;
    assert!(presence.is_empty());
    for (_, subscription, mut page) in pages {
        page.take_all(&subscription);
        assert!(page.members.is_empty());
    }
}

#[test]
fn what_is_wrong_is_said_when_the_endpoint_is_built() {
    let wrong = |presence: Presence<Status>| {
        let built = builder(Router::new().mount(presence), ()).build();
        let Err(BuildError::Routes(errors)) = built else { panic!("it is wrong") };
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let told = wrong(Presence::at("presence", Status::Studying));
    assert!(told.contains("`presence` is not a pattern"), "{told}");
    let told = wrong(Presence::at("/presence", Status::Studying));
    assert!(told.contains("write `/topic/presence`"), "{told}");
    let told = wrong(study_room().of("/topic/chat/{place}"));
    assert!(told.contains("names {room}, which `/topic/chat/{place}` does not capture"), "{told}");
}
