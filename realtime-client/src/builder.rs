//! The settings of a client, each with its default.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL},
};
use parlor_stomp::{ClientConfig, HeartBeat, Limits};
use tokio::sync::{broadcast, mpsc, watch};

use crate::{
    Client, ConnectionError, ConnectionState, Connector, ReconnectPolicy, TcpConnector,
    command::{ConnectionNumber, MAX_COMMANDS, Releases, Shared},
    conversation::Conversation,
    driver::Driver,
    opening::open,
    options::Options,
};

/// Refusals that wait for whoever listens for them.
const MAX_REFUSALS: usize = 64;

/// The subprotocols of STOMP, as they are registered for `Sec-WebSocket-Protocol`.
const SUBPROTOCOLS: HeaderValue = HeaderValue::from_static("v12.stomp, v11.stomp, v10.stomp");

/// How a client connects, made by [`Client::builder`].
///
/// ```no_run
/// use std::time::Duration;
/// use parlor_client::{Client, ReconnectPolicy};
///
/// # async fn run(token: &str) -> Result<(), parlor_client::ConnectionError> {
/// let client = Client::builder("ws://127.0.0.1:8080/ws")
///     .bearer(token)
///     .receipt_timeout(Duration::from_secs(5))
///     .reconnect(ReconnectPolicy::default().max(Duration::from_secs(10)))
///     .connect()
///     .await?;
/// # drop(client); Ok(()) }
/// ```
#[must_use = "call connect"]
pub struct ClientBuilder {
    address: String,
    headers: HeaderMap,
    /// The first header that is none.
    fault: Option<String>,
    session: ClientConfig,
    connector: Arc<dyn Connector>,
    connect_timeout: Duration,
    close_timeout: Duration,
    receipt_timeout: Duration,
    subscription_buffer: usize,
    reconnect: ReconnectPolicy,
    error_queue: Option<String>,
}

