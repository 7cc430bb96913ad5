//! What an application hooks into the life of sessions and frames: listeners with extractors, interceptors, session data.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[path = "support/broken_journal.rs"]
mod broken_journal;
mod support;

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use broken_journal::client_of_a_broken_journal;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use parlor_core::{
    Config, Message, Realtime,
    app::{
        Authorize, Connected, Disconnected, Interceptor, Rejection, Route, Router, Rules, SendTarget, Subscribed,
        Unsubscribed,
    },
    auth::{Anonymous, Principal},
    broker::{Address, Broker, OutboundInterceptor, Publication, PublishError},
    destination::Pattern,
    extract::{Payload, SendToUser, SessionData, State},
    session::{DisconnectReason, Session},
    stomp::Headers,
};
use support::{Client, Log, Received, assert_silent, body, header, user};

fn log(State(log): &State<Log>, text: String) {
    log.lock().unwrap().push(text);
}

async fn came(event: Connected, user: Principal, session: Session, state: State<Log>) {
    log(&state, format!("{user} came first={} open={}", event.first_session, session.is_open()));
}

async fn subscribed(Subscribed { destination, .. }: Subscribed, state: State<Log>) {
    assert_ne!(destination, "/topic/panic", "this is the test's own panic");
    log(&state, format!("subscribed {destination}"));
}

async fn unsubscribed(event: Unsubscribed, state: State<Log>) {
    log(&state, format!("unsubscribed {}", event.destination));
}

async fn left(reason: DisconnectReason, event: Disconnected, state: State<Log>) {
    log(&state, format!("left {reason:?} last={}", event.last_session));
}

fn rules() -> Rules {
    Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**").allow_send_to_own_user()
}

