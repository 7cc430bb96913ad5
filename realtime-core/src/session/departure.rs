//! Why a user is somewhere no more.

use crate::session::DisconnectReason;

/// Why a connection of a user listens to a destination no more.
///
/// ```
/// use parlor_core::session::{Departure, DisconnectReason};
///
/// // A log-out, a ban, the end of a token: nothing to wait for. A connection that broke may be back in a moment.
/// let banned = DisconnectReason::Server { code: "banned".to_owned(), invites_back: false };
/// assert!(Departure::Disconnected(banned).is_for_good());
/// assert!(!Departure::Disconnected(DisconnectReason::Lost).is_for_good());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Departure {
    /// The session ended, or the event stream.
    Disconnected(DisconnectReason),
    /// The application let the user go, or there was no room to wait any longer.
    Dismissed,
    /// The subscription ended by UNSUBSCRIBE, or was taken away; the session goes on.
    Unsubscribed,
}

impl Departure {
    /// Whether the user is not expected back, so that no grace is given: the server closed the connection with a status that
    /// does not [invite back](crate::connection::Closing::invites_back), as for a log-out, a ban or an expired token.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        match self {
            Self::Disconnected(reason) => reason.is_for_good(),
            Self::Dismissed => true,
            Self::Unsubscribed => false,
        }
    }
}
