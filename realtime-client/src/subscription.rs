//! A subscription: a stream of messages that lives on over reconnects.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use parlor_stomp::{AckMode, Headers};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Message, Refusal, SubscribeError,
    command::{Command, Release, Shared},
    registry::Entry,
};

/// What a subscription goes through, in its order.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::{Client, SubscriptionEvent};
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// let mut chat = client.subscribe("/topic/chat").await?.events();
/// while let Some(event) = chat.recv().await {
///     match event {
///         SubscriptionEvent::Message(message) => println!("{:?}", message.text()),
///         SubscriptionEvent::Resumed { recovered: false } => println!("(load the present state anew)"),
///         SubscriptionEvent::Ended(refusal) => println!("{refusal}"),
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SubscriptionEvent {
    /// The server took the subscription away, or refused it after a reconnect. Nothing follows.
    Ended(Box<Refusal>),
    /// A message.
    Message(Message),
    /// The subscription is in force again after a reconnect, or for the first time with
    /// [`resume_from`](SubscribeBuilder::resume_from).
    Resumed {
        /// Whether everything that was missed follows now. Where it is `false`, which is also so where the destination has
        /// no history, messages may be missing here: load the present state anew.
        recovered: bool,
    },
}

/// A subscription: a [`Stream`] of [`Message`]s, or of [`SubscriptionEvent`]s by [`events`](Self::events).
///
/// It ends when the client does or the server takes it away, and lives on over reconnects. Dropping it unsubscribes. While
/// it lives, the client stays open.
///
/// **Read it.** It holds [`buffer`](SubscribeBuilder::buffer) messages (default 256). When they are there and the next one
/// comes, the client stops reading its socket until there is room, so that memory stays bounded and the server sees a slow
/// reader. Nothing is read then for the other subscriptions and for receipts either: a task that awaits receipts without
/// reading its subscriptions may find them late.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::Client;
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// let mut news = client.subscribe("/topic/news").await?;
/// while let Some(message) = news.recv().await {
///     println!("{:?}", message.text());
/// }
/// # Ok(()) }
/// ```
pub struct Subscription {
    receiver: mpsc::Receiver<SubscriptionEvent>,
    position: Option<String>,
    guard: Guard,
}

/// Unsubscribes when it is dropped.
struct Guard {
    key: u64,
    destination: String,
    shared: Arc<Shared>,
}

/// A subscription with everything that it goes through, made by [`Subscription::events`].
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::Client;
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// let mut chat = client.subscribe("/topic/chat").await?.events();
/// while let Some(event) = chat.recv().await {
///     println!("{event:?}");
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SubscriptionEvents(Subscription);

impl Subscription {
    /// What it subscribes to.
    #[must_use]
    pub fn destination(&self) -> &str {
        &self.guard.destination
    }

    /// Where it began, as the server's confirmation said: for [`resume_from`](SubscribeBuilder::resume_from) of another client
    /// where no message came. Later positions are those of the [messages](Message::position). None where the destination has
    /// no history.
    #[must_use]
    pub fn position(&self) -> Option<&str> {
        self.position.as_deref()
    }

    /// The next message; `None` at the end. Can be dropped at any time without losing a message.
    pub async fn recv(&mut self) -> Option<Message> {
        std::future::poll_fn(|context| self.poll_message(context)).await
    }

    /// The same with [`SubscriptionEvent::Resumed`] where messages may be missing, and why it ended.
    #[must_use]
    pub fn events(self) -> SubscriptionEvents {
        SubscriptionEvents(self)
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            match self.receiver.poll_recv(context) {
                Poll::Ready(Some(SubscriptionEvent::Message(message))) => return Poll::Ready(Some(message)),
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl SubscriptionEvents {
    /// The next event; `None` at the end. Can be dropped at any time without losing one.
    pub async fn recv(&mut self) -> Option<SubscriptionEvent> {
        self.0.receiver.recv().await
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll_message(context)
    }
}

impl Stream for SubscriptionEvents {
    type Item = SubscriptionEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<SubscriptionEvent>> {
        self.0.receiver.poll_recv(context)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.releases.add(Release::Subscription(self.key));
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("destination", &self.guard.destination).finish_non_exhaustive()
    }
}

/// A subscription that is about to be made; await it.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::{AckMode, Client};
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// let jobs = client.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).prefetch(10).buffer(10).await?;
/// println!("listening to {}", jobs.destination());
/// # Ok(()) }
/// ```
#[must_use = "a subscription is made when this is awaited"]
pub struct SubscribeBuilder {
    shared: Arc<Shared>,
    destination: String,
    ack: AckMode,
    headers: Headers,
    resume_from: Option<String>,
    buffer: usize,
}

impl SubscribeBuilder {
    pub(crate) fn new(shared: Arc<Shared>, destination: String) -> Self {
        let buffer = shared.buffer;
        Self { shared, destination, ack: AckMode::Auto, headers: Headers::default(), resume_from: None, buffer }
    }

    /// How messages are acknowledged, default [`AckMode::Auto`]: not at all. In the other modes a message that was not
    /// acknowledged when the connection ended is delivered again, and the application sees it twice.
    pub fn ack(mut self, mode: AckMode) -> Self {
        self.ack = mode;
        self
    }

    /// How many messages the server may send ahead of their acknowledgement (`prefetch-count`).
    pub fn prefetch(self, messages: u32) -> Self {
        self.header("prefetch-count", &messages.to_string())
    }

    /// The [`position`](Message::position) of the last message that was seen: the server sends what came after it first.
    /// Later reconnects resume from the last message that came, or from where the subscription began, without being asked.
    pub fn resume_from(mut self, position: impl Into<String>) -> Self {
        self.resume_from = Some(position.into());
        self
    }

    /// Adds a header to SUBSCRIBE, also to those after a reconnect.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Messages that wait for the application, default that of
    /// [`subscription_buffer`](crate::ClientBuilder::subscription_buffer), at least 1.
    pub fn buffer(mut self, messages: usize) -> Self {
        self.buffer = messages.max(1);
        self
    }

    async fn subscribe(self) -> Result<Subscription, SubscribeError> {
        let key = self.shared.key();
        let (sender, receiver) = mpsc::channel(self.buffer);
        let (confirm, confirmed) = oneshot::channel();
        let destination = self.destination.clone();
        let entry = Entry::new(destination.clone(), self.ack, self.headers, self.resume_from, sender, confirm);
        // If the caller does not wait for the end of this, the subscription is taken back.
        let guard = Guard { key, destination, shared: Arc::clone(&self.shared) };
        let subscribing = async {
            let command = Command::Subscribe { key, entry };
            self.shared.commands.send(command).await.map_err(|_| SubscribeError::Closed)?;
            confirmed.await.unwrap_or(Err(SubscribeError::Closed))
        };
        let position = tokio::time::timeout(self.shared.receipt_timeout, subscribing)
            .await
            .unwrap_or(Err(SubscribeError::TimedOut))?;
        Ok(Subscription { receiver, position, guard })
    }
}

impl IntoFuture for SubscribeBuilder {
    type Output = Result<Subscription, SubscribeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.subscribe())
    }
}

impl fmt::Debug for SubscribeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscribeBuilder").field("destination", &self.destination).finish_non_exhaustive()
    }
}
