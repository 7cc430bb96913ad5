//! Why a well-formed SEND or SUBSCRIBE is refused or failed: a stable code and a sentence for the client.

use std::{borrow::Cow, fmt};

use crate::{
    auth::UserIdError,
    broker::PublishError,
    destination::{Destination, DestinationError, PatternError},
};

/// A refusal, told to the client by rule 11 (a MESSAGE on `/user/queue/errors`, or ERROR and close).
///
/// An application makes its own with [`Rejection::new`], usually in `impl From<MyError> for Rejection`.
///
/// ```
/// use parlor_core::app::Rejection;
///
/// enum ChatError { RoomIsFull }
///
/// impl From<ChatError> for Rejection {
///     fn from(error: ChatError) -> Self {
///         match error {
///             ChatError::RoomIsFull => Rejection::new("room-full", "This room is full. Try another one."),
///         }
///     }
/// }
/// assert_eq!(Rejection::from(ChatError::RoomIsFull).code(), "room-full");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    code: Cow<'static, str>,
    message: Cow<'static, str>,
}

impl Rejection {
    /// A refusal with a stable code (short, lower case, hyphens) and a sentence that says what was wrong and what to
    /// do. Both are shown to the client: no secret, no internal.
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// A failure of the server's own: `error` is logged, the client learns only that something went wrong.
    #[must_use]
    pub fn internal(error: impl fmt::Display) -> Self {
        tracing::error!(%error, "a message could not be handled");
        Self::new(
            "internal",
            "The server could not handle this message. It was not the message's fault; try again later.",
        )
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn not_found(destination: &Destination) -> Self {
        Self::new(
            "no-such-destination",
            format!("Nothing listens at {destination}. Check the spelling of the destination."),
        )
    }

    pub(crate) fn forbidden_send(destination: &Destination) -> Self {
        Self::new("forbidden", format!("You may not send to {destination}."))
    }

    pub(crate) fn forbidden_subscribe(destination: &str) -> Self {
        Self::new("forbidden", format!("You may not subscribe to {destination}."))
    }

    pub(crate) fn not_supported(message: &'static str) -> Self {
        Self::new("not-supported", message)
    }

    pub(crate) fn handler_panicked() -> Self {
        Self::new("internal", "The server failed while it handled this message. Later messages are handled as usual.")
    }

    pub(crate) fn cancelled() -> Self {
        Self::new("cancelled", "The connection ended before this message was handled.")
    }
}

impl From<DestinationError> for Rejection {
    fn from(error: DestinationError) -> Self {
        Self::new("invalid-destination", error.to_string())
    }
}

impl From<PatternError> for Rejection {
    fn from(error: PatternError) -> Self {
        Self::new("invalid-destination", error.to_string())
    }
}

/// A handler that cannot publish has failed; the client learns only that.
impl From<PublishError> for Rejection {
    fn from(error: PublishError) -> Self {
        Self::internal(error)
    }
}

impl From<UserIdError> for Rejection {
    fn from(error: UserIdError) -> Self {
        Self::new("invalid-destination", error.to_string())
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Rejection {}
