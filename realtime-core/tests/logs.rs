//! What stands in the log: no secret at any level, no unbounded or unescaped text of a client, no flood, and for a fault of the
//! application the place where it happened.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail")]

mod support;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use parlor_core::{
    Realtime,
    app::{Rejection, Route, Router, Rules},
    auth::{Anonymous, Principal},
    session::{LifecycleEvent, Session},
};
use support::{Client, Received, user};
use tracing::{Level, subscriber::DefaultGuard};

/// Everything that is logged in this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn capture(level: Level) -> (Self, DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Without those that only say that a span was opened, entered or left.
    fn events(&self) -> Vec<String> {
        let spans = [": new", ": enter", ": exit", ": close time"];
        let text = self.text();
        let lines = text.lines().filter(|line| !spans.iter().any(|span| line.contains(span)));
        lines.map(str::to_owned).collect()
    }

    fn line(&self, with: &str) -> String {
        let lines = self.events();
        lines
            .iter()
            .find(|line| line.contains(with))
            .unwrap_or_else(|| panic!("no line has {with}: {lines:#?}"))
            .clone()
    }
}

impl io::Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn fail(text: String) -> Result<(), Rejection> {
    match text.as_str() {
        "panic" => panic!("this is the test's own panic"),
        "internal" => Err(Rejection::internal("the disk\nis full")),
        _ => Ok(()),
    }
}

fn faulty_listener(_: Session, event: LifecycleEvent) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        match event {
            LifecycleEvent::Subscribed(_) => panic!("this is the test's own panic"),
            LifecycleEvent::Disconnected(_) => std::future::pending().await,
            _ => {}
        }
    })
}

