//! What the lobby shows of who is where: how many, and a few names.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

/// Rooms that whoever comes to the lobby is told of: all of them fit into one message, and they are more than it lists. A room
/// beyond them is told of when somebody comes or goes.
const MOST_ROOMS: usize = 300;

/// Names of a room: as many faces as a tile has.
pub(super) const FACES: usize = 3;

/// Who is in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Occupancy {
    pub(super) room: String,
    pub(super) count: usize,
    /// Of at most [`FACES`] of them.
    pub(super) names: Vec<String>,
}

/// All rooms that have somebody in them: the first message to the lobby. Those that follow are one each.
#[derive(Debug, Serialize)]
pub(super) struct Lobby {
    rooms: Vec<Occupancy>,
}

/// The rooms that have somebody in them.
#[derive(Debug, Default)]
pub(super) struct Board {
    rooms: Mutex<HashMap<String, Occupancy>>,
}

impl Board {
    pub(super) fn set(&self, occupancy: Occupancy) {
        let mut rooms = self.lock();
        if occupancy.count == 0 {
            rooms.remove(&occupancy.room);
        } else if rooms.len() < MOST_ROOMS || rooms.contains_key(&occupancy.room) {
            rooms.insert(occupancy.room.clone(), occupancy);
        }
    }

    pub(super) fn lobby(&self) -> Lobby {
        Lobby { rooms: self.lock().values().cloned().collect() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Occupancy>> {
        // Nothing panics while it is held; and if it did, the rooms would still be rooms.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use parlor::broker::OutboxLimits;

    use super::*;

    fn full(room: &str) -> Occupancy {
        // The longest name that an account may have.
        Occupancy { room: room.to_owned(), count: 100_000, names: vec!["\u{10330}".repeat(24); FACES] }
    }

    #[test]
    fn rooms_are_bounded_and_one_that_is_left_makes_room() {
        let board = Board::default();
        for room in 0..=MOST_ROOMS {
            board.set(full(&format!("{room:016x}")));
        }
        let lobby = board.lobby();
        assert_eq!(lobby.rooms.len(), MOST_ROOMS);
        let octets = serde_json::to_vec(&lobby).unwrap().len();
        assert!(2 * octets < OutboxLimits::default().max_bytes, "{octets} octets fit twice into what a page may lag");
        board.set(Occupancy { count: 0, ..full("0000000000000000") });
        board.set(full("one more"));
        assert!(board.lobby().rooms.contains(&full("one more")));
        board.set(Occupancy { count: 1, ..full("one more") });
        assert!(board.lobby().rooms.iter().any(|room| room.room == "one more" && room.count == 1), "and changes");
    }
}
