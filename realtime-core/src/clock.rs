//! The one place where the core reads the clock.
//!
//! It is tokio's clock, so that tests under paused time see every rule about time at once.

use std::time::SystemTime;

use tokio::time::Instant;

/// Monotonic time.
#[expect(clippy::disallowed_methods, reason = "the one reader of the monotonic clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Wall-clock time, for the expiry of tokens.
#[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
