//! Places in the history of a destination.

/// One life of a destination's history: positions of two epochs cannot be compared. It is random, so that the epoch of an
/// earlier process is not taken for one of this one.
///
/// ```
/// use parlor_core::history::Epoch;
///
/// let epoch = Epoch::random();
/// assert_eq!(Epoch::new(epoch.get()), epoch);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

/// A place in the history of one destination: everything up to and including `offset` lies before it.
///
/// A client gets it as an opaque token, see [`PositionCodec`](crate::history::PositionCodec).
///
/// ```
/// use parlor_core::history::{Epoch, Position};
///
/// let beginning = Position { epoch: Epoch::random(), offset: 0 };
/// let elsewhere = Position { epoch: Epoch::random(), offset: 0 };
/// assert_ne!(beginning, elsewhere); // another life of the history
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The life of the history that `offset` counts in.
    pub epoch: Epoch,
    /// The offset of the last entry before this place; zero is the place before the first one.
    pub offset: u64,
}

/// What the journal gives an entry: its place, and that of the entry before it on the same destination.
///
/// Offsets grow and may have gaps; who follows `prev` from entry to entry knows that none is missing.
///
/// ```
/// use parlor_core::history::{Epoch, Stamp};
///
/// let epoch = Epoch::random();
/// let (first, second) = (Stamp { epoch, offset: 4, prev: 0 }, Stamp { epoch, offset: 9, prev: 4 });
/// assert_eq!(second.prev, first.position().offset); // none is missing between them
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The life of the history that the offsets count in.
    pub epoch: Epoch,
    /// The place of this entry.
    pub offset: u64,
    /// The offset of the entry before it; zero where this is the first one of the epoch.
    pub prev: u64,
}

impl Epoch {
    /// A fresh epoch.
    ///
    /// # Panics
    /// When the operating system has no randomness to give; see [`SessionId::random`](crate::session::SessionId::random).
    #[must_use]
    pub fn random() -> Self {
        let mut octets = [0; 8];
        crate::session_id::fill_random(&mut octets);
        Self(u64::from_le_bytes(octets))
    }

    /// The epoch of this number, for a journal that finds it in its store.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The epoch as a number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Position {
    /// Whether who is at `other` has seen everything up to here.
    pub(crate) fn is_within(self, other: Self) -> bool {
        self.epoch == other.epoch && self.offset <= other.offset
    }
}

impl Stamp {
    /// The place right after the entry.
    #[must_use]
    pub const fn position(self) -> Position {
        Position { epoch: self.epoch, offset: self.offset }
    }
}
