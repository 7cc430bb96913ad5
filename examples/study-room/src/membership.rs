//! Who may do what in a room: guards that routes ask before their handlers.

use std::sync::Arc;

use parlor::{
    app::Rejection,
    destination::Destination,
    extract::{Path, State},
    session::Session,
};

use crate::store::{Store, StoreError};

/// Whether there is such a room: then it may be listened to.
pub(crate) async fn room_exists(
    Path(room): Path<String>,
    State(store): State<Arc<dyn Store>>,
) -> Result<(), MembershipError> {
    store.room(&room).await?.map(drop).ok_or(MembershipError::RoomNotFound)
}

/// Whether this page has the room open, that is, hears what is said there: then it may type in it and set its timer.
pub(crate) async fn in_the_room(Path(room): Path<String>, session: Session) -> Result<(), MembershipError> {
    let chat: Destination = format!("/topic/rooms/{room}/chat").parse().map_err(|_| MembershipError::RoomNotFound)?;
    if session.is_subscribed_to(&chat) { Ok(()) } else { Err(MembershipError::NotInTheRoom) }
}

/// Why a guard says no.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MembershipError {
    #[error("Enter the room first.")]
    NotInTheRoom,
    #[error("There is no such room.")]
    RoomNotFound,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<MembershipError> for Rejection {
    fn from(error: MembershipError) -> Self {
        let code = match &error {
            MembershipError::NotInTheRoom => "not-in-the-room",
            MembershipError::RoomNotFound => "room-not-found",
            MembershipError::Store(error) => return Self::internal(error),
        };
        Self::new(code, error.to_string())
    }
}
