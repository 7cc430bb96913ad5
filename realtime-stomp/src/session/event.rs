//! What a client's session hands out.

use bytes::Bytes;

use crate::{Headers, HeartBeat, Version};

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The session is open.
    Connected(ConnectedEvent),
    /// The server found something wrong and ends the connection. The last event.
    Error {
        /// All headers: `message` says what was wrong.
        headers: Headers,
        /// More about it.
        body: Bytes,
    },
    /// A message of a subscription.
    Message(MessageEvent),
    /// A frame was processed: the id that its `receipt` header named.
    Receipt(String),
}

/// CONNECTED.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectedEvent {
    /// The agreed version.
    pub version: Version,
    /// The session's id.
    pub session: Option<String>,
    /// What the server offers in heart-beats.
    pub heart_beat: HeartBeat,
    /// All headers.
    pub headers: Headers,
}

/// MESSAGE.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageEvent {
    /// All headers.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

impl MessageEvent {
    /// The receiving subscription's id.
    #[must_use]
    pub fn subscription(&self) -> Option<&str> {
        self.headers.get("subscription")
    }

    /// The destination.
    #[must_use]
    pub fn destination(&self) -> Option<&str> {
        self.headers.get("destination")
    }

    /// The message's id.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.headers.get("message-id")
    }

    /// The body as text, where it is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }
}
