//! Who is where: members of rooms, presence with a status, and users that are online.

mod desk;
mod directory;
mod entry;
mod events;
mod fold;
mod limits;
mod occupant;
mod online;
mod roll;
mod rooms;
mod started;

use directory::{Alone, Directory, DirectorySink};
use entry::{Entry, Hold, Moment, NodeId, Update};
pub use events::{CameOnline, CountChanged, Joined, Left, WentOffline};
pub use limits::PresenceLimits;
pub use online::{Online, OnlineListener};
pub use rooms::{RoomListener, Rooms};
