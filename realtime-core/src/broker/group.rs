//! Encoding groups: the subscribers of one destination that share a subscription id and a protocol version.
//!
//! All of them get the same octets, so a message is encoded once for the group, WebSocket header included, and shared.
//! Clients use few ids (`sub-0`, `sub-1`), so a destination has few groups.

use std::{collections::hash_map::Entry, sync::Arc};

use bytes::Bytes;
use parlor_stomp::{MessageHead, Version};
use rustc_hash::FxHashMap;

use crate::{
    broker::Publication,
    closing::Closing,
    outbox::{Outbox, Pushed},
    session_id::SessionId,
    websocket::{self, Opcode},
};

/// Octets that one subscription may hold back while its first reply is made; beyond, the client counts as slow.
const MAX_HELD_BYTES: usize = 256 * 1024;

/// Messages that one subscription may hold back while its first reply is made.
const MAX_HELD_MESSAGES: usize = 1024;

/// The longest header of a server's WebSocket frame (RFC 6455 section 5.2: no mask, 64-bit length).
const MAX_WEBSOCKET_HEADER: usize = 10;

/// Names one subscription inside the broker; never reused.
pub(super) type SubscriberKey = u64;

/// What subscribers must have in common to share encoded octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    pub(super) version: Version,
    pub(super) subscription: Option<Arc<str>>,
}

/// One subscriber.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) session: SessionId,
    pub(super) outbox: Arc<Outbox>,
    /// Live messages that wait until the subscription's first reply is sent.
    pub(super) held: Option<Vec<Bytes>>,
}

/// The members that share one encoding.
#[derive(Debug, Default)]
pub(super) struct Group {
    members: Vec<(SubscriberKey, Member)>,
    places: FxHashMap<SubscriberKey, usize>,
}

impl Group {
    pub(super) fn insert(&mut self, key: SubscriberKey, member: Member) {
        self.places.insert(key, self.members.len());
        self.members.push((key, member));
    }

    pub(super) fn remove(&mut self, key: SubscriberKey) {
        let Entry::Occupied(place) = self.places.entry(key) else { return };
        let place = place.remove();
        self.members.swap_remove(place);
        if let Some((moved, _)) = self.members.get(place) {
            self.places.insert(*moved, place);
        }
    }

    pub(super) fn member_mut(&mut self, key: SubscriberKey) -> Option<&mut Member> {
        let place = *self.places.get(&key)?;
        self.members.get_mut(place).map(|(_, member)| member)
    }

    pub(super) fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.iter_mut().map(|(_, member)| member)
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }
}

impl Member {
    /// Hands over a message: to the outbox, or to the held ones while the first reply is made. Returns what the outbox made of
    /// it, nothing for a held one.
    pub(super) fn deliver(&mut self, wire: Bytes) -> Option<Pushed> {
        let Some(held) = &mut self.held else {
            return Some(self.outbox.push(wire));
        };
        let octets: usize = held.iter().map(Bytes::len).sum();
        if held.len() >= MAX_HELD_MESSAGES || octets + wire.len() > MAX_HELD_BYTES {
            self.outbox.stop(Closing::slow_consumer());
            return Some(Pushed::Refused);
        }
        held.push(wire);
        None
    }

    /// Lets the held messages go, after `first`.
    pub(super) fn release(&mut self, first: Vec<Bytes>) {
        for wire in first.into_iter().chain(self.held.take().into_iter().flatten()) {
            self.outbox.push(wire);
        }
    }
}

/// Encodes a MESSAGE for one group, WebSocket header included.
pub(super) fn encode(key: &GroupKey, message_id: &str, destination: &str, publication: &Publication) -> Bytes {
    let head = MessageHead {
        subscription: key.subscription.as_deref(),
        message_id,
        destination,
        content_type: publication.content_type.as_deref(),
        ack: None,
        headers: &publication.headers,
    };
    // The header's length depends on the payload's, so it is written into the room in front of the payload.
    let mut wire = vec![0; MAX_WEBSOCKET_HEADER];
    wire.reserve(publication.body.len() + 256);
    let is_text = parlor_stomp::encode_message_into(&head, &publication.body, key.version, &mut wire);
    let mut header = Vec::with_capacity(MAX_WEBSOCKET_HEADER);
    let opcode = if is_text { Opcode::Text } else { Opcode::Binary };
    websocket::encode_header(opcode, wire.len() - MAX_WEBSOCKET_HEADER, &mut header);
    let start = MAX_WEBSOCKET_HEADER - header.len();
    wire[start..MAX_WEBSOCKET_HEADER].copy_from_slice(&header);
    Bytes::from(wire).slice(start..)
}
