//! Against Parlor itself, over real sockets.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test may fail, and its runtime ends its tasks"
)]

use std::{
    future::{Future, IntoFuture},
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parlor_client::{
    AckMode, Client, ClientBuilder, ConnectionError, ConnectionState, Connector, HeartBeat, Message, ReconnectPolicy,
    SendError, SubscribeError, SubscriptionEvent, SubscriptionEvents,
};
use parlor_core::{
    Config, Realtime,
    app::{Rejection, Route, Router, Rules},
    auth::{Anonymous, AuthError, Handshake, Principal},
    broker::DeliveryRules,
    extract::Payload,
    history::Retain,
};
use parlor_hyper::{WebSocketService, serve};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::timeout,
};

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<io::Result<()>>,
}

async fn double(Payload(number): Payload<i64>) -> Result<Payload<i64>, Rejection> {
    match number.checked_mul(2) {
        Some(double) => Ok(Payload(double)),
        None => Err(Rejection::new("too-large", "Choose a smaller number.")),
    }
}

fn builder() -> parlor_core::RealtimeBuilder {
    let routes = Router::new().mount(Route::message("/app/double", double).send_to("/topic/doubles")).with_state(());
    let rules = Rules::deny_all().allow_subscribe("/topic/doubles").allow_send("/topic/doubles");
    let config = Config::development().heart_beat(HeartBeat { can_send_ms: 200, wants_ms: 200 });
    Realtime::builder(routes).config(config).authorize(rules)
}

/// A server that keeps what is published.
fn with_history() -> Realtime {
    let delivery = DeliveryRules::default().history("/topic/doubles", Retain::last(100));
    builder().delivery(delivery).authenticate(Anonymous).build().unwrap()
}

fn open() -> Realtime {
    builder().authenticate(Anonymous).build().unwrap()
}

impl Server {
    async fn start(realtime: Realtime, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, WebSocketService::new(&realtime), realtime, async {
            let _ = stopped.await;
        }));
        Self { address, stop, served }
    }

    fn client(&self) -> ClientBuilder {
        Client::builder(format!("ws://{}/ws", self.address))
            .reconnect(ReconnectPolicy::default().base(Duration::from_millis(50)).max(Duration::from_millis(200)))
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.served.await.unwrap().unwrap();
    }
}

/// The way to a server: the test cuts the first connection, and the second one waits for the test.
#[derive(Clone, Default)]
struct Line {
    cut: Arc<Notify>,
    may_return: Arc<Notify>,
    was_used: Arc<AtomicBool>,
}

impl Line {
    fn connector(&self, address: SocketAddr) -> impl Connector {
        let line = self.clone();
        move |_: http::Uri| {
            let line = line.clone();
            async move {
                if line.was_used.swap(true, Ordering::AcqRel) {
                    line.may_return.notified().await;
                }
                let mut upstream = TcpStream::connect(address).await?;
                let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = copy_bidirectional(&mut theirs, &mut upstream) => {}
                        () = line.cut.notified() => {}
                    }
                });
                Ok(ours)
            }
        }
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it does not take that long")
}

#[tokio::test]
async fn messages_go_through_a_handler_and_receipts_say_that_it_has_finished() {
    let server = Server::start(open(), "127.0.0.1:0").await;
    let client = server.client().connect().await.unwrap();
    let mut doubles = within(client.subscribe("/topic/doubles").into_future()).await.unwrap();
    for number in 1..=20 {
        within(client.send("/app/double").json(&number).receipt()).await.unwrap();
    }
    for number in 1..=20 {
        assert_eq!(within(doubles.recv()).await.unwrap().json::<i64>().unwrap(), number * 2);
    }
    within(client.close()).await.unwrap();
    assert!(doubles.recv().await.is_none());
    server.stop().await;
}

