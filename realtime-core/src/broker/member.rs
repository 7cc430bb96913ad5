//! One subscriber of a destination, and what is special about it until it is live.
//!
//! A subscriber that is live and says nothing is a member of a lane (`fan_out`), which all like it share. What is special goes
//! its own way: held back, read from a history, or kept until it is acknowledged.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    broker::{
        encoding::Encoding,
        held::{Held, HeldFull, Waiting},
        shared_queue::{Handed, SharedQueue},
        stored::{LastEncoded, Stored},
        topic::{Envelope, Reach},
    },
    closing::Closing,
    fan_out::SubscriberKey,
    history::Position,
    outbox::{Outbox, Overflow, Pushed},
    session_id::SessionId,
    sse,
};

/// What a header that is put on one subscriber's frame alone adds to it at most: `recovered:false`, and a longer header of
/// the WebSocket frame.
pub(super) const MAX_NOTE: usize = 32;

/// One subscriber.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) session: SessionId,
    pub(super) outbox: Arc<Outbox>,
    pub(super) encoding: Encoding,
    /// Where its messages wait until they are acknowledged. With it, or with what follows, it is in no lane.
    pub(super) queue: Option<Arc<SharedQueue>>,
    /// What few subscribers have.
    pub(super) special: Option<Box<Special>>,
}

/// How a subscriber differs from one that is live.
#[derive(Debug, Default)]
pub(super) struct Special {
    /// Live messages that wait until the subscription's first reply is sent, or what came before is.
    pub(super) held: Option<Held>,
    /// Where the history was read up to before it went live. A journal may tell of an entry later than it lets it be read.
    pub(super) seen: Option<Position>,
    /// A header of the next message alone.
    pub(super) first: Option<(&'static str, &'static str)>,
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
        self.held.is_none() && self.seen.is_none() && self.first.is_none()
    }
}

impl Member {
    /// Hands over a live message, not by a lane.
    pub(super) fn deliver(&mut self, key: SubscriberKey, envelope: &Envelope<'_>) -> Taken {
        let (lane, overflow) = (envelope.lane(key), envelope.overflow);
        if let Some(special) = &mut self.special {
            if special.has_seen(envelope.place.map(|(position, _)| position)) {
                return Taken::Held;
            }
            if let Some(held) = &mut special.held {
                return match held.push(Waiting { message: envelope.stored(), lane, overflow }) {
                    Ok(()) => Taken::Held,
                    Err(HeldFull) => self.handler_is_too_slow(),
                };
            }
        }
        let first = self.special.take().and_then(|special| special.first);
        if self.queue.is_some() {
            return self.enqueue(envelope.stored(), Some(&mut envelope.last_encoded.borrow_mut()));
        }
        let wire = envelope.encode(&self.encoding);
        let wire = match first {
            Some((name, value)) => self.outbox.annotate(&wire, name, value),
            None => wire,
        };
        self.push(lane, overflow, wire)
    }

    /// Whether it is a member of a lane.
    pub(super) fn is_plain(&self) -> bool {
        self.queue.is_none() && self.special.is_none()
    }

    /// Hands over a message of the history, for which there is room: what was missed is owed whole.
    pub(super) fn replay(&mut self, message: Arc<Stored>) -> Taken {
        self.hand_over(Waiting { message, lane: 0, overflow: Overflow::Disconnect })
    }

    /// Lets the held messages go.
    pub(super) fn go_live(&mut self) -> Reach {
        let held = self.special.as_mut().and_then(|special| special.held.take());
        self.hand_over_all(held.map(Held::into_messages).unwrap_or_default())
    }

    /// Lets the held messages go that come after `last` in the history. None where some were forgotten or there is no room
    /// for all of them: then it holds back anew, from nothing, and they have to be read from the history first.
    pub(super) fn try_go_live(&mut self, last: Position) -> Option<Reach> {
        let queue = self.private_queue();
        let Some(special) = &mut self.special else { return Some(Reach::default()) };
        let Some(held) = &mut special.held else { return Some(Reach::default()) };
        let due = held.after(last);
        let has_room = || match queue {
            Some(queue) => queue.has_room_for(due.len(), due.iter().map(|waiting| waiting.message.octets()).sum()),
            None => {
                let octets = due.iter().map(|waiting| waiting.message.encode(&self.encoding).len() + MAX_NOTE);
                self.outbox.has_room_for(due.len(), octets.sum())
            }
        };
        if held.has_forgotten() || !(due.is_empty() || has_room()) {
            held.restart();
            return None;
        }
        special.held = None;
        special.seen = Some(last);
        Some(self.hand_over_all(due))
    }

    /// Puts a header on the next message alone; in an event stream it is an event of its own, now.
    pub(super) fn announce(&mut self, key: SubscriberKey, header @ (name, value): (&'static str, &'static str)) {
        if self.encoding == Encoding::Event {
            self.outbox.push(sse::note(name, value).into());
            return;
        }
        match &self.queue {
            Some(queue) => queue.announce(key, header),
            None => self.special.get_or_insert_default().first = Some(header),
        }
    }

    /// Sends a reply, which no policy drops.
    pub(super) fn send_first(&mut self, key: SubscriberKey, wire: Bytes) {
        let first = match &self.queue {
            Some(queue) => queue.take_announced(key),
            None => self.special.as_mut().and_then(|special| special.first.take()),
        };
        self.outbox.push(match first {
            Some((name, value)) => self.outbox.annotate(&wire, name, value),
            None => wire,
        });
    }

    /// Where its messages wait until they are acknowledged.
    pub(super) fn private_queue(&self) -> Option<Arc<SharedQueue>> {
        self.queue.clone()
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

    fn hand_over_all(&mut self, messages: Vec<Waiting>) -> Reach {
        let mut reach = Reach::default();
        for waiting in messages {
            reach.count(self.hand_over(waiting));
        }
        if self.special.as_ref().is_some_and(|special| special.is_plain()) {
            self.special = None;
        }
        reach
    }

    /// Hands over a message that was kept.
    fn hand_over(&mut self, Waiting { message, lane, overflow }: Waiting) -> Taken {
        if self.queue.is_some() {
            return self.enqueue(message, None);
        }
        let wire = message.encode(&self.encoding);
        let first = self.special.as_mut().and_then(|special| special.first.take());
        let wire = match first {
            Some((name, value)) => self.outbox.annotate(&wire, name, value),
            None => wire,
        };
        self.push(lane, overflow, wire)
    }

    /// The private queue of an acknowledging subscriber takes a message, or the client was too slow to acknowledge.
    fn enqueue(&mut self, message: Arc<Stored>, last: Option<&mut LastEncoded>) -> Taken {
        match self.queue.as_ref().and_then(|queue| queue.publish(message, last)) {
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
