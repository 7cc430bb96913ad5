//! How a message becomes octets for those who receive it: a MESSAGE, WebSocket header included, or an event of a stream.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use parlor_stomp::{MessageHead, Version};

use crate::{
    publication::Publication,
    sse::{self, SseEvent},
    websocket::{self, Opcode},
};

/// The header of a message's place in the history of its destination.
pub(crate) const POSITION: &str = "position";

/// The header of a message that somebody was given before.
const REDELIVERED: &str = "redelivered";

/// The header of a message that names it for event streams.
const EVENT: &str = "event";

/// What subscribers must have in common to share encoded octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Server-sent events: the same for all streams.
    Event,
    /// STOMP over WebSocket.
    Stomp {
        version: Version,
        /// The id the client chose; none in STOMP 1.0 without an id.
        subscription: Option<Arc<str>>,
    },
}

/// What the encodings of one message have in common but for how they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dialect {
    Event,
    Stomp(Version),
}

/// What stands over a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) message_id: &'a str,
    pub(super) destination: &'a str,
    /// Its place in the history of its destination, where that has one.
    pub(super) position: Option<&'a str>,
    pub(super) handing: Handing<'a>,
}

/// How a message is handed out by a queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Handing<'a> {
    /// What settles this delivery.
    pub(super) ack: Option<&'a str>,
    /// Somebody was given the message before.
    pub(super) is_redelivered: bool,
}

impl<'a> Head<'a> {
    /// A message outside of any history that nobody acknowledges.
    pub(super) fn new(message_id: &'a str, destination: &'a str) -> Self {
        Self { message_id, destination, position: None, handing: Handing::default() }
    }
}

impl Encoding {
    /// A message as one MESSAGE or one event.
    pub(super) fn encode(&self, head: &Head<'_>, publication: &Publication) -> Bytes {
        match self {
            Self::Event => encode_event(head, publication),
            Self::Stomp { version, subscription } => {
                encode_message(*version, subscription.as_deref(), head, publication)
            }
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Event => Dialect::Event,
            Self::Stomp { version, .. } => Dialect::Stomp(*version),
        }
    }

    /// How its messages begin, in front of what they have in common with those of the same dialect.
    pub(super) fn head(&self) -> Bytes {
        match self {
            Self::Event => Bytes::new(),
            Self::Stomp { version, subscription } => {
                let mut head = Vec::with_capacity(32);
                parlor_stomp::encode_message_opening(subscription.as_deref(), *version, &mut head);
                head.into_boxed_slice().into()
            }
        }
    }

    /// Whether its frames say by themselves what an ACK is to name. Of earlier versions the message id does.
    pub(super) fn has_ack_header(&self) -> bool {
        matches!(self, Self::Stomp { version, .. } if *version >= Version::V1_2)
    }
}

/// A message as one event. It has an id where it has a position to go on from, the name of its header `event` where a
/// stream can have that, and the body as it is, or in base64 under a name of its own where that is not UTF-8.
fn encode_event(head: &Head<'_>, publication: &Publication) -> Bytes {
    let chosen = sse::application_name(publication.headers.get(EVENT));
    let (event, name) = match std::str::from_utf8(&publication.body) {
        Ok(text) => (SseEvent::message(text), chosen),
        Err(_) => (SseEvent::message(BASE64_STANDARD.encode(&publication.body)), Some(sse::BINARY)),
    };
    let event = if let Some(name) = name { event.named_where_valid(name) } else { event };
    let event = if let Some(position) = head.position { event.with_id_where_valid(position) } else { event };
    event.encode().into()
}

impl Dialect {
    /// A message but for how it begins, and the kind of the WebSocket frame that it goes into, where it does.
    pub(super) fn encode_rest(self, head: &Head<'_>, publication: &Publication) -> (Bytes, Option<Opcode>) {
        match self {
            Self::Event => (encode_event(head, publication), None),
            Self::Stomp(version) => {
                let mut rest = Vec::with_capacity(publication.body.len() + 256);
                let opcode = encode_rest(version, head, publication, &mut rest);
                (rest.into(), Some(opcode))
            }
        }
    }
}

/// A MESSAGE as one WebSocket frame.
fn encode_message(version: Version, subscription: Option<&str>, head: &Head<'_>, publication: &Publication) -> Bytes {
    // The header's length depends on the payload's, so it is written into the room in front of the payload.
    let mut wire = Vec::with_capacity(websocket::MAX_HEADER + publication.body.len() + 256);
    wire.resize(websocket::MAX_HEADER, 0);
    parlor_stomp::encode_message_opening(subscription, version, &mut wire);
    let opcode = encode_rest(version, head, publication, &mut wire);
    let mut header = Vec::with_capacity(websocket::MAX_HEADER);
    websocket::encode_header(opcode, wire.len() - websocket::MAX_HEADER, &mut header);
    let start = websocket::MAX_HEADER - header.len();
    wire[start..websocket::MAX_HEADER].copy_from_slice(&header);
    Bytes::from(wire).slice(start..)
}

/// Appends what follows the opening of a MESSAGE; returns what kind of WebSocket message it is.
fn encode_rest(version: Version, head: &Head<'_>, publication: &Publication, out: &mut Vec<u8>) -> Opcode {
    let redelivered = head.handing.is_redelivered.then_some((REDELIVERED, "true"));
    let position = head.position.map(|position| (POSITION, position));
    let (extensions, count) = match (position, redelivered) {
        (Some(one), Some(other)) => ([one, other], 2),
        (Some(one), None) | (None, Some(one)) => ([one, ("", "")], 1),
        (None, None) => ([("", ""); 2], 0),
    };
    let head = MessageHead {
        subscription: None,
        message_id: head.message_id,
        destination: head.destination,
        content_type: publication.content_type.as_deref(),
        // Earlier versions know the message by its id.
        ack: head.handing.ack.filter(|_| version >= Version::V1_2),
        extensions: &extensions[..count],
        headers: &publication.headers,
    };
    if parlor_stomp::encode_message_rest(&head, &publication.body, version, out) {
        Opcode::Text
    } else {
        Opcode::Binary
    }
}
