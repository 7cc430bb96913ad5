//! The same where it was measured what costs most: small read buffers, a text that all subscribers share, one task for both
//! directions of a connection, and one write for all messages that wait.

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::BACKLOG;

/// tungstenite fills its read buffer with zeroes before each read: by default 128 KiB for each connection, touched for good.
const READ_BUFFER: usize = 4096;

type Room = broadcast::Sender<Utf8Bytes>;

pub(crate) fn routes() -> Router {
    let room: Room = broadcast::channel(BACKLOG).0;
    Router::new().route("/sub", any(subscribe)).route("/pub", any(publish)).route("/echo", any(echo)).with_state(room)
}

async fn subscribe(upgrade: WebSocketUpgrade, State(room): State<Room>) -> Response {
    upgrade.read_buffer_size(READ_BUFFER).on_upgrade(move |mut socket: WebSocket| async move {
        let mut messages = room.subscribe();
        loop {
            tokio::select! {
                received = messages.recv() => match received {
                    Ok(text) => if forward(&mut socket, text, &mut messages).await.is_err() { break },
                    // The benchmark counts what is missing.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break,
                },
                message = socket.recv() => if !matches!(message, Some(Ok(_))) { break },
            }
        }
    })
}

/// Sends a text and all that wait behind it, by one write.
async fn forward(
    socket: &mut WebSocket,
    text: Utf8Bytes,
    messages: &mut broadcast::Receiver<Utf8Bytes>,
) -> Result<(), axum::Error> {
    socket.feed(Message::Text(text)).await?;
    while let Ok(text) = messages.try_recv() {
        socket.feed(Message::Text(text)).await?;
    }
    socket.flush().await
}

async fn publish(upgrade: WebSocketUpgrade, State(room): State<Room>) -> Response {
    upgrade.read_buffer_size(READ_BUFFER).on_upgrade(move |mut socket: WebSocket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Text(text) = message {
                // Without a subscriber it goes nowhere.
                let _ = room.send(text);
            }
        }
    })
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.read_buffer_size(READ_BUFFER).on_upgrade(|mut socket: WebSocket| async move {
        while let Some(Ok(message)) = socket.next().await {
            if matches!(message, Message::Text(_)) && socket.send(message).await.is_err() {
                break;
            }
        }
    })
}
