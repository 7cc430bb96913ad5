//! One WebSocket: its handshake, what waits to be written, and what was read.
//!
//! Reading and writing go on beside each other in one call, so that two sides that both write never wait for each other,
//! and reading can be left out, which slows the server down.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::Sink;
use http::{Request, Response};
use parlor_stomp::Encoded;
use serde::Deserialize;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error, Message, Utf8Bytes,
        error::ProtocolError,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use crate::{ConnectionError, Socket};

/// Frames and their octets that wait to be written before no more commands are taken.
const MAX_WAITING_FRAMES: usize = 64;
const MAX_WAITING_BYTES: usize = 256 * 1024;

/// The close status of a close frame without one (RFC 6455, section 7.1.5).
const NO_STATUS: u16 = 1005;

/// An open WebSocket.
pub(crate) struct WebSocket {
    stream: WebSocketStream<Box<dyn Socket>>,
    waiting: VecDeque<Message>,
    waiting_bytes: usize,
    unflushed: bool,
    /// Writing failed: what the server sent before is still read.
    deaf: bool,
}

/// What happened on a WebSocket.
pub(crate) enum Incident {
    /// Octets of STOMP.
    Octets(Bytes),
    /// A ping or a pong: the server lives.
    Alive,
    /// Something was written.
    Written,
    /// Writing failed; told once.
    Deaf,
    /// The end.
    Ended(ConnectionError),
}

impl WebSocket {
    /// Shakes hands over `socket`.
    pub(crate) async fn open(
        request: Request<()>,
        socket: Box<dyn Socket>,
        max_message_bytes: usize,
    ) -> Result<Self, ConnectionError> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(max_message_bytes))
            .max_frame_size(Some(max_message_bytes));
        match client_async_with_config(request, socket, Some(config)).await {
            Ok((stream, _)) => {
                Ok(Self { stream, waiting: VecDeque::new(), waiting_bytes: 0, unflushed: false, deaf: false })
            }
            Err(Error::Http(response)) => Err(refused(&response)),
            Err(error) => Err(broken(error)),
        }
    }

    /// Queues a frame.
    pub(crate) fn push(&mut self, frame: Encoded) {
        self.waiting_bytes += frame.bytes.len();
        let text = if frame.text { Utf8Bytes::try_from(frame.bytes.clone()).ok() } else { None };
        self.waiting.push_back(text.map_or_else(|| Message::Binary(frame.bytes), Message::Text));
    }

    /// Queues a heart-beat.
    pub(crate) fn push_beat(&mut self) {
        self.waiting.push_back(Message::Text(Utf8Bytes::from_static("\n")));
    }

    /// Queues a ping.
    pub(crate) fn push_ping(&mut self) {
        self.waiting.push_back(Message::Ping(Bytes::new()));
    }

    /// Queues a normal close.
    pub(crate) fn push_close(&mut self) {
        self.waiting.push_back(Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })));
    }

    /// Whether more should be queued now.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING_FRAMES && self.waiting_bytes < MAX_WAITING_BYTES
    }

    /// Whether the server cannot be written to any more.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Writes what waits and, if asked to, reads. Can be dropped at any time without losing anything.
    pub(crate) async fn drive(&mut self, reading: bool) -> Incident {
        std::future::poll_fn(|context| self.poll(context, reading)).await
    }

    fn poll(&mut self, context: &mut Context<'_>, reading: bool) -> Poll<Incident> {
        if !self.deaf {
            match self.poll_write(context) {
                Ok(true) => return Poll::Ready(Incident::Written),
                Ok(false) => {}
                Err(_) => {
                    // Why the server hung up is perhaps still to be read.
                    self.deaf = true;
                    self.waiting.clear();
                    self.waiting_bytes = 0;
                    return Poll::Ready(Incident::Deaf);
                }
            }
        }
        if reading { self.poll_read(context) } else { Poll::Pending }
    }

    /// Whether something was handed to the socket.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Result<bool, Error> {
        let mut written = false;
        while !self.waiting.is_empty() {
            let Poll::Ready(ready) = Pin::new(&mut self.stream).poll_ready(context) else { break };
            ready?;
            let Some(message) = self.waiting.pop_front() else { break };
            self.waiting_bytes = self.waiting_bytes.saturating_sub(message.len());
            Pin::new(&mut self.stream).start_send(message)?;
            self.unflushed = true;
            written = true;
        }
        if self.unflushed
            && let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(context)
        {
            self.unflushed = false;
            flushed?;
        }
        Ok(written)
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Incident> {
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_next(context) else { return Poll::Pending };
        Poll::Ready(match read {
            Some(Ok(Message::Text(text))) => Incident::Octets(text.into()),
            Some(Ok(Message::Binary(octets))) => Incident::Octets(octets),
            Some(Ok(Message::Close(frame))) => {
                // The answer is queued already; whoever closed does not wait for more than that.
                let _ = Pin::new(&mut self.stream).poll_flush(context);
                let (status, reason) =
                    frame.map_or((NO_STATUS, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                Incident::Ended(ConnectionError::Closed { status, reason })
            }
            Some(Ok(_)) => Incident::Alive,
            Some(Err(error)) => Incident::Ended(broken(error)),
            None => Incident::Ended(ConnectionError::broken()),
        })
    }
}

/// The body of a refused handshake.
#[derive(Deserialize)]
struct Told {
    code: String,
    message: String,
}

fn refused(response: &Response<Option<Vec<u8>>>) -> ConnectionError {
    let status = response.status();
    let told = response.body().as_deref().and_then(|body| serde_json::from_slice::<Told>(body).ok());
    let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let (code, message) = match told {
        Some(told) => (Some(told.code), told.message),
        None => (None, status.canonical_reason().unwrap_or_default().to_owned()),
    };
    let retry_after = seconds.map(std::time::Duration::from_secs);
    ConnectionError::Handshake { status: status.as_u16(), code, message, retry_after }
}

fn broken(error: Error) -> ConnectionError {
    match error {
        Error::Io(error) => error.into(),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => ConnectionError::broken(),
        Error::Url(error) => ConnectionError::Address(error.to_string()),
        error => ConnectionError::WebSocket(error.to_string()),
    }
}
