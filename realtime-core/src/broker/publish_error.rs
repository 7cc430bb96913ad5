//! Why a message was not published, and what one reached.

use crate::{
    destination::{Destination, DestinationError},
    history::{JournalError, Position},
};

/// What a publish to a destination reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The subscriptions it was handed to. One that closes at the same time may still miss it (at most once). Of a queue: 1
    /// where a consumer was given it at once, else 0.
    pub subscriptions: usize,
    /// Its place in the history of the destination, where that has one.
    pub position: Option<Position>,
}

/// What a message to a user reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentToUser {
    /// The sessions (tabs, devices) of the user that listen to that path.
    pub sessions: usize,
    /// Their subscriptions; a session may have several.
    pub subscriptions: usize,
}

/// Why a message was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The destination is not a valid one.
    #[error("the destination is not valid: {0}")]
    Destination(#[from] DestinationError),
    /// The history of the destination could not take it; nobody was given it.
    #[error("the history of {destination} did not take the message: {error}")]
    History {
        /// The destination.
        destination: Destination,
        /// What the journal said.
        error: JournalError,
    },
    /// The payload cannot be written as JSON.
    #[error("the payload cannot be written as JSON: {0}")]
    Payload(#[from] serde_json::Error),
    /// Only topics and queues can be published to.
    #[error("{0} is neither under the topic prefix nor under the queue prefix; send to users with send_to_user")]
    NotPublishable(Destination),
    /// The queue holds as much as it may, as nobody takes its messages fast enough.
    #[error("{destination} took no message: {reason}")]
    QueueFull {
        /// The queue.
        destination: Destination,
        /// Which bound it is at.
        reason: String,
    },
}
