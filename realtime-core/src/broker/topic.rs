//! One address with subscribers: its order, its encoding groups, and `apply`, the only way to them.
//!
//! The lock of a topic is its order: a position is assigned and applied under it, so that all local subscribers see one
//! order. No await and no user code happens under it.

use std::{collections::HashMap, sync::Arc};

use parking_lot::{Mutex, MutexGuard};

use crate::{
    broker::{
        Publication, Pushed,
        group::{self, Group, GroupKey, Member, SubscriberKey},
    },
    session_id::SessionId,
    telemetry::DestinationMeters,
};

/// The place of a message in the order of its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub(super) u64);

/// The subscribers of one address (or of one pattern).
#[derive(Debug, Default)]
pub(super) struct Topic {
    state: Mutex<TopicState>,
}

#[derive(Debug, Default)]
pub(super) struct TopicState {
    last: u64,
    groups: HashMap<GroupKey, Group>,
    /// Found at the first message.
    meters: Option<Arc<DestinationMeters>>,
    /// Taken out of the index: whoever still holds it must look again.
    retired: bool,
}

/// One message with its names, ready to be applied.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) message_id: &'a str,
    pub(super) destination: &'a str,
    pub(super) publication: &'a Publication,
    /// Only this session, where given.
    pub(super) only: Option<SessionId>,
}

/// What a message reached.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reach {
    pub(super) subscriptions: usize,
    /// Those of them whose connection was closing and did not take it.
    pub(super) refused: usize,
    /// Octets handed to the others.
    pub(super) octets: usize,
    /// Somewhere it waits in a queue.
    pub(super) queued: bool,
}

impl Reach {
    pub(super) fn add(&mut self, more: Self) {
        self.subscriptions += more.subscriptions;
        self.refused += more.refused;
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
    /// The next place in the order.
    pub(super) fn next_position(&mut self) -> Position {
        self.last += 1;
        Position(self.last)
    }

    /// Delivers a message to every subscription here, in the order of positions, and adds the sessions to `sessions` where
    /// asked.
    pub(super) fn apply(
        &mut self,
        position: Position,
        envelope: &Envelope<'_>,
        mut sessions: Option<&mut Vec<SessionId>>,
    ) -> Reach {
        debug_assert!(position.0 <= self.last, "positions are assigned here, under this lock");
        let mut reach = Reach::default();
        for (key, group) in &mut self.groups {
            let mut wire = None;
            for member in group.members_mut().filter(|member| envelope.only.is_none_or(|only| only == member.session)) {
                let wire = wire.get_or_insert_with(|| {
                    group::encode(key, envelope.message_id, envelope.destination, envelope.publication)
                });
                reach.subscriptions += 1;
                match member.deliver(wire.clone()) {
                    Some(Pushed::Refused) => reach.refused += 1,
                    pushed => {
                        reach.octets += wire.len();
                        reach.queued |= pushed == Some(Pushed::Queued);
                    }
                }
                if let Some(sessions) = sessions.as_deref_mut()
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

    pub(super) fn insert(&mut self, group: GroupKey, key: SubscriberKey, member: Member) {
        self.groups.entry(group).or_default().insert(key, member);
    }

    /// Removes a subscriber; returns whether none is left.
    pub(super) fn remove(&mut self, group: &GroupKey, key: SubscriberKey) -> bool {
        if let Some(found) = self.groups.get_mut(group) {
            found.remove(key);
            if found.len() == 0 {
                self.groups.remove(group);
            }
        }
        self.groups.is_empty()
    }

    pub(super) fn member_mut(&mut self, group: &GroupKey, key: SubscriberKey) -> Option<&mut Member> {
        self.groups.get_mut(group)?.member_mut(key)
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
