//! The obvious way: the text is a `String` that each subscriber's receiver clones, and each message is sent by itself.

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::broadcast;

use crate::BACKLOG;

type Room = broadcast::Sender<String>;

pub(crate) fn routes() -> Router {
    let room: Room = broadcast::channel(BACKLOG).0;
    Router::new().route("/sub", any(subscribe)).route("/pub", any(publish)).route("/echo", any(echo)).with_state(room)
}

/// The same with one task for each subscriber.
pub(crate) fn routes_in_one_task() -> Router {
    let room: Room = broadcast::channel(BACKLOG).0;
    Router::new().route("/sub", any(subscribe_in_one_task)).route("/pub", any(publish)).with_state(room)
}

async fn subscribe(upgrade: WebSocketUpgrade, State(room): State<Room>) -> Response {
    upgrade.on_upgrade(move |socket| async move {
        let mut messages = room.subscribe();
        let (mut sender, mut receiver) = socket.split();
        #[expect(clippy::disallowed_methods, reason = "ends with its receiver, which aborts it")]
        let sending = tokio::spawn(async move {
            while let Ok(text) = messages.recv().await {
                if sender.send(Message::text(text)).await.is_err() {
                    break;
                }
            }
        });
        // Answers pings, and notices the end.
        while let Some(Ok(_)) = receiver.next().await {}
        sending.abort();
    })
}

async fn subscribe_in_one_task(upgrade: WebSocketUpgrade, State(room): State<Room>) -> Response {
    upgrade.on_upgrade(move |mut socket| async move {
        let mut messages = room.subscribe();
        loop {
            tokio::select! {
                Ok(text) = messages.recv() => if socket.send(Message::text(text)).await.is_err() { break },
                message = socket.recv() => if !matches!(message, Some(Ok(_))) { break },
                else => break,
            }
        }
    })
}

async fn publish(upgrade: WebSocketUpgrade, State(room): State<Room>) -> Response {
    upgrade.on_upgrade(move |mut socket: WebSocket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Text(text) = message {
                // Without a subscriber it goes nowhere.
                let _ = room.send(text.to_string());
            }
        }
    })
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket: WebSocket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if matches!(message, Message::Text(_)) && socket.send(message).await.is_err() {
                break;
            }
        }
    })
}
