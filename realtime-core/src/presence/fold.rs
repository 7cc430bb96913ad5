//! The fold: from entries of all nodes to who is where. Pure: no clock, no task, no lock.
//!
//! Invariant: what is seen at a moment depends on the set of updates alone, not on their order or number, as long as none comes
//! later than the retention after what it was overtaken by. *Joined* and *left* are not sent by anyone, they are read off two
//! states; so a user with entries of several nodes, or with one that is written anew within the grace, never leaves.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map},
    hash::Hash,
    time::Duration,
};

use crate::{
    auth::UserId,
    presence::{Entry, Hold, Moment, NodeId, Update},
};

/// Who is where.
#[derive(Debug)]
pub(super) struct Fold<P, D> {
    /// This node, whose entries come in order and need not be remembered.
    node: NodeId,
    /// How long another node's entry is remembered after its end, to know older ones of the same name that come late.
    retention: Duration,
    places: HashMap<P, BTreeMap<UserId, Vec<Slot<D>>>>,
    nodes: BTreeMap<NodeId, Node>,
    /// When an entry ends, or is forgotten; one for each that has an end.
    timers: BTreeSet<(Moment, P, UserId, NodeId)>,
}

/// One entry; those of a user at a place are in the order of their owners.
#[derive(Debug)]
struct Slot<D> {
    owner: NodeId,
    revision: u64,
    hold: Hold,
    data: D,
    timer: Option<Moment>,
}

/// What is known of a node itself.
#[derive(Debug, Default)]
struct Node {
    /// What is older and was in no reset is out of date.
    complete: u64,
    /// When its entries end, as it is dead.
    down: Option<Moment>,
}

/// A user at a place about whom something may be different now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Touched<P, D> {
    pub(super) place: P,
    pub(super) user: UserId,
    /// What the entry said that has ended, where one has.
    pub(super) ended: Option<D>,
}

