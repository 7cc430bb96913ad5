//! The trace context of a frame: to its handler, and onto every MESSAGE that is published while it is answered.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail")]

mod support;

use parlor_core::{
    Realtime,
    app::{Route, Router, Rules},
    auth::Anonymous,
    broker::Broker,
    extract::{Payload, Payloads, Reply, SendToUser, State},
    telemetry::TraceContext,
};
use support::{Client, Log, body, header, user};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const STATE: &str = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";

#[derive(Clone)]
struct App {
    broker: Broker,
    log: Log,
}

/// Publishes by its return value, through the broker of its state, and to the user.
async fn everywhere(State(app): State<App>, Payload(text): Payload<String>) -> (SendToUser<String>, ()) {
    app.broker.publish("/topic/state", &text).await.unwrap();
    (SendToUser::new("/queue/own", text), ())
}

async fn back(text: String) -> String {
    text
}

/// Goes on beside the next frames.
async fn stream(text: String) -> Payloads<futures_util::stream::Iter<std::vec::IntoIter<String>>> {
    Payloads(futures_util::stream::iter(vec![text.clone(), text]))
}

async fn see(State(app): State<App>, trace: Option<TraceContext>) {
    let seen = trace.map_or_else(|| "none".to_owned(), |trace| format!("{} {}", trace.trace_id(), trace.parent_id()));
    app.log.lock().unwrap().push(seen);
}

async fn greet() -> Reply<&'static str> {
    Reply("hello")
}

fn realtime() -> (Realtime, Log) {
    let (broker, log) = (Broker::default(), Log::default());
    let routes = Router::new()
        .mount(Route::message("/app/everywhere", everywhere))
        .mount(Route::message("/app/back", back).send_to("/topic/back"))
        .mount(Route::message("/app/see", see))
        .mount(Route::message("/app/stream", stream).send_to("/topic/back"))
        .mount(Route::message("/app/concurrent", back).concurrent(2).send_to("/topic/back"))
        .mount(Route::subscribe("/topic/greeting", greet))
        .with_state(App { broker: broker.clone(), log: log.clone() });
    let rules = Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**").allow_send_to_own_user();
    let realtime = Realtime::builder(routes).broker(broker).authenticate(Anonymous).authorize(rules).build().unwrap();
    (realtime, log)
}

async fn listener(realtime: &Realtime) -> Client {
    let mut client = Client::connect(realtime, user("ada")).await;
    for (id, destination) in ["/topic/state", "/topic/back", "/topic/plain", "/user/queue/own"].iter().enumerate() {
        client.subscribe(&id.to_string(), destination).await;
    }
    client
}

fn send(destination: &str, headers: &str) -> String {
    format!("SEND\ndestination:{destination}\n{headers}\n\"x\"")
}

fn traced() -> String {
    format!("traceparent:{TRACE}\ntracestate:{STATE}\n")
}

fn trace_of(message: &str) -> (Option<&str>, Option<&str>) {
    (header(message, "traceparent"), header(message, "tracestate"))
}

#[tokio::test(start_paused = true)]
async fn every_message_of_a_traced_frame_carries_its_trace() {
    let (realtime, _) = realtime();
    let mut client = listener(&realtime).await;
    for destination in ["/app/everywhere", "/app/back", "/topic/plain", "/user/queue/own"] {
        client.send(&send(destination, &traced())).await;
    }
    for _ in 0..5 {
        let message = client.frame().await;
        assert_eq!(trace_of(&message), (Some(TRACE), Some(STATE)), "{message}");
        assert_eq!(message.matches("traceparent:").count(), 1, "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_beside_the_next_frames_keeps_its_trace() {
    let (realtime, _) = realtime();
    let mut client = listener(&realtime).await;
    for destination in ["/app/stream", "/app/concurrent"] {
        client.send(&send(destination, &traced())).await;
        client.send(&send("/app/see", "")).await;
    }
    for _ in 0..3 {
        let message = client.frame().await;
        assert_eq!(trace_of(&message), (Some(TRACE), Some(STATE)), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_without_a_trace_has_none_after_one_that_had() {
    let (realtime, log) = realtime();
    let mut client = listener(&realtime).await;
    client.send(&send("/app/back", &traced())).await;
    client.send(&send("/app/back", "")).await;
    assert_eq!(trace_of(&client.frame().await).0, Some(TRACE));
    assert_eq!(trace_of(&client.frame().await), (None, None));
    client.send(&send("/app/see", &traced())).await;
    client.send(&send("/app/see", "receipt:1\n")).await;
    client.receipt("1").await;
    assert_eq!(*log.lock().unwrap(), ["4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7", "none"]);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_traceparent_is_ignored_and_not_relayed() {
    let (realtime, log) = realtime();
    let mut client = listener(&realtime).await;
    for bad in ["", "00-0-0-01", &TRACE.to_uppercase(), &TRACE.replace("00-4b", "ff-4b"), &format!("{TRACE}-more")] {
        for destination in ["/app/back", "/topic/plain"] {
            client.send(&send(destination, &format!("traceparent:{bad}\ntracestate:{STATE}\n"))).await;
            let message = client.frame().await;
            assert_eq!((trace_of(&message), body(&message)), ((None, None), "\"x\""), "{bad}");
        }
        client.send(&send("/app/see", &format!("traceparent:{bad}\nreceipt:1\n"))).await;
        client.receipt("1").await;
    }
    assert!(log.lock().unwrap().iter().all(|seen| seen == "none"));
    client.send(&send("/topic/plain", &format!("traceparent:{TRACE}\ntracestate:a=1,a=2\n"))).await;
    assert_eq!(trace_of(&client.frame().await), (Some(TRACE), None), "only the malformed tracestate is left out");
}

#[tokio::test(start_paused = true)]
async fn the_first_message_of_a_traced_subscription_carries_its_trace() {
    let (realtime, _) = realtime();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.send(&format!("SUBSCRIBE\nid:0\ndestination:/topic/greeting\n{}\n", traced())).await;
    let first = client.frame().await;
    assert_eq!((trace_of(&first), body(&first)), ((Some(TRACE), Some(STATE)), "\"hello\""));
}

#[tokio::test(start_paused = true)]
async fn work_outside_a_frame_can_be_put_into_a_trace() {
    let (realtime, _) = realtime();
    let mut client = listener(&realtime).await;
    let trace = TraceContext::parse(TRACE, None).unwrap();
    let publish = || realtime.broker().publish("/topic/plain", "x");
    trace.scope(publish()).await.unwrap();
    publish().await.unwrap();
    assert_eq!(trace_of(&client.frame().await), (Some(TRACE), None));
    assert_eq!(trace_of(&client.frame().await), (None, None));
    assert_eq!(TraceContext::current(), None);
}
