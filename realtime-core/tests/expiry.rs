//! Rule 24: sessions and streams end with their token and not before, are told ahead, and go on with a newer one.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{
    StreamExt,
    future::{BoxFuture, ready},
};
use parlor_core::{
    Config, Realtime,
    app::{Rejection, Route, Router, Rule, Rules, Unsubscribed, require_role},
    auth::{Anonymous, AuthError, Authenticator, Handshake, Principal},
    broker::Broker,
    event_stream::EventsRequest,
    extract::{Path, Reply, State},
    limits::{Rate, RateLimits},
    session::Registry,
    testing::{TestClient, TestClock},
};
use support::{Client, Log, Received, assert_silent, body, header, user};

const MINUTE: Duration = Duration::from_secs(60);

/// Seconds after now, by the wall clock that goes with the paused one.
fn after(time: Duration) -> std::time::SystemTime {
    TestClock::pause().wall() + time
}

fn login(name: &str, sid: &str, lasts: Duration) -> Principal {
    user(name).with_login(sid).with_expiry(after(lasts))
}

fn rules() -> Rules {
    Rules::deny_all()
        .allow_subscribe("/topic/open/**")
        .allow(Rule::subscribe("/topic/editors/**").role("editor"))
        .allow_send("/topic/**")
}

fn realtime_with(config: Config) -> Realtime {
    let routes = Router::new().mount(Route::message("/app/nothing", async || {})).with_state(());
    Realtime::builder(routes).authenticate(ByName).authorize(rules()).config(config).build().unwrap()
}

fn realtime() -> Realtime {
    realtime_with(Config::default())
}

/// Tokens that say what they mean: `user sid seconds role…`.
struct ByName;

impl Authenticator for ByName {
    fn authenticate<'a>(&'a self, _: Handshake<'a>) -> BoxFuture<'a, Result<Principal, AuthError>> {
        Box::pin(ready(Err(AuthError::Missing)))
    }

    fn authenticate_token<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Principal, AuthError>> {
        let words: Vec<&str> = token.split(' ').collect();
        Box::pin(ready(match words[..] {
            [name, "-", seconds, ref roles @ ..] => {
                Ok(user(name).with_expiry(after(Duration::from_secs(seconds.parse().unwrap()))).with_roles(roles))
            }
            [name, sid, seconds, ref roles @ ..] => {
                Ok(login(name, sid, Duration::from_secs(seconds.parse().unwrap())).with_roles(roles))
            }
            _ => Err(AuthError::Invalid),
        }))
    }

    fn is_still_good<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, bool> {
        Box::pin(ready(!principal.has_role("taken-back")))
    }
}

