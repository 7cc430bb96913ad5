//! The client's end of a session, for tests, load generators and clients.
//!
//! Commands queue frames, which [`poll_transmit`](ClientSession::poll_transmit) hands out; octets from the server become
//! events. After any call take transmits and events until there are none.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;

use crate::{
    AckMode, ClientEvent, Command, ConnectedEvent, Decoder, Encoded, Fault, Frame, Headers, HeartBeat, HeartBeatTimer,
    Limits, MessageEvent, Version, codec::write_frame,
};

/// How a client opens its session.
///
/// ```
/// use parlor_stomp::{ClientConfig, ClientSession};
///
/// let mut session = ClientSession::new(ClientConfig::default());
/// session.connect();
/// let connect = session.poll_transmit().unwrap();
/// assert!(connect.bytes.starts_with(b"CONNECT\naccept-version:1.0,1.1,1.2\n"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The `accept-version` header, default `1.0,1.1,1.2`; none for a client of 1.0.
    pub accept_version: Option<String>,
    /// The `host` header, default `/`.
    pub host: Option<String>,
    /// What the client offers in heart-beats, default none.
    pub heart_beat: HeartBeat,
    /// Further headers of CONNECT.
    pub headers: Headers,
    /// Limits of the server's frames, default 16 MiB of body.
    pub limits: Limits,
}

/// What was wrong with a server's frame.
///
/// ```
/// use bytes::Bytes;
/// use parlor_stomp::{ClientConfig, ClientError, ClientSession, Command};
///
/// let mut session = ClientSession::new(ClientConfig::default());
/// session.connect();
/// session.handle_input(Bytes::from_static(b"RECEIPT\nreceipt-id:1\n\n\0"));
/// let error = session.poll_event().unwrap_err();
/// assert_eq!(error, ClientError::Unexpected(Command::Receipt));
/// assert_eq!(error.to_string(), "the server sent RECEIPT, which has no place here");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The octets are no frame.
    #[error("the server sent a bad frame: {0}")]
    Frame(#[from] Fault),
    /// A frame that a server does not send here.
    #[error("the server sent {0}, which has no place here")]
    Unexpected(Command),
    /// CONNECTED names no version of ours, or a malformed heart-beat.
    #[error("CONNECTED has a bad {0} header")]
    Connected(&'static str),
}

/// The client's end of one session.
///
/// ```
/// use bytes::Bytes;
/// use parlor_stomp::{AckMode, ClientConfig, ClientEvent, ClientSession};
///
/// # fn main() -> Result<(), parlor_stomp::ClientError> {
/// let mut session = ClientSession::new(ClientConfig::default());
/// session.connect();
/// while let Some(frame) = session.poll_transmit() {
///     assert!(frame.bytes.starts_with(b"CONNECT")); // to the server
/// }
/// session.handle_input(Bytes::from_static(b"CONNECTED\nversion:1.2\n\n\0"));
/// assert!(matches!(session.poll_event()?, Some(ClientEvent::Connected(_))));
///
/// session.subscribe("0", "/topic/news", AckMode::Auto, None);
/// session.handle_input(Bytes::from_static(b"MESSAGE\nsubscription:0\nmessage-id:1\ndestination:/topic/news\n\nhello\0"));
/// let Some(ClientEvent::Message(message)) = session.poll_event()? else { panic!("a MESSAGE came") };
/// assert_eq!(message.text(), Some("hello"));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ClientSession {
    config: ClientConfig,
    decoder: Decoder,
    transmits: VecDeque<Encoded>,
    state: State,
    /// Of the last RECEIPT.
    receipt_headers: Headers,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Connecting,
    Connected { version: Version, peer_heart_beat: HeartBeat },
    Ended,
}

impl Default for ClientConfig {
    fn default() -> Self {
        let limits = Limits::unlimited()
            .max_body_bytes(16 * 1024 * 1024)
            .max_connect_bytes(64 * 1024)
            .max_head_bytes(64 * 1024)
            .max_headers(1024);
        Self {
            accept_version: Some(Version::ALL.to_owned()),
            host: Some("/".to_owned()),
            heart_beat: HeartBeat::default(),
            headers: Headers::default(),
            limits,
        }
    }
}

impl ClientConfig {
    /// Sets [`accept_version`](Self#structfield.accept_version).
    #[must_use]
    pub fn accept_version(mut self, versions: Option<&str>) -> Self {
        self.accept_version = versions.map(str::to_owned);
        self
    }

