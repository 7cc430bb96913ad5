//! The handle to a client.

use std::{fmt, sync::Arc};

use tokio::sync::{broadcast, watch};

use crate::{
    ClientBuilder, CloseError, ConnectionState, Refusal, SendBuilder, SendError, SubscribeBuilder, Transaction,
    command::Shared,
};

/// A client of one server. A cheap handle: clone it, and use it from many tasks.
///
/// One task works for all of its handles. [`Subscription`](crate::Subscription)s and [`Transaction`]s are handles too; when
/// the last one is dropped the task sends what was asked for, disconnects and ends, as [`close`](Self::close) does, which
/// also waits for it.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::Client;
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// let mut news = client.subscribe("/topic/news").await?;
/// let sender = client.clone();
/// tokio::spawn(async move { sender.send("/app/say").json("hello").receipt().await });
/// if let Some(message) = news.recv().await {
///     println!("{}", message.json::<String>()?);
/// }
/// client.close().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

impl Client {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// A client of the server at a `ws://` or `wss://` address.
    pub fn builder(address: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(address.into())
    }

    /// Subscribes to a destination. Await what it returns: it resolves when the server has confirmed the subscription.
    pub fn subscribe(&self, destination: impl Into<String>) -> SubscribeBuilder {
        SubscribeBuilder::new(Arc::clone(&self.shared), destination.into())
    }

    /// A message to a destination.
    pub fn send(&self, destination: impl Into<String>) -> SendBuilder {
        SendBuilder::new(Arc::clone(&self.shared), destination.into(), None)
    }

    /// Begins a transaction, and waits until the server has confirmed it.
    ///
    /// # Errors
    /// When the server refuses it, or the connection ended.
    pub async fn begin(&self) -> Result<Transaction, SendError> {
        Transaction::begin(Arc::clone(&self.shared)).await
    }

    /// The state of the connection: the present one, and each change.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.shared.state.clone()
    }

    /// What the server refuses from now on, over its error queue: also messages without a receipt, of which nobody else is
    /// told. Whoever falls 64 behind misses the oldest.
    #[must_use]
    pub fn refusals(&self) -> broadcast::Receiver<Refusal> {
        self.shared.refusals.subscribe()
    }

    /// Sends what was asked for until now, and DISCONNECT, and waits until the server has confirmed that it has processed
    /// all of it, for [`close_timeout`](crate::ClientBuilder::close_timeout) at most.
    ///
    /// Subscriptions end. Of the messages that come meanwhile, those are dropped that a subscription has no room for.
    ///
    /// # Errors
    /// When the server did not confirm it, or the client had ended before.
    pub async fn close(&self) -> Result<(), CloseError> {
        self.shared.closing.send_replace(true);
        let mut ended = self.shared.ended.clone();
        let confirmed = ended.wait_for(Option::is_some).await.is_ok_and(|confirmed| *confirmed == Some(true));
        match &*self.shared.state.borrow() {
            ConnectionState::Closed { cause: Some(cause) } => Err(CloseError::Ended(cause.clone())),
            _ if confirmed => Ok(()),
            _ => Err(CloseError::Unconfirmed),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("state", &*self.shared.state.borrow()).finish_non_exhaustive()
    }
}
