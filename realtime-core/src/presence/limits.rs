//! Bounds of what is kept of who is where.

use crate::presence::roll::Bounds;

/// Bounds of one [`Rooms`](super::Rooms), [`Presence`](super::Presence) or [`Online`](super::Online).
///
/// ```
/// use parlor_core::presence::{PresenceLimits, Rooms};
///
/// let rooms = Rooms::at("/topic/rooms/{room}").limits(PresenceLimits::default().max_members(500_000));
/// # let _ = rooms;
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PresenceLimits {
    /// Members of all places together, those included whose grace is running, default 100,000. When it is reached, graces end
    /// early, the oldest first; beyond that whoever comes is not counted, and a line in the log says so. Protects memory.
    pub max_members: usize,
    /// Those of one place, of a [`Presence`](super::Presence) alone, default 1,000. Protects subscribers from a snapshot that is
    /// larger than their outbox.
    pub max_members_per_place: usize,
    /// Octets of a status, and of what a session says of itself, as JSON, default 1,024. Protects memory and subscribers.
    pub max_meta_bytes: usize,
    /// Places at which one session may be tracked by the application, default 128. Protects memory.
    pub max_tracked_per_session: usize,
}

impl Default for PresenceLimits {
    fn default() -> Self {
        Self { max_members: 100_000, max_members_per_place: 1_000, max_meta_bytes: 1_024, max_tracked_per_session: 128 }
    }
}

macro_rules! setters {
    ($($name:ident),* $(,)?) => {
        impl PresenceLimits {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self#structfield.", stringify!($name), ").")]
                #[must_use]
                pub fn $name(mut self, $name: usize) -> Self {
                    self.$name = $name;
                    self
                }
            )*
        }
    };
}

setters!(max_members, max_members_per_place, max_meta_bytes, max_tracked_per_session);

impl PresenceLimits {
    pub(super) fn bounds(self) -> Bounds {
        Bounds { members: self.max_members, per_place: self.max_members_per_place }
    }

    /// Where a place has no bound of its own.
    pub(super) fn bounds_of_all(self) -> Bounds {
        Bounds { members: self.max_members, per_place: usize::MAX }
    }
}
