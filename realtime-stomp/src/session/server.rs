//! The server's end of a session: frames in, checked requests out.
//!
//! After [`handle_input`](ServerSession::handle_input) take requests until there is none. A [`Request::Fault`] or
//! [`Request::Disconnect`] is the last one: everything before it has its effect, nothing after it has.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use crate::{
    AckMode, Command, Connect, Decoder, Disconnect, Fault, Frame, Headers, HeartBeat, HeartBeatTimer, Limits,
    ParseHeartBeatError, Request, Send, ServerState, Settle, Subscribe, SubscriptionId, Transaction, Transition,
    Unsubscribe, Version, transition,
};

/// The settings of a server's session.
///
/// ```
/// use bytes::Bytes;
/// use parlor_stomp::{HeartBeat, Limits, Request, ServerConfig, ServerSession};
///
/// let config = ServerConfig::default()
///     .limits(Limits::default().max_body_bytes(4))
///     .heart_beat(HeartBeat { can_send_ms: 10_000, wants_ms: 10_000 });
/// let mut session = ServerSession::new(config);
/// session.handle_input(Bytes::from_static(b"CONNECT\naccept-version:1.2\n\n\0SEND\ndestination:/app/say\n\nhello\0"));
/// assert!(matches!(session.poll_request(), Some(Request::Connect(_))));
/// let Some(Request::Fault(fault)) = session.poll_request() else { panic!("five octets are more than four") };
/// assert_eq!(fault.code, "body-too-large");
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Limits of frames, which all sessions of a server share.
    pub limits: Arc<Limits>,
    /// What the server offers in heart-beats, default none.
    pub heart_beat: HeartBeat,
}

/// The server's end of one session.
///
/// ```
/// use bytes::Bytes;
/// use parlor_stomp::{Connected, HeartBeat, Request, ServerConfig, ServerSession, encode_receipt};
///
/// let mut session = ServerSession::new(ServerConfig::default());
/// let mut answers = Vec::new();
/// // Frames may come in any pieces.
/// for piece in ["CONNECT\naccept-version:1.2\n\n\0SEND\ndesti", "nation:/app/say\nreceipt:7\n\nhello\0"] {
///     session.handle_input(Bytes::from_static(piece.as_bytes()));
///     while let Some(request) = session.poll_request() {
///         match request {
///             Request::Connect(connect) => answers.push(
///                 Connected {
///                     version: connect.version,
///                     session: "1",
///                     server: "example/1.0",
///                     heart_beat: HeartBeat::default(),
///                     user_name: None,
///                 }
///                 .encode(),
///             ),
///             Request::Send(send) => {
///                 assert_eq!((&send.destination[..], &send.body[..]), ("/app/say", &b"hello"[..]));
///                 answers.extend(send.receipt.zip(session.version()).map(|(id, version)| encode_receipt(&id, version)));
///             }
///             other => panic!("{other:?} was not sent"),
///         }
///     }
/// }
/// assert_eq!(answers[1].bytes, "RECEIPT\nreceipt-id:7\n\n\0");
/// ```
#[derive(Debug)]
pub struct ServerSession {
    heart_beat: HeartBeat,
    decoder: Decoder,
    state: State,
}

/// The states with their data.
#[derive(Clone, Copy, Debug)]
enum State {
    AwaitingConnect,
    Connected(Agreed),
    Disconnected(Agreed),
    Failed(Option<Agreed>),
}

/// What CONNECT and CONNECTED settled.
#[derive(Clone, Copy, Debug)]
struct Agreed {
    version: Version,
    peer_heart_beat: HeartBeat,
}

impl ServerConfig {
    /// Sets [`limits`](Self#structfield.limits).
    #[must_use]
    pub fn limits(mut self, limits: impl Into<Arc<Limits>>) -> Self {
        self.limits = limits.into();
        self
    }

    /// Sets [`heart_beat`](Self#structfield.heart_beat).
    #[must_use]
    pub fn heart_beat(mut self, heart_beat: HeartBeat) -> Self {
        self.heart_beat = heart_beat;
        self
    }
}

impl ServerSession {
    /// A session before CONNECT.
    #[must_use]
    pub fn new(config: ServerConfig) -> Self {
        Self { heart_beat: config.heart_beat, decoder: Decoder::new(config.limits), state: State::AwaitingConnect }
    }

