//! The test kit, tested: that it does what it says, and above all that each check fails when it should.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod clients;
mod clock;
mod expectations;

use std::time::Duration;

use parlor_core::{
    Message, Realtime,
    app::{Rejection, Route, Router, Rules},
    auth::{AuthError, Handshake, Principal},
    broker::{Broker, Publication},
    extract::{Path, Payload, Reply},
};

/// Publishes what it is told to a room.
async fn say(
    Path(room): Path<String>,
    user: Principal,
    Payload(text): Payload<String>,
    broker: Broker,
) -> Result<(), Rejection> {
    if text.is_empty() {
        return Err(Rejection::new("empty", "Write something first."));
    }
    broker.publish(format!("/topic/rooms/{room}"), &format!("{user}: {text}")).await?;
    Ok(())
}

/// Publishes a text with the client's mood.
async fn echo(message: Message, broker: Broker) -> Result<(), Rejection> {
    let mood = message.headers().get("mood").unwrap_or_default().to_owned();
    let publication = Publication::bytes(message.body().clone()).with_header("mood", &mood);
    broker.publish_message("/topic/rooms/7".parse()?, publication).await?;
    Ok(())
}

/// Publishes, but not yet: a task of its own does, which starts another one, which takes its time without waiting for any.
#[expect(clippy::disallowed_methods, reason = "the tasks end by themselves")]
async fn say_soon(Path(room): Path<String>, Payload(text): Payload<String>, broker: Broker) {
    tokio::spawn(async move {
        tokio::spawn(async move {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            broker.publish(format!("/topic/rooms/{room}"), &text).await.unwrap();
        });
    });
}

/// Publishes a second later.
#[expect(clippy::disallowed_methods, reason = "the task ends by itself")]
async fn say_later(Path(room): Path<String>, Payload(text): Payload<String>, broker: Broker) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        broker.publish(format!("/topic/rooms/{room}"), &text).await.unwrap();
    });
}

async fn sleep(Payload(seconds): Payload<u64>) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn sum(Payload((a, b)): Payload<(i64, i64)>) -> Result<Reply<i64>, Rejection> {
    let too_large = || {
        let refusal =
            Rejection::new("too-large", "Take smaller numbers.").with_retry_after(Duration::from_millis(1500));
        refusal.with_details(&serde_json::json!({ "largest": i64::MAX }))
    };
    a.checked_add(b).map(Reply).ok_or_else(too_large)
}

async fn greet() -> Reply<String> {
    Reply("welcome".to_owned())
}

/// Lets `?user=…` in.
fn guests(handshake: Handshake<'_>) -> Result<Principal, AuthError> {
    let name = handshake.query("user").ok_or(AuthError::Missing)?;
    Ok(Principal::user(name.parse().map_err(|_| AuthError::Invalid)?))
}

/// An application with a handler of each kind.
fn endpoint() -> Realtime {
    let routes = Router::new()
        .mount(Route::message("/app/rooms/{room}/say", say))
        .mount(Route::message("/app/rooms/{room}/say-soon", say_soon))
        .mount(Route::message("/app/rooms/{room}/say-later", say_later))
        .mount(Route::message("/app/rooms/7/echo", echo))
        .mount(Route::message("/app/sleep", sleep))
        .mount(Route::message("/app/sum", sum))
        .mount(Route::subscribe("/app/greeting", greet))
        .with_state(());
    Realtime::builder(routes)
        .authenticate(guests)
        .authorize(Rules::deny_all().allow_subscribe("/topic/rooms/*"))
        .allowed_origins(["https://app.example"])
        .build()
        .unwrap()
}
