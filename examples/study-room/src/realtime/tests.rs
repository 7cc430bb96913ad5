//! Every handler through Parlor's test kit: no socket, a database in memory, and time only where a test moves it.

use std::time::Duration;

use http::Request;
use parlor::{
    auth::Principal,
    testing::{ConnectError, TestClient, TestClock, TestSubscription},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    accounts::{EndedLogins, Tokens},
    store::{self, Account, NewAccount, NewRoom},
};

mod direct;
mod notifications;
mod presence;
mod timer;
mod typing;

const GRACE: Duration = Duration::from_secs(10);
const SETTLING: Duration = Duration::from_secs(10);
const ORIGIN: &str = "https://study.example";

/// A study room with the rooms `algebra` and `botany`.
struct StudyRoom {
    realtime: Realtime,
    store: Arc<dyn Store>,
    tokens: Tokens,
    presence: PresenceService,
}

impl StudyRoom {
    /// As after every start, nobody is announced for a while.
    async fn open() -> Self {
        Self::open_on(Self::rooms().await, SETTLING).await
    }

    /// The same, where that while is over.
    async fn open_at_once() -> Self {
        Self::open_on(Self::rooms().await, Duration::ZERO).await
    }

    async fn rooms() -> Arc<dyn Store> {
        let store = store::open(&"sqlite::memory:".parse().unwrap()).await.unwrap();
        for id in ["algebra", "botany"] {
            let room = NewRoom {
                id: id.to_owned(),
                name: id.to_uppercase(),
                subject: String::new(),
                created_by: "Ada".to_owned(),
                created_at: 1,
            };
            store.create_room(room).await.unwrap();
        }
        store
    }

    async fn open_on(store: Arc<dyn Store>, settling: Duration) -> Self {
        let ended = EndedLogins::load(Arc::clone(&store)).await.unwrap();
        let tokens = Tokens::new(b"only for tests, thirty-two octets", true, &ended).unwrap();
        let origins = OriginPolicy::new([ORIGIN]).unwrap();
        let presence = PresenceService::new(GRACE, settling);
        let realtime =
            endpoint(Arc::clone(&store), presence.clone(), tokens.verifier(), origins, Config::default()).unwrap();
        Self { realtime, store, tokens, presence }
    }

    /// What comes after a restart: everything but the database is new.
    async fn restarted(self) -> Self {
        Self::open_on(self.store, SETTLING).await
    }

    async fn account(&self, name: &str) -> Account {
        let account =
            NewAccount { id: format!("id-{name}"), name: name.to_owned(), password_hash: String::new(), created_at: 1 };
        self.store.create_account(account).await.unwrap().unwrap()
    }

    /// A new account's client.
    async fn client(&self, name: &str) -> TestClient {
        self.account(name).await;
        self.returning(name).await
    }

    /// The client of an account that is there already.
    async fn returning(&self, name: &str) -> TestClient {
        let user = Principal::user(format!("id-{name}").parse().unwrap());
        TestClient::connect(&self.realtime, user.with_name(name)).await
    }
}

/// Says something in `algebra`, and waits until it is kept.
async fn say(client: &TestClient, text: &str, key: &str) {
    client.send("/app/rooms/algebra/chat", &json!({ "text": text, "key": key })).await;
}

