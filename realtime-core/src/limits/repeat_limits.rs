//! How long, and of how many sends, repeats are recognised.

use std::time::Duration;

/// Bounds of what is remembered of sends with a `message-key`. What is forgotten, because its time is over or because there
/// are too many younger ones, is handled anew when it is repeated.
///
/// ```
/// use std::time::Duration;
/// use parlor_core::limits::RepeatLimits;
///
/// let limits = RepeatLimits::default().window(Duration::from_secs(60));
/// assert_eq!(limits.max_keys_per_owner, 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepeatLimits {
    /// Keys remembered in all, default 65,536; for one more the oldest is forgotten. Protects memory: a key takes some 300
    /// octets. 0 remembers none.
    pub max_keys: usize,
    /// Keys of one user over all sessions, or of one anonymous session, default 1,024; for one more that owner's oldest is
    /// forgotten. Protects the keys of others. 0 remembers none.
    pub max_keys_per_owner: usize,
    /// How long a key is remembered after its send was handled, default 5 min: longer than a client takes to reconnect.
    /// Zero remembers none.
    pub window: Duration,
}

impl Default for RepeatLimits {
    fn default() -> Self {
        Self { max_keys: 65_536, max_keys_per_owner: 1024, window: Duration::from_secs(5 * 60) }
    }
}

impl RepeatLimits {
    /// Sets [`max_keys`](Self#structfield.max_keys).
    #[must_use]
    pub const fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// Sets [`max_keys_per_owner`](Self#structfield.max_keys_per_owner).
    #[must_use]
    pub const fn max_keys_per_owner(mut self, keys: usize) -> Self {
        self.max_keys_per_owner = keys;
        self
    }

    /// Sets [`window`](Self#structfield.window).
    #[must_use]
    pub const fn window(mut self, time: Duration) -> Self {
        self.window = time;
        self
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_off(&self) -> bool {
        self.max_keys == 0 || self.max_keys_per_owner == 0 || self.window.is_zero()
    }
}