    /// Takes octets from the client, in any pieces. After the last request they are dropped.
    pub fn handle_input(&mut self, octets: Bytes) {
        self.decoder.push(octets);
    }

    /// The next request, or `None` until more octets came.
    pub fn poll_request(&mut self) -> Option<Request> {
        loop {
            if matches!(self.state, State::Disconnected(_) | State::Failed(_)) {
                return None;
            }
            let fault = match self.decoder.decode() {
                Ok(Some(frame)) => match self.handle_frame(frame) {
                    Ok(Some(request)) => return Some(request),
                    Ok(None) => continue,
                    Err(fault) => fault,
                },
                Ok(None) => return None,
                Err(fault) => fault,
            };
            self.end(State::Failed(self.agreed()));
            return Some(Request::Fault(fault));
        }
    }

    /// Where the session stands, as far as requests were taken.
    #[must_use]
    pub fn state(&self) -> ServerState {
        match self.state {
            State::AwaitingConnect => ServerState::AwaitingConnect,
            State::Connected(_) => ServerState::Connected,
            State::Disconnected(_) => ServerState::Disconnected,
            State::Failed(_) => ServerState::Failed,
        }
    }

    /// The agreed version, once there is one.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.agreed().map(|agreed| agreed.version)
    }

    /// Whether a frame has begun whose end has not come yet.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        self.decoder.is_mid_frame()
    }

    /// How many heart-beats (EOLs between frames) were read since the last call.
    pub fn take_beats(&mut self) -> u64 {
        self.decoder.take_beats()
    }

    /// The heart-beat timer of the session; it never fires before CONNECT.
    #[must_use]
    pub fn heart_beat_timer(&self, now: Instant) -> HeartBeatTimer {
        let peer = self.agreed().map_or_else(HeartBeat::default, |agreed| agreed.peer_heart_beat);
        self.heart_beat.timer(peer, now)
    }

    /// Takes the last state: nothing that waits or comes later has an effect (DIS-04, ERR-02).
    fn end(&mut self, state: State) {
        self.state = state;
        self.decoder.end();
    }

    fn agreed(&self) -> Option<Agreed> {
        match self.state {
            State::AwaitingConnect => None,
            State::Connected(agreed) | State::Disconnected(agreed) => Some(agreed),
            State::Failed(agreed) => agreed,
        }
    }

    fn handle_frame(&mut self, frame: Frame) -> Result<Option<Request>, Fault> {
        // Receipts are for frames other than the CONNECT that opens the session (CON-11); a second one is a fault as any other.
        let opens = matches!(self.state, State::AwaitingConnect) && frame.command.opens_session();
        let receipt = frame.headers.get("receipt").filter(|_| !opens).map(str::to_owned);
        let request = match transition(self.state(), frame.command) {
            Transition::Fault(code) => Err(refuse(code, frame.command)),
            Transition::Handle => self.checked(frame, receipt.clone()).map(Some),
            Transition::Ignore => Ok(None),
            Transition::Open => self.open(frame).map(Some),
            Transition::Quit => {
                if let State::Connected(agreed) = self.state {
                    self.end(State::Disconnected(agreed));
                }
                Ok(Some(Request::Disconnect(Disconnect { receipt: receipt.clone() })))
            }
        };
        request.map_err(|fault| match receipt {
            Some(receipt) => fault.with_receipt(receipt),
            None => fault,
        })
    }

    /// CONNECT: agrees on the version (NEG-01, NEG-02) and takes the client's offer of heart-beats (HB-02, HB-09). `host` may
    /// be missing, as common clients send none (CON-08).
    fn open(&mut self, frame: Frame) -> Result<Request, Fault> {
        let headers = frame.headers;
        let version = Version::negotiate(headers.get("accept-version")).ok_or_else(Fault::version_not_supported)?;
        let heart_beat = match headers.get("heart-beat") {
            Some(offer) if version > Version::V1_0 => offer.parse().map_err(malformed_heart_beat)?,
            _ => HeartBeat::default(),
        };
        self.decoder.set_version(version);
        self.state = State::Connected(Agreed { version, peer_heart_beat: heart_beat });
        let owned = |name| headers.get(name).map(str::to_owned);
        Ok(Request::Connect(Connect {
            version,
            host: owned("host"),
            login: owned("login"),
            passcode: owned("passcode"),
            heart_beat,
            headers,
        }))
    }

    /// Any command of an open session, with the headers it needs.
    fn checked(&self, frame: Frame, receipt: Option<String>) -> Result<Request, Fault> {
        let version = self.version().unwrap_or(Version::V1_2);
        let Frame { command, headers, body } = frame;
        let required = |name| required(&headers, command, name);
        let optional = |name| headers.get(name).map(str::to_owned);
        Ok(match command {
            Command::Send => Request::Send(Send {
                destination: required("destination")?,
                content_type: optional("content-type"),
                transaction: optional("transaction"),
                body,
                receipt,
                headers,
            }),
            Command::Subscribe => {
                let destination = required("destination")?;
                // SUB-02, SUB-03: only 1.0 has subscriptions without an id.
                let id = match headers.get("id") {
                    Some(id) => SubscriptionId::Named(id.into()),
                    None if version == Version::V1_0 => SubscriptionId::Unnamed(destination.as_str().into()),
                    None => return Err(missing(command, "id")),
                };
                let ack = ack_mode(headers.get("ack"), version)?;
                Request::Subscribe(Subscribe { id, destination, ack, headers, receipt })
            }
            Command::Unsubscribe => {
                // UNS-02, UNS-04.
                let id = match (headers.get("id"), headers.get("destination")) {
                    (Some(id), _) => SubscriptionId::Named(id.into()),
                    (None, Some(destination)) if version == Version::V1_0 => {
                        SubscriptionId::Unnamed(Arc::from(destination))
                    }
                    _ => return Err(missing(command, "id")),
                };
                Request::Unsubscribe(Unsubscribe { id, receipt })
            }
            // NACK-05.
            Command::Nack if version == Version::V1_0 => {
                return Err(Fault::new("unknown-command", "STOMP 1.0 has no NACK")
                    .with_detail("Connect with accept-version:1.1 or later to use NACK."));
            }
            Command::Ack | Command::Nack => {
                // ACK-05, NACK-03: each version names a message in its own way.
                let message = required(if version == Version::V1_2 { "id" } else { "message-id" })?;
                let subscription =
                    if version == Version::V1_1 { Some(required("subscription")?) } else { optional("subscription") };
                let settle = Settle { message, subscription, transaction: optional("transaction"), receipt };
                if command == Command::Ack { Request::Ack(settle) } else { Request::Nack(settle) }
            }
            Command::Begin => Request::Begin(Transaction { id: required("transaction")?, receipt }),
            Command::Commit => Request::Commit(Transaction { id: required("transaction")?, receipt }),
            Command::Abort => Request::Abort(Transaction { id: required("transaction")?, receipt }),
            other => return Err(refuse("unknown-command", other)),
        })
    }
}

