//! Encoding groups: the subscribers of one destination that share a subscription id and a protocol version.
//!
//! All of them get the same octets, so a message is encoded once for the group, WebSocket header included, and shared.
//! Clients use few ids (`sub-0`, `sub-1`), so a destination has few groups.

use std::{collections::hash_map::Entry, sync::Arc};

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::{
    broker::{
        encoding::Encoding,
        held::{Held, HeldFull},
        shared_queue::SharedQueue,
        stored::Stored,
        topic::Envelope,
    },
    closing::Closing,
    history::Position,
    outbox::{Outbox, Overflow, Pushed},
    session_id::SessionId,
};

/// Names one subscription inside the broker; never reused.
pub(super) type SubscriberKey = u64;

/// One subscriber.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) session: SessionId,
    pub(super) outbox: Arc<Outbox>,
    /// What few subscribers have.
    pub(super) special: Option<Box<Special>>,
}

/// How a subscriber differs from one that is live, gets every message once and says nothing.
#[derive(Debug, Default)]
pub(super) struct Special {
    /// Live messages that wait until the subscription's first reply is sent, or what came before is.
    pub(super) held: Option<Held>,
    /// A header of the next message alone.
    pub(super) first: Option<(&'static str, &'static str)>,
    /// Where its messages wait until they are acknowledged.
    pub(super) queue: Option<Arc<SharedQueue>>,
}

/// What became of a message for one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// By its connection, in octets, and whether it waits there.
    Sent { octets: usize, queued: bool },
    /// It waits for the subscriber to go live.
    Held,
    /// Its connection is closing.
    Refused,
}

/// The members that share one encoding.
#[derive(Debug, Default)]
pub(super) struct Group {
    members: Vec<(SubscriberKey, Member)>,
    places: FxHashMap<SubscriberKey, usize>,
}

/// One message on its way to the members of a group: encoded when the first of them needs it, and once.
pub(super) struct Shared<'a> {
    encoding: &'a Encoding,
    envelope: &'a Envelope<'a>,
    wire: Option<Bytes>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(encoding: &'a Encoding, envelope: &'a Envelope<'a>) -> Self {
        Self { encoding, envelope, wire: None }
    }

    fn wire(&mut self) -> Bytes {
        self.wire.get_or_insert_with(|| self.envelope.encode(self.encoding)).clone()
    }
}

impl Group {
    pub(super) fn insert(&mut self, key: SubscriberKey, member: Member) {
        self.places.insert(key, self.members.len());
        self.members.push((key, member));
    }

    pub(super) fn remove(&mut self, key: SubscriberKey) -> Option<Member> {
        let Entry::Occupied(place) = self.places.entry(key) else { return None };
        let place = place.remove();
        let (_, removed) = self.members.swap_remove(place);
        if let Some((moved, _)) = self.members.get(place) {
            self.places.insert(*moved, place);
        }
        Some(removed)
    }

    pub(super) fn member_mut(&mut self, key: SubscriberKey) -> Option<&mut Member> {
        let place = *self.places.get(&key)?;
        self.members.get_mut(place).map(|(_, member)| member)
    }

    pub(super) fn members_mut(&mut self) -> impl Iterator<Item = (SubscriberKey, &mut Member)> {
        self.members.iter_mut().map(|(key, member)| (*key, member))
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }
}

impl Member {
    /// Hands over a live message.
    pub(super) fn deliver(&mut self, key: SubscriberKey, shared: &mut Shared<'_>) -> Taken {
        let envelope = shared.envelope;
        let Some(special) = &mut self.special else {
            return self.push(envelope.lane(key), envelope.overflow, shared.wire());
        };
        if let Some(held) = &mut special.held {
            return match held.push(envelope.stored()) {
                Ok(()) => Taken::Held,
                Err(HeldFull) => self.is_too_slow(),
            };
        }
        if special.queue.is_some() {
            return self.enqueue(envelope.stored());
        }
        let first = special.first.take();
        self.special = None;
        let wire = match first {
            Some((name, value)) => self.outbox.annotate(&shared.wire(), name, value),
            None => shared.wire(),
        };
        self.push(envelope.lane(key), envelope.overflow, wire)
    }

