//! Encoding groups: the subscribers of one destination that share a subscription id and a protocol version.
//!
//! All of them get the same octets, so a message is encoded once for the group, WebSocket header included, and shared.
//! Clients use few ids (`sub-0`, `sub-1`), so a destination has few groups.

use std::{collections::hash_map::Entry, sync::Arc};

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::{
    broker::{
        encoding::{Encoding, Handing},
        held::{Held, HeldFull, Waiting},
        shared_queue::{Handed, SharedQueue},
        stored::Stored,
        topic::{Envelope, Reach},
    },
    closing::Closing,
    history::Position,
    outbox::{Outbox, Overflow, Pushed},
    session_id::SessionId,
    sse,
};

/// What a header that is put on one subscriber's frame alone adds to it at most: `recovered:false`, and a longer header of
/// the WebSocket frame.
pub(super) const MAX_NOTE: usize = 32;

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
    /// Where the history was read up to before it went live. A journal may tell of an entry later than it lets it be read.
    pub(super) seen: Option<Position>,
    /// A header of the next message alone.
    pub(super) first: Option<(&'static str, &'static str)>,
    /// Where its messages wait until they are acknowledged.
    pub(super) queue: Option<Arc<SharedQueue>>,
}

/// What became of a message for one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// There was no room, and the destination's policy lets it be dropped.
    Dropped,
    /// It waits for the subscriber to go live, or the subscriber has it from the history.
    Held,
    /// Its connection is closing.
    Refused,
    /// By its connection: how many messages, as earlier ones may go with it, in octets, and whether one waits there.
    Sent { messages: usize, octets: usize, queued: bool },
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

impl Special {
    /// Whether a message of this place was read from the history already. The first that was not is the end of that.
    fn has_seen(&mut self, position: Option<Position>) -> bool {
        let Some(position) = position else { return false };
        let has_seen = self.seen.is_some_and(|seen| position.is_within(seen));
        if !has_seen {
            self.seen = None;
        }
        has_seen
    }

    /// Whether nothing is special any more.
    fn is_plain(&self) -> bool {
        self.held.is_none() && self.seen.is_none() && self.first.is_none() && self.queue.is_none()
    }
}

