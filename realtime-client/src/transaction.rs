//! Messages and acknowledgements that the server handles together, or not at all.

use std::{fmt, sync::Arc};

use tokio::sync::oneshot;

use crate::{
    AckError, Message, SendBuilder, SendError,
    command::{Command, Release, Shared},
};

/// A transaction, made by [`Client::begin`](crate::Client::begin). Dropping it aborts it. It belongs to one connection, and
/// is gone with it.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::{AckMode, Client};
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// let mut jobs = client.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).await?;
/// if let Some(job) = jobs.recv().await {
///     let both = client.begin().await?;
///     both.send("/app/results").body(job.body().clone()).await?;
///     both.ack(&job).await?;
///     both.commit().await?;
/// }
/// # Ok(()) }
/// ```
pub struct Transaction {
    shared: Arc<Shared>,
    id: String,
    connection: u64,
    open: bool,
}

impl Transaction {
    pub(crate) async fn begin(shared: Arc<Shared>) -> Result<Self, SendError> {
        let id = format!("tx-{}", shared.key());
        let (begun, connection) = oneshot::channel();
        let mut transaction = Self { id: id.clone(), connection: 0, open: false, shared };
        let shared = Arc::clone(&transaction.shared);
        shared.ask(None, |answer| Command::Begin { id, answer, begun }).await?;
        transaction.connection = connection.await.map_err(|_| SendError::SessionEnded)?;
        transaction.open = true;
        Ok(transaction)
    }

    /// A message of the transaction. The server handles it at the commit.
    pub fn send(&self, destination: impl Into<String>) -> SendBuilder {
        SendBuilder::new(Arc::clone(&self.shared), destination.into(), Some((&self.id, self.connection)))
    }

    /// Acknowledges a message, if the transaction is committed.
    ///
    /// # Errors
    /// As [`Message::ack`].
    pub async fn ack(&self, message: &Message) -> Result<(), AckError> {
        message.settle(true, Some((&self.id, self.connection))).await
    }

    /// Refuses a message, if the transaction is committed.
    ///
    /// # Errors
    /// As [`Message::nack`].
    pub async fn nack(&self, message: &Message) -> Result<(), AckError> {
        message.settle(false, Some((&self.id, self.connection))).await
    }

    /// Has the server handle what was sent, and waits for its receipt.
    ///
    /// # Errors
    /// When the server refuses it, or the connection has ended.
    pub async fn commit(self) -> Result<(), SendError> {
        self.end(true).await
    }

    /// Has the server forget what was sent, and waits for its receipt.
    ///
    /// # Errors
    /// When the server refuses it, or the connection has ended.
    pub async fn abort(self) -> Result<(), SendError> {
        self.end(false).await
    }

    async fn end(mut self, commit: bool) -> Result<(), SendError> {
        self.open = false;
        let (id, connection) = (std::mem::take(&mut self.id), self.connection);
        self.shared.ask(None, |answer| Command::End { id, connection, commit, answer }).await
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.open {
            let id = std::mem::take(&mut self.id);
            self.shared.releases.add(Release::Transaction { id, connection: self.connection });
        }
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("id", &self.id).finish_non_exhaustive()
    }
}
