//! Handlers by attribute, mounted and called over a real endpoint: they do what their one line by hand does.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail")]

#[path = "../realtime-core/tests/support/mod.rs"]
mod support;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use parlor::{
    Realtime,
    app::{Connected, Disconnected, Rejection, Router, Rules, Subscribed, Unsubscribed},
    auth::{Anonymous, Principal},
    error_handler,
    extract::{FromRef, Path, Payload, Reply, SendToUser, State},
    on_connected, on_disconnected, on_subscribed, on_unsubscribed, routes, stomp_handler, subscribe_handler,
};
use support::{Client, assert_silent, body, header, user};
use tokio::sync::Barrier;

/// The members of rooms, a part of the state.
#[derive(Clone, Default)]
struct Members(Arc<HashSet<(u64, String)>>);

/// What listeners heard, another part.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

#[derive(Clone)]
struct App {
    members: Members,
    heard: Heard,
    /// Where two messages that are handled at the same time meet.
    meeting: Arc<Barrier>,
}

impl FromRef<App> for Members {
    fn from_ref(app: &App) -> Self {
        app.members.clone()
    }
}

impl FromRef<App> for Heard {
    fn from_ref(app: &App) -> Self {
        app.heard.clone()
    }
}

impl Heard {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }
}

#[derive(Debug, PartialEq, Eq)]
enum ChatError {
    Empty,
}

impl From<ChatError> for Rejection {
    fn from(_: ChatError) -> Self {
        Self::new("empty", "Write something first.")
    }
}

async fn is_member(Path(room): Path<u64>, user: Principal, State(members): State<Members>) -> bool {
    members.0.contains(&(room, user.to_string()))
}

#[stomp_handler("/app/rooms/{room}/chat", authorize = is_member, state = App)]
#[send_to("/topic/rooms/{room}/chat")]
async fn chat(
    Path(room): Path<u64>,
    author: Principal,
    Payload(text): Payload<String>,
) -> Result<Payload<String>, ChatError> {
    if text.is_empty() {
        return Err(ChatError::Empty);
    }
    Ok(Payload(format!("{author} in {room}: {text}")))
}

#[subscribe_handler("/topic/rooms/{room}/presence")]
async fn enter(Path(room): Path<u64>, State(Members(members)): State<Members>) -> Result<Reply<usize>, Rejection> {
    match members.iter().filter(|(known, _)| *known == room).count() {
        0 => Err(Rejection::new("no-such-room", "There is no such room.")),
        count => Ok(Reply(count)),
    }
}

// Above the handler's attribute it works as well.
#[parlor::send_to_user("/queue/sums")]
#[stomp_handler("/app/sum")]
async fn sum(Payload((a, b)): Payload<(i64, i64)>) -> Payload<i64> {
    Payload(a + b)
}

#[stomp_handler("/app/limited", rate = "2/h", max_size = "8 B")]
async fn limited() {}

#[stomp_handler("/app/meet", concurrent = 2, state = App)]
async fn meet(State(app): State<App>) {
    app.meeting.wait().await;
}

#[error_handler]
async fn told(error: ChatError, Path(room): Path<u64>, author: Principal) -> (Rejection, SendToUser<String>) {
    let told = Rejection::new("empty-message", format!("{author}, write something first."));
    (told, SendToUser::new("/queue/faults", format!("{error:?} in {room}")))
}

/// Handlers of another module, as its neighbours see them.
mod lifecycle {
    use super::*;

    #[on_connected]
    pub(crate) async fn came(Connected { first_session, .. }: Connected, user: Principal, State(heard): State<Heard>) {
        heard.note(format!("{user} came, first: {first_session}"));
    }

    pub(super) mod subscriptions {
        use super::*;

        #[on_subscribed]
        pub(crate) async fn entered(event: Subscribed, State(heard): State<Heard>) {
            heard.note(format!("entered {}", event.destination));
        }

        #[on_unsubscribed]
        pub(in crate::lifecycle) async fn went(event: Unsubscribed, State(heard): State<Heard>) {
            heard.note(format!("went from {}", event.destination));
        }
    }

    #[on_disconnected]
    pub(super) async fn left(Disconnected { last_session, .. }: Disconnected, State(heard): State<Heard>) {
        heard.note(format!("left, last: {last_session}"));
    }

    pub(super) fn all() -> impl parlor::app::Mount<App> {
        routes![came, subscriptions::entered, subscriptions::went, left]
    }
}

fn endpoint() -> (Realtime, Heard) {
    let heard = Heard::default();
    let members = [(7, "ada".to_owned()), (7, "bob".to_owned())].into();
    let app = App { members: Members(Arc::new(members)), heard: heard.clone(), meeting: Arc::new(Barrier::new(2)) };
    let routes = Router::new()
        .mount(chat::route())
        .mount(routes![enter, sum, limited, meet, told])
        .mount(lifecycle::all())
        .with_state(app);
    let rules = Rules::deny_all().allow_subscribe("/topic/rooms/{room}/chat");
    (Realtime::builder(routes).authenticate(Anonymous).authorize(rules).build().unwrap(), heard)
}