#[tokio::test(start_paused = true)]
async fn rule_18_listeners_with_extractors_hear_the_events_in_order() {
    let events: Log = Arc::new(Mutex::default());
    let routes = Router::new()
        .on_connected(came)
        .on_subscribed(subscribed)
        .on_unsubscribed(unsubscribed)
        .on_disconnected(left)
        .with_state(Arc::clone(&events));
    let realtime = Realtime::builder(routes).authenticate(Anonymous).authorize(rules()).build().unwrap();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("0", "/topic/a").await;
    client.subscribe("1", "/topic/panic").await;
    client.send("UNSUBSCRIBE\nid:0\n\n").await;
    client.vanish().await;
    assert_eq!(
        *events.lock().unwrap(),
        ["ada came first=true open=true", "subscribed /topic/a", "unsubscribed /topic/a", "left Lost last=true"]
    );
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the test reads the paused clock")]
async fn a_listener_that_hangs_is_cut_off_and_the_session_goes_on() {
    let routes = Router::new().on_connected(pending::<()>).with_state(());
    let realtime = Realtime::builder(routes)
        .authenticate(Anonymous)
        .authorize(rules())
        .config(Config::default().listener_timeout(Duration::from_secs(2)))
        .build()
        .unwrap();
    let before = tokio::time::Instant::now();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("0", "/topic/a").await;
    assert_eq!(before.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn what_a_listener_returns_is_sent_and_an_error_disturbs_nobody() {
    async fn welcome(user: Principal) -> SendToUser<String> {
        SendToUser::new("/queue/welcome", format!("hello {user}"))
    }
    async fn announce(broker: Broker) -> Result<(), PublishError> {
        broker.publish("not-a-destination", "x").await?;
        Ok(())
    }
    let routes = Router::new().on_subscribed(announce).on_subscribed(welcome).with_state(());
    let realtime = Realtime::builder(routes).authenticate(Anonymous).authorize(rules()).build().unwrap();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("w", "/user/queue/welcome").await;
    assert_eq!(body(&client.frame().await), "\"hello ada\"");
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_with_a_session_is_that_sessions_alone() {
    #[derive(Clone)]
    struct Number(u32);
    async fn keep(SessionData(Number(number)): SessionData<Number>, session: Session) -> SendToUser<u32> {
        session.extensions().insert(Number(number + 1));
        SendToUser::new("/queue/numbers", number).to_this_session()
    }
    async fn may_lack(number: Option<SessionData<Number>>, sent: Option<Payload<u32>>, session: Session) {
        assert!(number.is_none());
        session.extensions().insert(Number(sent.map_or(0, |Payload(sent)| sent)));
    }
    let routes = Router::new()
        .mount(Route::message("/app/keep", keep))
        .mount(Route::message("/app/start", may_lack))
        .with_state(());
    let realtime = Realtime::builder(routes).authenticate(Anonymous).authorize(rules()).build().unwrap();
    let mut one = Client::connect(&realtime, user("ada")).await;
    let mut two = Client::connect(&realtime, user("ada")).await;
    for (client, start, expected) in [(&mut one, "", ["0", "1"]), (&mut two, "40", ["40", "41"])] {
        client.subscribe("n", "/user/queue/numbers").await;
        client.send(&format!("SEND\ndestination:/app/start\n\n{start}")).await;
        for number in expected {
            client.send("SEND\ndestination:/app/keep\n\n").await;
            assert_eq!(body(&client.frame().await), number);
        }
    }
}

/// Refuses `/topic/closed`, panics at `/topic/panic`, and moves `/topic/old` to `/topic/new`.
struct Gate;

impl Interceptor for Gate {
    fn on_send<'a>(&'a self, _: &'a Session, message: Message) -> BoxFuture<'a, Result<Message, Rejection>> {
        Box::pin(async move {
            match message.destination().as_str() {
                "/topic/closed" => Err(Rejection::new("closed", "Closed.")),
                "/topic/panic" => panic!("this is the test's own panic"),
                "/topic/old" => {
                    Ok(message.with_destination("/topic/new".parse()?).with_body(Bytes::from_static(b"moved")))
                }
                "/topic/escape" => Ok(message.with_destination("/secret/new".parse()?)),
                _ => Ok(message),
            }
        })
    }

    fn on_subscribe<'a>(
        &'a self,
        _: &'a Session,
        destination: &'a str,
        headers: &'a Headers,
    ) -> BoxFuture<'a, Result<(), Rejection>> {
        let refused = destination == "/topic/closed" && headers.get("key") != Some("sesame");
        Box::pin(async move { if refused { Err(Rejection::new("closed", "Closed.")) } else { Ok(()) } })
    }
}

#[tokio::test(start_paused = true)]
async fn an_interceptor_sees_every_frame_before_the_rules_do() {
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(rules())
        .intercept(Gate)
        .build()
        .unwrap();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("e", "/user/queue/errors").await;
    client.subscribe("n", "/topic/new").await;
    for (destination, code) in [
        ("/topic/closed", "closed"),
        ("/topic/panic", "internal"),
        // What it changes is judged after it.
        ("/topic/escape", "no-such-destination"),
    ] {
        client.send(&format!("SEND\ndestination:{destination}\n\n")).await;
        assert_eq!(header(&client.frame().await, "code"), Some(code), "{destination}");
    }
    client.send("SEND\ndestination:/topic/old\n\nbody").await;
    let moved = client.frame().await;
    assert_eq!((header(&moved, "destination"), body(&moved)), (Some("/topic/new"), "moved"));
    client.send("SUBSCRIBE\nid:c\ndestination:/topic/closed\n\n").await;
    assert_eq!(header(&client.frame().await, "code"), Some("closed"));
    client.send("SUBSCRIBE\nid:c\nkey:sesame\ndestination:/topic/closed\nreceipt:c\n\n").await;
    client.receipt("c").await;
}

/// Adds a header, and keeps what is marked secret.
struct Stamp;

impl OutboundInterceptor for Stamp {
    fn on_publish(&self, to: &Address, publication: Publication) -> Option<Publication> {
        let kind = if matches!(to, Address::Topic(_)) { "topic" } else { "user" };
        (publication.headers.get("secret").is_none()).then(|| publication.with_header("via", kind))
    }
}

#[tokio::test(start_paused = true)]
async fn an_outbound_interceptor_sees_what_is_published_whoever_does() {
    let broker = Broker::default();
    let build = || {
        Realtime::builder(Router::new().with_state(()))
            .authenticate(Anonymous)
            .authorize(rules())
            .broker(broker.clone())
            .intercept_outbound(Stamp)
            .build()
    };
    let realtime = build().unwrap();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("t", "/topic/a").await;
    client.subscribe("u", "/user/queue/a").await;
    broker.publish("/topic/a", &1).await.unwrap();
    assert_eq!(header(&client.frame().await, "via"), Some("topic"));
    broker.send_to_user(&"ada".parse().unwrap(), "/queue/a", &1).await.unwrap();
    assert_eq!(header(&client.frame().await, "via"), Some("user"));
    client.send("SEND\ndestination:/topic/a\nsecret:yes\n\n").await;
    assert_silent(&mut client).await;
    let twice = build().unwrap_err().to_string();
    assert!(twice.contains("has outbound interceptors already"), "{twice}");
}

/// Panics at what is published to a topic.
struct Panics;

impl OutboundInterceptor for Panics {
    fn on_publish(&self, to: &Address, publication: Publication) -> Option<Publication> {
        assert!(!matches!(to, Address::Topic(_)), "this is the test's own panic");
        Some(publication)
    }
}

impl Authorize for Panics {
    fn may_send<'a>(&'a self, _: &'a Principal, _: &'a SendTarget) -> BoxFuture<'a, bool> {
        panic!("this is the test's own panic")
    }

    fn may_subscribe<'a>(&'a self, _: &'a Principal, _: &'a Pattern) -> BoxFuture<'a, bool> {
        panic!("this is the test's own panic")
    }
}

