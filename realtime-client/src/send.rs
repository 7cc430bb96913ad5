//! A message to the server, with or without a receipt.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;

use crate::{
    SendError,
    command::{Command, SendFrame, Shared},
};

/// A SEND that is about to be made. Await it, and it is on its way; await its [`receipt`](Self::receipt), and it was handled.
///
/// ```no_run
/// # async fn run(client: parlor_client::Client) -> Result<(), parlor_client::SendError> {
/// client.send("/app/rooms/7/say").json(&"hello").receipt().await?;
/// client.send("/app/rooms/7/typing").await?;
/// # Ok(()) }
/// ```
#[must_use = "nothing is sent before this, or its receipt, is awaited"]
pub struct SendBuilder {
    shared: Arc<Shared>,
    frame: SendFrame,
    fault: Option<SendError>,
    time: Option<Duration>,
}

impl SendBuilder {
    /// For no transaction, or for one: its id and its connection.
    pub(crate) fn new(shared: Arc<Shared>, destination: String, transaction: Option<(&str, u64)>) -> Self {
        let headers = transaction.map(|(id, _)| ("transaction", id)).into_iter().collect();
        let connection = transaction.map(|(_, connection)| connection);
        let frame = SendFrame { destination, headers, body: Bytes::new(), connection, again: false };
        Self { shared, frame, fault: None, time: None }
    }

    /// The body, of no particular type.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.frame.body = body.into();
        self
    }

    /// The body as text.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.header("content-type", "text/plain").body(text.into())
    }

    /// The body as JSON. What cannot be written fails when the message is sent.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.header("content-type", "application/json").body(body),
            Err(error) => {
                self.fault = Some(SendError::Json(Arc::new(error)));
                self
            }
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.frame.headers.push(name, value);
        self
    }

    /// Names the message (`message-key`), so that the server handles it once however often it is sent with this key.
    pub fn message_key(self, key: &str) -> Self {
        self.header("message-key", key)
    }

    /// As [`message_key`](Self::message_key), and the client sends it again by itself where the connection ended before the
    /// receipt. Not where the server ended it with an ERROR that may be because of this message: any but those for silence,
    /// slow reading and a frame that took too long.
    ///
    /// It has an effect with [`receipt`](Self::receipt) alone, and none in a transaction.
    pub fn resend_with_key(mut self, key: &str) -> Self {
        self.frame.again = self.frame.connection.is_none();
        self.message_key(key)
    }

    /// How long to wait for the receipt, in place of
    /// [`receipt_timeout`](crate::ClientBuilder::receipt_timeout).
    pub fn timeout(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Sends it and waits for its RECEIPT: that of Parlor says that the handler has finished without error.
    ///
    /// Dropping the future early does not take the message back.
    ///
    /// # Errors
    /// When it was refused or could not be sent; where [`is_unknown`](SendError::is_unknown) says so, it may have been
    /// handled all the same.
    pub async fn receipt(self) -> Result<(), SendError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let frame = self.frame;
        self.shared.ask(self.time, |answer| Command::Send { frame, answer: Some(answer) }).await
    }

    async fn send(self) -> Result<(), SendError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let command = Command::Send { frame: self.frame, answer: None };
        self.shared.commands.send(command).await.map_err(|_| SendError::Closed)
    }
}

/// Hands the message to the connection without asking for a receipt. While the client reconnects it waits; a message that
/// was handed over when the connection ended is lost without a word.
impl IntoFuture for SendBuilder {
    type Output = Result<(), SendError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// The body is not shown.
impl fmt::Debug for SendBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBuilder")
            .field("destination", &self.frame.destination)
            .field("headers", &self.frame.headers)
            .field("body_bytes", &self.frame.body.len())
            .finish_non_exhaustive()
    }
}
