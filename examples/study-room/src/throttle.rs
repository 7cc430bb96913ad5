//! A token bucket for each key, in bounded memory.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Keys that are remembered. Beyond it those whose buckets are full again are forgotten, and then the fullest ones.
const MOST_KEYS: usize = 10_000;

/// Lets each key do something `capacity` times at once, and once more every `returns`.
pub(crate) struct Throttle<K> {
    capacity: u32,
    returns: Duration,
    /// When each key's bucket will be full again.
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Clone + Eq + Hash> Throttle<K> {
    pub(crate) fn new(capacity: u32, returns: Duration) -> Self {
        Self { capacity, returns, full_at: Mutex::default() }
    }

    /// Takes one from the key's bucket.
    ///
    /// # Errors
    /// How long to wait until there is one.
    pub(crate) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.lock();
        let full_at = buckets.get(&key).copied().unwrap_or(now).max(now) + self.returns;
        let deepest = now + self.returns * self.capacity;
        if full_at > deepest {
            return Err(full_at - deepest);
        }
        if buckets.len() >= MOST_KEYS && !buckets.contains_key(&key) {
            forget(&mut buckets, now);
        }
        buckets.insert(key, full_at);
        Ok(())
    }

    /// Puts one back.
    pub(crate) fn give_back(&self, key: &K) {
        if let Some(full_at) = self.lock().get_mut(key) {
            *full_at -= self.returns;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, Instant>> {
        // Nothing panics while it is held; and if it did, counts would still be counts.
        self.full_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn forget<K: Clone + Eq + Hash>(buckets: &mut HashMap<K, Instant>, now: Instant) {
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() >= MOST_KEYS {
        let mut times: Vec<Instant> = buckets.values().copied().collect();
        let (_, median, _) = times.select_nth_unstable(MOST_KEYS / 2);
        let median = *median;
        buckets.retain(|_, full_at| *full_at > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_key_is_bounded_at_its_capacity_and_others_are_not_touched() {
        let throttle = Throttle::new(3, SECOND);
        let now = crate::clock::now();
        for _ in 0..3 {
            assert_eq!(throttle.take("a", now), Ok(()));
        }
        assert_eq!(throttle.take("a", now), Err(SECOND));
        assert_eq!(throttle.take("b", now), Ok(()));
        assert_eq!(throttle.take("a", now + SECOND), Ok(()));
        assert!(throttle.take("a", now + SECOND).is_err());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let throttle = Throttle::new(1, SECOND);
        let now = crate::clock::now();
        for _ in 0..10 {
            assert_eq!(throttle.take("a", now), Ok(()));
            throttle.give_back(&"a");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::new(2, SECOND);
        let now = crate::clock::now();
        for key in 0..3 * MOST_KEYS {
            assert_eq!(throttle.take(key, now), Ok(()));
        }
        assert!(throttle.lock().len() <= MOST_KEYS);
    }
}
