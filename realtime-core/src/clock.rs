//! The one place where the core reads the clock.
//!
//! It is tokio's clock, so that tests under paused time see every rule about time at once.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Monotonic time.
#[expect(clippy::disallowed_methods, reason = "the one reader of the monotonic clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The longest time that is counted; a longer one, "never" say, means the same and could overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The moment `time` after `from`.
pub(crate) fn after(from: Instant, time: Duration) -> Instant {
    from + time.min(LONGEST)
}

/// Wall-clock time, for the expiry of tokens.
#[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
