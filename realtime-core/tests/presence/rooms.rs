//! Rule 20: a user with any number of tabs is one member.

use std::time::Duration;

use parlor_core::{
    BuildError, Realtime,
    app::{Outcome, Rejection, Router},
    auth::Principal,
    broker::Publication,
    extract::{Path, State},
    presence::{CountChanged, Joined, Left, PresenceLimits, Rooms},
    session::Departure,
    testing::TestClient,
};

use super::*;

async fn joined(Joined { user, .. }: Joined, Path(room): Path<u8>, State(heard): State<Heard>) {
    heard.push(format!("{user} joined {room}"));
}

async fn left(event: Left, reason: Departure, Path(room): Path<u8>, State(heard): State<Heard>) {
    assert_eq!(event.reason, reason);
    let why = if reason.is_for_good() { " for good" } else { "" };
    heard.push(format!("{} left {room}{why}", event.user));
}

async fn counted(CountChanged { destination, count, .. }: CountChanged, State(heard): State<Heard>) {
    heard.push(format!("{count} in {destination}"));
}

fn rooms() -> Rooms {
    Rooms::at("/topic/rooms/{room}/chat").settling(Duration::ZERO)
}

fn endpoint(rooms: &Rooms) -> (Realtime, Heard) {
    let heard = Heard::default();
    let router = Router::new().mount(rooms.on_joined(joined)).mount(rooms.on_left(left));
    (builder(router, heard.clone()).build().unwrap(), heard)
}

#[tokio::test(start_paused = true)]
async fn rule_20_tabs_reloads_and_blips_are_silent() {
    let rooms = rooms();
    let (realtime, heard) = endpoint(&rooms);
    let one = TestClient::connect(&realtime, "ada").await;
    one.subscribe("/topic/rooms/7/chat").await;
    assert_eq!(heard.take().await, ["ada joined 7"]);

    let two = TestClient::connect(&realtime, "ada").await;
    two.subscribe("/topic/rooms/7/chat").await;
    two.subscribe("/topic/rooms/7/chat").await;
    one.abort().await;
    advance(60 * SECOND).await;
    two.close(1001).await;
    advance(9 * SECOND).await;
    let three = TestClient::connect(&realtime, "ada").await;
    let chat = three.subscribe("/topic/rooms/7/chat").await;
    advance(60 * SECOND).await;
    chat.unsubscribe().await;
    advance(9 * SECOND).await;
    let again = three.subscribe("/topic/rooms/7/chat").await;
    advance(60 * SECOND).await;
    assert_eq!(heard.take().await, Vec::<String>::new());
    assert_eq!((rooms.count(&room(7)), rooms.members(&room(7))), (1, vec!["ada".parse().unwrap()]));

    drop(again);
    three.disconnect().await;
    advance(Duration::from_millis(9_900)).await;
    assert_eq!((heard.take().await, rooms.count(&room(7))), (Vec::new(), 1));
    advance(Duration::from_millis(200)).await;
    assert_eq!((heard.take().await, rooms.count(&room(7))), (vec!["ada left 7".to_owned()], 0));
    assert!(rooms.is_empty());
}