impl Member {
    /// Hands over a live message.
    pub(super) fn deliver(&mut self, key: SubscriberKey, shared: &mut Shared<'_>) -> Taken {
        let envelope = shared.envelope;
        let Some(special) = &mut self.special else {
            return self.push(envelope.lane(key), envelope.overflow, shared.wire());
        };
        if special.has_seen(envelope.place.map(|(position, _)| position)) {
            return Taken::Held;
        }
        if let Some(held) = &mut special.held {
            let (lane, overflow) = (envelope.lane(key), envelope.overflow);
            return match held.push(Waiting { message: envelope.stored(), lane, overflow }) {
                Ok(()) => Taken::Held,
                Err(HeldFull) => self.handler_is_too_slow(),
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

    /// Hands over a message of the history, for which there is room: what was missed is owed whole.
    pub(super) fn replay(&mut self, encoding: &Encoding, message: Arc<Stored>) -> Taken {
        self.hand_over(encoding, Waiting { message, lane: 0, overflow: Overflow::Disconnect })
    }

    /// Lets the held messages go.
    pub(super) fn go_live(&mut self, encoding: &Encoding) -> Reach {
        let held = self.special.as_mut().and_then(|special| special.held.take());
        self.hand_over_all(encoding, held.map(Held::into_messages).unwrap_or_default())
    }

    /// Lets the held messages go that come after `last` in the history. None where some were forgotten or there is no room
    /// for all of them: then it holds back anew, from nothing, and they have to be read from the history first.
    pub(super) fn try_go_live(&mut self, encoding: &Encoding, last: Position) -> Option<Reach> {
        let queue = self.private_queue();
        let Some(special) = &mut self.special else { return Some(Reach::default()) };
        let Some(held) = &mut special.held else { return Some(Reach::default()) };
        let due = held.after(last);
        let has_room = || match queue {
            Some(queue) => queue.has_room_for(due.len(), due.iter().map(|waiting| waiting.message.octets()).sum()),
            None => {
                let octets =
                    due.iter().map(|waiting| waiting.message.encode(encoding, Handing::default()).len() + MAX_NOTE);
                self.outbox.has_room_for(due.len(), octets.sum())
            }
        };
        if held.has_forgotten() || !(due.is_empty() || has_room()) {
            held.restart();
            return None;
        }
        special.held = None;
        special.seen = Some(last);
        Some(self.hand_over_all(encoding, due))
    }

    /// Puts a header on the next message alone; in an event stream it is an event of its own, now.
    pub(super) fn announce(
        &mut self,
        encoding: &Encoding,
        key: SubscriberKey,
        header @ (name, value): (&'static str, &'static str),
    ) {
        if *encoding == Encoding::Event {
            self.outbox.push(sse::note(name, value).into());
            return;
        }
        let special = self.special.get_or_insert_default();
        match &special.queue {
            Some(queue) => queue.announce(key, header),
            None => special.first = Some(header),
        }
    }

    /// Sends a reply, which no policy drops.
    pub(super) fn send_first(&mut self, key: SubscriberKey, wire: Bytes) {
        let first = self.special.as_mut().and_then(|special| match &special.queue {
            Some(queue) => queue.take_announced(key),
            None => special.first.take(),
        });
        self.outbox.push(match first {
            Some((name, value)) => self.outbox.annotate(&wire, name, value),
            None => wire,
        });
    }

    /// Where its messages wait until they are acknowledged.
    pub(super) fn private_queue(&self) -> Option<Arc<SharedQueue>> {
        self.special.as_ref()?.queue.clone()
    }

    /// Whether messages were forgotten that it held back.
    pub(super) fn has_forgotten(&self) -> bool {
        self.special.as_ref().and_then(|special| special.held.as_ref()).is_some_and(Held::has_forgotten)
    }

    /// More was published while its handler ran than a subscription may hold back.
    pub(super) fn handler_is_too_slow(&self) -> Taken {
        self.outbox.stop(Closing::slow_handler());
        Taken::Refused
    }

    fn is_too_slow(&self) -> Taken {
        self.outbox.stop(Closing::slow_consumer());
        Taken::Refused
    }

    fn hand_over_all(&mut self, encoding: &Encoding, messages: Vec<Waiting>) -> Reach {
        let mut reach = Reach::default();
        for waiting in messages {
            reach.count(self.hand_over(encoding, waiting));
        }
        if self.special.as_ref().is_some_and(|special| special.is_plain()) {
            self.special = None;
        }
        reach
    }

    /// Hands over a message that was kept.
    fn hand_over(&mut self, encoding: &Encoding, Waiting { message, lane, overflow }: Waiting) -> Taken {
        if self.special.as_ref().is_some_and(|special| special.queue.is_some()) {
            return self.enqueue(message);
        }
        let wire = message.encode(encoding, Handing::default());
        let first = self.special.as_mut().and_then(|special| special.first.take());
        let wire = match first {
            Some((name, value)) => self.outbox.annotate(&wire, name, value),
            None => wire,
        };
        self.push(lane, overflow, wire)
    }

    /// The private queue of an acknowledging subscriber takes a message, or the client was too slow to acknowledge.
    fn enqueue(&mut self, message: Arc<Stored>) -> Taken {
        let queue = self.special.as_ref().and_then(|special| special.queue.as_ref());
        match queue.and_then(|queue| queue.publish(message)) {
            Some(Ok(Handed { messages: 0, .. })) => Taken::Held,
            Some(Ok(Handed { messages, octets, queued })) => Taken::Sent { messages, octets, queued },
            Some(Err(_)) => self.is_too_slow(),
            None => Taken::Refused,
        }
    }

    fn push(&self, lane: u64, overflow: Overflow, wire: Bytes) -> Taken {
        let octets = wire.len();
        let pushed = match overflow {
            Overflow::Disconnect => self.outbox.push(wire),
            _ => self.outbox.push_for(lane, overflow, wire),
        };
        match pushed {
            Pushed::Dropped => Taken::Dropped,
            Pushed::Queued => Taken::Sent { messages: 1, octets, queued: true },
            Pushed::Refused => Taken::Refused,
            Pushed::Written => Taken::Sent { messages: 1, octets, queued: false },
        }
    }
}
