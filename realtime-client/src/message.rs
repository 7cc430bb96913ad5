//! A message that came, and its acknowledgement.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use parlor_stomp::{AckMode, Headers, MessageEvent};
use serde::de::DeserializeOwned;

use crate::{
    AckError,
    command::{Command, Settle, Shared},
};

/// A MESSAGE. Cheap to clone; it does not keep the client open.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::Client;
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// let mut news = client.subscribe("/topic/news").await?;
/// while let Some(message) = news.recv().await {
///     if message.dropped() > 0 {
///         println!("({} were left out)", message.dropped());
///     }
///     println!("{}: {}", message.destination(), message.text().unwrap_or("(no text)"));
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Message {
    event: Arc<MessageEvent>,
    shared: Weak<Shared>,
    ack: AckMode,
    connection: u64,
}

impl Message {
    pub(crate) fn new(event: MessageEvent, shared: Weak<Shared>, ack: AckMode, connection: u64) -> Self {
        Self { event: Arc::new(event), shared, ack, connection }
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.event.headers
    }

    /// The value of the first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.event.headers.get(name)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.event.body
    }

    /// The body as text, where it is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.event.text()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is no JSON of that type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.event.body)
    }

    /// The destination, as it was subscribed to; empty where the server says none.
    #[must_use]
    pub fn destination(&self) -> &str {
        self.event.destination().unwrap_or_default()
    }

    /// The message's id; empty where the server says none.
    #[must_use]
    pub fn message_id(&self) -> &str {
        self.event.message_id().unwrap_or_default()
    }

    /// Where it stands in the history of its destination, where there is one. Opaque: keep it, and
    /// [`resume_from`](crate::SubscribeBuilder::resume_from) it with another client.
    #[must_use]
    pub fn position(&self) -> Option<&str> {
        self.header("position")
    }

    /// Whether it may have been delivered before.
    #[must_use]
    pub fn is_redelivered(&self) -> bool {
        self.header("redelivered") == Some("true")
    }

    /// How many messages before it the server dropped because this client read too slowly.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.header("dropped").and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Tells the server that it was processed; in [`AckMode::Client`] all messages of the subscription before it too.
    /// Returns when the frame is on its way.
    ///
    /// # Errors
    /// When there is nothing to acknowledge, or its connection has ended.
    pub async fn ack(&self) -> Result<(), AckError> {
        self.settle(true, None).await
    }

    /// Tells the server that it was not processed, and may be delivered again.
    ///
    /// # Errors
    /// When there is nothing to acknowledge, or its connection has ended.
    pub async fn nack(&self) -> Result<(), AckError> {
        self.settle(false, None).await
    }

    pub(crate) async fn settle(&self, positive: bool, transaction: Option<(&str, u64)>) -> Result<(), AckError> {
        if self.ack == AckMode::Auto {
            return Err(AckError::Auto);
        }
        let shared = self.shared.upgrade().ok_or(AckError::Closed)?;
        let open = shared.connection.get();
        if open != self.connection || transaction.is_some_and(|(_, begun)| begun != open) {
            return Err(AckError::SessionEnded);
        }
        let settle = Settle {
            message: Arc::clone(&self.event),
            connection: self.connection,
            positive,
            transaction: transaction.map(|(id, _)| id.to_owned()),
        };
        shared.commands.send(Command::Settle { settle }).await.map_err(|_| AckError::Closed)
    }
}

/// The body is not shown.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("headers", &self.event.headers)
            .field("body_bytes", &self.event.body.len())
            .finish_non_exhaustive()
    }
}