#[tokio::test(start_paused = true)]
async fn rule_20_a_log_out_a_ban_and_the_end_of_a_token_give_no_grace() {
    let rooms = rooms();
    let (realtime, heard) = endpoint(&rooms);
    let ends = TestClock::pause().wall() + 60 * SECOND;
    let ada = TestClient::connect(&realtime, Principal::user("ada".parse().unwrap()).with_expiry(ends)).await;
    let bob = TestClient::connect(&realtime, "bob").await;
    ada.subscribe("/topic/rooms/7/chat").await;
    bob.subscribe("/topic/rooms/7/chat").await;
    heard.take().await;
    assert_eq!(realtime.registry().disconnect_user(&"bob".parse().unwrap(), &banned()), 1);
    assert_eq!(heard.take().await, ["bob left 7 for good"]);
    advance(60 * SECOND).await;
    assert_eq!(heard.take().await, ["ada left 7 for good"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_logs_out_while_away_can_be_dismissed() {
    let rooms = rooms();
    let (realtime, heard) = endpoint(&rooms);
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.subscribe("/topic/rooms/7/chat").await;
    ada.subscribe("/topic/rooms/8/chat").await;
    let user = "ada".parse().unwrap();
    assert_eq!(rooms.dismiss(&user), 0, "she is here");
    ada.abort().await;
    heard.take().await;
    assert_eq!(rooms.dismiss(&user), 2);
    let mut told = heard.take().await;
    told.sort();
    assert_eq!(told, ["ada left 7 for good", "ada left 8 for good"]);
}

#[tokio::test(start_paused = true)]
async fn rule_21_an_event_stream_is_a_tab_too() {
    let rooms = rooms();
    let (realtime, heard) = endpoint(&rooms);
    let (events, running) = stream(&realtime, "/topic/rooms/7/chat", "ada").await;
    let running = tokio::task::spawn(running);
    assert_eq!(heard.take().await, ["ada joined 7"]);
    let tab = TestClient::connect(&realtime, "ada").await;
    tab.subscribe("/topic/rooms/7/chat").await;
    drop(events);
    running.await.unwrap();
    advance(60 * SECOND).await;
    assert_eq!(heard.take().await, Vec::<String>::new());

    let (mut events, running) = stream(&realtime, "/topic/rooms/7/chat", "ada").await;
    let running = tokio::task::spawn(running);
    tab.abort().await;
    advance(60 * SECOND).await;
    assert_eq!(heard.take().await, Vec::<String>::new());
    realtime.registry().disconnect_user(&"ada".parse().unwrap(), &banned());
    while futures_util::StreamExt::next(&mut events).await.is_some() {}
    running.await.unwrap();
    assert_eq!(heard.take().await, ["ada left 7 for good"]);
}

#[tokio::test(start_paused = true)]
async fn rule_17_after_a_start_nobody_is_announced_for_the_settling_time() {
    let rooms = Rooms::at("/topic/rooms/{room}/chat");
    let (realtime, heard) = endpoint(&rooms);
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.subscribe("/topic/rooms/7/chat").await;
    assert_eq!((heard.take().await, rooms.count(&room(7))), (Vec::new(), 1));
    advance(10 * SECOND).await;
    let bob = TestClient::connect(&realtime, "bob").await;
    bob.subscribe("/topic/rooms/7/chat").await;
    assert_eq!(heard.take().await, ["bob joined 7"]);
    ada.abort().await;
    advance(10 * SECOND).await;
    assert_eq!(heard.take().await, ["ada left 7"], "she was announced by the server before");
}

#[tokio::test(start_paused = true)]
async fn a_listener_turns_it_into_a_message_for_the_room() {
    async fn welcome(event: Joined, user: Principal) -> Result<Outcome, Rejection> {
        Ok(Outcome::nothing().publish(event.destination, Publication::text(format!("Welcome, {user}."))))
    }
    let rooms = rooms();
    let realtime = builder(Router::new().mount(rooms.on_joined(welcome)), ()).build().unwrap();
    let ada = Principal::user("ada".parse().unwrap()).with_name("Ada");
    let ada = TestClient::connect(&realtime, ada).await;
    let chat = ada.subscribe("/topic/rooms/7/chat").await;
    chat.expect_text("Welcome, Ada.").await;
    chat.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn a_lobby_is_told_how_many_are_in() {
    let rooms = rooms();
    let heard = Heard::default();
    let realtime = builder(Router::new().mount(rooms.on_count_changed(counted)), heard.clone()).build().unwrap();
    let mut tabs = Vec::new();
    for user in ["ada", "ada", "bob"] {
        let tab = TestClient::connect(&realtime, user).await;
        tab.subscribe("/topic/rooms/7/chat").await;
        tabs.push(tab);
    }
    assert_eq!(heard.take().await, ["1 in /topic/rooms/7/chat", "2 in /topic/rooms/7/chat"]);
    assert_eq!(rooms.counts(), [(room(7), 2)]);
    for tab in tabs {
        tab.abort().await;
    }
    advance(10 * SECOND).await;
    assert_eq!(heard.take().await, ["0 in /topic/rooms/7/chat"], "both left at the same time");
    assert!(rooms.counts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_or_hangs_stops_no_other() {
    async fn broken(Joined { user, .. }: Joined) {
        if user.as_str() == "ada" {
            panic!("this is the test's own panic");
        }
        std::future::pending::<()>().await;
    }
    let rooms = rooms();
    let heard = Heard::default();
    let router = Router::new().mount(rooms.on_joined(broken)).mount(rooms.on_joined(joined));
    let realtime = builder(router, heard.clone()).build().unwrap();
    for user in ["ada", "bob"] {
        let tab = TestClient::connect(&realtime, user).await;
        tab.subscribe("/topic/rooms/7/chat").await;
    }
    assert_eq!(heard.take().await, ["ada joined 7"]);
    advance(5 * SECOND).await;
    assert_eq!(heard.take().await, ["bob joined 7"]);
}

#[tokio::test(start_paused = true)]
async fn anonymous_sessions_patterns_and_other_destinations_are_no_members() {
    let rooms = rooms();
    let heard = Heard::default();
    let router = Router::new().mount(rooms.on_joined(joined));
    let config = Config::development().pattern_subscriptions(true);
    let realtime = builder(router, heard.clone()).config(config).build().unwrap();
    let nobody = TestClient::anonymous(&realtime).await;
    nobody.subscribe("/topic/rooms/7/chat").await;
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.subscribe("/topic/rooms/*/chat").await;
    ada.subscribe("/topic/rooms/7/typing").await;
    assert_eq!(heard.take().await, Vec::<String>::new());
    assert!(rooms.is_empty());
}

#[tokio::test(start_paused = true)]
async fn members_are_bounded_at_the_limit_and_not_one_beyond() {
    let rooms = rooms().limits(PresenceLimits::default().max_members(2));
    let (realtime, heard) = endpoint(&rooms);
    let mut tabs = Vec::new();
    for user in ["ada", "bob", "cy"] {
        let tab = TestClient::connect(&realtime, user).await;
        tab.subscribe("/topic/rooms/7/chat").await;
        tabs.push(tab);
    }
    assert_eq!(heard.take().await, ["ada joined 7", "bob joined 7"]);
    // One who is away makes room before the grace is over.
    tabs.remove(0).abort().await;
    tabs.remove(1).abort().await;
    let cy = TestClient::connect(&realtime, "cy").await;
    cy.subscribe("/topic/rooms/7/chat").await;
    assert_eq!(heard.take().await, ["ada left 7", "cy joined 7"]);
}

#[test]
fn what_is_wrong_is_said_when_the_endpoint_is_built() {
    async fn two(_: Joined, _: Path<(u8, u8)>) {}
    async fn one(_: Joined) {}
    let wrong = |rooms: Rooms, router: Router<()>| {
        let Err(BuildError::Routes(errors)) = builder(router.mount(rooms), ()).build() else { panic!("it is wrong") };
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let rooms = Rooms::at("rooms");
    assert!(wrong(rooms.clone(), Router::new()).contains("`rooms` is not a pattern"));
    let rooms = Rooms::at("/rooms/{room}");
    let told = wrong(rooms.clone(), Router::new().mount(rooms.on_joined(one)));
    assert_eq!(
        told,
        "the pattern of rooms `/rooms/{room}` must lie under /topic or /queue; write `/topic/rooms/{room}`"
    );
    let rooms = Rooms::at("/topic/rooms/{room}");
    let told = wrong(rooms.clone(), Router::new().mount(rooms.on_joined(two)));
    assert!(told.contains("takes 2 segments and the pattern captures 1"), "{told}");
}

/// Fifty tabs are reloaded two hundred times each, and are back at any time of the grace.
#[tokio::test(start_paused = true)]
async fn rule_20_ten_thousand_reloads_are_no_leave() {
    const USERS: usize = 50;
    const RELOADS: usize = 10_000;
    let rooms = rooms();
    let (realtime, heard) = endpoint(&rooms);
    let mut tabs = Vec::new();
    for user in 0..USERS {
        let tab = TestClient::connect(&realtime, &*format!("user-{user}")).await;
        tab.subscribe("/topic/rooms/7/chat").await;
        tabs.push(Some(tab));
    }
    assert_eq!(heard.take().await.len(), USERS);
    for reload in 0..RELOADS {
        let user = reload * 7 % USERS;
        let tab = tabs[user].take().unwrap();
        if reload % 3 == 0 {
            tab.close(1001).await
        } else {
            tab.abort().await
        }
        // From at once to just before the end.
        tokio::time::sleep(Duration::from_millis((reload * 37 % 9_990) as u64)).await;
        let back = TestClient::connect(&realtime, &*format!("user-{user}")).await;
        back.subscribe("/topic/rooms/7/chat").await;
        tabs[user] = Some(back);
        assert_eq!(rooms.count(&room(7)), USERS);
    }
    assert_eq!(heard.take().await, Vec::<String>::new());
    for tab in tabs.into_iter().flatten() {
        tab.abort().await;
    }
    advance(10 * SECOND).await;
    assert_eq!((heard.take().await.len(), rooms.is_empty()), (USERS, true));
}