fn required(headers: &Headers, command: Command, name: &str) -> Result<String, Fault> {
    match headers.get(name) {
        Some(value) if !value.is_empty() => Ok(value.to_owned()),
        _ => Err(missing(command, name)),
    }
}

fn missing(command: Command, name: &str) -> Fault {
    Fault::new("missing-header", format!("{command} needs the header {name}"))
        .with_detail(format!("Send {command} with a value for the header {name}."))
}

fn malformed_heart_beat(error: ParseHeartBeatError) -> Fault {
    Fault::new("invalid-heart-beat", "The heart-beat header is malformed").with_detail(format!("{error}."))
}

fn ack_mode(value: Option<&str>, version: Version) -> Result<AckMode, Fault> {
    match value {
        None | Some("auto") => Ok(AckMode::Auto),
        Some("client") => Ok(AckMode::Client),
        Some("client-individual") if version > Version::V1_0 => Ok(AckMode::ClientIndividual),
        Some(_) => Err(Fault::new("invalid-ack", "The ack mode is not known")
            .with_detail("ack is auto, client or, from STOMP 1.1 on, client-individual.")),
    }
}

fn refuse(code: &'static str, command: Command) -> Fault {
    let (message, detail) = match code {
        "already-connected" => ("The session is open already", "Send CONNECT once, as the first frame."),
        "not-connected" => ("The first frame is CONNECT or STOMP", "Send CONNECT and wait for CONNECTED."),
        "server-command" => ("Only servers send this command", "Clients send SEND, not MESSAGE."),
        _ => ("The command is not known", "See the STOMP specification for the commands of a client."),
    };
    Fault::new(code, format!("{message}; this was {command}")).with_detail(detail)
}