/// Enters `algebra`; the texts of the history, and the room.
async fn enter(client: &TestClient) -> (Vec<String>, TestSubscription) {
    let room = client.subscribe("/topic/rooms/algebra/chat").await;
    let history: Value = room.expect().await;
    assert_eq!(history["type"], "history");
    let texts =
        history["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap().to_owned());
    (texts.collect(), room)
}

/// Goes on in `algebra` from a position, with whatever comes.
async fn resume(client: &TestClient, position: &str) -> TestSubscription {
    client.subscribe("/topic/rooms/algebra/chat").header("resume-from", position).await
}

/// What the next message says of itself: `recovered`, its position and its text.
async fn heard(room: &TestSubscription) -> (Option<String>, String, String) {
    let message = room.expect_message().await;
    let text = message.json::<Value>()["message"]["text"].as_str().expect("a live message").to_owned();
    (message.header("recovered").map(str::to_owned), message.header("position").expect("one").to_owned(), text)
}

/// The next live message.
async fn said(room: &TestSubscription) -> Value {
    let live: Value = room.expect().await;
    assert_eq!(live["type"], "message");
    live["message"].clone()
}

#[tokio::test]
async fn what_is_said_is_heard_once_by_everyone_in_the_room_and_by_nobody_else() {
    let study = StudyRoom::open().await;
    let (ada, bob, cy) = (study.client("Ada").await, study.client("Bob").await, study.client("Cy").await);
    let ((_, at_ada), (_, at_bob)) = (enter(&ada).await, enter(&bob).await);
    let elsewhere = cy.subscribe("/topic/rooms/botany/chat").await;
    elsewhere.expect_json(json!({ "type": "history", "messages": [], "more": false })).await;
    say(&ada, "hello", "k1").await;
    let message = said(&at_bob).await;
    assert_eq!((&message["author"], &message["text"], &message["key"]), (&json!("Ada"), &json!("hello"), &json!("k1")));
    assert_eq!(said(&at_ada).await, message, "the author hears it too");
    for silent in [&at_ada, &at_bob, &elsewhere] {
        silent.assert_silent().await;
    }
}

#[tokio::test]
async fn whoever_enters_reads_the_newest_fifty_messages_and_then_what_follows() {
    let study = StudyRoom::open().await;
    let ada = study.client("Ada").await;
    for number in 0..60 {
        say(&ada, &number.to_string(), &format!("k{number}")).await;
    }
    let (texts, room) = enter(&study.client("Bob").await).await;
    assert_eq!(texts, (10..60).map(|number| number.to_string()).collect::<Vec<_>>());
    say(&ada, "live", "live").await;
    assert_eq!(said(&room).await["text"], "live");
}

#[tokio::test]
async fn a_receipt_means_that_the_message_is_kept() {
    let study = StudyRoom::open().await;
    let ada = study.client("Ada").await;
    say(&ada, "kept", "k1").await;
    ada.abort().await;
    assert_eq!(study.store.messages("algebra", None, 10).await.unwrap().messages[0].text, "kept");
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_kept_once_and_has_one_id() {
    let study = StudyRoom::open().await;
    let ada = study.client("Ada").await;
    let (_, room) = enter(&ada).await;
    say(&ada, "once", "same").await;
    say(&ada, "once", "same").await;
    assert_eq!(said(&room).await["id"], said(&room).await["id"]);
    assert_eq!(study.store.messages("algebra", None, 10).await.unwrap().messages.len(), 1);
}

#[tokio::test]
async fn rule_14_whoever_resumes_hears_what_was_missed_once_and_no_history() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    let (_, room) = enter(&ada).await;
    say(&bob, "heard", "k1").await;
    let (_, position, _) = heard(&room).await;
    ada.abort().await;
    for (text, key) in [("missed", "k2"), ("missed too", "k3")] {
        say(&bob, text, key).await;
    }
    let ada = study.returning("Ada").await;
    let room = resume(&ada, &position).await;
    say(&bob, "live", "k4").await;
    let (recovered, _, text) = heard(&room).await;
    assert_eq!((recovered.as_deref(), text.as_str()), (Some("true"), "missed"));
    for expected in ["missed too", "live"] {
        assert_eq!(heard(&room).await.2, expected);
    }
    room.assert_silent().await;
}

#[tokio::test]
async fn rule_14_a_page_that_was_away_for_five_hundred_messages_misses_none() {
    let study = StudyRoom::open().await;
    let (ada, bob) = (study.client("Ada").await, study.client("Bob").await);
    let (_, room) = enter(&ada).await;
    say(&bob, "heard", "k").await;
    let (_, position, _) = heard(&room).await;
    ada.abort().await;
    // Past the database, whose messages are as many as it likes.
    for number in 0..KEPT.messages() {
        study.realtime.broker().publish("/topic/rooms/algebra/chat", &numbered(number)).await.unwrap();
    }
    let room = resume(&study.returning("Ada").await, &position).await;
    for number in 0..KEPT.messages() {
        assert_eq!(heard(&room).await.2, number.to_string());
    }
    study.realtime.broker().publish("/topic/rooms/algebra/chat", &numbered(500)).await.unwrap();
    let late = resume(&study.returning("Ada").await, &position).await;
    study.realtime.broker().publish("/topic/rooms/algebra/chat", &numbered(501)).await.unwrap();
    let (recovered, _, text) = heard(&late).await;
    assert_eq!((recovered.as_deref(), text.as_str()), (Some("false"), "501"), "one more is a hole, and is told");
}

fn numbered(number: usize) -> Value {
    json!({ "type": "message", "message": { "text": number.to_string() } })
}

#[tokio::test]
async fn rule_15_after_a_restart_the_place_is_lost_and_the_history_has_it_all() {
    let study = StudyRoom::open().await;
    let bob = study.client("Bob").await;
    let (_, room) = enter(&bob).await;
    say(&bob, "before", "k1").await;
    let (_, position, _) = heard(&room).await;
    let study = study.restarted().await;
    let bob = study.returning("Bob").await;
    let room = resume(&bob, &position).await;
    say(&bob, "after", "k2").await;
    let (recovered, _, text) = heard(&room).await;
    assert_eq!((recovered.as_deref(), text.as_str()), (Some("false"), "after"));
    let (texts, anew) = enter(&bob).await;
    assert_eq!(texts, ["before", "after"]);
    anew.assert_silent().await;
}

#[tokio::test]
async fn nobody_resumes_where_no_room_is() {
    let study = StudyRoom::open().await;
    let ada = study.client("Ada").await;
    ada.subscribe("/topic/rooms/none/chat").header("resume-from", "x").refused("room-not-found").await;
}

#[tokio::test]
async fn a_message_that_is_sent_again_after_a_restart_is_kept_once() {
    let study = StudyRoom::open().await;
    let ada = study.client("Ada").await;
    let draft = json!({ "text": "once", "key": "same" });
    ada.send("/app/rooms/algebra/chat", &draft).header("message-key", "same").await;
    let study = study.restarted().await;
    let ada = study.returning("Ada").await;
    let (texts, room) = enter(&ada).await;
    assert_eq!(texts, ["once"]);
    ada.send("/app/rooms/algebra/chat", &draft).header("message-key", "same").await;
    let again = said(&room).await;
    let kept = study.store.messages("algebra", None, 10).await.unwrap().messages;
    assert_eq!(kept.iter().map(|message| message.id).collect::<Vec<_>>(), [again["id"].as_i64().unwrap()]);
}

#[tokio::test]
async fn what_cannot_be_said_is_refused_with_its_reason_and_nobody_hears_it() {
    let study = StudyRoom::open().await;
    let ada = study.client("Ada").await;
    let (_, room) = enter(&ada).await;
    say(&ada, "first", "used").await;
    said(&room).await;
    let long = "x".repeat(4001);
    for (to, text, key, code) in [
        ("algebra", "", "k1", "bad-text"),
        ("algebra", " \n", "k2", "bad-text"),
        ("algebra", &long, "k3", "bad-text"),
        ("algebra", "fine", "not a key", "bad-key"),
        ("algebra", "fine", "", "bad-key"),
        ("none", "fine", "k5", "room-not-found"),
        ("botany", "moved", "used", "key-used"),
    ] {
        let draft = json!({ "text": text, "key": key });
        ada.send(&format!("/app/rooms/{to}/chat"), &draft).refused(code).await;
    }
    ada.send("/app/rooms/algebra/chat", &json!({ "text": 7 })).refused("invalid-payload").await;
    room.assert_silent().await;
    say(&ada, &long[1..], "k6").await;
}

#[tokio::test]
async fn nobody_speaks_without_a_name_or_past_the_handler_or_listens_where_no_room_is() {
    let study = StudyRoom::open().await;
    let (nobody, ada) = (TestClient::anonymous(&study.realtime).await, study.client("Ada").await);
    let draft = json!({ "text": "hello", "key": "k1" });
    nobody.send("/app/rooms/algebra/chat", &draft).refused("not-logged-in").await;
    ada.send("/topic/rooms/algebra/chat", &draft).refused("forbidden").await;
    ada.subscribe("/topic/rooms/none/chat").refused("room-not-found").await;
    ada.subscribe("/topic/anything").refused("forbidden").await;
}

#[tokio::test]
async fn a_login_opens_a_session_from_our_pages_and_ends_it_after_twelve_hours() {
    let study = StudyRoom::open().await;
    let cookie = study.tokens.log_in(&study.account("Ada").await).unwrap().cookie;
    let request = |cookie: &str, origin| {
        let cookie = cookie.split(';').next().unwrap_or_default();
        Request::get("/ws").header("cookie", cookie).header("origin", origin).body(()).unwrap()
    };
    let connect = |request| TestClient::anonymous(&study.realtime).request(request).try_connect();
    let elsewhere = connect(request(&cookie, "https://evil.example")).await;
    assert!(matches!(elsewhere, Err(ConnectError::Origin(_))), "{elsewhere:?}");
    let forged = connect(request(&cookie.replacen('.', ".x", 1), ORIGIN)).await;
    assert!(matches!(forged, Err(ConnectError::Authentication(_))), "{forged:?}");

    let mut clock = TestClock::hold();
    let ada = connect(request(&cookie, ORIGIN)).await.unwrap();
    let (_, room) = enter(&ada).await;
    say(&ada, "hello", "k1").await;
    assert_eq!(said(&room).await["author"], "Ada");
    clock.advance(Duration::from_secs(12 * 3600 - 60)).await;
    say(&ada, "still here", "k2").await;
    clock.advance(Duration::from_secs(60)).await;
    ada.expect_closed("token-expired").await;
    assert_eq!(study.realtime.registry().session_count(), 0);
}

/// Every route stands here: whoever adds one says with it who may use it.
#[tokio::test]
async fn who_may_send_and_subscribe_where_is_written_down() {
    let room = StudyRoom::open().await;
    let table: Vec<String> =
        room.realtime.permissions().iter().map(|row| format!("{} {} - {}", row.action, row.pattern, row.who)).collect();
    assert_eq!(
        table,
        [
            "SEND /app/direct/{user} - everyone, by its handler",
            "SEND /app/direct/{user}/read - everyone, by its handler",
            "SEND /app/notifications/acknowledge - everyone, by its handler",
            "SEND /app/notifications/unread - everyone, by its handler",
            "SEND /app/rooms/{room}/chat - everyone, by its handler",
            "SEND /app/rooms/{room}/timer - if study_room::membership::in_the_room",
            "SEND /app/rooms/{room}/typing - if study_room::membership::in_the_room",
            "SEND /app/status - everyone, by its handler",
            "SEND anything else - nobody",
            "SUBSCRIBE /app/direct - everyone, by its handler",
            "SUBSCRIBE /app/direct/{user} - everyone, by its handler",
            "SUBSCRIBE /topic/lobby/occupancy - everyone, by its handler",
            "SUBSCRIBE /topic/lobby/timers - everyone, by its handler",
            "SUBSCRIBE /topic/rooms/{room}/chat - everyone, by its handler",
            "SUBSCRIBE /topic/rooms/{room}/presence - if study_room::membership::room_exists",
            "SUBSCRIBE /topic/rooms/{room}/timer - if study_room::membership::room_exists",
            "SUBSCRIBE /topic/rooms/{room}/typing - if study_room::membership::room_exists",
            "SUBSCRIBE /user/** - everyone, their own",
            "SUBSCRIBE anything else - nobody",
        ]
    );
}