#[tokio::test]
async fn refusals_name_their_code_and_the_connection_lives() {
    let server = Server::start(open(), "127.0.0.1:0").await;
    let client = server.client().connect().await.unwrap();
    let mut refusals = client.refusals();
    let code = |outcome| match outcome {
        Err(SendError::Refused(refusal)) => refusal.code.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(code(within(client.send("/app/double").json(&i64::MAX).receipt()).await), "too-large");
    assert_eq!(code(within(client.send("/app/double").json("x").receipt()).await), "invalid-payload");
    assert_eq!(code(within(client.send("/app/nowhere").receipt()).await), "no-such-destination");
    let refused = within(client.subscribe("/topic/secrets").into_future()).await;
    let Err(SubscribeError::Refused(refusal)) = refused else { panic!("{refused:?}") };
    assert_eq!((refusal.code.as_deref(), refusal.destination.as_deref()), (Some("forbidden"), Some("/topic/secrets")));
    // Without a receipt, by the side channel.
    for _ in 0..4 {
        within(refusals.recv()).await.unwrap();
    }
    client.send("/topic/secrets").await.unwrap();
    assert_eq!(within(refusals.recv()).await.unwrap().destination.as_deref(), Some("/topic/secrets"));
    within(client.send("/app/double").json(&1).receipt()).await.unwrap();
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn a_bad_login_is_refused_and_a_good_one_is_not() {
    let judge = |handshake: Handshake<'_>| match handshake.headers().get("authorization") {
        Some(token) if token == "Bearer good" => Ok(Principal::anonymous()),
        Some(_) => Err(AuthError::Invalid),
        None => Err(AuthError::Missing),
    };
    let server = Server::start(builder().authenticate(judge).build().unwrap(), "127.0.0.1:0").await;
    for (client, expected) in
        [(server.client(), "missing-credentials"), (server.client().bearer("bad"), "invalid-credentials")]
    {
        let failed = within(client.connect()).await;
        let Err(error @ ConnectionError::Handshake { status: 401, .. }) = &failed else { panic!("{failed:?}") };
        let ConnectionError::Handshake { code, .. } = error else { unreachable!() };
        assert!(code.as_deref() == Some(expected) && !error.may_reconnect());
    }
    let client = within(server.client().bearer("good").connect()).await.unwrap();
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn heart_beats_keep_an_idle_session_on_both_sides() {
    let server = Server::start(open(), "127.0.0.1:0").await;
    let beats = HeartBeat { can_send_ms: 200, wants_ms: 200 };
    let client = server.client().reconnect(ReconnectPolicy::never()).heart_beat(beats).connect().await.unwrap();
    // Silence of three periods, 600 ms, would end it on either side.
    let ended = timeout(Duration::from_millis(1500), async {
        client.state().wait_for(ConnectionState::is_closed).await.unwrap().clone()
    });
    assert!(ended.await.is_err());
    within(client.send("/app/double").json(&1).receipt()).await.unwrap();
}

#[tokio::test]
async fn a_client_comes_back_to_a_server_that_was_started_again_and_subscribes_again() {
    let server = Server::start(open(), "127.0.0.1:0").await;
    let address = server.address.to_string();
    let client = server.client().connect().await.unwrap();
    let mut events = within(client.subscribe("/topic/doubles").into_future()).await.unwrap().events();
    let mut state = client.state();
    server.stop().await;
    let cause = within(state.wait_for(|state| !state.is_connected())).await.unwrap().clone();
    let ConnectionState::Reconnecting { cause: ConnectionError::Closed { status: 1012, reason }, delay, .. } = cause
    else {
        panic!("{cause:?}")
    };
    let asked = Duration::from_millis(reason.strip_prefix("retry-after=").unwrap().parse().unwrap());
    assert!(delay >= asked, "{delay:?} {asked:?}");
    let server = Server::start(open(), &address).await;
    let Some(SubscriptionEvent::Resumed { recovered: false }) = within(events.recv()).await else { panic!("no news") };
    within(client.send("/app/double").json(&4).receipt()).await.unwrap();
    let Some(SubscriptionEvent::Message(message)) = within(events.recv()).await else { panic!("no message") };
    assert_eq!(message.text(), Some("8"));
    within(client.close()).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn what_was_published_while_a_client_was_away_comes_also_where_nothing_came_before() {
    let realtime = with_history();
    let broker = realtime.broker().clone();
    let server = Server::start(realtime, "127.0.0.1:0").await;
    broker.publish("/topic/doubles", &0).await.unwrap();
    let line = Line::default();
    let client = server.client().connector(line.connector(server.address)).connect().await.unwrap();
    let mut events = within(client.subscribe("/topic/doubles").into_future()).await.unwrap().events();
    line.cut.notify_one();
    within(client.state().wait_for(|state| !state.is_connected())).await.unwrap();
    for number in 1..4 {
        broker.publish("/topic/doubles", &number).await.unwrap();
    }
    line.may_return.notify_one();
    let Some(SubscriptionEvent::Resumed { recovered: true }) = within(events.recv()).await else { panic!("no news") };
    for number in 1..4 {
        let Some(SubscriptionEvent::Message(message)) = within(events.recv()).await else { panic!("no message") };
        assert_eq!(message.json::<i64>().unwrap(), number);
    }
    within(client.close()).await.unwrap();
    server.stop().await;
}

/// The messages that come behind the news of a reconnect.
async fn resumed(events: &mut SubscriptionEvents, count: usize) -> Vec<Message> {
    let Some(SubscriptionEvent::Resumed { recovered: true }) = within(events.recv()).await else { panic!("no news") };
    let mut messages = Vec::new();
    while messages.len() < count {
        let Some(SubscriptionEvent::Message(message)) = within(events.recv()).await else { panic!("no message") };
        messages.push(message);
    }
    messages
}

#[tokio::test]
async fn rule_12_what_was_not_acknowledged_comes_again_after_a_reconnect() {
    for (mode, in_transaction) in
        [(AckMode::ClientIndividual, false), (AckMode::Client, false), (AckMode::Client, true)]
    {
        let realtime = with_history();
        let broker = realtime.broker().clone();
        let server = Server::start(realtime, "127.0.0.1:0").await;
        let line = Line::default();
        let client = server.client().connector(line.connector(server.address)).connect().await.unwrap();
        let doubles = client.subscribe("/topic/doubles").ack(mode).into_future();
        let mut events = within(doubles).await.unwrap().events();
        for number in 0..4 {
            broker.publish("/topic/doubles", &number).await.unwrap();
        }
        let mut messages = Vec::new();
        for _ in 0..4 {
            let Some(SubscriptionEvent::Message(message)) = within(events.recv()).await else { panic!("no message") };
            messages.push(message);
        }
        if in_transaction {
            let committed = within(client.begin()).await.unwrap();
            committed.ack(&messages[1]).await.unwrap();
            within(committed.commit()).await.unwrap();
            let aborted = within(client.begin()).await.unwrap();
            aborted.ack(&messages[2]).await.unwrap();
            within(aborted.abort()).await.unwrap();
        } else {
            // Alone it acknowledges nothing before it in the individual mode.
            messages[0].ack().await.unwrap();
            messages[1].ack().await.unwrap();
        }
        // Its receipt comes behind the ACKs.
        let _behind = within(client.subscribe("/user/queue/nothing").into_future()).await.unwrap();
        line.cut.notify_one();
        within(client.state().wait_for(|state| !state.is_connected())).await.unwrap();
        line.may_return.notify_one();
        let again = resumed(&mut events, 2).await;
        let again: Vec<i64> = again.iter().map(|message| message.json().unwrap()).collect();
        assert_eq!(again, [2, 3], "{mode:?} {in_transaction}");
        within(client.close()).await.unwrap();
        server.stop().await;
    }
}

#[tokio::test]
async fn what_an_orderly_end_was_asked_for_has_arrived() {
    let server = Server::start(open(), "127.0.0.1:0").await;
    let listening = server.client().connect().await.unwrap();
    let mut doubles = within(listening.subscribe("/topic/doubles").into_future()).await.unwrap();
    let client = server.client().connect().await.unwrap();
    for number in 0..50 {
        client.send("/app/double").json(&number).await.unwrap();
    }
    // Dropped, not closed: it is the same without waiting.
    drop(client);
    for number in 0..50 {
        assert_eq!(within(doubles.recv()).await.unwrap().json::<i64>().unwrap(), number * 2);
    }
}
