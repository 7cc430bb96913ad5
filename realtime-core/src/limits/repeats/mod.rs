//! Repeats of sends, by the `message-key` that the client gave them: the first is handled, later ones are not.
//!
//! ```text
//! claim -> First: handle it --done--> remembered for the window: claim -> Done
//!            |     `------ failed, or dropped ------> forgotten: claim -> First
//!            `- meanwhile: claim -> InFlight: wait for the outcome
//! ```

mod claim;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio::{sync::watch, time::Instant};

pub(crate) use self::claim::{Claim, First, Pending};
use crate::{
    clock,
    destination::Owner,
    limits::{MessageKey, RepeatLimits},
};

/// What one claim clears away at most of what is over its time: more than it adds, so that nothing piles up, and few, so that
/// no claim pays for many.
const CLEARED_AT_ONCE: usize = 8;

/// How many sends that are being handled are passed over to find an older one to forget that is done.
const MAX_SPARED: usize = 64;

/// The keys of the latest sends. Bounded in all, by owner and by time; each call costs the logarithm of what is remembered.
///
/// What is being handled is not forgotten by time, and of too many keys last: then its repeat would be handled beside it.
#[derive(Debug)]
pub(crate) struct Repeats {
    limits: RepeatLimits,
    /// Oldest first, by number: the number is given anew when a key becomes the youngest again.
    remembered: BTreeMap<u64, Remembered>,
    owners: HashMap<Owner, Owned>,
    next_number: u64,
    next_claim: u64,
}

/// The keys of one owner.
#[derive(Debug, Default)]
struct Owned {
    numbers: HashMap<MessageKey, u64>,
    /// The same numbers, oldest first.
    order: BTreeSet<u64>,
}

#[derive(Debug)]
struct Remembered {
    owner: Owner,
    key: MessageKey,
    /// Distinguishes a claim of this key from a later one.
    claim: u64,
    since: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    Done,
    /// Closed without an outcome once the first has failed.
    InFlight(watch::Receiver<bool>),
}

impl Repeats {
    /// Nothing is remembered.
    pub(crate) fn new(limits: RepeatLimits) -> Self {
        Self { limits, remembered: BTreeMap::new(), owners: HashMap::new(), next_number: 0, next_claim: 0 }
    }

    /// Asks whether a send is the first with its key.
    pub(crate) fn claim(&mut self, owner: &Owner, key: &MessageKey, now: Instant) -> Claim {
        self.clear(now, CLEARED_AT_ONCE);
        if let Some(number) = self.owners.get(owner).and_then(|owned| owned.numbers.get(key)).copied() {
            match self.remembered.get(&number).map(|remembered| (&remembered.state, remembered.since)) {
                Some((State::InFlight(outcome), _)) if is_open(outcome) => {
                    return Claim::InFlight(Pending::new(outcome.clone()));
                }
                Some((State::Done, since)) if now < clock::after(since, self.limits.window) => return Claim::Done,
                _ => drop(self.remove(number)),
            }
        }
        let claim = self.next_claim;
        self.next_claim += 1;
        let (first, outcome) = First::new(owner.clone(), key.clone(), claim);
        if !self.limits.is_off() {
            self.make_room(owner, now);
            let state = State::InFlight(outcome);
            self.insert(Remembered { owner: owner.clone(), key: key.clone(), claim, since: now, state });
        }
        Claim::First(first)
    }

    /// The first was handled: repeats of it are answered like it from now on, for the window.
    pub(crate) fn done(&mut self, first: First, now: Instant) {
        if let Some(number) = self.number_of(&first)
            && let Some(remembered) = self.remove(number)
        {
            self.insert(Remembered { since: now, state: State::Done, ..remembered });
        }
        first.tell_done();
    }

    /// The first was not handled: a repeat of it is. The same as to drop `first`, only that memory is free at once.
    pub(crate) fn failed(&mut self, first: First) {
        if let Some(number) = self.number_of(&first) {
            self.remove(number);
        }
        drop(first);
    }

    /// Forgets what is over its time.
    #[cfg(test)]
    pub(crate) fn expire(&mut self, now: Instant) {
        self.clear(now, self.remembered.len());
    }

    /// When [`expire`](Self::expire) has something to do next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.remembered.first_key_value().map(|(_, oldest)| clock::after(oldest.since, self.limits.window))
    }

    /// Keys that are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.remembered.len()
    }

    fn clear(&mut self, now: Instant, most: usize) {
        for _ in 0..most {
            if self.next_deadline().is_none_or(|deadline| deadline > now) {
                return;
            }
            let Some(number) = self.oldest() else { return };
            self.spare_or_forget(number, now);
        }
    }

    /// Makes room for one key of `owner`.
    fn make_room(&mut self, owner: &Owner, now: Instant) {
        let of_owner = self.owners.get(owner).map_or(0, |owned| owned.order.len());
        if of_owner >= self.limits.max_keys_per_owner {
            self.forget_oldest(of_owner, |repeats| repeats.owners.get(owner)?.order.first().copied(), now);
        }
        let of_all = self.remembered.len();
        if of_all >= self.limits.max_keys {
            self.forget_oldest(of_all, Self::oldest, now);
        }
    }

    /// Forgets the oldest of so many that is not being handled, or simply the oldest where all are.
    fn forget_oldest(&mut self, of: usize, oldest: impl Fn(&Self) -> Option<u64>, now: Instant) {
        for _ in 0..of.min(MAX_SPARED) {
            if oldest(self).is_some_and(|number| !self.spare_or_forget(number, now)) {
                return;
            }
        }
        if let Some(number) = oldest(self) {
            self.remove(number);
        }
    }

    /// Forgets a key, or makes it the youngest if it is being handled; tells whether it is.
    fn spare_or_forget(&mut self, number: u64, now: Instant) -> bool {
        let Some(remembered) = self.remove(number) else { return false };
        let spared = matches!(&remembered.state, State::InFlight(outcome) if is_open(outcome));
        if spared {
            self.insert(Remembered { since: now, ..remembered });
        }
        spared
    }

    fn insert(&mut self, remembered: Remembered) {
        let number = self.next_number;
        self.next_number += 1;
        let owned = self.owners.entry(remembered.owner.clone()).or_default();
        owned.numbers.insert(remembered.key.clone(), number);
        owned.order.insert(number);
        self.remembered.insert(number, remembered);
    }

    fn remove(&mut self, number: u64) -> Option<Remembered> {
        let remembered = self.remembered.remove(&number)?;
        if let Some(owned) = self.owners.get_mut(&remembered.owner) {
            owned.numbers.remove(&remembered.key);
            owned.order.remove(&number);
            if owned.order.is_empty() {
                self.owners.remove(&remembered.owner);
            }
        }
        Some(remembered)
    }

    /// Where a claim stands, if it was not forgotten.
    fn number_of(&self, first: &First) -> Option<u64> {
        let number = *self.owners.get(&first.owner)?.numbers.get(&first.key)?;
        (self.remembered.get(&number)?.claim == first.claim).then_some(number)
    }

    fn oldest(&self) -> Option<u64> {
        self.remembered.first_key_value().map(|(&number, _)| number)
    }
}

/// Whether the first is still being handled.
fn is_open(outcome: &watch::Receiver<bool>) -> bool {
    outcome.has_changed().is_ok()
}
