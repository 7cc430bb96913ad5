//! How much of a destination's messages is kept.

use std::time::Duration;

/// What a destination keeps: the last messages, none older than an age, within a number of octets. Whatever exceeds one of
/// the three is forgotten, oldest first.
///
/// ```
/// use std::time::Duration;
///
/// use parlor_core::history::Retain;
///
/// let retain = Retain::last(500).within(Duration::from_secs(600)).up_to(4 << 20);
/// assert_eq!(retain.messages(), 500);
/// assert_eq!(retain.age(), Duration::from_secs(600));
/// assert_eq!(retain.octets(), 4 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retain {
    messages: usize,
    age: Duration,
    octets: usize,
}

impl Retain {
    /// The age where none is said.
    pub const DEFAULT_AGE: Duration = Duration::from_secs(3600);

    /// The octets where none are said: 1 MiB.
    pub const DEFAULT_OCTETS: usize = 1 << 20;

    /// Keeps the last `messages`, for one hour at most and within 1 MiB unless said otherwise. With none, positions are
    /// assigned and nothing is kept: only who missed nothing can resume.
    #[must_use]
    pub const fn last(messages: usize) -> Self {
        Self { messages, age: Self::DEFAULT_AGE, octets: Self::DEFAULT_OCTETS }
    }

    /// Keeps none that is older than `age`. Default one hour.
    #[must_use]
    pub const fn within(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Keeps at most `octets`, counted as [`Entry::octets`](crate::history::Entry::octets) says. Default 1 MiB. A message
    /// that is larger by itself is delivered and not kept.
    #[must_use]
    pub const fn up_to(mut self, octets: usize) -> Self {
        self.octets = octets;
        self
    }

    /// The most messages that are kept.
    #[must_use]
    pub const fn messages(&self) -> usize {
        self.messages
    }

    /// The age up to which a message is kept, that age included.
    #[must_use]
    pub const fn age(&self) -> Duration {
        self.age
    }

    /// The most octets that are kept.
    #[must_use]
    pub const fn octets(&self) -> usize {
        self.octets
    }
}
