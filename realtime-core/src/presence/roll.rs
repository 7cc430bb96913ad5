//! One node's roll: which of its connections stand for which user at which place. It writes the node's entries, keeps the fold of
//! all nodes' entries, and knows when somebody must be told. Pure: `now` is an argument.
//!
//! Invariants: an entry is written when the first connection of a user at a place opens, when the last one closes, and when what
//! it says changes; a second tab writes nothing. All that is kept is bounded by [`Bounds`]: when it is full those go first whose
//! grace is running, the oldest first.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::Hash,
    sync::Arc,
    time::Duration,
};

use crate::{
    auth::UserId,
    presence::{
        Directory, Entry, Hold, Moment, NodeId, Update,
        fold::{Fold, Touched},
    },
    session_id::SessionId,
};

/// How long entries of other nodes are remembered after their end, to know what comes late.
const RETENTION: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Roll<P, D> {
    node: NodeId,
    directory: Arc<dyn Directory<P, D>>,
    fold: Fold<P, D>,
    local: HashMap<P, HashMap<UserId, Local<D>>>,
    members: usize,
    /// Those of them who have no connection any more, by the end of their grace.
    leaving: BTreeSet<(Moment, P, UserId)>,
    bounds: Bounds,
    revision: u64,
    /// How long changes of a place are collected before they are told.
    delay: Duration,
    dirty: HashMap<P, Dirty<D>>,
    due: BTreeSet<(Moment, P)>,
    /// Places whose changes are being told: later ones wait until that is done, so that they stay in order.
    telling: HashSet<P>,
}

/// How many members there may be, those included whose grace is running.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// At all places together.
    pub(super) members: usize,
    /// At one place.
    pub(super) per_place: usize,
}

/// What makes a user be at a place: a subscription, an event stream, or a session that is tracked there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) session: SessionId,
    /// Which of the session's; what is tracked has the number 0.
    pub(super) number: u64,
}

/// A user at a place, as far as this node's connections go.
#[derive(Debug)]
struct Local<D> {
    connections: Vec<Connection>,
    hold: Hold,
    data: D,
}

/// What is to be told of a place.
#[derive(Debug)]
struct Dirty<D> {
    at: Moment,
    users: Changes<D>,
}

/// Users about whom something may be different, with what their entry said that has ended.
pub(super) type Changes<D> = BTreeMap<UserId, Option<D>>;