#[tokio::test(start_paused = true)]
async fn an_answer_goes_where_the_attribute_says() {
    let (realtime, _) = endpoint();
    let mut bob = Client::connect(&realtime, user("bob")).await;
    bob.subscribe("1", "/topic/rooms/7/chat").await;
    let mut ada = Client::connect(&realtime, user("ada")).await;
    ada.send("SEND\ndestination:/app/rooms/7/chat\nreceipt:r\n\n\"hello\"").await;
    ada.receipt("r").await;
    assert_eq!(body(&bob.frame().await), "\"ada in 7: hello\"");
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_the_user_reaches_that_user_alone() {
    let (realtime, _) = endpoint();
    let (mut ada, mut bob) =
        (Client::connect(&realtime, user("ada")).await, Client::connect(&realtime, user("bob")).await);
    ada.subscribe("1", "/user/queue/sums").await;
    bob.subscribe("1", "/user/queue/sums").await;
    ada.send("SEND\ndestination:/app/sum\n\n[40,2]").await;
    assert_eq!(body(&ada.frame().await), "42");
    assert_silent(&mut bob).await;
}

#[tokio::test(start_paused = true)]
async fn a_subscribe_handler_replies_or_refuses() {
    let (realtime, _) = endpoint();
    let mut ada = Client::connect(&realtime, user("ada")).await;
    ada.send("SUBSCRIBE\nid:1\ndestination:/topic/rooms/7/presence\n\n").await;
    assert_eq!(body(&ada.frame().await), "2");
    ada.subscribe("errors", "/user/queue/errors").await;
    ada.send("SUBSCRIBE\nid:2\ndestination:/topic/rooms/8/presence\nreceipt:r\n\n").await;
    assert_eq!(header(&ada.frame().await, "code"), Some("no-such-room"));
}

#[tokio::test(start_paused = true)]
async fn a_guard_a_size_and_a_rate_hold() {
    let (realtime, _) = endpoint();
    let mut eve = Client::connect(&realtime, user("eve")).await;
    eve.subscribe("errors", "/user/queue/errors").await;
    eve.send("SEND\ndestination:/app/rooms/7/chat\nreceipt:r\n\n\"hello\"").await;
    assert_eq!(header(&eve.frame().await, "code"), Some("forbidden"));
    eve.send("SEND\ndestination:/app/limited\nreceipt:r\n\n123456789").await;
    assert_eq!(header(&eve.frame().await, "code"), Some("payload-too-large"));
    for receipt in ["a", "b"] {
        eve.send(&format!("SEND\ndestination:/app/limited\nreceipt:{receipt}\n\n12345678")).await;
        eve.receipt(receipt).await;
    }
    eve.send("SEND\ndestination:/app/limited\nreceipt:r\n\n12345678").await;
    assert_eq!(header(&eve.frame().await, "code"), Some("rate-limited"));
}

#[tokio::test(start_paused = true)]
async fn concurrent_messages_of_a_session_are_handled_at_the_same_time() {
    let (realtime, _) = endpoint();
    let mut ada = Client::connect(&realtime, user("ada")).await;
    ada.send("SEND\ndestination:/app/meet\nreceipt:a\n\n").await;
    ada.send("SEND\ndestination:/app/meet\nreceipt:b\n\n").await;
    let receipts = [ada.frame().await, ada.frame().await];
    assert!(["a", "b"].iter().all(|id| receipts.iter().any(|frame| header(frame, "receipt-id") == Some(id))));
}

#[tokio::test(start_paused = true)]
async fn an_error_handler_says_what_the_client_is_told() {
    let (realtime, _) = endpoint();
    let mut ada = Client::connect(&realtime, user("ada")).await;
    ada.subscribe("errors", "/user/queue/errors").await;
    ada.subscribe("faults", "/user/queue/faults").await;
    ada.send("SEND\ndestination:/app/rooms/7/chat\nreceipt:r\n\n\"\"").await;
    let frames = [ada.frame().await, ada.frame().await];
    assert!(frames.iter().any(|frame| header(frame, "code") == Some("empty-message")), "{frames:?}");
    assert!(frames.iter().any(|frame| body(frame) == "\"Empty in 7\""), "{frames:?}");
}

#[tokio::test(start_paused = true)]
async fn listeners_hear_of_a_sessions_life_in_order() {
    let (realtime, heard) = endpoint();
    let mut ada = Client::connect(&realtime, user("ada")).await;
    ada.subscribe("1", "/topic/rooms/7/chat").await;
    ada.send("UNSUBSCRIBE\nid:1\nreceipt:u\n\n").await;
    ada.receipt("u").await;
    ada.vanish().await;
    let expected =
        ["ada came, first: true", "entered /topic/rooms/7/chat", "went from /topic/rooms/7/chat", "left, last: true"];
    assert_eq!(*heard.0.lock().unwrap(), expected);
}

#[tokio::test]
async fn the_function_is_still_a_function() {
    assert_eq!(sum(Payload((1, 2))).await, Payload(3));
}
