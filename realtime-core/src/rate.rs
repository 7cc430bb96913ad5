//! How often a route may be used by one session.

use std::time::Duration;

/// So many events in so much time, spread over it: `Rate::new(5, Duration::from_secs(1))` lets five come at once and then one
/// more each 200 ms.
///
/// It is the generic cell rate algorithm (ITU-T I.371): one moment is kept for each session and route, whatever the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
}

impl Rate {
    /// `count` events in each `period`. A count of 0 is taken for 1.
    #[must_use]
    pub const fn new(count: u32, period: Duration) -> Self {
        Self { count: if count == 0 { 1 } else { count }, period }
    }

    /// `count` events a second.
    #[must_use]
    pub const fn per_second(count: u32) -> Self {
        Self::new(count, Duration::from_secs(1))
    }

    /// `count` events a minute.
    #[must_use]
    pub const fn per_minute(count: u32) -> Self {
        Self::new(count, Duration::from_secs(60))
    }

    /// How many events may come at once.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }

    /// The time after which `count` more may come.
    #[must_use]
    pub const fn period(self) -> Duration {
        self.period
    }

    /// Takes a turn at `now`, both counted from one common moment. `full_at` is when all turns will be there again; it is moved
    /// on. Without a turn left it stays, and the error is how long to wait for the next.
    pub(crate) fn take(self, full_at: &mut Duration, now: Duration) -> Result<(), Duration> {
        let each = self.period / self.count;
        let next = (*full_at).max(now) + each;
        let wait = next.saturating_sub(now + each * self.count);
        if wait.is_zero() {
            *full_at = next;
            Ok(())
        } else {
            Err(wait)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_many_as_the_count_come_at_once_and_the_next_one_waits() {
        let rate = Rate::per_second(5);
        let mut full_at = Duration::ZERO;
        let now = Duration::from_secs(100);
        assert!((0..5).all(|_| rate.take(&mut full_at, now).is_ok()));
        assert_eq!(rate.take(&mut full_at, now), Err(Duration::from_millis(200)));
        assert_eq!(rate.take(&mut full_at, now + Duration::from_millis(199)), Err(Duration::from_millis(1)));
        assert_eq!(rate.take(&mut full_at, now + Duration::from_millis(200)), Ok(()));
    }

    proptest! {
        #[test]
        fn no_window_of_a_period_holds_more_than_twice_the_count(
            count in 1_u32..20,
            gaps in prop::collection::vec(0_u64..400, 1..200),
        ) {
            let rate = Rate::per_second(count);
            let (mut full_at, mut now) = (Duration::ZERO, Duration::from_secs(10));
            let mut taken: VecDeque<Duration> = VecDeque::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if rate.take(&mut full_at, now).is_ok() {
                    taken.push_back(now);
                }
                while taken.front().is_some_and(|first| *first + rate.period() <= now) {
                    taken.pop_front();
                }
                // The burst that was saved up, and what came back meanwhile.
                prop_assert!(taken.len() <= 2 * count as usize);
            }
        }
    }
}
