//! ACK, NACK and transactions of a test client.

use parlor_stomp::{AckMode, Command, Frame, Version};

use crate::testing::{Sending, Subscribing, TestClient, TestMessage, confirmed::Confirmed};

impl TestClient {
    /// Acknowledges a message, as the session's version names it. Await what is returned to wait for the receipt, see
    /// [`Sending`]; a message that was never given to this client is [refused](Sending::refused) with `unknown-ack`.
    ///
    /// ```
    /// use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
    /// use parlor_core::stomp::AckMode;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
    /// let rules = Rules::deny_all().allow_subscribe("/queue/jobs");
    /// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
    /// realtime.broker().publish("/queue/jobs", "sweep").await?;
    ///
    /// let worker = TestClient::connect(&realtime, "ada").await;
    /// let jobs = worker.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).await;
    /// let first = jobs.expect_json("sweep").await;
    /// worker.nack(&first).await;
    /// let second = jobs.expect_json("sweep").await;
    /// assert_eq!(second.header("redelivered"), Some("true"));
    /// worker.ack(&second).await;
    /// jobs.assert_silent().await;
    /// # Ok(()) }) }
    /// ```
    #[track_caller]
    pub fn ack(&self, message: &TestMessage) -> Sending<'_> {
        self.settle(Command::Ack, message)
    }

    /// Refuses a message, as the session's version names it; like [`ack`](Self::ack). STOMP 1.0 has no NACK.
    #[track_caller]
    pub fn nack(&self, message: &TestMessage) -> Sending<'_> {
        self.settle(Command::Nack, message)
    }

    /// BEGIN. What belongs to the transaction is sent by [`Sending::in_transaction`].
    ///
    /// ```
    /// use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
    /// let rules = Rules::deny_all().allow_subscribe("/topic/a").allow_send("/topic/a");
    /// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
    /// let client = TestClient::connect(&realtime, "ada").await;
    /// let heard = client.subscribe("/topic/a").await;
    ///
    /// client.begin_transaction("both").await;
    /// client.send("/topic/a", &1).in_transaction("both");
    /// client.send("/topic/a", &2).in_transaction("both");
    /// heard.assert_silent().await;
    /// client.commit_transaction("both").await;
    /// heard.expect_json(1).await;
    /// heard.expect_json(2).await;
    /// # Ok(()) }) }
    /// ```
    #[track_caller]
    pub fn begin_transaction(&self, id: &str) -> Sending<'_> {
        self.transaction(Command::Begin, id)
    }

    /// COMMIT. Its receipt comes when everything that the transaction held was handled.
    #[track_caller]
    pub fn commit_transaction(&self, id: &str) -> Sending<'_> {
        self.transaction(Command::Commit, id)
    }

    /// ABORT. What the transaction held is forgotten.
    #[track_caller]
    pub fn abort_transaction(&self, id: &str) -> Sending<'_> {
        self.transaction(Command::Abort, id)
    }

    #[track_caller]
    fn settle(&self, command: Command, message: &TestMessage) -> Sending<'_> {
        let named = |frame: Frame, name, value| frame.with_header(name, message.header(value).unwrap_or_default());
        let frame = Frame::new(command);
        let frame = match self.version() {
            Some(Version::V1_0) => named(frame, "message-id", "message-id"),
            Some(Version::V1_1) => named(named(frame, "message-id", "message-id"), "subscription", "subscription"),
            _ => named(frame, "id", "ack"),
        };
        Sending::new(self.wire(), Confirmed::new(frame))
    }

    #[track_caller]
    fn transaction(&self, command: Command, id: &str) -> Sending<'_> {
        Sending::new(self.wire(), Confirmed::new(Frame::new(command).with_header("transaction", id)))
    }
}

impl Sending<'_> {
    /// Sends it as a part of a transaction that is open, a SEND, ACK or NACK. It is not waited for: nothing is answered before
    /// the COMMIT.
    pub fn in_transaction(self, id: &str) {
        self.header("transaction", id).unconfirmed();
    }
}

impl Subscribing<'_> {
    /// How messages are acknowledged: by [`TestClient::ack`] and [`TestClient::nack`]. Default: not at all.
    pub fn ack(self, mode: AckMode) -> Self {
        let mode = match mode {
            AckMode::Auto => "auto",
            AckMode::Client => "client",
            AckMode::ClientIndividual => "client-individual",
        };
        self.header("ack", mode)
    }

    /// How many messages it wants to have without acknowledging one. Default: as many as the endpoint allows.
    pub fn prefetch(self, messages: usize) -> Self {
        self.header("prefetch-count", &messages.to_string())
    }
}