    /// Sets [`host`](Self#structfield.host).
    #[must_use]
    pub fn host(mut self, host: Option<&str>) -> Self {
        self.host = host.map(str::to_owned);
        self
    }

    /// Sets [`limits`](Self#structfield.limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets [`heart_beat`](Self#structfield.heart_beat).
    #[must_use]
    pub fn heart_beat(mut self, heart_beat: HeartBeat) -> Self {
        self.heart_beat = heart_beat;
        self
    }

    /// Adds a header to CONNECT.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }
}

impl ClientSession {
    /// A session before CONNECT.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        let decoder = Decoder::new(config.limits.clone());
        Self {
            config,
            decoder,
            transmits: VecDeque::new(),
            state: State::Connecting,
            receipt_headers: Headers::default(),
        }
    }

    /// Queues CONNECT.
    pub fn connect(&mut self) {
        let config = &self.config;
        self.transmits.push_back(write_frame(Command::Connect, Version::V1_2, b"", |frame| {
            if let Some(versions) = &config.accept_version {
                frame.header("accept-version", versions);
            }
            if let Some(host) = &config.host {
                frame.header("host", host);
            }
            if config.heart_beat != HeartBeat::default() {
                frame.header("heart-beat", &config.heart_beat.to_string());
            }
            frame.headers(&config.headers);
        }));
    }

    /// Queues SUBSCRIBE.
    pub fn subscribe(&mut self, id: &str, destination: &str, ack: AckMode, receipt: Option<&str>) {
        self.subscribe_with(id, destination, ack, &[], receipt);
    }

    /// Queues SUBSCRIBE with further headers: `resume-from` and `prefetch-count` among them.
    pub fn subscribe_with(
        &mut self,
        id: &str,
        destination: &str,
        ack: AckMode,
        headers: &[(&str, &str)],
        receipt: Option<&str>,
    ) {
        let ack = match ack {
            AckMode::Auto => "auto",
            AckMode::Client => "client",
            AckMode::ClientIndividual => "client-individual",
        };
        let mut all = vec![("id", id), ("destination", destination), ("ack", ack)];
        all.extend_from_slice(headers);
        self.queue(Command::Subscribe, &all, receipt);
    }

    /// Queues UNSUBSCRIBE.
    pub fn unsubscribe(&mut self, id: &str, receipt: Option<&str>) {
        self.queue(Command::Unsubscribe, &[("id", id)], receipt);
    }

    /// Queues SEND with `content-length`. `headers` may hold any further header, `content-type` and `transaction` among
    /// them.
    pub fn send(&mut self, destination: &str, body: &[u8], headers: &[(&str, &str)], receipt: Option<&str>) {
        self.transmits.push_back(write_frame(Command::Send, self.version_or_newest(), body, |frame| {
            frame.header("destination", destination);
            for (name, value) in headers {
                frame.header(name, value);
            }
            frame.content_length(body.len());
            if let Some(receipt) = receipt {
                frame.header("receipt", receipt);
            }
        }));
    }

    /// Queues ACK for a message, by the rules of the session's version.
    pub fn ack(&mut self, message: &MessageEvent, receipt: Option<&str>) {
        self.settle(Command::Ack, message, None, receipt);
    }

    /// Queues ACK as a part of a transaction.
    pub fn ack_in(&mut self, transaction: &str, message: &MessageEvent, receipt: Option<&str>) {
        self.settle(Command::Ack, message, Some(transaction), receipt);
    }

    /// Queues NACK for a message, by the rules of the session's version.
    pub fn nack(&mut self, message: &MessageEvent, receipt: Option<&str>) {
        self.settle(Command::Nack, message, None, receipt);
    }

    /// Queues NACK as a part of a transaction.
    pub fn nack_in(&mut self, transaction: &str, message: &MessageEvent, receipt: Option<&str>) {
        self.settle(Command::Nack, message, Some(transaction), receipt);
    }

    /// Queues BEGIN.
    pub fn begin(&mut self, transaction: &str, receipt: Option<&str>) {
        self.queue(Command::Begin, &[("transaction", transaction)], receipt);
    }

    /// Queues COMMIT.
    pub fn commit(&mut self, transaction: &str, receipt: Option<&str>) {
        self.queue(Command::Commit, &[("transaction", transaction)], receipt);
    }

    /// Queues ABORT.
    pub fn abort(&mut self, transaction: &str, receipt: Option<&str>) {
        self.queue(Command::Abort, &[("transaction", transaction)], receipt);
    }

    /// Queues DISCONNECT.
    pub fn disconnect(&mut self, receipt: Option<&str>) {
        self.queue(Command::Disconnect, &[], receipt);
    }

    /// Takes octets from the server, in any pieces.
    pub fn handle_input(&mut self, octets: Bytes) {
        self.decoder.push(octets);
    }

    /// The next frame to send.
    pub fn poll_transmit(&mut self) -> Option<Encoded> {
        self.transmits.pop_front()
    }

    /// The next event, or `None` until more octets came.
    ///
    /// # Errors
    /// When the server breaks the protocol; nothing more comes then.
    pub fn poll_event(&mut self) -> Result<Option<ClientEvent>, ClientError> {
        if matches!(self.state, State::Ended) {
            return Ok(None);
        }
        let event = match self.decoder.decode() {
            Ok(Some(frame)) => self.handle_frame(frame).map(Some),
            Ok(None) => Ok(None),
            Err(fault) => Err(fault.into()),
        };
        if event.is_err() {
            self.end();
        }
        event
    }

    /// The agreed version, once CONNECTED came.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        match self.state {
            State::Connected { version, .. } => Some(version),
            State::Connecting | State::Ended => None,
        }
    }

    /// All headers of the RECEIPT that [`poll_event`](Self::poll_event) gave last, `recovered` among them.
    #[must_use]
    pub fn receipt_headers(&self) -> &Headers {
        &self.receipt_headers
    }

    /// The heart-beat timer of the session; it never fires before CONNECTED.
    #[must_use]
    pub fn heart_beat_timer(&self, now: Instant) -> HeartBeatTimer {
        let peer = match self.state {
            State::Connected { peer_heart_beat, .. } => peer_heart_beat,
            State::Connecting | State::Ended => HeartBeat::default(),
        };
        self.config.heart_beat.timer(peer, now)
    }

    fn end(&mut self) {
        self.state = State::Ended;
        self.decoder.end();
    }

    fn handle_frame(&mut self, frame: Frame) -> Result<ClientEvent, ClientError> {
        match (self.state, frame.command) {
            (_, Command::Error) => {
                self.end();
                Ok(ClientEvent::Error { headers: frame.headers, body: frame.body })
            }
            (State::Connecting, Command::Connected) => self.connected(frame.headers),
            (State::Connected { .. }, Command::Message) => {
                Ok(ClientEvent::Message(MessageEvent { headers: frame.headers, body: frame.body }))
            }
            (State::Connected { .. }, Command::Receipt) => {
                self.receipt_headers = frame.headers;
                Ok(ClientEvent::Receipt(self.receipt_headers.get("receipt-id").unwrap_or_default().to_owned()))
            }
            (_, command) => Err(ClientError::Unexpected(command)),
        }
    }

    fn connected(&mut self, headers: Headers) -> Result<ClientEvent, ClientError> {
        let version = match headers.get("version") {
            None => Version::V1_0,
            Some(version) => version.parse().map_err(|_| ClientError::Connected("version"))?,
        };
        let heart_beat = match headers.get("heart-beat") {
            None => HeartBeat::default(),
            Some(offer) => offer.parse().map_err(|_| ClientError::Connected("heart-beat"))?,
        };
        self.decoder.set_version(version);
        self.state = State::Connected { version, peer_heart_beat: heart_beat };
        let session = headers.get("session").map(str::to_owned);
        Ok(ClientEvent::Connected(ConnectedEvent { version, session, heart_beat, headers }))
    }

    fn settle(&mut self, command: Command, message: &MessageEvent, transaction: Option<&str>, receipt: Option<&str>) {
        let header = |name| message.headers.get(name).unwrap_or_default();
        let mut headers = match self.version_or_newest() {
            Version::V1_2 => vec![("id", header("ack"))],
            Version::V1_1 => vec![("message-id", header("message-id")), ("subscription", header("subscription"))],
            Version::V1_0 => vec![("message-id", header("message-id"))],
        };
        headers.extend(transaction.map(|transaction| ("transaction", transaction)));
        self.queue(command, &headers, receipt);
    }

    fn queue(&mut self, command: Command, headers: &[(&str, &str)], receipt: Option<&str>) {
        let receipt = receipt.map(|receipt| ("receipt", receipt));
        self.transmits.push_back(write_frame(command, self.version_or_newest(), b"", |frame| {
            for (name, value) in headers.iter().copied().chain(receipt) {
                frame.header(name, value);
            }
        }));
    }

    fn version_or_newest(&self) -> Version {
        self.version().unwrap_or(Version::V1_2)
    }
}
