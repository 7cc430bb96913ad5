//! A chat of attributes: handlers, a guard, a listener and an error handler: `cargo run --example macros`.
//!
//! It accepts everyone, and prints where to connect with any STOMP client. An argument is the address to listen on.

#![expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parlor::{
    Realtime,
    app::{Disconnected, Rejection, Router, Rules},
    auth::{Anonymous, Principal},
    error_handler,
    extract::{Path, Payload, Reply, State},
    on_disconnected, routes, stomp_handler, subscribe_handler,
};

/// How many lines were said.
#[derive(Clone, Default)]
struct Lines(Arc<AtomicUsize>);

struct Empty;

impl From<Empty> for Rejection {
    fn from(_: Empty) -> Self {
        Self::new("empty", "Write something first.")
    }
}

async fn room_exists(Path(room): Path<u32>) -> bool {
    (1..=9).contains(&room)
}

/// SEND to /app/rooms/7/say; everyone who subscribed to /topic/rooms/7 gets what it returns.
#[stomp_handler("/app/rooms/{room}/say", authorize = room_exists, rate = "5/s", max_size = "4 KiB")]
#[send_to("/topic/rooms/{room}")]
async fn say(
    user: Principal,
    State(Lines(lines)): State<Lines>,
    Payload(text): Payload<String>,
) -> Result<Payload<String>, Empty> {
    if text.is_empty() {
        return Err(Empty);
    }
    lines.fetch_add(1, Ordering::Relaxed);
    Ok(Payload(format!("{user}: {text}")))
}

/// Judges each SUBSCRIBE, and welcomes whoever may stay.
#[subscribe_handler("/topic/rooms/{room}", authorize = room_exists)]
async fn enter(Path(room): Path<u32>) -> Reply<String> {
    Reply(format!("Welcome to room {room}."))
}

/// What a client is told of an [`Empty`], from whichever handler.
#[error_handler]
async fn empty(_: Empty, user: Principal) -> Rejection {
    Rejection::new("empty", format!("Write something first, {user}."))
}

#[on_disconnected]
async fn left(event: Disconnected, user: Principal, State(Lines(lines)): State<Lines>) {
    println!("{user} left ({:?}); {} lines were said", event.reason, lines.load(Ordering::Relaxed));
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let routes = Router::new().mount(routes![say, enter, empty, left]).with_state(Lines::default());
    let listener = tokio::net::TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:8081")).await?;
    let addr = listener.local_addr()?;
    let realtime = Realtime::builder(routes)
        .authenticate(Anonymous)
        .authorize(Rules::deny_all())
        .allowed_origins([format!("http://{addr}")])
        .build()?;
    let http = axum::Router::new().route_service("/ws", parlor::axum::websocket(&realtime));
    println!(
        "connect a STOMP client to ws://{addr}/ws, SUBSCRIBE to /topic/rooms/7 and SEND \"hello\" to /app/rooms/7/say"
    );
    parlor::axum::serve(listener, http, realtime).await?;
    Ok(())
}
