//! Frames that wait for their receipt, each with what it leads to.

use std::{fmt, panic::Location, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parlor_stomp::{Command, Frame};

use crate::testing::{Refusal, TestSubscription, client::Guard, state::Beginning, wait::PATIENCE, wire::Wire};

/// A SEND, not sent yet, from [`TestClient::send`](crate::testing::TestClient::send) and its kin; or an ACK, a NACK, or the
/// begin or end of a transaction.
///
/// * `await` it: sends with a receipt and waits for it. Then the handler has finished, or the message has its place in the
///   topic's or queue's order (rule 10).
/// * [`refused`](Self::refused): the same, where it must be refused.
/// * [`outcome`](Self::outcome): the same, where the test decides.
/// * [`unconfirmed`](Self::unconfirmed): sends and does not wait.
///
/// ```
/// use parlor_core::{
///     Realtime,
///     app::{Rejection, Route, Router},
///     auth::Anonymous,
///     testing::TestClient,
/// };
///
/// async fn divide(number: String) -> Result<(), Rejection> {
///     if number == "0" { Err(Rejection::new("zero", "Nothing is divided by zero.")) } else { Ok(()) }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let routes = Router::new().mount(Route::message("/app/divide", divide)).with_state(());
/// let realtime = Realtime::builder(routes).authenticate(Anonymous).build()?;
/// let ada = TestClient::connect(&realtime, "ada").await;
/// ada.send_text("/app/divide", "2").header("colour", "red").await;
/// ada.send_text("/app/divide", "0").refused("zero").await;
/// assert!(ada.send_text("/app/divide", "0").outcome().await.is_err());
/// ada.send_text("/app/divide", "0").unconfirmed();
/// ada.expect_refusal("zero").await;
/// # Ok(()) }) }
/// ```
#[must_use = "a message is sent when this is awaited, or by `unconfirmed`"]
pub struct Sending<'a> {
    wire: &'a Wire,
    confirmed: Confirmed,
}

/// A SUBSCRIBE, not sent yet. From [`TestClient::subscribe`](crate::testing::TestClient::subscribe).
///
/// * `await` it: subscribes with a receipt and waits for it. Then every message accepted from now on is covered (rule 10),
///   and a handler's reply has arrived.
/// * [`refused`](Self::refused): the same, where it must be refused.
/// * [`unconfirmed`](Self::unconfirmed): sends and does not wait.
///
/// ```
/// # use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let rules = Rules::deny_all().allow_subscribe("/topic/news");
/// # let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// let ada = TestClient::connect(&realtime, "ada").await;
/// let news = ada.subscribe("/topic/news").id("news").await;
/// assert_eq!((news.id(), news.recovered()), ("news", None));
/// ada.subscribe("/topic/secrets").refused("forbidden").await;
/// # Ok(()) }) }
/// ```
#[must_use = "a subscription is made when this is awaited, or by `unconfirmed`"]
pub struct Subscribing<'a> {
    guard: &'a Arc<Guard>,
    id: String,
    confirmed: Confirmed,
}

/// A frame and how long its receipt may take.
#[derive(Debug)]
pub(super) struct Confirmed {
    pub(super) frame: Frame,
    pub(super) at: &'static Location<'static>,
    pub(super) limit: Duration,
}

impl Confirmed {
    /// A SEND.
    #[track_caller]
    pub(super) fn send(destination: &str, content_type: &str, body: Bytes) -> Self {
        let frame = Frame::new(Command::Send)
            .with_header("destination", destination)
            .with_header("content-type", content_type)
            .with_header("content-length", &body.len().to_string())
            .with_body(body);
        Self::new(frame)
    }

    /// Any frame.
    #[track_caller]
    pub(super) fn new(frame: Frame) -> Self {
        Self { frame, at: Location::caller(), limit: PATIENCE }
    }

    /// Sends the frame with a receipt; `Err` where it is refused.
    #[expect(clippy::result_large_err, reason = "of one frame of a test, and looked at once")]
    async fn outcome(mut self, wire: &Wire) -> Result<Beginning, Refusal> {
        let receipt = wire.with(|state| state.fresh("receipt"));
        self.frame.headers.push("receipt", &receipt);
        wire.send(&self.frame);
        let answer = wire
            .wait_for(self.limit, |state| {
                if state.take_receipt(&receipt) {
                    Some(Ok(state.take_beginning(&receipt)))
                } else if let Some(refusal) = state.take_refusal_of(&receipt) {
                    Some(Err(Some(refusal)))
                } else {
                    state.closed().map(|_| Err(None))
                }
            })
            .await;
        match answer {
            Ok(Ok(beginning)) => Ok(beginning),
            Ok(Err(Some(refusal))) => Err(refusal),
            Ok(Err(None)) => wire.fail(self.at, &format!("{} was not confirmed before the end", self.name())),
            Err(timed_out) => wire.fail(
                self.at,
                &format!("{} was not confirmed {timed_out}; its handler may still be running", self.name()),
            ),
        }
    }

    /// Sends the frame and waits until it is accepted. Gives back what the receipt of a SUBSCRIBE said.
    pub(super) async fn accepted(self, wire: &Wire) -> Beginning {
        let (at, name) = (self.at, self.name());
        match self.outcome(wire).await {
            Ok(beginning) => beginning,
            Err(refusal) => wire.fail(at, &format!("{name} was refused: {refusal}")),
        }
    }