fn realtime() -> Realtime {
    let routes = Router::new().mount(Route::message("/app/rooms/{room}/fail", fail)).with_state(());
    let rules = Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**");
    Realtime::builder(routes)
        .authenticate(Anonymous)
        .authorize(rules)
        .config(parlor_core::Config::development())
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn s_39_no_secret_is_logged_at_any_level() {
    let (lines, _guard) = Lines::capture(Level::TRACE);
    let realtime = realtime();
    let mut client = Client::open(&realtime, user("ada").with_claims("CANARY-claims"));
    let credentials = "login:CANARY-login\npasscode:CANARY-passcode\nAuthorization:Bearer CANARY-token";
    client.send(&format!("CONNECT\naccept-version:1.2\n{credentials}\ncookie:CANARY-cookie\n\n")).await;
    client.frame().await;
    client.subscribe("0", "/topic/a").await;
    client.subscribe("e", "/user/queue/errors").await;
    for destination in ["/topic/a", "/app/rooms/7/fail", "/app/nowhere", "/user/bob/queue/a"] {
        let frame = format!("SEND\ndestination:{destination}\n{credentials}\nx-secret:CANARY-header\n\nCANARY-body");
        client.send(&frame).await;
    }
    client.send("SEND\ndestination:/app/rooms/7/fail\nreceipt:1\n\npanic").await;
    while !client.frame().await.contains("receipt-id:1\n") {}
    // A broken frame with secrets in it ends the connection.
    client.send("SEND\npasscode:CANARY-passcode\ndestination:/topic/a\nno-colon-CANARY-line\n\nCANARY-body").await;
    while client.next().await != Received::End {}
    client.vanish().await;
    let mut broken = Client::open(&realtime, Principal::anonymous());
    broken.send_raw(b"CANARY-octets that are no WebSocket").await;
    while broken.next().await != Received::End {}
    let text = lines.text();
    assert!(text.lines().count() > 20 && text.contains("ada"), "something was logged: {text}");
    let found: Vec<_> = text.lines().filter(|line| line.contains("CANARY")).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn s_39_a_clients_text_is_cut_and_escaped() {
    let (lines, _guard) = Lines::capture(Level::TRACE);
    let realtime = realtime();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("e", "/user/queue/errors").await;
    let long = "x".repeat(200);
    client.send(&format!("SEND\ndestination:/app/a\\n2026-01-01 ERROR forged\u{1b}[2J{long}\n\n")).await;
    client.frame().await;
    let line = lines.line("a frame was refused");
    assert!(line.contains(r"destination=/app/a\n2026-01-01 ERROR forged\u{1b}[2J") && line.contains('…'), "{line}");
    let text = lines.text();
    assert!(!text.contains(&"x".repeat(128)) && !text.contains('\u{1b}'), "{text}");
    assert!(text.lines().all(|line| !line.starts_with("2026-01-01 ERROR forged")));
}

#[tokio::test(start_paused = true)]
async fn a_user_can_be_left_out_of_the_log() {
    let (lines, _guard) = Lines::capture(Level::TRACE);
    let routes = Router::new().with_state(());
    let realtime = Realtime::builder(routes).authenticate(Anonymous).hide_users_in_logs().build().unwrap();
    Client::connect(&realtime, user("ada@example.com")).await.vanish().await;
    assert!(lines.text().contains("session ended") && !lines.text().contains("ada@"), "{}", lines.text());
}

/// The filter of production: spans of the level DEBUG do not exist.
#[tokio::test(start_paused = true)]
async fn faults_of_the_application_name_session_and_destination_at_every_level() {
    for level in [Level::ERROR, Level::INFO, Level::TRACE] {
        let (lines, _guard) = Lines::capture(level);
        let routes = Router::new().mount(Route::message("/app/rooms/{room}/fail", fail)).with_state(());
        let rules = Rules::deny_all().allow_subscribe("/topic/**");
        let realtime =
            Realtime::builder(routes).authenticate(Anonymous).authorize(rules).listen(faulty_listener).build().unwrap();
        let mut client = Client::connect(&realtime, user("ada")).await;
        let session = realtime.registry().sessions()[0].id();
        client.subscribe("e", "/user/queue/errors").await;
        for fault in ["panic", "internal"] {
            client.send(&format!("SEND\ndestination:/app/rooms/7/fail\nreceipt:1\n\n{fault}")).await;
            client.frame().await;
        }
        client.subscribe("0", "/topic/a").await;
        client.vanish().await;
        for (line, event) in [
            ("a handler or rule panicked", "destination=/app/rooms/7/fail"),
            (r"the disk\nis full", "destination=/app/rooms/7/fail"),
            ("a lifecycle listener panicked", "destination=/topic/a"),
            ("a lifecycle listener took too long", r#"event="disconnected""#),
        ] {
            let lines = lines.events();
            let named = |found: &&String| {
                found.contains("ERROR")
                    && found.contains(line)
                    && found.contains(event)
                    && found.contains(&format!("session={session}"))
            };
            assert!(lines.iter().any(|found| named(&found)), "{level}: {line} {event}: {lines:#?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn spans_say_which_frame_of_which_connection_and_its_trace() {
    let (lines, _guard) = Lines::capture(Level::DEBUG);
    let realtime = realtime();
    let mut client = Client::connect(&realtime, user("ada")).await;
    let session = realtime.registry().sessions()[0].id();
    let trace = "traceparent:00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    client.send(&format!("SEND\ndestination:/app/rooms/7/fail\n{trace}\nreceipt:1\n\ninternal")).await;
    client.error_and_close().await;
    let line = lines.line("a frame was refused");
    for part in [
        &format!("connection{{user=ada session={session}}}"),
        "send{destination=/app/rooms/7/fail",
        "trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
        "parent_id=00f067aa0ba902b7",
        r#"route="/app/rooms/{room}/fail""#,
        r#"code="internal""#,
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

/// S-39: 100,000 bad frames, most on one connection, the rest ending one each, in the course of a minute.
#[tokio::test(start_paused = true)]
async fn s_39_a_flood_of_bad_frames_writes_at_most_a_hundred_lines() {
    let (lines, guard) = Lines::capture(Level::INFO);
    let realtime = realtime();
    let mut client = Client::connect(&realtime, user("ada")).await;
    for number in 0..95_000 {
        let destination = ["/app/nowhere", "not-a-destination", "/user/bob/queue/a"][number % 3];
        client.send(&format!("SEND\ndestination:{destination}\n\n")).await;
    }
    client.send("SEND\ndestination:/app/rooms/7/fail\nreceipt:1\n\n").await;
    client.receipt("1").await;
    for number in 0..5_000 {
        let mut client = Client::open_with_buffer(&realtime, Principal::anonymous(), 4096);
        client.send("CONNECT\naccept-version:1.2\n\n").await;
        client.frame().await;
        let bad = ["NONSENSE\n\n", "SEND\n\n", "SUBSCRIBE\ndestination:/topic/a\n\n", "MESSAGE\n\n", "CONNECT\n\n"];
        client.send(bad[number % 5]).await;
        client.error_and_close().await;
        client.vanish().await;
        tokio::time::advance(Duration::from_millis(12)).await;
    }
    drop(guard);
    let count = lines.events().len();
    assert!((5..=100).contains(&count), "{count} lines");
    let stats = realtime.stats();
    assert_eq!(stats.traffic.refusals.values().sum::<u64>(), 95_000, "all of them are counted");
    assert_eq!(stats.traffic.frames_received["invalid"], 5_000);
    let held_back: u64 = stats.log_lines_suppressed.values().sum();
    assert!(held_back > 14_000, "{held_back}");
}

#[tokio::test(start_paused = true)]
async fn an_accept_loop_without_file_descriptors_does_not_fill_the_disk() {
    let (lines, _guard) = Lines::capture(Level::WARN);
    let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build().unwrap();
    for _ in 0..1000 {
        realtime.accept_failed(&io::Error::other("too many open files"));
    }
    let written = lines.events().iter().filter(|line| line.contains("too many open files")).count();
    assert_eq!(written, 4, "{:#?}", lines.events());
    assert_eq!(realtime.stats().log_lines_suppressed["accept-failed"], 996);
}
