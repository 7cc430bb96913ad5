//! Why a well-formed SEND or SUBSCRIBE is refused or failed: a stable code and a sentence for the client.

use std::{borrow::Cow, fmt, time::Duration};

use serde::Serialize;
use serde_json::Value;

use crate::{
    auth::UserIdError,
    broker::PublishError,
    destination::{Destination, DestinationError, PatternError},
    limits::MessageKeyError,
    telemetry,
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
    retry_after: Option<Duration>,
    details: Option<Box<Value>>,
}

impl Rejection {
    /// A refusal with a stable code (short, lower case, hyphens) and a sentence that says what was wrong and what to
    /// do. Both are shown to the client: no secret, no internal.
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), message: message.into(), retry_after: None, details: None }
    }

    /// Adds when the client may try again, told in whole milliseconds in the header `retry-after`.
    #[must_use]
    pub fn with_retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    /// Adds something for programs to read, the faulty fields of a form say: it stands as `details` in the JSON body on
    /// `/user/queue/errors`. What JSON cannot hold is left out.
    #[must_use]
    pub fn with_details(mut self, details: &impl Serialize) -> Self {
        self.details = serde_json::to_value(details).ok().map(Box::new);
        self
    }

    /// There is nothing more to come at this destination, and there never will be: the answer to whoever asks again. An event
    /// stream is answered with 204 without a body, the end for good of HTTP.
    #[must_use]
    pub fn ended() -> Self {
        Self::new("ended", "Nothing more will come here. There is no reason to ask again.")
    }

    /// A failure of the server's own: `error` is logged with the session and the destination, the client learns only that
    /// something went wrong.
    #[must_use]
    pub fn internal(error: impl fmt::Display) -> Self {
        telemetry::internal_error(&error);
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

    /// When the client may try again, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What programs may read of it.
    #[must_use]
    pub fn details(&self) -> Option<&Value> {
        self.details.as_deref()
    }

    pub(crate) fn forbidden_use(destination: &Destination) -> Self {
        Self::new("forbidden", format!("You may not use {destination}."))
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new("payload-too-large", format!("This destination takes bodies of at most {limit} octets. Send less."))
    }

    pub(crate) fn rate_limited(wait: Duration) -> Self {
        let message = format!("This destination was used too often. Wait {} ms before the next time.", millis(wait));
        Self::new("rate-limited", message).with_retry_after(wait)
    }

    pub(crate) fn bad_prefetch_count() -> Self {
        Self::new("invalid-prefetch-count", "`prefetch-count` is not a number from 1 on; correct it, or leave it out.")
    }

    pub(crate) fn bad_message_key(error: &MessageKeyError) -> Self {
        Self::new("invalid-message-key", format!("{error}; make a random one for each message."))
    }

    pub(crate) fn too_many_queues() -> Self {
        Self::new("too-many-queues", "There are as many queues as there may be. Try again later.")
    }

    pub(crate) fn too_many_streams(limit: usize) -> Self {
        Self::new("too-many-streams", format!("A session may have {limit} streams at a time. End one first."))
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

/// A handler that cannot publish has failed; the client learns only that, unless waiting helps.
impl From<PublishError> for Rejection {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::QueueFull { .. } => {
                Self::new("queue-full", "The queue takes no more messages now. Try again later.")
            }
            error => Self::internal(error),
        }
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

/// Whole milliseconds, rounded up: a client that waits so long has waited long enough.
pub(crate) fn millis(time: Duration) -> u128 {
    time.as_nanos().div_ceil(1_000_000)
}
