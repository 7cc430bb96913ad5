//! Who is in the room, on the terminal and without a network: `cargo run --example presence`.
//!
//! Ada has two tabs, reloads one, takes a break, and leaves. One person joined, one person left.

#![expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]

use std::time::Duration;

use parlor::{
    BuildError, Realtime,
    app::{Rejection, Route, Router, Rules},
    auth::{Anonymous, Principal},
    broker::{Broker, PublishError},
    extract::{FromRef, Path, Payload, State},
    presence::{Joined, Left, Presence, PresenceError, Rooms},
    testing::{TestClient, TestClock, TestSubscription},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Studying,
    Break,
    Away,
    Offline,
}

#[derive(Clone)]
struct App {
    presence: Presence<Status>,
}

impl FromRef<App> for Presence<Status> {
    fn from_ref(app: &App) -> Self {
        app.presence.clone()
    }
}

/// Once a person, however many tabs.
async fn joined(_: Joined, user: Principal, Path(room): Path<u32>, broker: Broker) -> Result<(), PublishError> {
    broker.publish(format!("/topic/rooms/{room}/chat"), &format!("{user} joined.")).await?;
    Ok(())
}

/// Once the last tab has been gone for ten seconds.
async fn left(_: Left, user: Principal, Path(room): Path<u32>, broker: Broker) -> Result<(), PublishError> {
    broker.publish(format!("/topic/rooms/{room}/chat"), &format!("{user} left.")).await?;
    Ok(())
}

/// SEND to /app/status: in every room that the user is in, until the user leaves.
async fn status(
    user: Principal,
    State(presence): State<Presence<Status>>,
    Payload(status): Payload<Status>,
) -> Result<(), Rejection> {
    presence.update_everywhere(user.id().ok_or(PresenceError::Anonymous)?, &status)?;
    Ok(())
}

fn endpoint() -> Result<Realtime, BuildError> {
    // Demonstrations begin at once; a server leaves a moment for everyone to come back after a restart.
    let rooms = Rooms::at("/topic/rooms/{room}/chat").settling(Duration::ZERO);
    let presence = Presence::at("/topic/rooms/{room}/presence", Status::Studying)
        .of("/topic/rooms/{room}/chat")
        .leaving(Status::Offline);
    let routes = Router::new()
        .mount(rooms.on_joined(joined))
        .mount(rooms.on_left(left))
        .mount(presence.clone())
        .mount(Route::message("/app/status", status))
        .with_state(App { presence });
    let rules = Rules::deny_all().allow_subscribe("/topic/rooms/{room}/**");
    Realtime::builder(routes).authenticate(Anonymous).authorize(rules).build()
}

fn show(what: &str, subscription: &TestSubscription) {
    println!("{what}");
    for message in subscription.messages() {
        println!("    {}", message.text());
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), BuildError> {
    let realtime = endpoint()?;
    let mut clock = TestClock::pause();
    let bob = TestClient::connect(&realtime, "bob").await;
    let (chat, presence) = (bob.subscribe("/topic/rooms/7/chat").await, bob.subscribe("/topic/rooms/7/presence").await);

    let tab = TestClient::connect(&realtime, "ada").await;
    tab.subscribe("/topic/rooms/7/chat").await;
    let second = TestClient::connect(&realtime, "ada").await;
    second.subscribe("/topic/rooms/7/chat").await;
    tab.close(1001).await;
    clock.advance(Duration::from_secs(1)).await;
    show("Bob is in the room. Ada opens two tabs and closes one:", &chat);
    show("What a page shows of it:", &presence);

    second.send("/app/status", &Status::Break).await;
    clock.advance(Duration::from_secs(1)).await;
    show("Ada takes a break:", &presence);

    second.abort().await;
    clock.advance(Duration::from_secs(9)).await;
    let back = TestClient::connect(&realtime, "ada").await;
    back.subscribe("/topic/rooms/7/chat").await;
    clock.advance(Duration::from_secs(60)).await;
    show("Ada loses the connection, and is back after nine seconds. Nobody notices:", &presence);

    back.disconnect().await;
    clock.advance(Duration::from_secs(11)).await;
    show("Ada leaves:", &chat);
    show("What a page shows of it:", &presence);
    Ok(())
}
