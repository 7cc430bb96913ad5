//! A client in memory.

use std::{fmt, panic::Location, sync::Arc, time::Duration};

use bytes::Bytes;
use parlor_stomp::{Command, Frame, Version};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    realtime::Realtime,
    session::Session,
    testing::{
        Connecting, End, Identity, Refusal, Requesting, Sending, Subscribing, TestClose, confirmed::Confirmed,
        wait::PATIENCE, wire::Wire,
    },
};

/// A STOMP client in the test's own process: a real connection through the real driver, WebSocket framing and STOMP codec
/// included, over a pipe in memory.
///
/// The connection lives until it is ended ([`disconnect`](Self::disconnect), [`close`](Self::close),
/// [`abort`](Self::abort), or by the server), or until the client *and* its subscriptions are dropped, which breaks it
/// without a word.
///
/// ```
/// use parlor_core::{Realtime, app::{Route, Router, Rules}, auth::Anonymous, extract::Payload, testing::TestClient};
///
/// async fn shout(Payload(text): Payload<String>) -> Payload<String> {
///     Payload(text.to_uppercase())
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let routes = Router::new().mount(Route::message("/app/shout", shout).send_to("/topic/shouts")).with_state(());
/// let rules = Rules::deny_all().allow_subscribe("/topic/shouts");
/// let realtime = Realtime::builder(routes).authenticate(Anonymous).authorize(rules).build()?;
///
/// let ada = TestClient::connect(&realtime, "ada").await;
/// let shouts = ada.subscribe("/topic/shouts").await;
/// ada.send("/app/shout", "hello").await;
/// assert_eq!(shouts.expect::<String>().await, "HELLO");
/// shouts.assert_silent().await;
/// # Ok(()) }) }
/// ```
pub struct TestClient {
    guard: Arc<Guard>,
    realtime: Realtime,
    session: String,
}

impl TestClient {
    pub(super) fn new(guard: Arc<Guard>, realtime: Realtime, session: String) -> Self {
        Self { guard, realtime, session }
    }

