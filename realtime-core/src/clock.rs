//! The one place where the core reads the clock.
//!
//! It is tokio's clock, so that tests under paused time see every rule about time at once; with the feature `testing` the
//! wall clock follows it too.

use std::time::Duration;

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

/// When it will be `at` by the wall clock; now, where that is past.
pub(crate) fn at_wall(at: std::time::SystemTime) -> Instant {
    after(now(), at.duration_since(wall()).unwrap_or_default())
}

/// Wall-clock time, for the expiry of tokens.
#[cfg(not(feature = "testing"))]
#[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
pub(crate) fn wall() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// Wall-clock time, for the expiry of tokens: in tests it goes along with tokio's clock, so that it stands still and jumps
/// with it. The wall clock is read once in the process; from there on time is counted.
#[cfg(feature = "testing")]
#[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
pub(crate) fn wall() -> std::time::SystemTime {
    use std::{sync::OnceLock, time};

    static BEGINNING: OnceLock<(time::SystemTime, time::Instant)> = OnceLock::new();
    let (wall, begun) = *BEGINNING.get_or_init(|| (time::SystemTime::now(), time::Instant::now()));
    let now = now().into_std();
    // A clock that was paused before the beginning stands before it.
    wall + now.saturating_duration_since(begun) - begun.saturating_duration_since(now)
}
