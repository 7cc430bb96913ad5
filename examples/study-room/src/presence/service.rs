//! Who is in which room, with which status: the parts of Parlor that know it, and what the lobby shows of it.

use std::{sync::Arc, time::Duration};

use parlor::{
    auth::UserId,
    destination::Destination,
    presence::{Presence, PresenceError, Rooms},
};

use crate::{
    chat,
    presence::{
        PRESENCE, Status,
        occupancy::{Board, FACES, Lobby, Occupancy},
    },
    store::{Store, StoreError},
};

/// Who is in which room. A handle, shared by the handlers of messages and those of HTTP requests.
#[derive(Clone)]
pub(crate) struct PresenceService {
    rooms: Rooms,
    members: Presence<Status>,
    board: Arc<Board>,
}

impl PresenceService {
    /// Whoever is gone for `grace` has left; for `settling` after the start nobody is announced.
    pub(crate) fn new(grace: Duration, settling: Duration) -> Self {
        let members = Presence::at(PRESENCE, Status::Studying).of(chat::ROOM).leaving(Status::Offline).grace(grace);
        Self { rooms: Rooms::at(chat::ROOM).grace(grace).settling(settling), members, board: Arc::default() }
    }

    /// Ends the graces of somebody who logged out while no tab was connected: nobody needs to wait for them.
    pub(crate) fn dismiss(&self, user: &UserId) {
        self.rooms.dismiss(user);
        self.members.dismiss(user);
    }

    pub(super) fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    pub(super) fn members(&self) -> &Presence<Status> {
        &self.members
    }

    /// Sets a status in every room that the user is in.
    pub(super) fn set_status(&self, user: &UserId, status: Status) -> Result<(), PresenceError> {
        match self.members.update_everywhere(user, &status)? {
            0 => Err(PresenceError::NotPresent),
            _ => Ok(()),
        }
    }

    pub(super) fn lobby(&self) -> Lobby {
        self.board.lobby()
    }

    /// Looks again who is in a room, for the lobby. Names come from the database, as [`Rooms`] knows users by their ids.
    pub(super) async fn recount(
        &self,
        room: &str,
        chat: &Destination,
        store: &dyn Store,
    ) -> Result<Occupancy, StoreError> {
        let members = self.rooms.members(chat);
        let mut names = Vec::new();
        for member in members.iter().take(FACES) {
            names.extend(store.account(member.as_str()).await?.map(|account| account.name));
        }
        let occupancy = Occupancy { room: room.to_owned(), count: members.len(), names };
        self.board.set(occupancy.clone());
        Ok(occupancy)
    }
}
