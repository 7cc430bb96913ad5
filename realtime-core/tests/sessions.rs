//! Rules 16 to 19, 24, 26 and 27: life and death of sessions, limits of time and memory, stopping.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail")]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use parlor_core::{
    Config, Realtime,
    app::{Router, Rules},
    auth::{Anonymous, Principal},
    broker::OutboxLimits,
    connection::Closing,
    session::{DisconnectReason, LifecycleEvent, Session},
    stomp::HeartBeat,
    testing::TestClock,
};
use support::{Client, Log, Received, header, user};

fn realtime_with(config: Config) -> Realtime {
    build(config, Arc::default())
}

fn build(config: Config, log: Log) -> Realtime {
    let rules = Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**");
    Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(rules)
        .config(config)
        .listen(move |_: Session, event: LifecycleEvent| -> BoxFuture<'static, ()> {
            let text = describe(&event);
            log.lock().unwrap().push(text.clone());
            assert_ne!(text, "subscribed /topic/panic", "this is the test's own panic");
            async {}.boxed()
        })
        .build()
        .unwrap()
}

fn describe(event: &LifecycleEvent) -> String {
    match event {
        LifecycleEvent::Connected(event) => format!("connected first={}", event.first_session),
        LifecycleEvent::Subscribed(event) => format!("subscribed {}", event.destination),
        LifecycleEvent::Unsubscribed(event) => format!("unsubscribed {}", event.destination),
        LifecycleEvent::Disconnected(event) => {
            format!("disconnected {:?} last={}", event.reason, event.last_session)
        }
        other => format!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn rule_18_events_come_in_order_and_disconnected_once() {
    let log: Log = Arc::new(Mutex::default());
    let realtime = build(Config::default(), Arc::clone(&log));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("0", "/topic/a").await;
    client.subscribe("1", "/topic/panic").await;
    client.send("UNSUBSCRIBE\nid:0\n\n").await;
    client.send("UNSUBSCRIBE\nid:0\n\n").await;
    client.send("DISCONNECT\n\n").await;
    while client.next().await != Received::Close(1000, String::new()) {}
    client.vanish().await;
    assert_eq!(
        *log.lock().unwrap(),
        [
            "connected first=true",
            "subscribed /topic/a",
            "subscribed /topic/panic",
            "unsubscribed /topic/a",
            "disconnected Client last=true",
        ]
    );
    assert_eq!(realtime.broker().destination_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_18_first_and_last_session_of_a_user() {
    let log: Log = Arc::new(Mutex::default());
    let realtime = build(Config::default(), Arc::clone(&log));
    let one = Client::connect(&realtime, user("ada")).await;
    let two = Client::connect(&realtime, user("ada")).await;
    one.vanish().await;
    two.vanish().await;
    assert_eq!(
        *log.lock().unwrap(),
        [
            "connected first=true",
            "connected first=false",
            "disconnected Lost last=false",
            "disconnected Lost last=true",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn rule_19_the_registry_lists_counts_and_disconnects() {
    let realtime = realtime_with(Config::default());
    let mut ada = Client::connect(&realtime, user("ada")).await;
    let bob = Client::connect(&realtime, user("bob")).await;
    ada.subscribe("0", "/topic/a").await;
    let registry = realtime.registry();
    assert_eq!((registry.session_count(), registry.user_count()), (2, 2));
    let sessions = registry.sessions_of(&"ada".parse().unwrap());
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].subscriptions().len(), 1);
    let ended =
        registry.disconnect_user(&"ada".parse().unwrap(), &Closing::application("banned", 4403, "You were banned."));
    assert_eq!(ended, 1);
    let (error, status) = ada.error_and_close().await;
    assert_eq!((header(&error, "code"), status), (Some("banned"), 4403));
    ada.vanish().await;
    assert_eq!(registry.session_count(), 1);
    bob.vanish().await;
    assert_eq!(registry.session_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_16_a_slow_reader_is_closed_at_its_bound_and_others_notice_nothing() {
    let limits = OutboxLimits::default().max_messages(8);
    let realtime = realtime_with(Config::default().outbox(limits));
    let mut healthy = Client::connect(&realtime, user("ada")).await;
    healthy.subscribe("0", "/topic/a").await;
    let mut slow = Client::open_with_buffer(&realtime, user("bob"), 512);
    slow.send("CONNECT\naccept-version:1.2\n\n").await;
    slow.frame().await;
    slow.subscribe("0", "/topic/a").await;
    let mut reached = 2;
    for number in 0..100 {
        let published = realtime.broker().publish("/topic/a", &number).await.unwrap();
        reached = reached.min(published.subscriptions);
        healthy.frame().await;
    }
    let end = loop {
        match slow.next().await {
            Received::Frame(frame) if frame.starts_with("ERROR") => {
                assert_eq!(header(&frame, "code"), Some("slow-consumer"));
            }
            Received::Frame(_) => {}
            end => break end,
        }
    };
    assert_eq!(end, Received::Close(1013, "slow-consumer".to_owned()));
    slow.vanish().await;
    assert_eq!(realtime.broker().publish("/topic/a", "x").await.unwrap().subscriptions, 1);
}

#[tokio::test(start_paused = true)]
async fn rule_16_a_message_that_waits_too_long_closes_the_connection() {
    let realtime = realtime_with(Config::default());
    let mut slow = Client::open_with_buffer(&realtime, user("bob"), 256);
    slow.send("CONNECT\naccept-version:1.2\n\n").await;
    slow.frame().await;
    slow.subscribe("0", "/topic/a").await;
    // Idle first, so that nothing but the publish can arm the bound.
    tokio::time::sleep(Duration::from_secs(30)).await;
    realtime.broker().publish("/topic/a", &"x".repeat(600)).await.unwrap();
    realtime.broker().publish("/topic/a", "behind").await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(realtime.registry().session_count(), 0);
    slow.vanish().await;
}

#[tokio::test(start_paused = true)]
async fn no_connect_in_time_draws_error_and_close() {
    let realtime = realtime_with(Config::default().connect_timeout(Duration::from_secs(10)));
    let mut client = Client::open(&realtime, user("ada"));
    client.send_message(0x1, b"\n").await;
    let begun = tokio::time::Instant::now();
    let (error, status) = client.error_and_close().await;
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert_eq!((header(&error, "code"), status), (Some("connect-timeout"), 1008));
}

#[tokio::test(start_paused = true)]
async fn rule_26_a_silent_client_is_pinged_and_closed_within_four_periods() {
    let config = Config::default().heart_beat(HeartBeat { can_send_ms: 0, wants_ms: 1000 });
    let realtime = realtime_with(config);
    let mut client = Client::open(&realtime, user("ada"));
    client.send("CONNECT\naccept-version:1.2\nheart-beat:1000,0\n\n").await;
    client.frame().await;
    let begun = tokio::time::Instant::now();
    assert_eq!(client.next().await, Received::Ping);
    assert!(begun.elapsed() > Duration::from_millis(1100), "{:?}", begun.elapsed());
    let (error, status) = client.error_and_close().await;
    assert_eq!((header(&error, "code"), status), (Some("heart-beat-timeout"), 1002));
    assert!(begun.elapsed() >= Duration::from_secs(3) && begun.elapsed() <= Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn rule_26_a_client_that_answers_pings_lives_on() {
    let config = Config::default().heart_beat(HeartBeat { can_send_ms: 0, wants_ms: 1000 });
    let realtime = realtime_with(config);
    let mut client = Client::open(&realtime, user("ada"));
    client.send("CONNECT\naccept-version:1.2\nheart-beat:1000,0\n\n").await;
    client.frame().await;
    for _ in 0..20 {
        assert_eq!(client.next().await, Received::Ping);
        client.send_message(0xA, b"").await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_24_a_session_ends_no_later_than_its_token() {
    let realtime = realtime_with(Config::default());
    let expiring = user("ada").with_expiry(TestClock::pause().wall() + Duration::from_secs(60));
    let mut client = Client::connect(&realtime, expiring).await;
    let begun = tokio::time::Instant::now();
    let (error, status) = client.error_and_close().await;
    assert_eq!((header(&error, "code"), status), (Some("token-expired"), 4401));
    assert!(begun.elapsed() <= Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn subscriptions_are_bounded_at_the_limit_and_not_one_beyond() {
    let realtime = realtime_with(Config::default().max_subscriptions(3));
    let mut client = Client::connect(&realtime, user("ada")).await;
    for id in ["1", "2", "3"] {
        client.subscribe(id, "/topic/a").await;
    }
    client.send("SUBSCRIBE\nid:4\ndestination:/topic/a\n\n").await;
    let (error, _) = client.error_and_close().await;
    assert_eq!(header(&error, "code"), Some("too-many-subscriptions"));
}

#[tokio::test(start_paused = true)]
async fn connections_are_bounded_at_the_limit_and_not_one_beyond() {
    let realtime = realtime_with(Config::default().max_connections(2));
    let (one, two) = (realtime.admit(None), realtime.admit(None));
    assert!(one.is_ok() && two.is_ok() && realtime.admit(None).is_err());
    drop(one);
    assert!(realtime.admit(None).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_broken_websocket_is_closed_with_its_status() {
    let realtime = realtime_with(Config::default());
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.send_raw(&[0x81, 0x01, b'x']).await; // not masked
    assert!(matches!(client.next().await, Received::Close(1002, _)));
}

#[tokio::test(start_paused = true)]
async fn the_clients_close_is_answered_with_its_status() {
    let realtime = realtime_with(Config::default());
    let mut client = Client::connect(&realtime, Principal::anonymous()).await;
    client.send_message(0x8, &3000_u16.to_be_bytes()).await;
    assert_eq!(client.next().await, Received::Close(3000, String::new()));
    assert_eq!(client.next().await, Received::End);
}

#[tokio::test(start_paused = true)]
async fn rule_27_on_shutdown_clients_get_1012_with_a_spread_retry_time() {
    let realtime = realtime_with(Config::default());
    let mut clients = Vec::new();
    for name in ["ada", "bob", "cy"] {
        clients.push(Client::connect(&realtime, user(name)).await);
    }
    let stopping = realtime.shutdown(Duration::from_secs(30));
    let closing = async {
        let mut times = Vec::new();
        for mut client in clients {
            let Received::Close(1012, reason) = client.next().await else { panic!("1012 was expected") };
            times.push(reason.strip_prefix("retry-after=").unwrap().parse::<u64>().unwrap());
            client.vanish().await;
        }
        times.sort_unstable();
        times.dedup();
        times
    };
    let (all_gone, times) = tokio::join!(stopping, closing);
    assert!(all_gone);
    assert_eq!(times.len(), 3, "spread: {times:?}");
    assert!(realtime.admit(None).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_leaves_nothing_behind() {
    let log: Log = Arc::new(Mutex::default());
    let realtime = build(Config::default(), Arc::clone(&log));
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("0", "/topic/a").await;
    client.vanish().await;
    assert_eq!((realtime.registry().session_count(), realtime.broker().destination_count()), (0, 0));
    assert!(log.lock().unwrap().last().unwrap().contains(&format!("{:?}", DisconnectReason::Lost)));
}

#[tokio::test(start_paused = true)]
async fn rule_19_one_session_or_all_at_a_destination_are_found_messaged_and_ended() {
    let realtime = realtime_with(Config::default());
    let mut clients = Vec::new();
    for name in ["ada", "ada", "bob"] {
        let mut client = Client::connect(&realtime, user(name)).await;
        client.subscribe("n", "/user/queue/notes").await;
        clients.push(client);
    }
    let room = "/topic/rooms/7".parse().unwrap();
    clients[1].subscribe("r", "/topic/rooms/7").await;
    clients[2].subscribe("r", "/topic/rooms/7").await;
    let registry = realtime.registry();
    assert_eq!(registry.sessions_at(&room).len(), 2);
    let one = registry.sessions_of(&"ada".parse().unwrap())[0].clone();
    let sent = realtime.broker().send_to_session(&one, "/queue/notes", "for one tab").await.unwrap();
    assert_eq!((sent.sessions, sent.subscriptions), (1, 1));
    assert!(clients[0].frame().await.ends_with("\"for one tab\""));
    let closed = || Closing::application("room-closed", 4410, "The room was closed.");
    assert_eq!(registry.disconnect_destination(&room, &closed()), 2);
    for client in &mut clients[1..] {
        let (error, status) = client.error_and_close().await;
        assert_eq!((header(&error, "code"), status), (Some("room-closed"), 4410));
    }
    assert!(registry.disconnect_session(one.id(), closed()));
    assert_eq!(clients[0].error_and_close().await.1, 4410);
    for client in clients {
        client.vanish().await;
    }
    assert!(!registry.disconnect_session(one.id(), closed()), "it is gone");
    assert_eq!((registry.session_count(), registry.sessions_at(&room).len()), (0, 0));
    assert!(one.subscriptions().is_empty(), "a handle that is left shows no subscription any more");
}
