//! Who is where: members of rooms, presence with a status, and users that are online.
//!
//! ```text
//! session/observer.rs -> roll (connections -> entries) -> fold (entries of all nodes -> who is where)
//!                                                           |-> Rooms: joined, left, count  -> listeners
//!                                                           |-> Presence: snapshot, diffs   -> subscribers
//!                                                           \-> Online: online, offline     -> listeners
//! ```
//!
//! Users count, not tabs, and who comes back within the grace was never away. `docs/presence.md` says what is promised.

mod desk;
mod directory;
mod entry;
mod error;
mod events;
mod fold;
mod group;
mod limits;
mod occupant;
mod online;
mod present;
mod roll;
mod rooms;
mod source;
mod started;
mod tracking;

use directory::{Alone, Directory, DirectorySink};
use entry::{Entry, Hold, Moment, NodeId, Update};
pub use error::PresenceError;
pub use events::{CameOnline, CountChanged, Joined, Left, WentOffline};
pub use group::{Member, Snapshot};
pub use limits::PresenceLimits;
pub use online::{Online, OnlineListener};
pub use rooms::{RoomListener, Rooms};
pub use tracking::Presence;
