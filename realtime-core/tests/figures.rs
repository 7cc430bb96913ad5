//! What operators read: `stats()` after known traffic, bounded labels, and the same figures in a recorder.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail")]

mod support;

use futures_util::future::BoxFuture;
use parlor_core::{
    Config, Realtime,
    app::{Rejection, Route, Router, Rules},
    auth::{Anonymous, Principal},
    broker::{Broker, DeliveryRules, OutboxLimits},
    extract::Payload,
    history::Retain,
    session::{LifecycleEvent, Session},
    stomp::AckMode,
    telemetry::{OTHER, Stats},
    testing::TestClient,
};
use support::{Client, Received, user};

async fn say(Payload(text): Payload<String>) -> Result<Payload<String>, Rejection> {
    match text.as_str() {
        "refuse" => Err(Rejection::new("no-luck", "Not today.")),
        "panic" => panic!("this is the test's own panic"),
        _ => Ok(Payload(text)),
    }
}

fn realtime(config: Config) -> Realtime {
    let routes =
        Router::new().mount(Route::message("/app/rooms/{room}/say", say).send_to("/topic/rooms/{room}")).with_state(());
    let rules = Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/open/*");
    Realtime::builder(routes).authenticate(Anonymous).authorize(rules).config(config).build().unwrap()
}

async fn say_with_receipt(client: &mut Client, text: &str) {
    client.send(&format!("SEND\ndestination:/app/rooms/7/say\nreceipt:{text}\n\n\"{text}\"")).await;
}

fn count(map: &std::collections::BTreeMap<String, u64>, key: &str) -> u64 {
    map.get(key).copied().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn stats_are_what_happened() {
    let realtime = realtime(Config::default());
    let mut ada = Client::connect(&realtime, user("ada")).await;
    let mut tab = Client::connect(&realtime, user("ada")).await;
    let waiting = Client::open(&realtime, Principal::anonymous());
    ada.subscribe("0", "/topic/rooms/7").await;
    ada.subscribe("e", "/user/queue/errors").await;
    tab.subscribe("0", "/topic/rooms/7").await;
    for text in ["hello", "refuse", "panic"] {
        say_with_receipt(&mut ada, text).await;
    }
    let mut frames = Vec::new();
    for _ in 0..4 {
        frames.push(ada.frame().await);
    }
    assert!(tab.frame().await.starts_with("MESSAGE"));
    realtime.broker().publish("/topic/nobody", "x").await.unwrap();

    let stats = realtime.stats();
    assert_eq!((stats.connections.total, stats.connections.waiting), (3, 1));
    let sessions = &stats.sessions;
    assert_eq!((sessions.connected, sessions.total, sessions.users, sessions.users_total), (2, 2, 1, 1));
    assert_eq!(count(&stats.traffic.frames_received, "CONNECT"), 2);
    assert_eq!(count(&stats.traffic.frames_received, "SUBSCRIBE"), 3);
    assert_eq!(count(&stats.traffic.frames_received, "SEND"), 3);
    assert_eq!(count(&stats.traffic.frames_sent, "CONNECTED"), 2);
    assert_eq!(count(&stats.traffic.frames_sent, "RECEIPT"), 4, "for three SUBSCRIBEs and the SEND that was handled");
    assert_eq!(count(&stats.traffic.frames_sent, "MESSAGE"), 4, "one for each tab, and two refusals: {frames:?}");
    assert_eq!(stats.messages.delivered, 4);
    assert_eq!(stats.messages.published, 4);
    assert_eq!(count(&stats.traffic.refusals, "no-luck"), 1);
    assert_eq!(count(&stats.traffic.refusals, "internal"), 1);
    let room = stats.by_destination["/topic/rooms/{room}"];
    assert_eq!((room.published, room.delivered, room.subscriptions), (1, 2, 2));
    let others = stats.by_destination["/topic/**"];
    assert_eq!((others.published, others.delivered, others.subscriptions), (1, 0, 0));
    assert_eq!(stats.by_destination["user"].subscriptions, 1);
    assert_eq!(stats.destinations, 2);
    let route = &stats.by_route["SEND /app/rooms/{room}/say"];
    assert_eq!((route.running, route.done, route.refused, route.panicked), (0, 1, 1, 1));
    assert_eq!((route.duration.count, stats.faults.handler_panics), (3, 1));

    ada.send("DISCONNECT\nreceipt:bye\n\n").await;
    ada.receipt("bye").await;
    assert_eq!(ada.next().await, Received::Close(1000, String::new()));
    drop(ada);
    tab.send("NONSENSE\n\n").await;
    tab.error_and_close().await;
    tab.vanish().await;
    waiting.vanish().await;
    let stats = realtime.stats();
    assert_eq!((stats.connections.waiting, stats.sessions.connected, stats.sessions.users), (0, 0, 0));
    assert_eq!(count(&stats.sessions.disconnects, "client"), 1);
    assert_eq!(count(&stats.sessions.disconnects, "server"), 1);
    assert_eq!(count(&stats.connections.closes, "unknown-command"), 1);
    assert_eq!(count(&stats.traffic.frames_received, "invalid"), 1);
    assert_eq!(count(&stats.traffic.frames_sent, "ERROR"), 1);
    assert_eq!(stats.connections.outbox_peak.count, 3);
    let subscriptions: u64 = stats.by_destination.values().map(|destination| destination.subscriptions).sum();
    assert_eq!((stats.destinations, subscriptions), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn octets_are_those_of_websocket_frames_in_both_directions() {
    let realtime = realtime(Config::default());
    let mut client = Client::connect(&realtime, user("ada")).await;
    let before = realtime.stats().traffic;
    let frame = "SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:1\n\n";
    client.send(frame).await;
    client.receipt("1").await;
    let after = realtime.stats().traffic;
    // Two octets of header, four of mask, and a NUL.
    assert_eq!(after.octets_received - before.octets_received, frame.len() as u64 + 7);
    assert_eq!(after.octets_sent - before.octets_sent, "RECEIPT\nreceipt-id:1\n\n\0".len() as u64 + 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_cannot_make_labels() {
    let realtime = realtime(Config::development());
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("e", "/user/queue/errors").await;
    let labels = |stats: &Stats| {
        let samples = stats.samples();
        samples.iter().flat_map(|sample| sample.labels.clone()).map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
    };
    for number in 0..1000 {
        client.send(&format!("SUBSCRIBE\nid:{number}\ndestination:/topic/made-up-{number}\n\n")).await;
        client.send(&format!("UNSUBSCRIBE\nid:{number}\n\n")).await;
        client.send(&format!("SEND\ndestination:/topic/open/made-up-{number}\n\n")).await;
        client.send(&format!("SEND\ndestination:/app/made-up-{number}\n\n")).await;
        client.send(&format!("SEND\ndestination:/user/made-up-{number}/queue/x\n\n")).await;
        client.frame().await;
        client.frame().await;
    }
    let stats = realtime.stats();
    assert_eq!(stats.by_destination["/topic/open/*"].published, 1000);
    assert_eq!(stats.by_destination[OTHER].published, 0);
    let labels = labels(&stats);
    assert!(labels.len() < 100, "{labels:?}");
    assert!(labels.iter().all(|label| !label.contains("made-up") && label != "ada"), "{labels:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_consumer_is_counted_with_what_it_missed() {
    let outbox = OutboxLimits::default().max_bytes(4096);
    let realtime = realtime(Config::default().outbox(outbox));
    let mut slow = Client::open_with_buffer(&realtime, user("ada"), 512);
    slow.send("CONNECT\naccept-version:1.2\n\n").await;
    slow.frame().await;
    slow.subscribe("0", "/topic/a").await;
    let body = "x".repeat(1000);
    realtime.broker().publish("/topic/a", &body).await.unwrap();
    realtime.broker().settled().await;
    let outboxes = realtime.stats().outboxes;
    assert_eq!((outboxes.waiting_connections, outboxes.fullest_octets), (1, outboxes.waiting_octets));
    assert!(outboxes.waiting_octets > 500, "{outboxes:?}");
    let mut accepted = 1;
    for _ in 0..20 {
        accepted += realtime.broker().publish("/topic/a", &body).await.unwrap().subscriptions as u64;
    }
    while slow.next().await != Received::End {}
    slow.vanish().await;
    let stats = realtime.stats();
    assert_eq!(count(&stats.connections.closes, "slow-consumer"), 1);
    let messages = stats.messages;
    assert!(messages.dropped_slow_consumer > 0 && messages.dropped_closing > 0, "{messages:?}");
    assert_eq!((messages.delivered + messages.dropped_closing, messages.published), (accepted, 21));
    let peak = stats.connections.outbox_peak;
    assert!(peak.count == 1 && peak.sum > 1000.0, "{peak:?}");
}

fn faulty_listener(_: Session, event: LifecycleEvent) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        match event {
            LifecycleEvent::Connected(_) => panic!("this is the test's own panic"),
            LifecycleEvent::Disconnected(_) => std::future::pending().await,
            _ => {}
        }
    })
}

#[tokio::test(start_paused = true)]
async fn faults_of_listeners_are_counted() {
    let routes = Router::new().with_state(());
    let realtime = Realtime::builder(routes).authenticate(Anonymous).listen(faulty_listener).build().unwrap();
    Client::connect(&realtime, user("ada")).await.vanish().await;
    let faults = realtime.stats().faults;
    assert_eq!((faults.listener_panics, faults.listener_timeouts, faults.handler_panics), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn stats_are_plain_json() {
    let stats = realtime(Config::default()).stats();
    let json = serde_json::to_value(&stats).unwrap();
    assert_eq!(json["sessions"]["connected"], 0);
    assert!(json["by_destination"]["/topic/rooms/{room}"].is_object());
}

#[tokio::test]
async fn endpoints_that_share_a_broker_share_its_figures() {
    let broker = Broker::default();
    let endpoint = || {
        Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).broker(broker.clone()).build().unwrap()
    };
    let (one, other) = (endpoint(), endpoint());
    let _client = Client::connect(&one, user("ada")).await;
    assert_eq!(other.stats().sessions.connected, 1);
}

/// What waits for room, for an acknowledgement, for a handler or for a replay is counted when it goes, once; what is given
/// again is counted again.
#[tokio::test(start_paused = true)]
async fn a_message_that_waited_is_delivered_once() {
    let rules = DeliveryRules::default().history("/topic/kept", Retain::last(10));
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**").allow_subscribe("/queue/**"))
        .delivery(rules)
        .build()
        .unwrap();
    // Messages that came, and messages that are counted as delivered, as they are written and by destination.
    let assert_counted = async |came: usize| {
        let stats = realtime.stats();
        let by_destination: u64 = stats.by_destination.values().map(|destination| destination.delivered).sum();
        let counted = [stats.messages.delivered, count(&stats.traffic.frames_sent, "MESSAGE"), by_destination];
        assert_eq!(counted, [came as u64; 3]);
    };
    let ada = TestClient::connect(&realtime, "ada").await;
    let places = ["/topic/plain", "/topic/kept", "/queue/jobs"];
    let mut came = 0;
    for place in places {
        let jobs = ada.subscribe(place).ack(AckMode::ClientIndividual).prefetch(1).await;
        for job in 0..3 {
            realtime.broker().publish(place, &job).await.unwrap();
        }
        // One in flight, and two that wait.
        let first = jobs.expect_json(0).await;
        assert_counted(came + 1).await;
        ada.nack(&first).await;
        let again = jobs.expect_json(0).await;
        assert_counted(came + 2).await;
        ada.ack(&again).await;
        for job in 1..3 {
            ada.ack(&jobs.expect_json(job).await).await;
        }
        came += 4;
        jobs.assert_silent().await;
        assert_counted(came).await;
        jobs.unsubscribe().await;
    }
    // What was missed waits for its turn, in either mode.
    for mode in [AckMode::Auto, AckMode::ClientIndividual] {
        let watching = ada.subscribe("/topic/kept").await;
        let place = watching.position().unwrap().to_owned();
        for number in 3..6 {
            realtime.broker().publish("/topic/kept", &number).await.unwrap();
            watching.expect_json(number).await;
        }
        watching.unsubscribe().await;
        came += 3;
        assert_counted(came).await;
        let resumed = ada.subscribe("/topic/kept").ack(mode).prefetch(1).resume_from(&place).await;
        for number in 3..6 {
            let message = resumed.expect_json(number).await;
            if mode == AckMode::ClientIndividual {
                ada.ack(&message).await;
            }
        }
        came += 3;
        assert_counted(came).await;
        resumed.unsubscribe().await;
    }
}