#[tokio::test(start_paused = true)]
async fn rule_24_what_waits_at_the_end_of_the_token_is_not_written() {
    let realtime = realtime();
    // The pipe is full at once, so everything behind it waits in the outbox.
    let mut client = Client::open_with_buffer(&realtime, login("ada", "s", MINUTE), 1024);
    client.send("CONNECT\naccept-version:1.2\n\n").await;
    assert!(client.frame().await.starts_with("CONNECTED\n"));
    client.subscribe("0", "/topic/open/a").await;
    tokio::time::sleep(MINUTE - Duration::from_secs(1)).await;
    for number in 0..4 {
        realtime.broker().publish("/topic/open/a", &format!("{number}{}", "x".repeat(500))).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut read = Vec::new();
    let error = loop {
        let frame = client.frame().await;
        if frame.starts_with("ERROR\n") {
            break frame;
        }
        read.push(body(&frame)[1..2].to_owned());
    };
    assert_eq!(header(&error, "code"), Some("token-expired"));
    assert!(matches!(client.next().await, Received::Close(4401, _)));
    assert_eq!(read, ["0", "1"], "what was written, and what had begun; nothing of what waited");
}

#[tokio::test(start_paused = true)]
async fn rule_24_a_frame_that_comes_at_the_end_is_not_handled() {
    let log = Log::default();
    async fn note(State(log): State<Log>) {
        log.lock().unwrap().push("handled".to_owned());
    }
    let routes = Router::new().mount(Route::message("/app/note", note)).with_state(Arc::clone(&log));
    let realtime = Realtime::builder(routes).authenticate(Anonymous).build().unwrap();
    let mut client = Client::connect(&realtime, login("ada", "s", MINUTE)).await;
    // This test's own timer is the earlier of two that fire together, or the later: neither may count.
    tokio::time::sleep(MINUTE).await;
    client.send("SEND\ndestination:/app/note\n\n").await;
    let (error, status) = client.error_and_close().await;
    assert_eq!((header(&error, "code"), status), (Some("token-expired"), 4401));
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn rule_24_what_was_read_before_the_socket_broke_is_not_handled_after_the_end() {
    let log = Log::default();
    async fn take_long(State(log): State<Log>) {
        tokio::time::sleep(Duration::from_secs(6)).await;
        log.lock().unwrap().push("handled".to_owned());
    }
    let routes = Router::new().mount(Route::message("/app/long", take_long)).with_state(Arc::clone(&log));
    let realtime = Realtime::builder(routes).authenticate(Anonymous).authorize(rules()).build().unwrap();
    let mut client = Client::connect(&realtime, login("ada", "s", Duration::from_secs(10))).await;
    client.subscribe("0", "/topic/open/a").await;
    for _ in 0..3 {
        client.send("SEND\ndestination:/app/long\n\n").await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    // There is nobody to be written to any more.
    let ((), published) = tokio::join!(client.vanish(), realtime.broker().publish("/topic/open/a", &1));
    published.unwrap();
    assert_eq!(log.lock().unwrap().len(), 2, "the first one, and the second one, which had begun");
}

#[tokio::test(start_paused = true)]
async fn rule_24_a_refresh_keeps_the_session_and_its_subscriptions() {
    let realtime = realtime();
    let ada = TestClient::connect(&realtime, login("ada", "s", MINUTE * 5)).await;
    let news = ada.subscribe("/topic/open/news").await;
    let refreshed = realtime.refresh(&login("ada", "s", MINUTE * 30).with_name("Ada")).await.unwrap();
    assert_eq!((refreshed.sessions, refreshed.total()), (1, 1));
    assert_eq!(ada.session().unwrap().principal().to_string(), "Ada");
    tokio::time::sleep(MINUTE * 29).await;
    realtime.broker().publish("/topic/open/news", "still here").await.unwrap();
    news.expect_json("still here").await;
    tokio::time::sleep(MINUTE).await;
    ada.expect_closed("token-expired").await;
}

#[tokio::test(start_paused = true)]
async fn rule_24_a_refresh_is_for_the_same_user_and_login_alone() {
    let realtime = realtime();
    let ada = TestClient::connect(&realtime, login("ada", "s-1", MINUTE)).await;
    let elsewhere = TestClient::connect(&realtime, login("ada", "s-2", MINUTE)).await;
    let unnamed = TestClient::connect(&realtime, user("ada").with_expiry(after(MINUTE))).await;
    let bob = TestClient::connect(&realtime, login("bob", "s-1", MINUTE)).await;
    assert_eq!(realtime.refresh(&user("ada").with_expiry(after(MINUTE * 9))).await.unwrap().total(), 0);
    assert_eq!(realtime.refresh(&login("ada", "s-1", MINUTE * 9)).await.unwrap().total(), 1);
    tokio::time::sleep(MINUTE * 2).await;
    assert!(ada.is_open());
    for other in [elsewhere, unnamed, bob] {
        other.expect_closed("token-expired").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_shortens_nothing_and_wakes_nothing_that_has_ended() {
    let realtime = realtime();
    let ada = TestClient::connect(&realtime, login("ada", "s", MINUTE * 5)).await;
    let forever = TestClient::connect(&realtime, user("ada").with_login("s")).await;
    realtime.refresh(&login("ada", "s", MINUTE)).await.unwrap();
    tokio::time::sleep(MINUTE * 4).await;
    assert!(ada.is_open(), "it had five minutes");
    tokio::time::sleep(MINUTE * 2).await;
    ada.expect_closed("token-expired").await;
    assert_eq!(realtime.refresh(&login("ada", "s", MINUTE)).await.unwrap().total(), 0);
    tokio::time::sleep(MINUTE * 2).await;
    assert!(forever.is_open(), "it never ended");
}

#[tokio::test(start_paused = true)]
async fn a_token_from_before_brings_back_no_rights() {
    let realtime = realtime();
    let ada = TestClient::connect(&realtime, login("ada", "s", MINUTE)).await;
    let demoted = login("ada", "s", MINUTE * 3);
    assert_eq!(realtime.refresh(&demoted).await.unwrap().total(), 1);
    assert_eq!(realtime.refresh(&demoted).await.unwrap().total(), 0, "the same again");
    ada.send_text("/app/$refresh", "ada s 120 editor").await;
    assert!(!ada.session().unwrap().principal().has_role("editor"));
    ada.subscribe("/topic/editors/a").refused("forbidden").await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_taken_back_refreshes_nothing() {
    let realtime = realtime();
    let _ada = TestClient::connect(&realtime, login("ada", "s", MINUTE)).await;
    let fresh = login("ada", "s", MINUTE).with_roles(["taken-back"]);
    assert_eq!(realtime.refresh(&fresh).await, Err(AuthError::Invalid));
}

#[tokio::test(start_paused = true)]
async fn a_connection_before_connect_is_refreshed_too() {
    let realtime = realtime_with(Config::default().connect_timeout(MINUTE * 5));
    let mut client = Client::open(&realtime, login("ada", "s", MINUTE));
    tokio::task::yield_now().await;
    let refreshed = realtime.refresh(&login("ada", "s", MINUTE * 4)).await.unwrap();
    assert_eq!(refreshed.waiting, 1);
    tokio::time::sleep(MINUTE * 2).await;
    client.send("CONNECT\naccept-version:1.2\n\n").await;
    assert!(client.frame().await.starts_with("CONNECTED\n"));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_listens_is_told_once_and_again_after_a_refresh() {
    let realtime = realtime();
    let ada = TestClient::connect(&realtime, login("ada", "s", MINUTE * 5)).await;
    let notices = ada.subscribe("/user/queue/session").await;
    let other = TestClient::connect(&realtime, login("ada", "t", MINUTE * 60)).await;
    let elsewhere = other.subscribe("/user/queue/session").await;
    tokio::time::sleep(MINUTE * 4 - Duration::from_secs(1)).await;
    assert!(notices.messages().is_empty());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let told = notices.expect_message().await;
    assert_eq!((told.header("code"), told.header("expires-in")), (Some("token-expiring"), Some("60")));
    assert_eq!(told.text(), r#"{"code":"token-expiring","expires_in":60}"#);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(notices.messages().is_empty(), "once");
    realtime.refresh(&login("ada", "s", MINUTE * 5)).await.unwrap();
    tokio::time::sleep(MINUTE * 4 + Duration::from_secs(1)).await;
    assert_eq!(notices.expect_message().await.header("expires-in"), Some("60"));
    assert!(elsewhere.messages().is_empty(), "another session of the user");
}

#[tokio::test(start_paused = true)]
async fn who_begins_to_listen_late_is_told_what_is_left() {
    let realtime = realtime_with(Config::default().expiry_warning(MINUTE * 2));
    let ada = TestClient::connect(&realtime, login("ada", "s", MINUTE)).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let notices = ada.subscribe("/user/queue/session").await;
    assert_eq!(notices.expect_message().await.header("expires-in"), Some("40"));
    notices.assert_silent().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_lead_nobody_is_told() {
    let realtime = realtime_with(Config::default().expiry_warning(Duration::ZERO));
    let ada = TestClient::connect(&realtime, login("ada", "s", MINUTE)).await;
    let notices = ada.subscribe("/user/queue/session").await;
    tokio::time::sleep(MINUTE - Duration::from_millis(1)).await;
    assert!(notices.messages().is_empty());
    ada.expect_closed("token-expired").await;
}

/// All of an event stream, in the time that the test runs.
async fn events_of(realtime: &Realtime, destination: &str, who: Principal) -> tokio::task::JoinHandle<String> {
    let admission = realtime.admit(None).unwrap().for_event_stream(&who).unwrap();
    let (mut stream, running) = realtime.events(EventsRequest::new(destination), who, admission).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test's runtime ends them")]
    {
        tokio::spawn(running);
        tokio::spawn(async move {
            let mut text = String::new();
            while let Some(octets) = stream.next().await {
                text.push_str(std::str::from_utf8(&octets).unwrap());
            }
            text
        })
    }
}

#[tokio::test(start_paused = true)]
async fn rule_24_a_stream_is_told_refreshed_and_ended_like_a_session() {
    let realtime = realtime();
    let read = events_of(&realtime, "/topic/open/a", login("ada", "s", MINUTE * 5)).await;
    tokio::time::sleep(MINUTE * 4 + Duration::from_secs(30)).await;
    assert_eq!(realtime.refresh(&login("ada", "s", MINUTE * 5)).await.unwrap().event_streams, 1);
    tokio::time::sleep(MINUTE * 4).await;
    realtime.broker().publish("/topic/open/a", "in time").await.unwrap();
    tokio::time::sleep(MINUTE).await;
    realtime.broker().publish("/topic/open/a", "late").await.unwrap();
    let text = read.await.unwrap();
    let told = "event: parlor.expiring\ndata: {\"expires_in\":60}\n\n";
    assert_eq!(text.matches(told).count(), 2, "{text}");
    assert!(text.ends_with("event: parlor.closed\ndata: {\"code\":\"token-expired\"}\n\n"), "{text}");
    assert!(text.contains("in time") && !text.contains("late"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn rule_24_a_stream_whose_right_is_lost_ends_and_others_go_on() {
    let realtime = realtime();
    let editor = user("ada").with_roles(["editor"]);
    let lost = events_of(&realtime, "/topic/editors/a", editor.clone()).await;
    let kept = events_of(&realtime, "/topic/open/a", editor).await;
    let changed = realtime.registry().replace_principals(&"ada".parse().unwrap(), |old| old.with_roles([""; 0]));
    assert_eq!(changed.event_streams, 2);
    let text = lost.await.unwrap();
    assert!(text.ends_with("event: parlor.closed\ndata: {\"code\":\"forbidden\"}\n\n"), "{text}");
    assert!(!kept.is_finished());
}

fn demote(registry: &Registry, name: &str) {
    let changed = registry.replace_principals(&name.parse().unwrap(), |old| old.with_roles(["reader"]));
    assert_eq!(changed.sessions, 1);
}

/// Judged by a guard and by a handler.
fn rooms(open: &Arc<AtomicBool>, log: &Log) -> Realtime {
    async fn enter(Path(room): Path<u32>) -> Result<Reply<u32>, Rejection> {
        if room == 0 { Err(Rejection::new("no-such-room", "There is none.")) } else { Ok(Reply(room)) }
    }
    async fn is_open(State((open, _)): State<(Arc<AtomicBool>, Log)>) -> Result<(), Rejection> {
        if open.load(Ordering::SeqCst) { Ok(()) } else { Err(Rejection::new("room-closed", "The room has closed.")) }
    }
    async fn left(event: Unsubscribed, State((_, log)): State<(Arc<AtomicBool>, Log)>) {
        log.lock().unwrap().push(event.destination);
    }
    let routes = Router::new()
        .mount(Route::subscribe("/topic/rooms/{room}", enter).authorize(is_open))
        .mount(Route::subscribe("/topic/staff/{room}", enter).authorize(require_role("editor")))
        .mount(Route::subscribe("/topic/judged/{room}", enter))
        .on_unsubscribed(left)
        .with_state((Arc::clone(open), Arc::clone(log)));
    Realtime::builder(routes)
        .authenticate(Anonymous)
        .authorize(rules())
        .config(Config::default().pattern_subscriptions(true))
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn rule_24_a_changed_role_takes_away_what_rules_and_guards_refuse_and_says_so() {
    let (open, log) = (Arc::new(AtomicBool::new(true)), Log::default());
    let realtime = rooms(&open, &log);
    let ada = TestClient::connect(&realtime, user("ada").with_roles(["editor"])).await;
    let kept = ada.subscribe("/topic/open/a").await;
    let _own = ada.subscribe("/user/queue/own").await;
    let by_rule = ada.subscribe("/topic/editors/a").id("rule").await;
    let by_pattern = ada.subscribe("/topic/editors/*").id("pattern").await;
    let by_guard = ada.subscribe("/topic/staff/7").id("guard").await;
    let _by_handler = ada.subscribe("/topic/judged/7").await;
    by_guard.expect_json(7).await;
    let before = ada.session().unwrap().subscriptions().len();
    demote(realtime.registry(), "ada");
    for lost in ["rule", "pattern", "guard"] {
        let refusal = ada.expect_refusal("forbidden").await;
        assert_eq!(refusal.subscription.as_deref(), Some(lost));
    }
    assert_eq!(ada.session().unwrap().subscriptions().len(), before - 3);
    realtime.broker().publish("/topic/editors/a", "secret").await.unwrap();
    realtime.broker().publish("/topic/staff/7", "secret").await.unwrap();
    realtime.broker().publish("/topic/open/a", "open").await.unwrap();
    kept.expect_json("open").await;
    assert!(by_rule.messages().is_empty() && by_pattern.messages().is_empty() && by_guard.messages().is_empty());
    assert_eq!(*log.lock().unwrap(), ["/topic/editors/a", "/topic/editors/*", "/topic/staff/7"]);
    // UNSUBSCRIBE of what was taken away is a no-op (rule 11), and the id is free again.
    by_rule.unsubscribe().await;
    ada.subscribe("/topic/open/b").id("rule").await;
    assert_eq!(log.lock().unwrap().len(), 3, "told once");
}

#[tokio::test(start_paused = true)]
async fn rule_24_a_guard_that_looks_elsewhere_is_asked_again_and_refuses_in_its_own_words() {
    let (open, log) = (Arc::new(AtomicBool::new(true)), Log::default());
    let realtime = rooms(&open, &log);
    let ada = TestClient::connect(&realtime, "ada").await;
    let room = ada.subscribe("/topic/rooms/7").await;
    let same = |old: Principal| old;
    realtime.registry().replace_principals(&"ada".parse().unwrap(), same);
    ada.sync().await;
    assert!(ada.refusals().is_empty(), "nothing has changed");
    open.store(false, Ordering::SeqCst);
    realtime.registry().replace_principals(&"ada".parse().unwrap(), same);
    let refusal = ada.expect_refusal("room-closed").await;
    assert_eq!(refusal.destination, "/topic/rooms/7");
    assert_eq!(refusal.subscription.as_deref(), Some(room.id()));
}

#[tokio::test(start_paused = true)]
async fn rule_11_the_loss_of_a_subscription_is_not_passed_over_where_nobody_listens() {
    let realtime = realtime();
    let mut client = Client::connect(&realtime, user("ada").with_roles(["editor"])).await;
    client.subscribe("0", "/topic/editors/a").await;
    demote(realtime.registry(), "ada");
    let (error, status) = client.error_and_close().await;
    assert_eq!((header(&error, "code"), status), (Some("forbidden"), 1008));
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_subscription_had_in_flight_may_still_be_acknowledged() {
    let realtime = realtime();
    let mut client = Client::connect(&realtime, user("ada").with_roles(["editor"])).await;
    client.subscribe("e", "/user/queue/errors").await;
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/editors/a\nack:client-individual\nreceipt:r\n\n").await;
    client.receipt("r").await;
    realtime.broker().publish("/topic/editors/a", "x").await.unwrap();
    let message = client.frame().await;
    let ack = header(&message, "ack").unwrap().to_owned();
    client.send("BEGIN\ntransaction:t\n\n").await;
    client.send(&format!("ACK\nid:{ack}\ntransaction:t\n\n")).await;
    demote(realtime.registry(), "ada");
    assert_eq!(header(&client.frame().await, "refused-subscription"), Some("0"));
    client.send("COMMIT\ntransaction:t\nreceipt:c\n\n").await;
    client.receipt("c").await;
    assert_silent(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn rights_that_change_while_a_frame_is_answered_count_for_what_it_subscribed() {
    async fn slow(broker: Broker) {
        tokio::time::sleep(Duration::from_secs(2)).await;
        broker.publish("/topic/open/done", "done").await.unwrap();
    }
    let routes = Router::new().mount(Route::message("/app/slow", slow)).with_state(());
    let realtime = Realtime::builder(routes).authenticate(Anonymous).authorize(rules()).build().unwrap();
    let ada = TestClient::connect(&realtime, user("ada").with_roles(["editor"])).await;
    ada.send("/app/slow", "x").unconfirmed();
    let late = ada.subscribe("/topic/editors/a").unconfirmed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    demote(realtime.registry(), "ada");
    let refusal = ada.expect_refusal("forbidden").await;
    assert_eq!(refusal.subscription, None, "it was refused, not taken away");
    assert!(late.messages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_bearer_client_goes_on_with_a_new_token_in_band() {
    let realtime = realtime();
    let ada = TestClient::connect(&realtime, login("ada", "s", MINUTE)).await;
    let second = TestClient::connect(&realtime, login("ada", "s", MINUTE)).await;
    ada.send_text("/app/$refresh", "ada s 600 editor").await;
    assert!(ada.session().unwrap().principal().has_role("editor"));
    ada.subscribe("/topic/editors/a").await;
    tokio::time::sleep(MINUTE * 9).await;
    assert!(ada.is_open() && second.is_open(), "all of the login");
}

#[tokio::test(start_paused = true)]
async fn without_a_login_a_new_token_in_band_is_for_its_session_alone() {
    let realtime = realtime();
    let ada = TestClient::connect(&realtime, user("ada").with_expiry(after(MINUTE))).await;
    let second = TestClient::connect(&realtime, user("ada").with_expiry(after(MINUTE))).await;
    ada.send_text("/app/$refresh", "ada - 600").await;
    tokio::time::sleep(MINUTE * 2).await;
    assert!(ada.is_open());
    second.expect_closed("token-expired").await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_the_sessions_own_is_refused_and_the_session_lives_until_its_end() {
    let realtime = realtime();
    let ada = TestClient::connect(&realtime, login("ada", "s", MINUTE)).await;
    let refused = [
        ("bob s 600", "wrong-user"),
        ("ada t 600", "wrong-login"),
        ("ada - 600", "wrong-login"),
        ("nonsense", "invalid-credentials"),
        ("ada s 600 taken-back", "invalid-credentials"),
    ];
    for (token, code) in refused {
        ada.send_text("/app/$refresh", token).refused(code).await;
    }
    tokio::time::sleep(MINUTE).await;
    ada.expect_closed("token-expired").await;
}

#[tokio::test(start_paused = true)]
async fn refreshes_are_bounded_at_the_rate_and_not_one_beyond() {
    let rates = RateLimits::default().refreshes(Rate::per_minute(2).burst(2));
    let realtime = realtime_with(Config::default().rates(rates));
    let ada = TestClient::connect(&realtime, login("ada", "s", MINUTE * 5)).await;
    ada.send_text("/app/$refresh", "nonsense").refused("invalid-credentials").await;
    ada.send_text("/app/$refresh", "ada s 600").await;
    let refusal = ada.send_text("/app/$refresh", "ada s 600").refused("rate-limited").await;
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(30)));
    tokio::time::sleep(Duration::from_secs(30)).await;
    ada.send_text("/app/$refresh", "ada s 600").await;
}

#[tokio::test(start_paused = true)]
async fn an_authenticator_that_takes_no_bearer_tokens_refreshes_none() {
    let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build().unwrap();
    let ada = TestClient::connect(&realtime, login("ada", "s", MINUTE)).await;
    ada.send_text("/app/$refresh", "ada s 600").refused("forbidden").await;
}

#[tokio::test(start_paused = true)]
async fn a_user_is_told_to_end_earlier_only_where_the_application_says_so() {
    let realtime = realtime();
    let ada = TestClient::connect(&realtime, login("ada", "s", MINUTE * 60)).await;
    let registry = realtime.registry();
    registry.replace_principals(&"ada".parse().unwrap(), |old| old.with_expiry(after(MINUTE)).with_login("other"));
    assert_eq!(ada.session().unwrap().principal().login(), Some("s"), "nobody changes whose it is");
    tokio::time::sleep(MINUTE).await;
    ada.expect_closed("token-expired").await;
}
