//! Destinations of users, as typed values without a spelling, so that no client can name another's.

use crate::{auth::UserId, destination::Destination, session_id::SessionId};

/// Whose a user destination is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "an owner is a user or a session of nobody")]
pub enum Owner {
    /// An anonymous session, which is its own user.
    Session(SessionId),
    /// A user, with all sessions.
    User(UserId),
}

/// A resolved user destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserDestination {
    /// Whose it is.
    pub owner: Owner,
    /// The path below the user prefix, for example `/queue/notes`.
    pub path: Destination,
}
