//! One address with subscribers: its order, its encoding groups, and `apply`, the only way to them.
//!
//! The lock of a topic is its order: messages are applied under it, so that all local subscribers see one order. Where the
//! destination has history, the journal assigned the position before, in the same order. No await and no user code happens
//! under it.

use std::{cell::OnceCell, collections::HashMap, sync::Arc};

use bytes::Bytes;

use crate::{
    broker::{
        Publication,
        encoding::{Encoding, Head},
        group::{Group, Member, Shared, SubscriberKey, Taken},
        stored::Stored,
    },
    history::Position,
    outbox::Overflow,
    session_id::SessionId,
    sync::{Mutex, MutexGuard},
    telemetry::DestinationMeters,
};

/// The subscribers of one address (or of one pattern).
#[derive(Debug, Default)]
pub(super) struct Topic {
    state: Mutex<TopicState>,
}

#[derive(Debug, Default)]
pub(super) struct TopicState {
    groups: HashMap<Encoding, Group>,
    /// Found at the first message.
    meters: Option<Arc<DestinationMeters>>,
    overflow: Option<Overflow>,
    /// Taken out of the index: whoever still holds it must look again.
    retired: bool,
}

/// One message with its names, ready to be applied.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) message_id: &'a str,
    pub(super) destination: &'a str,
    pub(super) publication: &'a Publication,
    /// Its place in the history of its destination, where that has one, and the token of it.
    pub(super) place: Option<(Position, &'a str)>,
    pub(super) overflow: Overflow,
    /// Tells destinations apart that one subscription by pattern hears of; 0 where it can only be one.
    pub(super) salt: u64,
    /// Only this session, where given.
    pub(super) only: Option<SessionId>,
    pub(super) stored: OnceCell<Arc<Stored>>,
}

/// What a message reached, or several for one subscriber.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reach {
    /// Subscriptions that have it or will have it. One whose policy dropped it is none.
    pub(super) subscriptions: usize,
    /// Those of them whose connection was closing and did not take it.
    pub(super) refused: usize,
    /// Messages handed to connections; what is held back is counted when it goes.
    pub(super) messages: usize,
    /// Their octets.
    pub(super) octets: usize,
    /// Somewhere it waits in a queue.
    pub(super) queued: bool,
}

impl<'a> Envelope<'a> {
    /// A message outside of any history, for everyone.
    pub(super) fn new(message_id: &'a str, destination: &'a str, publication: &'a Publication) -> Self {
        Self {
            message_id,
            destination,
            publication,
            place: None,
            overflow: Overflow::Disconnect,
            salt: 0,
            only: None,
            stored: OnceCell::new(),
        }
    }

    /// The message as it is kept for later, made once.
    pub(super) fn stored(&self) -> Arc<Stored> {
        let stored = self.stored.get_or_init(|| {
            Arc::new(Stored {
                message_id: self.message_id.into(),
                destination: self.destination.into(),
                publication: self.publication.clone(),
                place: self.place.map(|(position, token)| (position, token.into())),
            })
        });
        Arc::clone(stored)
    }

    pub(super) fn encode(&self, encoding: &Encoding) -> Bytes {
        let position = self.place.map(|(_, token)| token);
        let head = Head { position, ..Head::new(self.message_id, self.destination) };
        encoding.encode(&head, self.publication)
    }

    /// What of a subscriber's messages supersede each other: those of one destination.
    pub(super) fn lane(&self, key: SubscriberKey) -> u64 {
        key ^ self.salt
    }
}

impl Reach {
    /// One subscription more, unless it dropped the message.
    pub(super) fn count(&mut self, taken: Taken) {
        if taken == Taken::Dropped {
            return;
        }
        self.subscriptions += 1;
        match taken {
            Taken::Refused => self.refused += 1,
            Taken::Dropped | Taken::Held => {}
            Taken::Sent { messages, octets, queued } => {
                self.messages += messages;
                self.octets += octets;
                self.queued |= queued;
            }
        }
    }

    pub(super) fn add(&mut self, more: Self) {
        self.subscriptions += more.subscriptions;
        self.refused += more.refused;
        self.messages += more.messages;
        self.octets += more.octets;
        self.queued |= more.queued;
    }
}

impl Topic {
    /// Locks the topic, unless it was taken out of the index meanwhile.
    pub(super) fn lock(&self) -> Option<MutexGuard<'_, TopicState>> {
        let state = self.state.lock();
        (!state.retired).then_some(state)
    }

    /// The subscriptions here.
    pub(super) fn len(&self) -> usize {
        self.state.lock().groups.values().map(Group::len).sum()
    }
}

impl TopicState {
    /// Delivers a message to every subscription here, and adds the sessions to `sessions` where asked. Calls are in the order
    /// of the destination, as the lock is held.
    pub(super) fn apply(&mut self, envelope: &Envelope<'_>, mut sessions: Option<&mut Vec<SessionId>>) -> Reach {
        let mut reach = Reach::default();
        for (encoding, group) in &mut self.groups {
            let mut shared = Shared::new(encoding, envelope);
            let wanted = |session| envelope.only.is_none_or(|only| only == session);
            for (key, member) in group.members_mut().filter(|(_, member)| wanted(member.session)) {
                let taken = member.deliver(key, &mut shared);
                reach.count(taken);
                if taken != Taken::Dropped
                    && let Some(sessions) = sessions.as_deref_mut()
                    && !sessions.contains(&member.session)
                {
                    sessions.push(member.session);
                }
            }
        }
        reach
    }

    /// The meters of this topic, from `find` where it has none yet.
    pub(super) fn meters(&mut self, find: impl FnOnce() -> Arc<DestinationMeters>) -> Arc<DestinationMeters> {
        Arc::clone(self.meters.get_or_insert_with(find))
    }

    /// What happens to its messages where a client reads too slowly, from `find` where that is not known yet.
    pub(super) fn overflow(&mut self, find: impl FnOnce() -> Overflow) -> Overflow {
        *self.overflow.get_or_insert_with(find)
    }

    pub(super) fn insert(&mut self, encoding: Encoding, key: SubscriberKey, member: Member) {
        self.groups.entry(encoding).or_default().insert(key, member);
    }

    /// Removes a subscriber; returns it, and whether none is left.
    pub(super) fn remove(&mut self, encoding: &Encoding, key: SubscriberKey) -> (Option<Member>, bool) {
        let mut removed = None;
        if let Some(found) = self.groups.get_mut(encoding) {
            removed = found.remove(key);
            if found.len() == 0 {
                self.groups.remove(encoding);
            }
        }
        (removed, self.groups.is_empty())
    }

    pub(super) fn member_mut(&mut self, encoding: &Encoding, key: SubscriberKey) -> Option<&mut Member> {
        self.groups.get_mut(encoding)?.member_mut(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(super) fn retire(&mut self) {
        self.retired = true;
    }
}

/// A topic as it is shared between the index, publishers and subscriptions.
pub(super) type SharedTopic = Arc<Topic>;