impl<P, D> Fold<P, D>
where
    P: Clone + Eq + Hash + Ord,
    D: Clone,
{
    pub(super) fn new(node: NodeId, retention: Duration) -> Self {
        Self { node, retention, places: HashMap::new(), nodes: BTreeMap::new(), timers: BTreeSet::new() }
    }

    /// Takes an update.
    pub(super) fn apply(&mut self, update: Update<P, D>, now: Moment) -> Vec<Touched<P, D>> {
        let mut touched = Vec::new();
        match update {
            Update::Entry(entry) => self.put(entry, now, &mut touched),
            Update::NodeDown { node, until } => {
                let known = self.nodes.entry(node).or_default();
                known.down = known.down.max(Some(until));
                for (place, user) in self.owned_by(|slot| slot.owner == node) {
                    self.settle(&place, &user, node, now, &mut touched);
                }
            }
            Update::Reset { entries, revisions, until } => self.reset(entries, &revisions, until, now, &mut touched),
        }
        touched
    }

    /// Lets time pass. Call it before anything is asked.
    pub(super) fn expire(&mut self, now: Moment) -> Vec<Touched<P, D>> {
        let mut touched = Vec::new();
        while let Some((moment, place, user, owner)) = self.timers.first().cloned().filter(|timer| timer.0 <= now) {
            self.timers.remove(&(moment, place.clone(), user.clone(), owner));
            if let Some(slot) = self.slot_mut(&place, &user, owner) {
                slot.timer = None;
            }
            self.settle(&place, &user, owner, now, &mut touched);
        }
        touched
    }

    /// When to let time pass next.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.timers.first().map(|timer| timer.0)
    }

    /// What the entries of a user at a place say that count, in the order of their owners.
    pub(super) fn entries<'a>(&'a self, place: &P, user: &UserId, now: Moment) -> impl Iterator<Item = &'a D> {
        let slots = self.places.get(place).and_then(|users| users.get(user));
        slots.into_iter().flatten().filter(move |slot| self.counts(slot, now)).map(|slot| &slot.data)
    }

    /// Whether a user is at a place.
    pub(super) fn is_present(&self, place: &P, user: &UserId, now: Moment) -> bool {
        self.entries(place, user, now).next().is_some()
    }

    /// The users at a place, in the order of their ids.
    pub(super) fn users<'a>(&'a self, place: &P, now: Moment) -> impl Iterator<Item = &'a UserId> {
        let users = self.places.get(place).into_iter().flatten();
        users.filter(move |(_, slots)| slots.iter().any(|slot| self.counts(slot, now))).map(|(user, _)| user)
    }

    /// The places that are known, in no particular order; nobody may be there any more.
    pub(super) fn places(&self) -> impl Iterator<Item = &P> {
        self.places.keys()
    }

    /// Whether nothing is remembered of anyone.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty() && self.timers.is_empty()
    }

    fn put(&mut self, entry: Entry<P, D>, now: Moment, touched: &mut Vec<Touched<P, D>>) {
        let Entry { place, user, owner, revision, hold, data } = entry;
        let complete = self.nodes.get(&owner).map_or(0, |node| node.complete);
        let slots = self.places.entry(place.clone()).or_default().entry(user.clone()).or_default();
        match slots.binary_search_by_key(&owner, |slot| slot.owner) {
            Ok(found) if slots[found].revision >= revision => return,
            Ok(found) => {
                slots[found].revision = revision;
                slots[found].hold = hold;
                slots[found].data = data;
            }
            Err(_) if revision <= complete => return self.forget_if_empty(&place, &user),
            Err(place) => slots.insert(place, Slot { owner, revision, hold, data, timer: None }),
        }
        touched.push(Touched { place: place.clone(), user: user.clone(), ended: None });
        self.settle(&place, &user, owner, now, touched);
    }

    fn reset(
        &mut self,
        entries: Vec<Entry<P, D>>,
        revisions: &[(NodeId, u64)],
        until: Moment,
        now: Moment,
        touched: &mut Vec<Touched<P, D>>,
    ) {
        let named: BTreeSet<_> =
            entries.iter().map(|entry| (entry.place.clone(), entry.user.clone(), entry.owner)).collect();
        for entry in entries {
            self.put(entry, now, touched);
        }
        for &(node, revision) in revisions {
            let known = self.nodes.entry(node).or_default();
            known.complete = known.complete.max(revision);
            for (place, user) in self.owned_by(|slot| slot.owner == node && slot.revision <= revision) {
                if named.contains(&(place.clone(), user.clone(), node)) {
                    continue;
                }
                if let Some(slot) = self.slot_mut(&place, &user, node) {
                    slot.hold = match slot.hold {
                        Hold::Until(sooner) => Hold::Until(sooner.min(until)),
                        Hold::WhileOwnerLives => Hold::Until(until),
                    };
                }
                self.settle(&place, &user, node, now, touched);
            }
        }
    }

    /// Brings an entry into line with its end: armed before it, told at it, forgotten after it.
    fn settle(&mut self, place: &P, user: &UserId, owner: NodeId, now: Moment, touched: &mut Vec<Touched<P, D>>) {
        let retention = if owner == self.node { Duration::ZERO } else { self.retention };
        let Some(slot) = self.slot_mut(place, user, owner) else { return };
        let (hold, timer) = (slot.hold, slot.timer.take());
        let end = self.end_of(hold, owner);
        let next = end.map(|end| if now < end { end } else { end.after(retention) });
        let timer_key = |moment| (moment, place.clone(), user.clone(), owner);
        if let Some(timer) = timer {
            self.timers.remove(&timer_key(timer));
        }
        let Some(slot) = self.slot_mut(place, user, owner) else { return };
        if end.is_some_and(|end| end <= now) {
            touched.push(Touched { place: place.clone(), user: user.clone(), ended: Some(slot.data.clone()) });
        }
        match next {
            Some(next) if next <= now => {
                if let Some(slots) = self.places.get_mut(place).and_then(|users| users.get_mut(user)) {
                    slots.retain(|slot| slot.owner != owner);
                }
                self.forget_if_empty(place, user);
            }
            Some(next) => {
                slot.timer = Some(next);
                self.timers.insert(timer_key(next));
            }
            None => {}
        }
    }

    fn forget_if_empty(&mut self, place: &P, user: &UserId) {
        let hash_map::Entry::Occupied(mut users) = self.places.entry(place.clone()) else { return };
        if users.get().get(user).is_some_and(Vec::is_empty) {
            users.get_mut().remove(user);
        }
        if users.get().is_empty() {
            users.remove();
        }
    }

    /// When an entry ends, where that is known.
    fn end_of(&self, hold: Hold, owner: NodeId) -> Option<Moment> {
        match hold {
            Hold::Until(end) => Some(end),
            Hold::WhileOwnerLives => self.nodes.get(&owner).and_then(|node| node.down),
        }
    }

    fn counts(&self, slot: &Slot<D>, now: Moment) -> bool {
        self.end_of(slot.hold, slot.owner).is_none_or(|end| now < end)
    }

    fn slot_mut(&mut self, place: &P, user: &UserId, owner: NodeId) -> Option<&mut Slot<D>> {
        self.places.get_mut(place)?.get_mut(user)?.iter_mut().find(|slot| slot.owner == owner)
    }

    /// Looks at all entries: for what is rare.
    fn owned_by(&self, wanted: impl Fn(&Slot<D>) -> bool) -> Vec<(P, UserId)> {
        let users =
            self.places.iter().flat_map(|(place, users)| users.iter().map(move |(user, slots)| (place, user, slots)));
        let found = users.filter(|(_, _, slots)| slots.iter().any(&wanted));
        found.map(|(place, user, _)| (place.clone(), user.clone())).collect()
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