    /// Connects as a user (`"user-1"`) or a whole [`Principal`](crate::auth::Principal), past the authenticator. `await` it.
    ///
    /// # Panics
    /// When the client is not let in, or is not answered in 5 s.
    #[track_caller]
    pub fn connect(realtime: &Realtime, who: impl Identity) -> Connecting<'_> {
        Connecting::new(realtime).principal(who)
    }

    /// Connects as nobody in particular. `await` it.
    ///
    /// # Panics
    /// As [`connect`](Self::connect).
    #[track_caller]
    pub fn anonymous(realtime: &Realtime) -> Connecting<'_> {
        Connecting::new(realtime)
    }

    /// Sends a value as JSON. Await what is returned to wait until its handler has finished, see [`Sending`].
    ///
    /// # Panics
    /// When the value cannot be written as JSON.
    #[track_caller]
    pub fn send<T: Serialize + ?Sized>(&self, destination: &str, payload: &T) -> Sending<'_> {
        self.send_bytes(destination, "application/json", json(payload))
    }

    /// Sends a text.
    #[track_caller]
    pub fn send_text(&self, destination: &str, text: &str) -> Sending<'_> {
        self.send_bytes(destination, "text/plain", text.to_owned())
    }

    /// Sends any body with its content type.
    #[track_caller]
    pub fn send_bytes(&self, destination: &str, content_type: &str, body: impl Into<Bytes>) -> Sending<'_> {
        Sending::new(self.wire(), Confirmed::send(destination, content_type, body.into()))
    }

    /// Sends a value as JSON to a handler that answers with a [`Reply`](crate::extract::Reply), and gives back the answer, read
    /// from JSON, when awaited. The request carries a `correlation-id`; the first one subscribes to `/user/queue/replies`.
    ///
    /// A handler that answers more than once, with [`Replies`](crate::extract::Replies), is tested by subscribing there.
    ///
    /// # Panics
    /// When the value cannot be written as JSON.
    #[track_caller]
    pub fn request<T: DeserializeOwned, P: Serialize + ?Sized>(
        &self,
        destination: &str,
        payload: &P,
    ) -> Requesting<'_, T> {
        let prefixes = self.realtime.broker().prefixes();
        let replies = format!("{}{}/replies", prefixes.user, prefixes.queue);
        Requesting::new(self.wire(), replies, Confirmed::send(destination, "application/json", json(payload)))
    }

    /// Subscribes. Await what is returned to wait until the subscription is registered, see [`Subscribing`].
    ///
    /// A destination under `/app` is a question to a handler: its reply is the subscription's one message.
    #[track_caller]
    pub fn subscribe(&self, destination: &str) -> Subscribing<'_> {
        Subscribing::new(&self.guard, destination)
    }

    /// Sends a frame as it stands: one that a well-behaved client would not send, or that this kit has no method for.
    pub fn send_frame(&self, frame: &Frame) {
        self.wire().send(frame);
    }

    /// Waits until the server has handled every frame that this client has sent, and everything that was published to it
    /// before has arrived.
    ///
    /// It asks for the receipt of an UNSUBSCRIBE that names nothing: frames of a session are handled in order (rule 9), and
    /// so are the server's octets. Handlers of [concurrent](crate::app::Route::concurrent) routes may still be at work.
    ///
    /// # Panics
    /// When the connection has ended, or the receipt does not come in 5 s.
    #[track_caller]
    pub fn sync(&self) -> impl Future<Output = ()> + Send {
        let (wire, at) = (self.wire(), Location::caller());
        async move { barrier(wire, PATIENCE, at).await }
    }

    /// Takes the refusals that have arrived and that nobody has asked about, oldest first.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        self.wire().with(|state| state.refusals().drain(..).collect())
    }

    /// Waits for the next refusal, of a frame that was sent without a receipt or a subscription that was taken away, and
    /// checks its code.
    ///
    /// # Panics
    /// When it has another code, or none comes in 5 s.
    #[track_caller]
    pub fn expect_refusal(&self, code: &str) -> impl Future<Output = Refusal> + Send {
        let (wire, at, code) = (self.wire(), Location::caller(), code.to_owned());
        async move {
            let refusal = wire
                .wait_for(PATIENCE, |state| match state.refusals().pop_front() {
                    Some(refusal) => Some(Some(refusal)),
                    None => state.closed().map(|_| None),
                })
                .await;
            match refusal {
                Ok(Some(refusal)) if refusal.code == code => refusal,
                Ok(Some(other)) => wire.fail(at, &format!("a refusal with code {code} was expected, not {other}")),
                Ok(None) => wire.fail(at, &format!("no refusal with code {code} came before the end")),
                Err(timed_out) => wire.fail(at, &format!("no refusal with code {code} came {timed_out}")),
            }
        }
    }

    /// Waits until the connection has ended and checks how: by the code of the ERROR frame (`"token-expired"`) or the status
    /// of the close frame (`1012`; 1006 is a connection that was lost).
    ///
    /// # Panics
    /// When it ended in another way, or is still open after 5 s.
    #[track_caller]
    pub fn expect_closed(&self, end: impl Into<End>) -> impl Future<Output = TestClose> + Send {
        let (wire, at, end) = (self.wire(), Location::caller(), end.into());
        async move {
            let closed = wire.wait_for(PATIENCE, |state| state.closed().filter(|_| state.is_over()).cloned()).await;
            match closed {
                Ok(closed) if closed.matches(&end) => closed,
                Ok(_) => wire.fail(at, &format!("an end with {end} was expected")),
                Err(timed_out) => wire.fail(at, &format!("no end with {end} came {timed_out}")),
            }
        }
    }

    /// Whether the connection is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.wire().with(|state| state.closed().is_none())
    }

    /// Leaves politely: DISCONNECT, its RECEIPT, and a close with 1000. Everything that was sent before is handled then, and
    /// the server has let go of the session.
    ///
    /// # Panics
    /// When it does not end like that, or not in 5 s.
    #[track_caller]
    pub fn disconnect(self) -> impl Future<Output = ()> + Send {
        let at = Location::caller();
        async move {
            let wire = self.wire();
            let receipt = wire.with(|state| state.fresh("disconnect"));
            wire.send(&Frame::new(Command::Disconnect).with_header("receipt", &receipt));
            let ended = wire.wait_for(PATIENCE, |state| state.closed().filter(|_| state.is_over()).cloned()).await;
            match ended {
                Ok(closed) if closed.status != 1000 => {
                    wire.fail(at, "DISCONNECT was not answered by a close with 1000")
                }
                Ok(_) if !wire.with(|state| state.take_receipt(&receipt)) => {
                    wire.fail(at, "DISCONNECT was not confirmed");
                }
                Ok(_) => let_go(wire, at).await,
                Err(timed_out) => wire.fail(at, &format!("DISCONNECT was not answered {timed_out}")),
            }
        }
    }

    /// Closes the WebSocket with `status` and no DISCONNECT, as a browser does that leaves the page (1001), and waits until
    /// the server has let go of the session.
    ///
    /// # Panics
    /// When it has not after 5 s: a handler may still run.
    #[track_caller]
    pub fn close(self, status: u16) -> impl Future<Output = ()> + Send {
        let at = Location::caller();
        async move {
            self.wire().send_close(status);
            let_go(self.wire(), at).await;
        }
    }

    /// Loses the connection without a close frame, as a broken network does, and waits until the server has let go of the
    /// session.
    ///
    /// # Panics
    /// When it has not after 5 s: a handler may still run.
    #[track_caller]
    pub fn abort(self) -> impl Future<Output = ()> + Send {
        let at = Location::caller();
        async move {
            self.wire().abort();
            let_go(self.wire(), at).await;
        }
    }

    /// Neither reads nor writes from now on, as a laptop does whose lid was closed: no heart-beat, no pong, no close. What
    /// the server sends stays in the pipe, and beyond it in the session's outbox.
    pub fn freeze(&self) {
        self.wire().freeze(true);
    }

    /// Goes on where [`freeze`](Self::freeze) stopped.
    pub fn thaw(&self) {
        self.wire().freeze(false);
    }

    /// The session's id, as CONNECTED told it.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.session
    }

    /// The server's handle to this session; none once it has ended.
    #[must_use]
    pub fn session(&self) -> Option<Session> {
        self.realtime.registry().sessions().into_iter().find(|session| session.id().to_string() == self.session)
    }

    /// The negotiated version; none once an ERROR has ended the session.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.wire().with(|state| state.version())
    }

    pub(super) fn wire(&self) -> &Wire {
        self.guard.wire()
    }
}

