//! Why a message was not published, and what one reached.

use crate::{
    destination::{Destination, DestinationError},
    history::{JournalError, Position},
};

/// What a publish to a destination reached.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_core::{broker::{Broker, DeliveryRules}, destination::Prefixes, history::Retain};
///
/// let rules = DeliveryRules::default().history("/topic/news", Retain::last(10));
/// let broker = Broker::with_rules(Prefixes::default(), rules).unwrap();
/// let published = broker.publish("/topic/news", &"hello").await?;
/// assert_eq!(published.subscriptions, 0); // nobody listens yet
/// assert!(published.position.is_some()); // but who comes later may ask for it
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The subscriptions it was accepted for. One whose connection closes meanwhile, or has no room and a policy by which it may
    /// be dropped, still misses it (at most once). Of a queue: 1 where a consumer was given it at once, else 0.
    pub subscriptions: usize,
    /// Its place in the history of the destination, where that has one.
    pub position: Option<Position>,
}

/// What a message to a user reached.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_core::broker::Broker;
///
/// let broker = Broker::default();
/// let sent = broker.send_to_user(&"ada".parse()?, "/queue/notes", &"hello").await?;
/// if sent.sessions == 0 {
///     println!("ada has no tab open that listens: keep it for later");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentToUser {
    /// The sessions (tabs, devices) of the user that listen to that path.
    pub sessions: usize,
    /// Their subscriptions; a session may have several.
    pub subscriptions: usize,
}

/// Why a message was not published.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use parlor_core::broker::{Broker, PublishError};
///
/// let broker = Broker::default();
/// let error = broker.publish("/app/say", &"hello").await.unwrap_err();
/// assert!(matches!(error, PublishError::NotPublishable(_)));
/// let error = broker.publish("topic", &"hello").await.unwrap_err();
/// assert!(matches!(error, PublishError::Destination(_)));
/// # }
/// ```
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
    /// An outbound interceptor panicked; nobody was given the message.
    #[error("an outbound interceptor panicked at a message to {0}, which is not published")]
    Interceptor(Destination),
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
