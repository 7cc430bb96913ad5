//! How a message becomes octets for those who receive it, WebSocket header included.

use std::sync::Arc;

use bytes::Bytes;
use parlor_stomp::{MessageHead, Version};

use crate::{
    publication::Publication,
    websocket::{self, Opcode},
};

/// The longest header of a server's WebSocket frame (RFC 6455 section 5.2: no mask, 64-bit length).
const MAX_WEBSOCKET_HEADER: usize = 10;

/// The header of a message's place in the history of its destination.
pub(crate) const POSITION: &str = "position";

/// The header of a message that somebody was given before.
const REDELIVERED: &str = "redelivered";

/// What subscribers must have in common to share encoded octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Encoding {
    pub(crate) version: Version,
    /// The id the client chose; none in STOMP 1.0 without an id.
    pub(crate) subscription: Option<Arc<str>>,
}

/// What stands over a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) message_id: &'a str,
    pub(super) destination: &'a str,
    /// Its place in the history of its destination, where that has one.
    pub(super) position: Option<&'a str>,
    /// What settles this delivery, and whether it is one of several.
    pub(super) ack: Option<(&'a str, bool)>,
}

impl<'a> Head<'a> {
    /// A message outside of any history that nobody acknowledges.
    pub(super) fn new(message_id: &'a str, destination: &'a str) -> Self {
        Self { message_id, destination, position: None, ack: None }
    }
}

impl Encoding {
    /// A MESSAGE as one WebSocket frame.
    pub(super) fn encode(&self, head: &Head<'_>, publication: &Publication) -> Bytes {
        let redelivered = head.ack.filter(|(_, redelivered)| *redelivered).map(|_| (REDELIVERED, "true"));
        let position = head.position.map(|position| (POSITION, position));
        let (extensions, count) = match (position, redelivered) {
            (Some(one), Some(other)) => ([one, other], 2),
            (Some(one), None) | (None, Some(one)) => ([one, ("", "")], 1),
            (None, None) => ([("", ""); 2], 0),
        };
        let head = MessageHead {
            subscription: self.subscription.as_deref(),
            message_id: head.message_id,
            destination: head.destination,
            content_type: publication.content_type.as_deref(),
            // Earlier versions know the message by its id.
            ack: head.ack.filter(|_| self.version >= Version::V1_2).map(|(ack, _)| ack),
            extensions: &extensions[..count],
            headers: &publication.headers,
        };
        // The header's length depends on the payload's, so it is written into the room in front of the payload.
        let mut wire = vec![0; MAX_WEBSOCKET_HEADER];
        wire.reserve(publication.body.len() + 256);
        let is_text = parlor_stomp::encode_message_into(&head, &publication.body, self.version, &mut wire);
        let mut header = Vec::with_capacity(MAX_WEBSOCKET_HEADER);
        let opcode = if is_text { Opcode::Text } else { Opcode::Binary };
        websocket::encode_header(opcode, wire.len() - MAX_WEBSOCKET_HEADER, &mut header);
        let start = MAX_WEBSOCKET_HEADER - header.len();
        wire[start..MAX_WEBSOCKET_HEADER].copy_from_slice(&header);
        Bytes::from(wire).slice(start..)
    }
}