#[track_caller]
fn json<T: Serialize + ?Sized>(payload: &T) -> Bytes {
    match serde_json::to_vec(payload) {
        Ok(body) => body.into(),
        Err(error) => panic!("the payload cannot be written as JSON: {error}"),
    }
}

/// Waits until everything before is handled.
pub(super) async fn barrier(wire: &Wire, limit: Duration, at: &Location<'_>) {
    let receipt = wire.with(|state| state.fresh("sync"));
    let frame = Frame::new(Command::Unsubscribe).with_header("id", &receipt).with_header("receipt", &receipt);
    wire.send(&frame);
    let confirmed = wire
        .wait_for(limit, |state| if state.take_receipt(&receipt) { Some(true) } else { state.closed().map(|_| false) })
        .await;
    match confirmed {
        Ok(true) => {}
        Ok(false) => wire.fail(at, "the connection is not there any more"),
        Err(timed_out) => wire.fail(at, &format!("an earlier frame of this client was not handled {timed_out}")),
    }
}

async fn let_go(wire: &Wire, at: &Location<'_>) {
    if let Err(timed_out) = wire.server_ended(PATIENCE).await {
        wire.fail(at, &format!("the server did not let go of the session {timed_out}"));
    }
}

/// Keeps the connection; the last one breaks it.
#[derive(Debug)]
pub(super) struct Guard(Arc<Wire>);

impl Guard {
    pub(super) fn new(wire: Arc<Wire>) -> Self {
        Self(wire)
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient").field("session", &self.session).finish_non_exhaustive()
    }
}
