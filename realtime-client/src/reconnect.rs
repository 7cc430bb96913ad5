//! When to try again: exponential back-off with full jitter, and the time that the server asked for.

use std::time::Duration;

/// The longest time that a server is allowed to send a client away for, so that a wrong figure does not end it for good.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(600);

/// Doubling more often than this reaches any `max`.
const DOUBLINGS_MOST: u32 = 31;

/// When the client tries again after its connection ended.
///
/// Before attempt `n` it waits for a random time between nothing and `base * 2^(n-1)`, at most `max`, so that the clients of
/// a server that restarts do not come back together. Where the server named a time (`retry-after`), that time is added, at
/// most ten minutes of it. Attempts are counted from the last connection that lived for [`max`](Self::max).
///
/// ```
/// use std::time::Duration;
/// use parlor_client::ReconnectPolicy;
///
/// let policy = ReconnectPolicy::default().max(Duration::from_secs(10)).max_attempts(Some(20));
/// # let _ = policy;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReconnectPolicy {
    /// The longest wait before the first attempt, default 500 ms.
    pub base: Duration,
    /// The longest wait before any attempt, default 30 s.
    pub max: Duration,
    /// How many attempts in a row may fail before the client gives up; none is no bound, the default. 0 never reconnects.
    pub max_attempts: Option<u32>,
}

impl Default for ReconnectPolicy {
    fn default() -> Self {
        Self { base: Duration::from_millis(500), max: Duration::from_secs(30), max_attempts: None }
    }
}

impl ReconnectPolicy {
    /// The client ends with its connection.
    #[must_use]
    pub fn never() -> Self {
        Self::default().max_attempts(Some(0))
    }

    /// Sets [`base`](Self#structfield.base).
    #[must_use]
    pub fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// Sets [`max`](Self#structfield.max).
    #[must_use]
    pub fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// Sets [`max_attempts`](Self#structfield.max_attempts).
    #[must_use]
    pub fn max_attempts(mut self, attempts: Option<u32>) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Whether the attempt of that number, counted from 1, is still made.
    pub(crate) fn allows(&self, attempt: u32) -> bool {
        self.max_attempts.is_none_or(|most| attempt <= most)
    }

    /// How long to wait before the attempt of that number, counted from 1. `random` decides within the bounds.
    pub(crate) fn delay(&self, attempt: u32, retry_after: Option<Duration>, random: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(DOUBLINGS_MOST);
        let most = self.base.saturating_mul(1 << doublings).min(self.max);
        let jitter = most.mul_f64(f64::from(random) / f64::from(u32::MAX));
        retry_after.unwrap_or_default().min(RETRY_AFTER_MOST) + jitter
    }
}

/// A random number; the middle where the system has none.
pub(crate) fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_bound_doubles_up_to_the_greatest_and_never_overflows() {
        let policy = ReconnectPolicy::default();
        for (attempt, most) in
            [(1, 500), (2, 1000), (3, 2000), (6, 16_000), (7, 30_000), (40, 30_000), (u32::MAX, 30_000)]
        {
            assert_eq!(policy.delay(attempt, None, u32::MAX), most * MS, "{attempt}");
            assert_eq!(policy.delay(attempt, None, 0), Duration::ZERO, "{attempt}");
        }
        let half = policy.delay(1, None, u32::MAX / 2);
        assert!(half > 249 * MS && half < 251 * MS, "{half:?}");
    }

    #[test]
    fn what_the_server_asks_for_is_waited_for_in_full_up_to_ten_minutes() {
        let policy = ReconnectPolicy::default();
        assert_eq!(policy.delay(1, Some(3200 * MS), 0), 3200 * MS);
        assert_eq!(policy.delay(1, Some(3200 * MS), u32::MAX), 3700 * MS);
        assert_eq!(policy.delay(1, Some(Duration::MAX), 0), RETRY_AFTER_MOST);
    }

    #[test]
    fn attempts_are_bounded_at_the_limit_and_not_one_beyond() {
        let policy = ReconnectPolicy::default().max_attempts(Some(2));
        assert!(policy.allows(2) && !policy.allows(3));
        assert!(!ReconnectPolicy::never().allows(1));
        assert!(ReconnectPolicy::default().allows(u32::MAX));
    }
}
