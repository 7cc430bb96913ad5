//! Whether a client was told that its token ends: once for each end, so that a refresh has the next one told too.

use std::time::Duration;

use tokio::time::Instant;

/// What became of the warnings of one connection.
#[derive(Debug, Default)]
pub(crate) struct ExpiryWarning {
    /// The end that was tried to be told last.
    tried: Option<Instant>,
    /// Whether anybody heard it.
    was_heard: bool,
}

impl ExpiryWarning {
    /// When it is to be told: `lead` before the end, once. Never where there is no end, or no lead.
    pub(crate) fn due(&self, expires: Option<Instant>, lead: Duration) -> Option<Instant> {
        let expires = expires.filter(|_| self.tried != expires && !lead.is_zero())?;
        // A clock that has not run for so long yet: it is due.
        Some(expires.checked_sub(lead).unwrap_or(expires))
    }

    /// It was told; whether anybody listened.
    pub(crate) fn tried(&mut self, expires: Instant, was_heard: bool) {
        *self = Self { tried: Some(expires), was_heard };
    }

    /// Whether it was due and nobody has heard it yet.
    pub(crate) fn is_unheard(&self, expires: Option<Instant>) -> bool {
        self.tried.is_some() && self.tried == expires && !self.was_heard
    }
}

/// Whole seconds from `now` to `expires`, rounded up.
pub(crate) fn seconds_left(expires: Instant, now: Instant) -> u64 {
    let left = expires.saturating_duration_since(now);
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_end_is_told_once_and_the_next_one_again() {
        let end = clock::now() + MINUTE * 5;
        let mut warning = ExpiryWarning::default();
        assert_eq!(warning.due(Some(end), MINUTE), Some(end - MINUTE));
        assert_eq!(warning.due(None, MINUTE), None);
        assert_eq!(warning.due(Some(end), Duration::ZERO), None, "switched off");
        warning.tried(end, true);
        assert_eq!(warning.due(Some(end), MINUTE), None);
        assert!(!warning.is_unheard(Some(end)));
        assert_eq!(warning.due(Some(end + MINUTE), MINUTE), Some(end), "refreshed");
    }

    #[test]
    fn an_end_that_nobody_heard_of_is_open_until_somebody_does() {
        let end = clock::now() + MINUTE;
        let mut warning = ExpiryWarning::default();
        assert!(!warning.is_unheard(Some(end)) && !warning.is_unheard(None), "it is not due yet");
        warning.tried(end, false);
        assert!(warning.is_unheard(Some(end)));
        assert!(!warning.is_unheard(Some(end + MINUTE)), "another end");
        warning.tried(end, true);
        assert!(!warning.is_unheard(Some(end)));
    }

    #[test]
    fn seconds_are_rounded_up() {
        let now = clock::now();
        assert_eq!(seconds_left(now + MINUTE, now), 60);
        assert_eq!(seconds_left(now + MINUTE - Duration::from_millis(999), now), 60);
        assert_eq!(seconds_left(now, now + MINUTE), 0);
    }
}
