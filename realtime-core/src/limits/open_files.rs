//! How many files the operating system lets this process have open.

/// The share of the open files that connections may take, in percent: the rest is for listeners, databases and logs.
const SHARE_PERCENT: u64 = 80;

/// More than this the rest never needs.
const MOST_KEPT: u64 = 1_000;

/// As many connections as the limit of open files (the soft `RLIMIT_NOFILE`) leaves room for: 80 % of it, and all but 1,000
/// where that is more; none where there is no limit or it cannot be read. Accept loops bound themselves by it, too.
///
/// ```
/// use parlor_core::{Config, limits::max_connections};
///
/// let room = max_connections().unwrap_or(10_000);
/// let config = Config::default().max_connections(room.min(10_000));
/// # let _ = config;
/// ```
#[must_use]
pub fn max_connections() -> Option<usize> {
    #[cfg(unix)]
    {
        let (soft, _) = rlimit::Resource::NOFILE.get().ok()?;
        (soft != rlimit::INFINITY).then(|| share(soft))
    }
    #[cfg(not(unix))]
    None
}

/// What connections may take of so many open files.
#[cfg(unix)]
fn share(of: u64) -> usize {
    let share = of / 100 * SHARE_PERCENT + of % 100 * SHARE_PERCENT / 100;
    usize::try_from(share.max(of.saturating_sub(MOST_KEPT))).unwrap_or(usize::MAX)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_is_kept_and_never_more_than_a_thousand() {
        assert_eq!([0, 1_024, 5_000, 5_001, 20_000, 1_000_000].map(share), [0, 819, 4_000, 4_001, 19_000, 999_000]);
    }
}