    /// Sends the frame and waits until it is refused with `code`.
    pub(super) async fn refused(self, wire: &Wire, code: &str) -> Refusal {
        let (at, name) = (self.at, self.name());
        match self.outcome(wire).await {
            Err(refusal) if refusal.code == code => refusal,
            Err(other) => wire.fail(at, &format!("{name} was refused, but with another code than {code}: {other}")),
            Ok(_) => wire.fail(at, &format!("{name} should have been refused with code {code}")),
        }
    }

    /// What it is, for failures.
    pub(super) fn name(&self) -> String {
        match self.frame.headers.get("destination") {
            Some(destination) => format!("{} to {destination}", self.frame.command),
            None => self.frame.command.to_string(),
        }
    }
}

impl<'a> Sending<'a> {
    pub(super) fn new(wire: &'a Wire, confirmed: Confirmed) -> Self {
        Self { wire, confirmed }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.confirmed.frame.headers.push(name, value);
        self
    }

    /// Waits this long for the receipt, in test time. Default 5 s.
    pub fn within(mut self, limit: Duration) -> Self {
        self.confirmed.limit = limit;
        self
    }

    /// Sends it without asking for a receipt. What becomes of it shows elsewhere: a subscription's message,
    /// [`expect_refusal`](crate::testing::TestClient::expect_refusal), or [`sync`](crate::testing::TestClient::sync).
    pub fn unconfirmed(self) {
        self.wire.send(&self.confirmed.frame);
    }

    /// Sends it and gives back the refusal that it must meet, told on the error queue or by ERROR and close.
    ///
    /// # Panics
    /// When it is accepted, refused with another code, or not answered in time.
    pub async fn refused(self, code: &str) -> Refusal {
        self.confirmed.refused(self.wire, code).await
    }

    /// Sends it and gives back whether it was accepted.
    ///
    /// # Errors
    /// The refusal.
    ///
    /// # Panics
    /// When it is not answered in time.
    pub async fn outcome(self) -> Result<(), Refusal> {
        self.confirmed.outcome(self.wire).await.map(drop)
    }
}

impl<'a> Subscribing<'a> {
    #[track_caller]
    pub(super) fn new(guard: &'a Arc<Guard>, destination: &str) -> Self {
        let id = guard.wire().with(|state| state.fresh("sub"));
        let frame = Frame::new(Command::Subscribe).with_header("destination", destination);
        Self { guard, id, confirmed: Confirmed { frame, at: Location::caller(), limit: PATIENCE } }
    }

    /// The subscription's id, which must not be in use. Default: `sub-` and a number.
    pub fn id(mut self, id: &str) -> Self {
        self.id = id.to_owned();
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.confirmed.frame.headers.push(name, value);
        self
    }

    /// Waits this long for the receipt, in test time. Default 5 s.
    pub fn within(mut self, limit: Duration) -> Self {
        self.confirmed.limit = limit;
        self
    }

    /// Goes on from the [`position`](crate::testing::TestMessage::position) of an earlier message of the same destination, or from
    /// where [an earlier subscription](TestSubscription::position) began. Whether that could be done without a hole says [`TestSubscription::recovered`].
    pub fn resume_from(self, position: &str) -> Self {
        self.header("resume-from", position)
    }

    /// Subscribes without asking for a receipt.
    #[must_use]
    pub fn unconfirmed(mut self) -> TestSubscription {
        let subscription = self.prepare();
        self.guard.wire().send(&self.confirmed.frame);
        subscription
    }

    /// Subscribes and gives back the refusal that it must meet, told on the error queue or by ERROR and close.
    ///
    /// # Panics
    /// When it is accepted, refused with another code, or not answered in time.
    pub async fn refused(mut self, code: &str) -> Refusal {
        drop(self.prepare());
        self.confirmed.refused(self.guard.wire(), code).await
    }

    fn prepare(&mut self) -> TestSubscription {
        self.confirmed.frame.headers.push("id", &self.id);
        let destination = self.confirmed.frame.headers.get("destination").unwrap_or_default();
        self.guard.wire().with(|state| state.open_inbox(&self.id));
        TestSubscription::new(Arc::clone(self.guard), &self.id, destination)
    }
}

/// # Panics
/// When it is refused, or not answered in time.
impl<'a> IntoFuture for Sending<'a> {
    type Output = ();
    type IntoFuture = BoxFuture<'a, ()>;

    fn into_future(self) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.confirmed.accepted(self.wire).await;
        })
    }
}

/// # Panics
/// When it is refused, or not answered in time.
impl<'a> IntoFuture for Subscribing<'a> {
    type Output = TestSubscription;
    type IntoFuture = BoxFuture<'a, TestSubscription>;

    fn into_future(mut self) -> BoxFuture<'a, TestSubscription> {
        Box::pin(async move {
            let subscription = self.prepare();
            subscription.with_beginning(self.confirmed.accepted(self.guard.wire()).await)
        })
    }
}

impl fmt::Debug for Sending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sending").field(&self.confirmed.name()).finish()
    }
}

impl fmt::Debug for Subscribing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscribing").field(&self.confirmed.name()).finish()
    }
}
