//! Why someone cannot be present, or cannot say so.

use crate::app::Rejection;

/// Why a user cannot be present, or cannot change what is shown. Becomes a [`Rejection`] with a code of its own, so that handlers
/// can use `?`.
///
/// ```
/// use parlor_core::{app::Rejection, presence::PresenceError};
///
/// assert_eq!(Rejection::from(PresenceError::NotPresent).code(), "not-present");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PresenceError {
    /// Nobody could tell an anonymous session from another.
    #[error("an anonymous session cannot be present; log in first")]
    Anonymous,
    /// The session is over.
    #[error("the session has ended")]
    Ended,
    /// There is no room for another member.
    #[error("there is no room for another member; try again later")]
    Full,
    /// What is to be shown cannot be written as JSON.
    #[error("what is to be shown cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The place is none of this presence.
    #[error("this is no place where anyone can be present")]
    NotAPlace,
    /// The user, or the session, is not there.
    #[error("you are not there; enter first")]
    NotPresent,
    /// What is to be shown is too large.
    #[error("what is to be shown has {octets} octets as JSON and may have {limit}; show less")]
    TooLarge {
        /// Octets that it has.
        octets: usize,
        /// Octets that it may have.
        limit: usize,
    },
    /// The session is tracked at as many places as it may be.
    #[error("a session can be tracked at {limit} places; leave one first")]
    TooManyPlaces {
        /// How many it may be.
        limit: usize,
    },
}

impl From<PresenceError> for Rejection {
    fn from(error: PresenceError) -> Self {
        let code = match error {
            PresenceError::Anonymous => "forbidden",
            PresenceError::Ended => "cancelled",
            PresenceError::Full => "presence-full",
            PresenceError::Json(_) | PresenceError::NotAPlace => return Self::internal(error),
            PresenceError::NotPresent => "not-present",
            PresenceError::TooLarge { .. } => "presence-too-large",
            PresenceError::TooManyPlaces { .. } => "too-many-places",
        };
        let text = error.to_string();
        let mut letters = text.chars();
        let sentence = letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>());
        Self::new(code, format!("{}.", sentence.unwrap_or_default()))
    }
}
