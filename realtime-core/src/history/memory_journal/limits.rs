//! What all histories in memory take together.

/// Bounds of a [`MemoryJournal`](crate::history::MemoryJournal) over all destinations, beside what each of them retains.
///
/// Where one is exceeded, the history of the destination is evicted that was appended to longest ago. Who resumes there is
/// told that it is not complete.
///
/// ```
/// use parlor_core::{broker::DeliveryRules, history::{MemoryLimits, Retain}};
///
/// let rules = DeliveryRules::default()
///     .history("/topic/rooms/*/chat", Retain::last(500))
///     .history_memory(MemoryLimits::default().max_destinations(1000).max_octets(32 << 20));
/// # let _ = rules;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryLimits {
    /// Destinations that are remembered, with entries or without. Default 10,000. Protects memory where clients choose the
    /// names of destinations.
    pub max_destinations: usize,
    /// Octets of all entries, counted as [`Entry::octets`](crate::history::Entry::octets) says. Default 134,217,728
    /// (128 MiB).
    pub max_octets: usize,
}

impl MemoryLimits {
    /// Sets [`max_destinations`](Self#structfield.max_destinations).
    #[must_use]
    pub const fn max_destinations(mut self, destinations: usize) -> Self {
        self.max_destinations = destinations;
        self
    }

    /// Sets [`max_octets`](Self#structfield.max_octets).
    #[must_use]
    pub const fn max_octets(mut self, octets: usize) -> Self {
        self.max_octets = octets;
        self
    }
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { max_destinations: 10_000, max_octets: 128 << 20 }
    }
}

/// What the histories take at this moment.
///
/// ```
/// use parlor_core::history::{MemoryJournal, MemoryLimits, Retention};
///
/// let usage = MemoryJournal::new(Retention::default(), MemoryLimits::default()).usage();
/// assert_eq!((usage.destinations, usage.octets), (0, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryUsage {
    /// Destinations that are remembered.
    pub destinations: usize,
    /// Octets of all entries.
    pub octets: usize,
}
