//! The token bucket that keeps a [`Rate`]. It reads no clock.
//!
//! It counts in units × nanoseconds of the period, so nothing is rounded: what a rate promises is kept to the nanosecond.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits::{Rate, rate::Limited};

/// The longest wait that is told: a rate of nothing never has room again.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// A bucket that several connections draw from.
pub(crate) type SharedBucket = Arc<Mutex<TokenBucket>>;

/// What was taken of a rate and has not come back yet. The rate is given with each call, so that a bucket is small.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    /// What is missing in the bucket, in units × nanoseconds of the period, at `at`.
    missing: u128,
    at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) fn new(now: Instant) -> Self {
        Self { missing: 0, at: now }
    }

    /// Takes `units`, all or none.
    ///
    /// # Errors
    /// How long to wait until as many are there.
    pub(crate) fn take(&mut self, rate: Rate, units: u64, now: Instant) -> Result<(), Duration> {
        let Some(limited) = rate.limited() else { return Ok(()) };
        self.refill(limited, now);
        let missing = self.missing + cost(limited, units);
        let most = cost(limited, limited.burst);
        if missing > most {
            return Err(wait(limited, missing - most));
        }
        self.missing = missing;
        Ok(())
    }

    /// Whether one unit could be taken now.
    ///
    /// # Errors
    /// How long to wait until it can.
    pub(crate) fn check(&self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let mut probe = *self;
        probe.take(rate, 1, now)
    }

    /// What is missing at `now`; nothing in a full bucket.
    pub(crate) fn missing(&self, rate: Rate, now: Instant) -> u128 {
        let mut probe = *self;
        if let Some(limited) = rate.limited() {
            probe.refill(limited, now);
        }
        probe.missing
    }

    fn refill(&mut self, limited: Limited, now: Instant) {
        // A call with an earlier time than the last one, from another thread, changes nothing.
        let elapsed = now.saturating_duration_since(self.at).as_nanos();
        if elapsed > 0 {
            self.at = now;
            self.missing = self.missing.saturating_sub(elapsed.saturating_mul(u128::from(limited.units)));
        }
    }
}

fn cost(limited: Limited, units: u64) -> u128 {
    u128::from(units) * limited.period.as_nanos()
}

fn wait(limited: Limited, missing: u128) -> Duration {
    if limited.units == 0 {
        return LONGEST_WAIT;
    }
    let nanoseconds = missing.div_ceil(u128::from(limited.units));
    u64::try_from(nanoseconds).map_or(LONGEST_WAIT, Duration::from_nanos).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_passes_at_its_bound_and_not_one_beyond() {
        let now = crate::clock::now();
        let (rate, mut bucket) = (Rate::per_second(50).burst(100), TokenBucket::new(now));
        for _ in 0..100 {
            assert_eq!(bucket.take(rate, 1, now), Ok(()));
        }
        assert_eq!(bucket.take(rate, 1, now), Err(SECOND / 50));
        assert_eq!(bucket.take(rate, 1, now + SECOND / 50 - Duration::from_nanos(1)), Err(Duration::from_nanos(1)));
        assert_eq!(bucket.take(rate, 1, now + SECOND / 50), Ok(()));
    }

    #[test]
    fn exactly_the_rate_passes_for_ever_also_where_a_unit_is_no_whole_nanosecond() {
        let start = crate::clock::now();
        let (rate, mut bucket) = (Rate::per_second(1 << 20).burst(2), TokenBucket::new(start));
        assert_eq!(bucket.take(rate, 1, start), Ok(()));
        for unit in 0..100_000_u64 {
            // The first nanosecond at which the unit is due.
            let due = start + Duration::from_nanos((unit * 1_000_000_000).div_ceil(1 << 20));
            assert_eq!(bucket.take(rate, 1, due), Ok(()), "{unit}");
        }
    }

    #[test]
    fn a_rate_of_nothing_lets_the_burst_through_and_nothing_ever_again() {
        let now = crate::clock::now();
        let (rate, mut bucket) = (Rate::per_second(0).burst(1), TokenBucket::new(now));
        assert_eq!(bucket.take(rate, 1, now), Ok(()));
        assert_eq!(bucket.take(rate, 1, now + LONGEST_WAIT * 1000), Err(LONGEST_WAIT));
    }

    #[test]
    fn no_limit_counts_nothing() {
        let now = crate::clock::now();
        let mut bucket = TokenBucket::new(now);
        assert_eq!(bucket.take(Rate::unlimited(), u64::MAX, now), Ok(()));
        assert_eq!(bucket.missing(Rate::unlimited(), now), 0);
    }

    #[test]
    fn time_that_runs_backwards_between_threads_gives_nothing_away() {
        let now = crate::clock::now();
        let (rate, mut bucket) = (Rate::per_second(1), TokenBucket::new(now + SECOND));
        assert_eq!(bucket.take(rate, 1, now), Ok(()));
        assert_eq!(bucket.take(rate, 1, now + SECOND), Err(SECOND));
    }

    proptest! {
        /// The reference is the definition: units pass exactly where, for every earlier moment, everything that passed since
        /// and these together are at most the burst and what the rate brings in that time.
        #[test]
        fn it_lets_through_exactly_what_the_rate_promises(
            units in 0_u64..2000,
            burst in 0_u64..50,
            per_minute: bool,
            steps in vec((0_u64..200_000_000, 0_u64..8), 1..120),
        ) {
            let rate = if per_minute { Rate::per_minute(units) } else { Rate::per_second(units) }.burst(burst);
            let period: u128 = if per_minute { 60_000_000_000 } else { 1_000_000_000 };
            let start = crate::clock::now();
            let (mut bucket, mut at) = (TokenBucket::new(start), 0);
            let mut passed: Vec<(u64, u64)> = Vec::new();
            for (later, wanted) in steps {
                at += later;
                let fits = |wanted| {
                    let mut sum = u128::from(wanted);
                    let room = |since: u64| u128::from(burst) * period + u128::from(at - since) * u128::from(units);
                    sum * period <= room(at)
                        && passed.iter().rev().all(|&(when, count)| {
                            sum += u128::from(count);
                            sum * period <= room(when)
                        })
                };
                let now = start + Duration::from_nanos(at);
                prop_assert_eq!(bucket.check(rate, now).is_ok(), fits(1));
                let expected = fits(wanted);
                match bucket.take(rate, wanted, now) {
                    Ok(()) => {
                        prop_assert!(expected);
                        passed.push((at, wanted));
                    }
                    Err(wait) => {
                        prop_assert!(!expected);
                        // The wait that is told is enough, and the shortest that is.
                        if wanted <= burst && units > 0 && wait < LONGEST_WAIT {
                            let mut later = bucket;
                            prop_assert!(later.take(rate, wanted, now + wait).is_ok());
                            let mut sooner = bucket;
                            prop_assert!(sooner.take(rate, wanted, now + wait - Duration::from_nanos(1)).is_err());
                        }
                    }
                }
            }
        }
    }
}
