//! Rule 19: users as the registry knows them, and who is online.

use parlor_core::{
    app::Router,
    auth::UserId,
    extract::State,
    presence::{CameOnline, Online, WentOffline},
    session::{Departure, DisconnectReason, LastSeen},
    testing::TestClient,
};

use super::*;

async fn came(CameOnline { user, .. }: CameOnline, State(heard): State<Heard>) {
    heard.push(format!("{user} is online"));
}

async fn went(WentOffline { user, reason, .. }: WentOffline, State(heard): State<Heard>) {
    let why = match reason {
        Departure::Disconnected(DisconnectReason::Lost) => "lost",
        reason if reason.is_for_good() => "for good",
        _ => "gone",
    };
    heard.push(format!("{user} is offline: {why}"));
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn online_with_the_first_session_or_stream_and_offline_with_the_last_after_the_grace() {
    let online = Online::new().settling(Duration::ZERO);
    let heard = Heard::default();
    let router = Router::new().mount(online.on_online(came)).mount(online.on_offline(went));
    let realtime = builder(router, heard.clone()).build().unwrap();
    let one = TestClient::connect(&realtime, "ada").await;
    let _nobody = TestClient::anonymous(&realtime).await;
    assert_eq!(heard.take().await, ["ada is online"]);
    let (events, running) = stream(&realtime, "/topic/a", "ada").await;
    let running = tokio::task::spawn(running);
    one.abort().await;
    advance(60 * SECOND).await;
    drop(events);
    running.await.unwrap();
    advance(9 * SECOND).await;
    let two = TestClient::connect(&realtime, "ada").await;
    advance(60 * SECOND).await;
    assert_eq!(heard.take().await, Vec::<String>::new());
    assert_eq!((online.users(), online.count()), (vec![user("ada")], 1));
    two.abort().await;
    advance(10 * SECOND).await;
    assert_eq!(heard.take().await, ["ada is offline: lost"]);
    let _bob = TestClient::connect(&realtime, "bob").await;
    realtime.registry().disconnect_user(&user("bob"), &banned());
    assert_eq!(heard.take().await, ["bob is online", "bob is offline: for good"]);
    assert!(online.is_empty() && !online.is_online(&user("bob")));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_dismissed_is_offline_at_once() {
    let online = Online::new().settling(Duration::ZERO);
    let heard = Heard::default();
    let realtime = builder(Router::new().mount(online.on_offline(went)), heard.clone()).build().unwrap();
    let ada = TestClient::connect(&realtime, "ada").await;
    assert!(!online.dismiss(&user("ada")));
    ada.abort().await;
    assert!(online.dismiss(&user("ada")));
    assert_eq!(heard.take().await, ["ada is offline: for good"]);
}

#[tokio::test(start_paused = true)]
async fn rule_19_the_registry_knows_users_at_a_destination_and_when_they_were_here() {
    let realtime = builder(Router::new(), ()).config(Config::development().max_last_seen(1)).build().unwrap();
    let registry = realtime.registry();
    let place = "/topic/a".parse().unwrap();
    let mut tabs = Vec::new();
    for name in ["bob", "ada", "ada"] {
        let tab = TestClient::connect(&realtime, name).await;
        tab.subscribe("/topic/a").await;
        tab.subscribe("/topic/a").await;
        tabs.push(tab);
    }
    let (events, running) = stream(&realtime, "/topic/a", "cy").await;
    let running = tokio::task::spawn(running);
    assert_eq!(registry.users_at(&place), ["ada", "bob", "cy"].map(user));
    assert_eq!(registry.sessions_at(&place).len(), 3);
    assert_eq!(registry.last_seen(&user("cy")), Some(LastSeen::Now));
    assert_eq!(registry.last_seen(&user("dee")), None);
    drop(events);
    running.await.unwrap();
    assert!(matches!(registry.last_seen(&user("cy")), Some(LastSeen::At(_))));
    let gone_at = TestClock::pause().wall();
    tabs.remove(0).abort().await;
    advance(SECOND).await;
    let Some(LastSeen::At(at)) = registry.last_seen(&user("bob")) else { panic!("he was here") };
    assert!(at >= gone_at && at < TestClock::pause().wall());
    assert_eq!(registry.last_seen(&user("cy")), None, "one is remembered, the latest");
    for tab in tabs {
        tab.abort().await;
    }
    assert!(registry.users_at(&place).is_empty() && registry.sessions_at(&place).is_empty());
    assert_eq!((registry.session_count(), registry.user_count(), registry.event_stream_count()), (0, 0, 0));
}