/// There is no room for another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl<P, D> Roll<P, D>
where
    P: Clone + Eq + Hash + Ord + 'static,
    D: Clone + 'static,
{
    pub(super) fn new(directory: Arc<dyn Directory<P, D>>, bounds: Bounds, delay: Duration) -> Self {
        Self {
            node: directory.node(),
            fold: Fold::new(directory.node(), RETENTION),
            directory,
            local: HashMap::new(),
            members: 0,
            leaving: BTreeSet::new(),
            bounds,
            revision: 0,
            delay,
            dirty: HashMap::new(),
            due: BTreeSet::new(),
            telling: HashSet::new(),
        }
    }

    /// A connection of a user is at a place from now on. `enters` makes what the entry says where the user was not there, and
    /// `returns` changes it where the user comes back within the grace.
    pub(super) fn open(
        &mut self,
        connection: Connection,
        place: &P,
        user: &UserId,
        enters: impl FnOnce() -> D,
        returns: impl FnOnce(&mut D),
        now: Moment,
    ) -> Result<(), Full> {
        self.pass(now);
        if let Some(local) = self.local_mut(place, user) {
            let is_back = local.connections.is_empty();
            if !local.connections.contains(&connection) {
                local.connections.push(connection);
            }
            if !is_back {
                return Ok(());
            }
            returns(&mut local.data);
            if let Hold::Until(end) = std::mem::replace(&mut local.hold, Hold::WhileOwnerLives) {
                self.leaving.remove(&(end, place.clone(), user.clone()));
            }
        } else {
            self.make_room(place, now)?;
            let local = Local { connections: vec![connection], hold: Hold::WhileOwnerLives, data: enters() };
            self.local.entry(place.clone()).or_default().insert(user.clone(), local);
            self.members += 1;
        }
        self.write(place, user, now);
        Ok(())
    }

    /// A connection is there no more. `closes` is given those of the user that are left, and says whether it changed what the
    /// entry says. Where none is left the user is held for `grace`.
    pub(super) fn close(
        &mut self,
        connection: Connection,
        place: &P,
        user: &UserId,
        grace: Duration,
        closes: impl FnOnce(&mut D, &[Connection]) -> bool,
        now: Moment,
    ) {
        self.pass(now);
        let Some(local) = self.local_mut(place, user) else { return };
        let before = local.connections.len();
        local.connections.retain(|known| *known != connection);
        if before == local.connections.len() {
            return;
        }
        let changed = closes(&mut local.data, &local.connections);
        if local.connections.is_empty() {
            self.hold_until(place, user, now.after(grace), now);
        } else if changed {
            self.write(place, user, now);
        }
    }

    /// Ends the grace of a user at a place now; false where none is running.
    pub(super) fn let_go(&mut self, place: &P, user: &UserId, departs: impl FnOnce(&mut D), now: Moment) -> bool {
        self.pass(now);
        let Some(local) = self.local_mut(place, user).filter(|local| local.connections.is_empty()) else {
            return false;
        };
        departs(&mut local.data);
        self.hold_until(place, user, now, now);
        true
    }

    /// The connections of a user at a place.
    pub(super) fn connections(&self, place: &P, user: &UserId) -> &[Connection] {
        let local = self.local.get(place).and_then(|users| users.get(user));
        local.map(|local| local.connections.as_slice()).unwrap_or_default()
    }

    /// The places where a user is by a connection of this node, or is held. Looks at all places.
    pub(super) fn places_of(&self, user: &UserId) -> Vec<P> {
        self.local.iter().filter(|(_, users)| users.contains_key(user)).map(|(place, _)| place.clone()).collect()
    }

    /// The places at which the grace of a user is running.
    pub(super) fn leaving_of(&self, user: &UserId) -> Vec<P> {
        self.leaving.iter().filter(|(_, _, leaving)| leaving == user).map(|(_, place, _)| place.clone()).collect()
    }

    /// Changes what the entry of a user says who is at a place; false where the user is not.
    pub(super) fn change(&mut self, place: &P, user: &UserId, change: impl FnOnce(&mut D), now: Moment) -> bool {
        self.pass(now);
        let Some(local) = self.local_mut(place, user) else { return false };
        change(&mut local.data);
        self.write(place, user, now);
        true
    }

    /// Takes what another node wrote, or what is said of it.
    pub(super) fn merge(&mut self, mut update: Update<P, D>, now: Moment) {
        self.pass(now);
        // A node's own entries are here before they are anywhere else.
        match &mut update {
            Update::Entry(entry) if entry.owner == self.node => return,
            Update::NodeDown { node, .. } if *node == self.node => return,
            Update::Reset { entries, revisions, .. } => {
                entries.retain(|entry| entry.owner != self.node);
                revisions.retain(|(node, _)| *node != self.node);
            }
            _ => {}
        }
        let touched = self.fold.apply(update, now);
        self.mark(touched, now);
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, now: Moment) {
        let touched = self.fold.expire(now);
        self.mark(touched, now);
        while let Some((_, place, user)) = self.leaving.first().cloned().filter(|leaving| leaving.0 <= now) {
            self.leaving.pop_first();
            self.forget(&place, &user);
        }
    }

    /// The next place whose changes are to be told now. Others of it wait until [`told`](Self::told).
    pub(super) fn take_due(&mut self, now: Moment) -> Option<(P, Changes<D>)> {
        let (_, place) = self.due.first().cloned().filter(|due| due.0 <= now)?;
        self.due.pop_first();
        let dirty = self.dirty.remove(&place)?;
        self.telling.insert(place.clone());
        Some((place, dirty.users))
    }

    /// The changes of a place were told.
    pub(super) fn told(&mut self, place: &P) {
        self.telling.remove(place);
        if let Some(dirty) = self.dirty.get(place) {
            self.due.insert((dirty.at, place.clone()));
        }
    }

    /// When something ends.
    pub(super) fn next_end(&self) -> Option<Moment> {
        self.fold.next_deadline()
    }

    /// When something is to be told.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.due.first().map(|due| due.0)
    }

    pub(super) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    pub(super) fn fold(&self) -> &Fold<P, D> {
        &self.fold
    }

    /// Whether nothing is known of anyone.
    pub(super) fn is_empty(&self) -> bool {
        self.local.is_empty() && self.fold.is_empty() && self.dirty.is_empty() && self.leaving.is_empty()
    }

    fn make_room(&mut self, place: &P, now: Moment) -> Result<(), Full> {
        let there = self.local.get(place).map_or(0, HashMap::len);
        if there >= self.bounds.per_place {
            // Rare: looks at all of them.
            let user = self.leaving.iter().find(|(_, known, _)| known == place).map(|(_, _, user)| user.clone());
            self.hold_until(place, &user.ok_or(Full)?, now, now);
        }
        if self.members >= self.bounds.members {
            let (_, place, user) = self.leaving.first().cloned().ok_or(Full)?;
            self.hold_until(&place, &user, now, now);
        }
        Ok(())
    }

    fn hold_until(&mut self, place: &P, user: &UserId, end: Moment, now: Moment) {
        let Some(local) = self.local_mut(place, user) else { return };
        if let Hold::Until(before) = std::mem::replace(&mut local.hold, Hold::Until(end)) {
            self.leaving.remove(&(before, place.clone(), user.clone()));
        }
        self.write(place, user, now);
        if end <= now {
            self.forget(place, user);
        } else {
            self.leaving.insert((end, place.clone(), user.clone()));
        }
    }

    fn write(&mut self, place: &P, user: &UserId, now: Moment) {
        let Some(local) = self.local.get(place).and_then(|users| users.get(user)) else { return };
        self.revision += 1;
        let entry = Entry {
            place: place.clone(),
            user: user.clone(),
            owner: self.node,
            revision: self.revision,
            hold: local.hold,
            data: local.data.clone(),
        };
        self.directory.put(&entry);
        let touched = self.fold.apply(Update::Entry(entry), now);
        self.mark(touched, now);
    }

    fn forget(&mut self, place: &P, user: &UserId) {
        if let Some(users) = self.local.get_mut(place) {
            self.members -= usize::from(users.remove(user).is_some());
            if users.is_empty() {
                self.local.remove(place);
            }
        }
    }

    fn local_mut(&mut self, place: &P, user: &UserId) -> Option<&mut Local<D>> {
        self.local.get_mut(place)?.get_mut(user)
    }

    fn mark(&mut self, touched: Vec<Touched<P, D>>, now: Moment) {
        for Touched { place, user, ended } in touched {
            let at = now.after(self.delay);
            let dirty = self.dirty.entry(place.clone()).or_insert_with(|| Dirty { at, users: BTreeMap::new() });
            let known = dirty.users.entry(user).or_default();
            if ended.is_some() {
                *known = ended;
            }
            if !self.telling.contains(&place) {
                self.due.insert((dirty.at, place));
            }
        }
    }
}

#[cfg(test)]
#[path = "roll_tests.rs"]
mod tests;