    /// Hands over a message for this subscriber alone, live or from the history.
    pub(super) fn deliver_stored(&mut self, encoding: &Encoding, message: &Arc<Stored>) -> Taken {
        if self.special.as_ref().is_some_and(|special| special.queue.is_some()) {
            return self.enqueue(Arc::clone(message));
        }
        let wire = message.encode(encoding, None);
        let first = self.special.as_mut().and_then(|special| special.first.take());
        let wire = match first {
            Some((name, value)) => self.outbox.annotate(&wire, name, value),
            None => wire,
        };
        self.push(0, Overflow::Disconnect, wire)
    }

    /// Lets the held messages go that come after `last` in the history; all of them without it.
    pub(super) fn go_live(&mut self, encoding: &Encoding, last: Option<Position>) {
        let held = self.special.as_mut().and_then(|special| special.held.take());
        for message in held.map(Held::into_messages).into_iter().flatten() {
            let position = message.place.as_ref().map(|(position, _)| *position);
            let was_replayed = position
                .zip(last)
                .is_some_and(|(position, last)| position.epoch == last.epoch && position.offset <= last.offset);
            if !was_replayed {
                self.deliver_stored(encoding, &message);
            }
        }
        let is_plain = |special: &mut Box<Special>| special.first.is_none() && special.queue.is_none();
        if self.special.as_mut().is_some_and(is_plain) {
            self.special = None;
        }
    }

    /// Puts a header on the next message alone.
    pub(super) fn announce(&mut self, key: SubscriberKey, header: (&'static str, &'static str)) {
        let special = self.special.get_or_insert_default();
        match &special.queue {
            Some(queue) => queue.announce(key, header),
            None => special.first = Some(header),
        }
    }

    /// Where its messages wait until they are acknowledged.
    pub(super) fn private_queue(&self) -> Option<Arc<SharedQueue>> {
        self.special.as_ref()?.queue.clone()
    }

    /// Octets that are held back.
    pub(super) fn held_bytes(&self) -> usize {
        self.held().map_or(0, Held::bytes)
    }

    /// Holds back anew what has to be read from the history first: where it was forgotten, or where `forget` says so.
    pub(super) fn begin_again(&mut self, forget: bool) -> bool {
        let held = self.special.as_mut().and_then(|special| special.held.as_mut());
        held.is_some_and(|held| held.begin_again(forget))
    }

    fn held(&self) -> Option<&Held> {
        self.special.as_ref()?.held.as_ref()
    }

    /// The private queue of an acknowledging subscriber takes a message, or the client was too slow to acknowledge.
    fn enqueue(&mut self, message: Arc<Stored>) -> Taken {
        let queue = self.special.as_ref().and_then(|special| special.queue.as_ref());
        match queue.and_then(|queue| queue.publish(message)) {
            Some(Ok(handed)) if handed.messages > 0 => Taken::Sent { octets: handed.octets, queued: handed.queued },
            Some(Ok(_)) => Taken::Held,
            Some(Err(_)) => self.is_too_slow(),
            None => Taken::Refused,
        }
    }

    fn is_too_slow(&self) -> Taken {
        self.outbox.stop(Closing::slow_consumer());
        Taken::Refused
    }

    fn push(&self, lane: u64, overflow: Overflow, wire: Bytes) -> Taken {
        let octets = wire.len();
        let pushed = match overflow {
            Overflow::Disconnect => self.outbox.push(wire),
            _ => self.outbox.push_for(lane, overflow, wire),
        };
        match pushed {
            Pushed::Refused => Taken::Refused,
            pushed => Taken::Sent { octets, queued: pushed == Pushed::Queued },
        }
    }
}