/// Sends `frame`, which is refused as the server's fault while the session goes on.
async fn assert_refused_alone(client: &mut Client, frame: &str) {
    client.send(frame).await;
    let refused = client.frame().await;
    assert_eq!(header(&refused, "code"), Some("internal"), "{refused}");
    client.send("SEND\ndestination:/app/fine\nreceipt:fine\n\n").await;
    client.receipt("fine").await;
}

async fn echo(payload: Payload<u8>) -> Payload<u8> {
    payload
}

async fn fine() {}

#[tokio::test(start_paused = true)]
async fn a_panic_of_an_outbound_interceptor_refuses_its_message_alone() {
    let routes = Router::new()
        .mount(Route::message("/app/echo", echo).send_to("/topic/a"))
        .mount(Route::message("/app/fine", fine))
        .with_state(());
    let builder = Realtime::builder(routes).authenticate(Anonymous).authorize(rules());
    let realtime = builder.intercept_outbound(Panics).build().unwrap();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("errors", "/user/queue/errors").await;
    assert_refused_alone(&mut client, "SEND\ndestination:/app/echo\n\n1").await;
    assert_refused_alone(&mut client, "SEND\ndestination:/topic/a\n\n1").await;
    let error = realtime.broker().publish("/topic/a", &1).await.unwrap_err();
    assert!(matches!(error, PublishError::Interceptor(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_an_authorizer_refuses_its_message_alone() {
    let routes = Router::new().mount(Route::message("/app/fine", fine)).with_state(());
    let realtime = Realtime::builder(routes).authenticate(Anonymous).authorize(Panics).build().unwrap();
    let mut client = Client::connect(&realtime, user("ada")).await;
    client.subscribe("errors", "/user/queue/errors").await;
    assert_refused_alone(&mut client, "SEND\ndestination:/topic/a\n\n").await;
    assert_refused_alone(&mut client, "SUBSCRIBE\nid:0\ndestination:/topic/a\n\n").await;
}

#[tokio::test(start_paused = true)]
async fn rule_18_a_panic_that_nobody_guards_against_ends_its_connection_in_order() {
    let events: Log = Arc::new(Mutex::default());
    let heard = Arc::clone(&events);
    let routes = Router::new().on_disconnected(move |reason: DisconnectReason| {
        heard.lock().unwrap().push(format!("{reason:?}"));
        async {}
    });
    let (realtime, mut client) = client_of_a_broken_journal(routes).await;
    let (error, status) = client.error_and_close().await;
    assert_eq!((header(&error, "code"), status), (Some("internal"), 1011));
    assert_eq!(client.next().await, Received::End);
    assert_eq!(*events.lock().unwrap(), ["Server { code: \"internal\", invites_back: true }"]);
    assert_eq!(realtime.registry().session_count(), 0);
}
