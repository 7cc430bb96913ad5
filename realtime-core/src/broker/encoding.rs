//! How a message becomes octets for those who receive it: a MESSAGE, WebSocket header included, or an event of a stream.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Buf, Bytes};
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
const TRUE: &str = "true";

/// The header that names a delivery.
const ACK: &str = "ack";

/// The longest value of `ack`: two numbers of 64 bits and a dot.
const LONGEST_ACK: usize = 41;

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
        /// How each of its messages begins, which the subscription's id makes different.
        opening: Arc<[u8]>,
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
}

/// How a message is handed out by a queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Handing {
    /// What settles this delivery: the consumer, and which of its deliveries.
    pub(super) ack: Option<(u64, u64)>,
    /// Somebody was given the message before.
    pub(super) is_redelivered: bool,
}

/// A message but for how it begins, as it was encoded for somebody: everyone who speaks the version gets the same.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    octets: Vec<u8>,
    opcode: Opcode,
}

/// The rests of one message, by version.
#[derive(Debug, Default)]
pub(super) struct Rests([Option<Rest>; 3]);

impl<'a> Head<'a> {
    /// A message outside of any history that nobody acknowledges.
    pub(super) fn new(message_id: &'a str, destination: &'a str) -> Self {
        Self { message_id, destination, position: None }
    }
}

impl Encoding {
    /// Of a subscription with the id that the client chose; none in STOMP 1.0 without an id.
    pub(crate) fn stomp(version: Version, subscription: Option<&str>) -> Self {
        let mut opening = Vec::with_capacity(64);
        parlor_stomp::encode_message_opening(subscription, version, &mut opening);
        Self::Stomp { version, opening: opening.into() }
    }

    /// A message as one MESSAGE or one event.
    pub(super) fn encode(&self, head: &Head<'_>, publication: &Publication) -> Bytes {
        self.encode_handed(head, publication, Handing::default(), None)
    }

    /// A message that a queue hands out. `rests` are of the same message; one that is missing is added, for whoever is handed it
    /// next.
    pub(super) fn encode_handed(
        &self,
        head: &Head<'_>,
        publication: &Publication,
        handing: Handing,
        rests: Option<&mut Rests>,
    ) -> Bytes {
        let Self::Stomp { version, opening } = self else { return encode_event(head, publication) };
        let mut ack = [0; LONGEST_ACK];
        let handing = handing.in_version(*version, &mut ack);
        let Some(rests) = rests else {
            // The header's length depends on the payload's, so it is written into the room in front of the payload.
            let mut wire = Vec::with_capacity(websocket::MAX_HEADER + opening.len() + publication.body.len() + 256);
            wire.resize(websocket::MAX_HEADER, 0);
            wire.extend_from_slice(opening);
            handing.encode(*version, &mut wire);
            let opcode = encode_rest(*version, head, publication, &mut wire);
            let mut header = [0; websocket::MAX_HEADER];
            let start = websocket::encode_header_before(opcode, wire.len() - header.len(), &mut header);
            wire[start..header.len()].copy_from_slice(&header[start..]);
            let mut wire = Bytes::from(wire);
            wire.advance(start);
            return wire;
        };
        let Rest { octets, opcode } = rests.of(*version, head, publication);
        let length = opening.len() + handing.len() + octets.len();
        // Exactly so much: whatever the vector had beside it would make another allocation of it.
        let mut wire = Vec::with_capacity(websocket::header_length(length) + length);
        websocket::encode_header(*opcode, length, &mut wire);
        wire.extend_from_slice(opening);
        handing.encode(*version, &mut wire);
        wire.extend_from_slice(octets);
        debug_assert_eq!(wire.len(), websocket::header_length(length) + length, "what is counted is what is written");
        wire.into()
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Event => Dialect::Event,
            Self::Stomp { version, .. } => Dialect::Stomp(*version),
        }
    }

    /// How its messages begin, in front of what they have in common with those of the same dialect.
    pub(super) fn head(&self) -> Arc<[u8]> {
        match self {
            Self::Event => Arc::default(),
            Self::Stomp { opening, .. } => Arc::clone(opening),
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

impl Rests {
    /// That of `version`, which is made where there is none.
    fn of(&mut self, version: Version, head: &Head<'_>, publication: &Publication) -> &Rest {
        let [first, second, third] = &mut self.0;
        let rest = match version {
            Version::V1_0 => first,
            Version::V1_1 => second,
            Version::V1_2 => third,
        };
        rest.get_or_insert_with(|| {
            let mut octets = Vec::with_capacity(publication.body.len() + 256);
            let opcode = encode_rest(version, head, publication, &mut octets);
            Rest { octets, opcode }
        })
    }
}

#[cfg(test)]
impl Rests {
    pub(super) fn octets(&self, version: Version) -> &[u8] {
        self.0[version as usize].as_ref().map_or(&[], |rest| &rest.octets)
    }
}

impl Handing {
    /// The headers that say so, with `room` for the value of `ack`. Earlier versions know the message by its id.
    fn in_version(self, version: Version, room: &mut [u8; LONGEST_ACK]) -> HandingHeaders<'_> {
        let ack = self.ack.filter(|_| version >= Version::V1_2).map(|(consumer, delivery)| {
            let mut end = 0;
            let mut digits = itoa::Buffer::new();
            for part in [digits.format(consumer), ".", itoa::Buffer::new().format(delivery)] {
                room[end..end + part.len()].copy_from_slice(part.as_bytes());
                end += part.len();
            }
            &room[..end]
        });
        HandingHeaders { ack: ack.and_then(|ack| std::str::from_utf8(ack).ok()), is_redelivered: self.is_redelivered }
    }
}

/// What one delivery is told alone.
struct HandingHeaders<'a> {
    ack: Option<&'a str>,
    is_redelivered: bool,
}

impl HandingHeaders<'_> {
    /// Their octets: none of them needs to be escaped.
    fn len(&self) -> usize {
        let line = |name: &str, value: &str| name.len() + ":".len() + value.len() + "\n".len();
        self.ack.map_or(0, |ack| line(ACK, ack)) + if self.is_redelivered { line(REDELIVERED, TRUE) } else { 0 }
    }

    fn encode(&self, version: Version, out: &mut Vec<u8>) {
        if let Some(ack) = self.ack {
            parlor_stomp::encode_message_header(ACK, ack, version, out);
        }
        if self.is_redelivered {
            parlor_stomp::encode_message_header(REDELIVERED, TRUE, version, out);
        }
    }
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

/// Appends what follows the opening of a MESSAGE; returns what kind of WebSocket message it is.
fn encode_rest(version: Version, head: &Head<'_>, publication: &Publication, out: &mut Vec<u8>) -> Opcode {
    let position = head.position.map(|position| (POSITION, position));
    let head = MessageHead {
        subscription: None,
        message_id: head.message_id,
        destination: head.destination,
        content_type: publication.content_type.as_deref(),
        ack: None,
        extensions: position.as_slice(),
        headers: &publication.headers,
    };
    if parlor_stomp::encode_message_rest(&head, &publication.body, version, out) {
        Opcode::Text
    } else {
        Opcode::Binary
    }
}