impl ClientBuilder {
    pub(crate) fn new(address: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOLS);
        Self {
            address,
            headers,
            fault: None,
            session: ClientConfig::default().host(None).heart_beat(HeartBeat { can_send_ms: 10_000, wants_ms: 10_000 }),
            connector: Arc::new(TcpConnector::default()),
            connect_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            receipt_timeout: Duration::from_secs(30),
            subscription_buffer: 256,
            reconnect: ReconnectPolicy::default(),
            error_queue: Some("/user/queue/errors".to_owned()),
        }
    }

    /// Sets a header of the WebSocket handshake, at each connection. What is no header fails in [`connect`](Self::connect).
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(known), Ok(mut value)) => {
                value.set_sensitive(known == AUTHORIZATION || known == COOKIE);
                self.headers.insert(known, value);
            }
            _ => {
                self.fault.get_or_insert_with(|| format!("the header {name:?} has no such name or value in HTTP"));
            }
        }
        self
    }

    /// Authenticates with a token: `Authorization: Bearer …`.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends the header `Cookie`, `token=…` for example. Servers that look at the Origin want a header `origin` beside it.
    pub fn cookie(self, cookies: &str) -> Self {
        self.header("cookie", cookies)
    }

    /// Offers no subprotocol. By default `v12.stomp`, `v11.stomp` and `v10.stomp` are offered, and a server has to choose one.
    pub fn without_subprotocol(mut self) -> Self {
        self.headers.remove(SEC_WEBSOCKET_PROTOCOL);
        self
    }

    /// Adds a header to CONNECT.
    pub fn connect_header(mut self, name: &str, value: &str) -> Self {
        self.session = self.session.header(name, value);
        self
    }

    /// Sends `login` and `passcode` in CONNECT. Parlor ignores them: it authenticates the handshake.
    pub fn login(self, login: &str, passcode: &str) -> Self {
        self.connect_header("login", login).connect_header("passcode", passcode)
    }

    /// The `host` header of CONNECT, default the host of the address.
    pub fn host(mut self, host: &str) -> Self {
        self.session = self.session.host(Some(host));
        self
    }

    /// The versions of STOMP that are offered, default `1.0,1.1,1.2`.
    pub fn accept_version(mut self, versions: &str) -> Self {
        self.session = self.session.accept_version(Some(versions));
        self
    }

    /// The heart-beats that are offered, in milliseconds, default 10,000 both ways; 0 is none. After one and a half periods
    /// of silence the server is pinged, after three the connection has ended.
    pub fn heart_beat(mut self, heart_beat: HeartBeat) -> Self {
        self.session = self.session.heart_beat(heart_beat);
        self
    }

    /// Limits of the server's frames, default 16 MiB of body, 64 KiB of head, 1,024 headers. A WebSocket message may be as
    /// large as the largest frame, at least 1 MiB.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.session = self.session.limits(limits);
        self
    }

    /// From the first octet to CONNECTED, for each attempt, default 10 s.
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = time;
        self
    }

    /// How long a close waits for the server's confirmation, default 5 s.
    pub fn close_timeout(mut self, time: Duration) -> Self {
        self.close_timeout = time;
        self
    }

    /// How long SUBSCRIBE, and SEND with a receipt, wait for it, default 30 s. The time of a reconnect counts.
    pub fn receipt_timeout(mut self, time: Duration) -> Self {
        self.receipt_timeout = time;
        self
    }

    /// Messages that wait for the application, for each subscription, default 256, at least 1. See
    /// [`Subscription`](crate::Subscription) for what happens then.
    pub fn subscription_buffer(mut self, messages: usize) -> Self {
        self.subscription_buffer = messages.max(1);
        self
    }

    /// When to come back after the connection ended. The first connection is tried once.
    pub fn reconnect(mut self, policy: ReconnectPolicy) -> Self {
        self.reconnect = policy;
        self
    }

    /// Where the server tells of refusals, default `/user/queue/errors`: the client listens there, so that a refused SEND or
    /// SUBSCRIBE does not end the connection. `None` for servers that are not Parlor.
    pub fn error_queue(mut self, destination: Option<&str>) -> Self {
        self.error_queue = destination.map(str::to_owned);
        self
    }

    /// What opens the stream under the WebSocket, default [`TcpConnector`].
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connector = Arc::new(connector);
        self
    }

    /// TLS by a configuration of your own.
    #[cfg(feature = "tls")]
    pub fn tls(self, config: Arc<tokio_rustls::rustls::ClientConfig>) -> Self {
        self.connector(TcpConnector::tls(config))
    }

    /// Connects, and starts the client's task, which needs a runtime of tokio with its I/O and time.
    ///
    /// # Errors
    /// When the first connection could not be opened; it is not tried again.
    pub async fn connect(self) -> Result<Client, ConnectionError> {
        let (buffer, receipt_timeout) = (self.subscription_buffer, self.receipt_timeout);
        let options = self.options()?;
        let opened = open(&options).await?;
        let connected =
            ConnectionState::Connected { session: opened.connected.session.clone(), version: opened.connected.version };
        let (commands, received) = mpsc::channel(MAX_COMMANDS);
        let (state, states) = watch::channel(connected);
        let (closing, requested) = watch::channel(false);
        let (ended, end) = watch::channel(None);
        let (refusals, _) = broadcast::channel(MAX_REFUSALS);
        let (number, releases) = (ConnectionNumber::default(), Arc::new(Releases::default()));
        let shared = Arc::new(Shared {
            commands,
            closing,
            ended: end,
            state: states,
            refusals: refusals.clone(),
            releases: Arc::clone(&releases),
            connection: number.clone(),
            next_key: AtomicU64::new(0),
            receipt_timeout,
            buffer,
        });
        let conversation = Conversation::new(number, Arc::downgrade(&shared), refusals);
        let driver = Driver { options, commands: received, closing: requested, ended, state, releases, conversation };
        #[expect(clippy::disallowed_methods, reason = "it ends with the last handle, which it does not hold")]
        tokio::spawn(driver.run(opened));
        Ok(Client::new(shared))
    }

    fn options(self) -> Result<Options, ConnectionError> {
        if let Some(fault) = self.fault {
            return Err(ConnectionError::Address(fault));
        }
        let address = self
            .address
            .parse::<Uri>()
            .map_err(|error| ConnectionError::Address(format!("{:?} is no address: {error}", self.address)))?;
        let Some(host) = address.host().filter(|_| matches!(address.scheme_str(), Some("ws" | "wss"))) else {
            let message = format!("{:?} is no address of a WebSocket: write ws://host:port/path", self.address);
            return Err(ConnectionError::Address(message));
        };
        let session = match &self.session.host {
            Some(_) => self.session,
            None => self.session.host(Some(host)),
        };
        Ok(Options {
            headers: self.headers,
            session,
            connector: self.connector,
            connect_timeout: self.connect_timeout,
            close_timeout: self.close_timeout,
            reconnect: self.reconnect,
            error_queue: self.error_queue,
            address,
        })
    }
}

/// Headers are not shown.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("address", &self.address)
            .field("reconnect", &self.reconnect)
            .finish_non_exhaustive()
    }
}
