//! One address with subscribers: its order, and `apply`, the only way to them.
//!
//! The lock of a topic is its order: messages are applied under it, so that all local subscribers see one order. Where the
//! destination has history, the journal assigned the position before, in the same order. No await and no user code happens
//! under it. Those who are live are reached by lanes, one append for each; a first message, and one for a single session, is
//! pushed to its outbox.

use std::{
    cell::{OnceCell, RefCell},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    broker::{
        Publication,
        encoding::{Dialect, Encoding, Head},
        member::{Member, Taken},
        members::{Members, Spot},
        stored::{LastEncoded, Stored},
    },
    fan_out::{Entry, Joining, LaneId, Shard, Shards, SubscriberKey, Tail},
    history::Position,
    outbox::Overflow,
    session_id::SessionId,
    sync::{Mutex, MutexGuard},
    telemetry::DestinationMeters,
};

/// The subscribers of one address (or of one pattern).
#[derive(Debug)]
pub(super) struct Topic {
    state: Mutex<TopicState>,
}

#[derive(Debug)]
pub(super) struct TopicState {
    shards: Arc<Shards>,
    members: Members,
    /// Those that are in no lane.
    special: Vec<Spot>,
    lanes: Vec<Lane>,
    /// Found at the first message.
    meters: Option<Arc<DestinationMeters>>,
    overflow: Option<Overflow>,
    /// Taken out of the index: whoever still holds it must look again.
    retired: bool,
}

/// The members of one shard that speak one dialect.
#[derive(Debug)]
struct Lane {
    id: LaneId,
    dialect: Dialect,
    shard: Arc<Shard>,
    members: usize,
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
    /// Where it counts as delivered.
    pub(super) meters: Arc<DestinationMeters>,
    pub(super) stored: OnceCell<Arc<Stored>>,
    pub(super) last_encoded: RefCell<LastEncoded>,
}

/// What a message reached, or several for one subscriber.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reach {
    /// Subscriptions that it was accepted for.
    pub(super) subscriptions: usize,
    /// Those of them whose connection was closing and did not take it.
    pub(super) refused: usize,
    /// Messages handed to connections; what is held back, or on its way in a lane, is counted when it goes.
    pub(super) messages: usize,
    /// Their octets.
    pub(super) octets: usize,
    /// Somewhere it waits in a queue.
    pub(super) queued: bool,
}

impl<'a> Envelope<'a> {
    /// A message outside of any history, for everyone.
    pub(super) fn new(
        message_id: &'a str,
        destination: &'a str,
        publication: &'a Publication,
        meters: Arc<DestinationMeters>,
    ) -> Self {
        Self {
            message_id,
            destination,
            publication,
            place: None,
            overflow: Overflow::Disconnect,
            salt: 0,
            only: None,
            meters,
            stored: OnceCell::new(),
            last_encoded: RefCell::default(),
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
        encoding.encode(&self.head(), self.publication)
    }

    /// What all members of a lane get.
    fn tail(&self, dialect: Dialect) -> Tail {
        let (octets, framing) = dialect.encode_rest(&self.head(), self.publication);
        let meters = Arc::clone(&self.meters);
        Tail { octets, framing, overflow: self.overflow, salt: self.salt, meters }
    }

    fn head(&self) -> Head<'a> {
        let position = self.place.map(|(_, token)| token);
        Head { position, ..Head::new(self.message_id, self.destination) }
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
    pub(super) fn new(shards: Arc<Shards>) -> Self {
        let state = TopicState {
            shards,
            members: Members::default(),
            special: Vec::new(),
            lanes: Vec::new(),
            meters: None,
            overflow: None,
            retired: false,
        };
        Self { state: Mutex::new(state) }
    }

    /// Locks the topic, unless it was taken out of the index meanwhile.
    pub(super) fn lock(&self) -> Option<MutexGuard<'_, TopicState>> {
        let state = self.state.lock();
        (!state.retired).then_some(state)
    }

    /// The subscriptions here.
    pub(super) fn len(&self) -> usize {
        self.state.lock().members.len()
    }
}

impl TopicState {
    /// Delivers a message to every subscription here, and adds the sessions to `sessions` where asked. Calls are in the order
    /// of the destination, as the lock is held.
    pub(super) fn apply(&mut self, envelope: &Envelope<'_>, mut sessions: Option<&mut Vec<SessionId>>) -> Reach {
        let mut reach = Reach::default();
        let wants_sessions = sessions.is_some();
        let mut heard = |session: SessionId| {
            if let Some(sessions) = sessions.as_deref_mut()
                && !sessions.contains(&session)
            {
                sessions.push(session);
            }
        };
        match envelope.only {
            None => {
                self.append(envelope, &mut reach);
                if wants_sessions {
                    let plain = self.members.iter_mut().filter(|(_, member)| member.is_plain());
                    plain.for_each(|(_, member)| heard(member.session));
                }
            }
            // A lane has everyone in it.
            Some(only) => {
                let wanted = self.members.iter_mut().filter(|(_, member)| member.is_plain() && member.session == only);
                for (key, member) in wanted {
                    let taken = member.deliver(key, envelope);
                    reach.count(taken);
                    if taken != Taken::Dropped {
                        heard(only);
                    }
                }
            }
        }
        // After the lanes: one that becomes plain by this message must not get it twice.
        let (members, mut plain) = (&mut self.members, Vec::new());
        self.special.retain_mut(|spot| {
            let Some(member) = members.at(spot) else { return false };
            if envelope.only.is_some_and(|only| only != member.session) {
                return true;
            }
            let taken = member.deliver(spot.key, envelope);
            reach.count(taken);
            if taken != Taken::Dropped {
                heard(member.session);
            }
            if member.is_plain() {
                plain.push(spot.key);
            }
            !member.is_plain()
        });
        for key in plain {
            self.place(key);
        }
        reach
    }

