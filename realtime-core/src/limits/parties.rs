//! Those who are counted one by one (users, network addresses): how many connections each has, and what it has used of a
//! rate.
//!
//! A seat is given back by dropping it. A party without a seat is remembered for as long as its bucket is not full, so
//! that leaving and coming back gives nothing away; how many of those there are is bounded.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::Hash,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    clock,
    limits::{Rate, SharedBucket, TokenBucket},
};

/// Everyone of one kind.
pub(super) struct Parties<K> {
    max_seats: usize,
    max_remembered: usize,
    rate: Rate,
    state: Mutex<State<K>>,
}

struct State<K> {
    parties: HashMap<K, Party>,
    /// Parties without a seat.
    idle: usize,
}

struct Party {
    seats: usize,
    bucket: SharedBucket,
}

/// One connection of a party.
pub(super) struct Seat<K: Clone + Eq + Hash> {
    all: Arc<Parties<K>>,
    key: K,
    bucket: SharedBucket,
}

impl<K: Clone + Eq + Hash> Parties<K> {
    pub(super) fn new(max_seats: usize, rate: Rate, max_remembered: usize) -> Arc<Self> {
        let state = State { parties: HashMap::new(), idle: 0 };
        Arc::new(Self { max_seats, max_remembered, rate, state: Mutex::new(state) })
    }

    /// A seat for one more connection; none where the party has as many as it may.
    pub(super) fn seat(self: &Arc<Self>, key: K) -> Option<Seat<K>> {
        let mut state = self.state.lock();
        let State { parties, idle } = &mut *state;
        if self.max_seats == 0 {
            return None;
        }
        let bucket = match parties.entry(key.clone()) {
            Entry::Occupied(mut party) => {
                let party = party.get_mut();
                if party.seats >= self.max_seats {
                    return None;
                }
                *idle -= usize::from(party.seats == 0);
                party.seats += 1;
                Arc::clone(&party.bucket)
            }
            Entry::Vacant(place) => {
                let bucket = Arc::new(Mutex::new(TokenBucket::new(clock::now())));
                place.insert(Party { seats: 1, bucket: Arc::clone(&bucket) });
                bucket
            }
        };
        drop(state);
        Some(Seat { all: Arc::clone(self), key, bucket })
    }

    fn leave(&self, key: &K) {
        let now = clock::now();
        let mut state = self.state.lock();
        let Some(party) = state.parties.get_mut(key) else { return };
        party.seats -= 1;
        if party.seats > 0 {
            return;
        }
        if party.missing(self.rate, now) == 0 {
            state.parties.remove(key);
            return;
        }
        state.idle += 1;
        if state.idle > self.max_remembered {
            self.forget(&mut state, now);
        }
    }

    /// Forgets those without a seat who have nothing to be remembered for any more; and where that is not enough, so many of
    /// those with the fullest buckets that the next time is far away.
    fn forget(&self, state: &mut State<K>, now: Instant) {
        let mut missing: Vec<u128> = Vec::with_capacity(state.idle);
        state.parties.retain(|_, party| {
            let left = if party.seats == 0 { party.missing(self.rate, now) } else { return true };
            if left > 0 {
                missing.push(left);
            }
            left > 0
        });
        state.idle = missing.len();
        let surplus = state.idle.saturating_sub(self.max_remembered / 2);
        if surplus == 0 {
            return;
        }
        let (_, &mut most, _) = missing.select_nth_unstable(surplus - 1);
        state.parties.retain(|_, party| party.seats > 0 || party.missing(self.rate, now) > most);
        state.idle = state.parties.values().filter(|party| party.seats == 0).count();
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.state.lock().parties.len()
    }
}

impl Party {
    fn missing(&self, rate: Rate, now: Instant) -> u128 {
        self.bucket.lock().missing(rate, now)
    }
}

impl<K: Clone + Eq + Hash> Seat<K> {
    /// What the party has used of the rate.
    pub(super) fn bucket(&self) -> &SharedBucket {
        &self.bucket
    }

    /// Whose seat it is.
    pub(super) fn key(&self) -> &K {
        &self.key
    }

    pub(super) fn rate(&self) -> Rate {
        self.all.rate
    }
}

impl<K: Clone + Eq + Hash> Drop for Seat<K> {
    fn drop(&mut self) {
        self.all.leave(&self.key);
    }
}

/// Who it is is nobody's business.
impl<K: Clone + Eq + Hash> fmt::Debug for Seat<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn take<K: Clone + Eq + Hash>(seat: &Seat<K>) -> Result<(), Duration> {
        seat.bucket().lock().take(seat.rate(), 1, clock::now())
    }

    #[tokio::test(start_paused = true)]
    async fn seats_are_bounded_at_the_limit_and_not_one_beyond_and_come_back() {
        let parties = Parties::new(2, Rate::per_second(1), 10);
        let (one, two) = (parties.seat("a"), parties.seat("a"));
        assert!(one.is_some() && two.is_some() && parties.seat("a").is_none());
        assert!(parties.seat("b").is_some());
        drop(one);
        assert!(parties.seat("a").is_some());
        drop(two);
        assert_eq!(parties.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_finds_what_they_left_until_it_has_come_back() {
        let parties = Parties::new(2, Rate::per_second(1), 10);
        let seat = parties.seat("a").unwrap();
        assert!(take(&seat).is_ok());
        drop(seat);
        assert!(take(&parties.seat("a").unwrap()).is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        let seat = parties.seat("a").unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(seat);
        assert_eq!(parties.len(), 0, "a full bucket is not worth remembering");
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_the_worst_are_remembered_longest() {
        const MOST: usize = 100;
        let parties = Parties::new(2, Rate::per_second(1).burst(10), MOST);
        let worst = parties.seat(usize::MAX).unwrap();
        for _ in 0..10 {
            assert!(take(&worst).is_ok());
        }
        let seated = parties.seat(usize::MAX - 1).unwrap();
        drop(worst);
        for key in 0..10 * MOST {
            assert!(take(&parties.seat(key).unwrap()).is_ok());
            assert!(parties.len() <= MOST + 2);
        }
        assert!(take(&parties.seat(usize::MAX).unwrap()).is_err());
        drop(seated);
        tokio::time::advance(Duration::from_secs(10)).await;
        // The next one over the bound clears the table of all whose buckets are full again.
        for key in 0..=MOST {
            assert!(take(&parties.seat(key).unwrap()).is_ok());
        }
        assert!(parties.len() <= MOST);
        let state = parties.state.lock();
        assert_eq!(state.idle, state.parties.len());
    }
}
