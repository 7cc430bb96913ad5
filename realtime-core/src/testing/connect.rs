//! Opening a connection: who connects, with what CONNECT frame, over what pipe.

use std::{fmt, panic::Location, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Request;
use parlor_stomp::{ClientConfig, ClientSession, Command, Frame, HeartBeat};
use tokio::{io::DuplexStream, task::JoinHandle};

use crate::{
    auth::{AuthError, Handshake, OriginRefusal, Principal, UserId},
    connection::Transport,
    limits::AdmissionError,
    realtime::Realtime,
    testing::{TestClient, TestClose, client::Guard, state::REFUSALS, wait::PATIENCE, wire::Wire},
};

/// Octets that fit between the two ends of a connection unless a test says otherwise: more than any test leaves lying.
const PIPE: usize = 1024 * 1024;

/// Opens one connection to `realtime` as `principal` and serves it in a task of its own, over a pipe in memory that holds
/// `octets` in each direction: WebSocket frames go in and come out, as behind an upgrade.
///
/// This is what [`TestClient`] stands on, for tests that speak the wire's own language: malformed frames, cut messages, a
/// reader that stops. The task ends when the connection does.
///
/// # Panics
/// When the endpoint is full or stopping, or outside of a runtime.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::{Anonymous, Principal}, testing::connect_in_memory};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let (mut wire, server) = connect_in_memory(&realtime, Principal::anonymous(), 1024);
/// // A frame without a mask, as no client may send it: the answer is a close frame with status 1002.
/// wire.write_all(b"\x81\x02hi").await?;
/// let mut answer = Vec::new();
/// wire.read_to_end(&mut answer).await?;
/// assert_eq!((answer[0], &answer[2..4]), (0x88, &1002_u16.to_be_bytes()[..]));
/// drop(wire);
/// server.await?;
/// # Ok(()) }) }
/// ```
#[track_caller]
pub fn connect_in_memory(realtime: &Realtime, principal: Principal, octets: usize) -> (DuplexStream, JoinHandle<()>) {
    match open(realtime, principal, octets) {
        Ok(connection) => connection,
        Err(error) => panic!("{error}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "the caller owns the task through the handle")]
fn open(
    realtime: &Realtime,
    principal: Principal,
    octets: usize,
) -> Result<(DuplexStream, JoinHandle<()>), ConnectError> {
    let admission = realtime.admit(None)?.for_principal(&principal)?;
    let (near, far) = tokio::io::duplex(octets);
    let transport = Transport::stream(far, Bytes::new());
    Ok((near, tokio::spawn(realtime.clone().serve(transport, principal, admission))))
}

/// Who a test connects as: a user's id (`"user-1"`), a [`UserId`], or a whole [`Principal`] with name, claims and expiry.
///
/// ```
/// use parlor_core::{
///     Realtime,
///     app::Router,
///     auth::{Anonymous, Principal, UserId},
///     testing::TestClient,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let id: UserId = "u-1".parse()?;
/// let by_text = TestClient::connect(&realtime, "u-1").await;
/// let by_id = TestClient::connect(&realtime, id.clone()).await;
/// let with_name = TestClient::connect(&realtime, Principal::user(id).with_name("Ada")).await;
/// assert_eq!(realtime.registry().sessions_of(&"u-1".parse()?).len(), 3);
/// assert_eq!(with_name.session().unwrap().principal().to_string(), "Ada");
/// # let _ = (by_text, by_id);
/// # Ok(()) }) }
/// ```
pub trait Identity {
    /// The principal.
    fn into_principal(self) -> Principal;
}

/// How a [`TestClient`] connects; `await` it. From [`TestClient::connect`] and [`TestClient::anonymous`].
///
/// ```
/// use std::time::Duration;
/// use parlor_core::{Realtime, app::Router, auth::Anonymous, stomp::Version, testing::TestClient};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let old = TestClient::connect(&realtime, "ada")
///     .roles(["admin"])
///     .accept_version(Some("1.1"))
///     .within(Duration::from_secs(1))
///     .await;
/// assert_eq!(old.version(), Some(Version::V1_1));
/// assert!(old.session().unwrap().principal().has_role("admin"));
/// # Ok(()) }) }
/// ```
#[must_use = "a client connects when it is awaited"]
pub struct Connecting<'a> {
    realtime: &'a Realtime,
    at: &'static Location<'static>,
    principal: Principal,
    request: Option<Request<()>>,
    config: ClientConfig,
    octets: usize,
    hears_refusals: bool,
    limit: Duration,
}

/// Why a client was not let in.
///
/// ```
/// use parlor_core::{
///     Realtime,
///     app::Router,
///     auth::Nobody,
///     testing::{ConnectError, TestClient},
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Nobody).build()?;
/// let handshake = http::Request::get("/ws").body(())?;
/// let error = TestClient::anonymous(&realtime).request(handshake).try_connect().await.unwrap_err();
/// assert!(matches!(error, ConnectError::Authentication(_)), "{error}");
/// assert!(error.to_string().starts_with("the authenticator refused the handshake: "));
/// # Ok(()) }) }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The authenticator refused the handshake.
    #[error("the authenticator refused the handshake: {0}")]
    Authentication(#[from] AuthError),
    /// The connection ended before CONNECTED came.
    #[error("the connection ended before CONNECTED: {0}")]
    Closed(TestClose),
    /// The endpoint admits nobody more, or the user has too many connections.
    #[error("the endpoint does not admit the connection: {0}")]
    Admission(#[from] AdmissionError),
    /// The handshake's origin is not allowed.
    #[error("the origin is not allowed: {0}")]
    Origin(#[from] OriginRefusal),
}

impl<'a> Connecting<'a> {
    #[track_caller]
    pub(super) fn new(realtime: &'a Realtime) -> Self {
        Self {
            realtime,
            at: Location::caller(),
            principal: Principal::anonymous(),
            request: None,
            config: ClientConfig::default(),
            octets: PIPE,
            hears_refusals: true,
            limit: PATIENCE,
        }
    }

    /// Connects as this user or principal, past the authenticator. Default: anonymous.
    pub fn principal(mut self, who: impl Identity) -> Self {
        self.principal = who.into_principal();
        self
    }

    /// Gives the principal these roles.
    pub fn roles<R: AsRef<str>>(mut self, roles: impl IntoIterator<Item = R>) -> Self {
        self.principal = self.principal.with_roles(roles);
        self
    }

    /// Connects with this HTTP request: its origin is judged, and the endpoint's own authenticator says who it is. What
    /// makes a request a WebSocket handshake is the adapter's business and not looked at.
    pub fn request(mut self, request: Request<()>) -> Self {
        self.request = Some(request);
        self
    }

    /// The `accept-version` header of CONNECT, `"1.1"` say; none for a client of STOMP 1.0. Default: all three.
    pub fn accept_version(mut self, versions: Option<&str>) -> Self {
        self.config = self.config.accept_version(versions);
        self
    }

    /// Adds a header to CONNECT.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.config = self.config.header(name, value);
        self
    }

    /// What the client offers in heart-beats; it then keeps its side of the agreement. Default: none.
    pub fn heart_beat(mut self, heart_beat: HeartBeat) -> Self {
        self.config = self.config.heart_beat(heart_beat);
        self
    }

    /// Octets that the pipe holds in each direction, default 1 MiB: little, and a [frozen](TestClient::freeze) client is a
    /// slow reader at once.
    pub fn pipe(mut self, octets: usize) -> Self {
        self.octets = octets;
        self
    }

    /// Does not subscribe to the error queue, so that a refused frame with a receipt ends the connection (rule 11).
    ///
    /// By default a client subscribes to `/user/queue/errors` as soon as it is connected, as clients in browsers should;
    /// that is one subscription of the session, and one `Subscribed` event.
    pub fn deaf_to_refusals(mut self) -> Self {
        self.hears_refusals = false;
        self
    }

    /// Waits this long for CONNECTED, in test time. Default 5 s.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Connects, or says why it was not let in.
    ///
    /// # Errors
    /// Who refused it.
    ///
    /// # Panics
    /// When there is no answer in time.
    pub async fn try_connect(mut self) -> Result<TestClient, ConnectError> {
        if let Some(request) = self.request.take() {
            self.realtime.origins().judge_upgrade(request.headers())?;
            let handshake = Handshake::new(request.headers(), request.uri(), None);
            self.principal = self.realtime.authenticator().authenticate(handshake).await?;
        }
        let name = self.principal.to_string();
        let (stream, server) = open(self.realtime, self.principal, self.octets)?;
        let session = ClientSession::new(self.config);
        let guard = Arc::new(Guard::new(Wire::start(name, session, stream, server)));
        let wire = guard.wire();
        let answered = wire
            .wait_for(self.limit, |state| match state.closed() {
                Some(closed) => Some(Err(closed.clone())),
                None => state.session_id().map(Ok),
            })
            .await;
        let session = match answered {
            Ok(Ok(session)) => session,
            Ok(Err(closed)) => return Err(ConnectError::Closed(closed)),
            Err(timed_out) => wire.fail(self.at, &format!("no CONNECTED came {timed_out}")),
        };
        if self.hears_refusals {
            hear_refusals(wire, self.realtime, self.limit, self.at).await;
        }
        Ok(TestClient::new(guard, self.realtime.clone(), session))
    }
}

/// Subscribes to the error queue.
async fn hear_refusals(wire: &Wire, realtime: &Realtime, limit: Duration, at: &Location<'_>) {
    let prefixes = realtime.broker().prefixes();
    let frame = Frame::new(Command::Subscribe)
        .with_header("id", REFUSALS)
        .with_header("destination", &format!("{}{}/errors", prefixes.user, prefixes.queue))
        .with_header("receipt", REFUSALS);
    wire.send(&frame);
    let heard = wire
        .wait_for(limit, |state| if state.take_receipt(REFUSALS) { Some(true) } else { state.closed().map(|_| false) })
        .await;
    let complaint = match heard {
        Ok(true) => return,
        Ok(false) => "the subscription to the error queue was refused".to_owned(),
        Err(timed_out) => format!("the subscription to the error queue was not confirmed {timed_out}"),
    };
    wire.fail(at, &format!("{complaint}; connect with `deaf_to_refusals` where there is none"));
}

/// # Panics
/// When the client is not let in, or there is no answer in time.
impl<'a> IntoFuture for Connecting<'a> {
    type Output = TestClient;
    type IntoFuture = BoxFuture<'a, TestClient>;

    fn into_future(self) -> BoxFuture<'a, TestClient> {
        let (at, name) = (self.at, self.principal.to_string());
        Box::pin(async move {
            match self.try_connect().await {
                Ok(client) => client,
                Err(error) => panic!("{name} could not connect: {error}\n  at {at}"),
            }
        })
    }
}

impl Identity for Principal {
    fn into_principal(self) -> Principal {
        self
    }
}

impl Identity for &Principal {
    fn into_principal(self) -> Principal {
        self.clone()
    }
}

impl Identity for UserId {
    fn into_principal(self) -> Principal {
        Principal::user(self)
    }
}

/// A user with this id and nothing else.
///
/// # Panics
/// When it is no [`UserId`].
impl Identity for &str {
    #[track_caller]
    fn into_principal(self) -> Principal {
        match self.parse() {
            Ok(id) => Principal::user(id),
            Err(error) => panic!("{self:?} is no user id: {error}"),
        }
    }
}

/// The request may hold credentials and is not shown.
impl fmt::Debug for Connecting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").field("principal", &self.principal).finish_non_exhaustive()
    }
}