    /// Appends a message to all lanes, encoded once for each dialect.
    fn append(&self, envelope: &Envelope<'_>, reach: &mut Reach) {
        let mut encoded: Option<(Dialect, Tail)> = None;
        for Lane { id, dialect, shard, members } in &self.lanes {
            let tail = match &encoded {
                Some((of, tail)) if of == dialect => tail.clone(),
                _ => {
                    let tail = envelope.tail(*dialect);
                    encoded = Some((*dialect, tail.clone()));
                    tail
                }
            };
            shard.append(Entry::Publish { lane: *id, tail, audience: *members });
            reach.subscriptions += members;
        }
    }

    /// The meters of this topic, from `find` where it has none yet.
    pub(super) fn meters(&mut self, find: impl FnOnce() -> Arc<DestinationMeters>) -> Arc<DestinationMeters> {
        Arc::clone(self.meters.get_or_insert_with(find))
    }

    /// What happens to its messages where a client reads too slowly, from `find` where that is not known yet.
    pub(super) fn overflow(&mut self, find: impl FnOnce() -> Overflow) -> Overflow {
        *self.overflow.get_or_insert_with(find)
    }

    pub(super) fn insert(&mut self, key: SubscriberKey, member: Member) {
        self.members.insert(key, member);
        self.place(key);
    }

    /// Removes a subscriber; returns whether none is left.
    pub(super) fn remove(&mut self, key: SubscriberKey) -> bool {
        if let Some(member) = self.members.remove(key) {
            if member.is_plain() {
                self.leave(key, &member);
            } else {
                self.special.retain(|other| other.key != key);
                member.outbox.forget(key);
            }
        }
        self.is_empty()
    }

    /// Works on a subscriber, and puts it where it belongs then; none where it is gone.
    pub(super) fn with_member<T>(&mut self, key: SubscriberKey, work: impl FnOnce(&mut Member) -> T) -> Option<T> {
        let member = self.members.get_mut(key)?;
        let was_plain = member.is_plain();
        let worked = work(member);
        match (was_plain, member.is_plain()) {
            (true, true) | (false, false) => {}
            (false, true) => {
                self.special.retain(|other| other.key != key);
                self.place(key);
            }
            (true, false) => {
                let (session, outbox, encoding) = (member.session, Arc::clone(&member.outbox), member.encoding.clone());
                self.leave(key, &Member { session, outbox, encoding, queue: None, special: None });
                self.special.push(Spot::of(key));
            }
        }
        Some(worked)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.len() == 0
    }

    /// Puts a subscriber into its lane, or among those that are special.
    fn place(&mut self, key: SubscriberKey) {
        let Some(member) = self.members.get_mut(key) else { return };
        if !member.is_plain() {
            self.special.push(Spot::of(key));
            return;
        }
        let (dialect, head, outbox) = (member.encoding.dialect(), member.encoding.head(), Arc::clone(&member.outbox));
        let shard = self.shards.of(&outbox);
        let known = self.lanes.iter_mut().find(|lane| lane.dialect == dialect && Arc::ptr_eq(&lane.shard, shard));
        let lane = match known {
            Some(lane) => {
                lane.members += 1;
                lane.id
            }
            None => {
                let id = self.shards.next_lane();
                if self.lanes.is_empty() {
                    self.lanes.reserve_exact(1);
                }
                self.lanes.push(Lane { id, dialect, shard: Arc::clone(shard), members: 1 });
                // Those of one dialect beside each other, so that a message is encoded once.
                self.lanes.sort_by_key(|lane| lane.dialect);
                id
            }
        };
        shard.append(Entry::Join(Box::new(Joining { lane, outbox, key, head })));
    }

    /// Takes a plain subscriber out of its lane.
    fn leave(&mut self, key: SubscriberKey, member: &Member) {
        let dialect = member.encoding.dialect();
        let shard = self.shards.of(&member.outbox);
        let found = self.lanes.iter().position(|lane| lane.dialect == dialect && Arc::ptr_eq(&lane.shard, shard));
        let Some(place) = found else { return };
        let lane = &mut self.lanes[place];
        lane.members -= 1;
        let outbox = Arc::clone(&member.outbox);
        shard.append(Entry::Leave { lane: lane.id, key, outbox });
        if lane.members == 0 {
            self.lanes.remove(place);
        }
    }

    pub(super) fn retire(&mut self) {
        self.retired = true;
    }
}

/// A topic as it is shared between the index, publishers and subscriptions.
pub(super) type SharedTopic = Arc<Topic>;
