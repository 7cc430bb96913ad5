//! How many files the operating system lets this process have open.

/// The share of the open files that connections may take, in percent: the rest is for listeners, databases and logs.
const SHARE_PERCENT: u64 = 80;

/// As many connections as the limit of open files (the soft `RLIMIT_NOFILE`) leaves room for: 80 % of it, where there is
/// one and it can be read. Accept loops bound themselves by it, too.
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
        (soft != rlimit::INFINITY).then(|| {
            usize::try_from(soft / 100 * SHARE_PERCENT + soft % 100 * SHARE_PERCENT / 100).unwrap_or(usize::MAX)
        })
    }
    #[cfg(not(unix))]
    None
}
