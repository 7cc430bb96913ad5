//! The application's one reader of the clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Monotonic time.
#[expect(clippy::disallowed_methods, reason = "the one reader of the monotonic clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(not(test))]
#[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
fn wall() -> SystemTime {
    SystemTime::now()
}

/// In tests the wall clock goes along with tokio's, so that a test that moves the one moves both. It is read once in the
/// process; from there on time is counted.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
fn wall() -> SystemTime {
    use std::sync::OnceLock;

    static BEGINNING: OnceLock<(SystemTime, Instant)> = OnceLock::new();
    let (wall, begun) = *BEGINNING.get_or_init(|| (SystemTime::now(), Instant::now()));
    let now = tokio::time::Instant::now().into_std();
    // A clock that was paused before the beginning stands before it.
    wall + now.saturating_duration_since(begun) - begun.saturating_duration_since(now)
}
