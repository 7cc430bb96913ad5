//! Destinations of users, as typed values without a spelling, so that no client can name another's.

use crate::{auth::UserId, destination::Destination, session_id::SessionId};

/// Whose a user destination is.
///
/// ```
/// use parlor_core::{destination::Owner, session::SessionId};
///
/// let anonymous = Owner::Session(SessionId::random());
/// assert_ne!(anonymous, Owner::User("ada".parse().unwrap()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "an owner is a user or a session of nobody")]
pub enum Owner {
    /// An anonymous session, which is its own user.
    Session(SessionId),
    /// A user, with all sessions.
    User(UserId),
}

/// A resolved user destination.
///
/// ```
/// use parlor_core::destination::{Owner, UserDestination};
///
/// let notes = UserDestination { owner: Owner::User("ada".parse().unwrap()), path: "/queue/notes".parse().unwrap() };
/// assert_eq!(notes.path.as_str(), "/queue/notes");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserDestination {
    /// Whose it is.
    pub owner: Owner,
    /// The path below the user prefix, for example `/queue/notes`.
    pub path: Destination,
}
