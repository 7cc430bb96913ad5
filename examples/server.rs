//! The server of the README: rooms to talk in, for clients with a token.

#![expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]

use parlor::{
    Realtime,
    app::{Rejection, Route, Router, Rules},
    auth::{JwtVerifier, Principal},
    extract::{Path, Payload},
};

#[derive(serde::Serialize)]
struct Line {
    author: String,
    text: String,
}

/// SEND to /app/rooms/7/say; everyone who subscribed to /topic/rooms/7 gets what it returns.
async fn say(_: Path<u32>, user: Principal, Payload(text): Payload<String>) -> Result<Payload<Line>, Rejection> {
    if text.is_empty() {
        return Err(Rejection::new("empty", "Write something first."));
    }
    Ok(Payload(Line { author: user.to_string(), text }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let routes =
        Router::new().mount(Route::message("/app/rooms/{room}/say", say).send_to("/topic/rooms/{room}")).with_state(());
    let realtime = Realtime::builder(routes)
        .authenticate(JwtVerifier::hs256(b"a secret of at least 32 octets, please")?.cookie("token").bearer())
        .authorize(Rules::deny_all().allow_subscribe("/topic/rooms/{room}"))
        .allowed_origins(["http://127.0.0.1:8080"])
        .build()?;
    let http = axum::Router::new().route_service("/ws", parlor::axum::websocket(&realtime));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on ws://{}/ws", listener.local_addr()?);
    parlor::axum::serve(listener, http, realtime).await?;
    Ok(())
}
