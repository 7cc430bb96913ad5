//! What a server's session hands out: client frames, checked and typed.

use std::fmt;

use bytes::Bytes;

use crate::{Fault, Headers, HeartBeat, SubscriptionId, Version};

/// What a client asks for. Every header that the command needs is there.
///
/// ```
/// use bytes::Bytes;
/// use parlor_stomp::{Request, ServerConfig, ServerSession};
///
/// let mut session = ServerSession::new(ServerConfig::default());
/// session.handle_input(Bytes::from_static(b"CONNECT\naccept-version:1.2\n\n\0DISCONNECT\nreceipt:bye\n\n\0"));
/// assert!(matches!(session.poll_request(), Some(Request::Connect(_))));
/// let last = session.poll_request().unwrap();
/// assert!(matches!(last, Request::Disconnect(_)));
/// assert_eq!(last.receipt(), Some("bye"));
/// assert!(session.poll_request().is_none());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Request {
    /// ABORT.
    Abort(Transaction),
    /// ACK.
    Ack(Settle),
    /// BEGIN.
    Begin(Transaction),
    /// COMMIT.
    Commit(Transaction),
    /// CONNECT or STOMP, with the agreed version.
    Connect(Connect),
    /// DISCONNECT: the last request.
    Disconnect(Disconnect),
    /// Something was wrong: answer with ERROR and close. The last request.
    Fault(Fault),
    /// NACK.
    Nack(Settle),
    /// SEND.
    Send(Send),
    /// SUBSCRIBE.
    Subscribe(Subscribe),
    /// UNSUBSCRIBE.
    Unsubscribe(Unsubscribe),
}

/// CONNECT or STOMP.
///
/// ```
/// use bytes::Bytes;
/// use parlor_stomp::{Request, ServerConfig, ServerSession, Version};
///
/// let mut session = ServerSession::new(ServerConfig::default());
/// session.handle_input(Bytes::from_static(b"STOMP\naccept-version:1.0,1.1\nhost:a.example\nlogin:ada\npasscode:secret\n\n\0"));
/// let Some(Request::Connect(connect)) = session.poll_request() else { panic!("a STOMP frame was sent") };
/// assert_eq!((connect.version, connect.host.as_deref()), (Version::V1_1, Some("a.example")));
/// assert_eq!((connect.login.as_deref(), connect.passcode.as_deref()), (Some("ada"), Some("secret")));
/// assert!(!format!("{connect:?}").contains("secret"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Connect {
    /// The agreed version.
    pub version: Version,
    /// The virtual host; many clients name none.
    pub host: Option<String>,
    /// The login, where the client sent one.
    pub login: Option<String>,
    /// The passcode, where the client sent one. Not shown by `Debug`.
    pub passcode: Option<String>,
    /// What the client offers in heart-beats; none in 1.0.
    pub heart_beat: HeartBeat,
    /// All headers.
    pub headers: Headers,
}

/// SEND.
///
/// ```
/// # use bytes::Bytes;
/// # use parlor_stomp::{Request, ServerConfig, ServerSession};
/// # let mut session = ServerSession::new(ServerConfig::default());
/// # session.handle_input(Bytes::from_static(b"CONNECT\naccept-version:1.2\n\n\0"));
/// # session.poll_request();
/// session.handle_input(Bytes::from_static(b"SEND\ndestination:/app/say\ncontent-type:text/plain\ncolour:red\n\nhello\0"));
/// let Some(Request::Send(send)) = session.poll_request() else { panic!("a SEND was sent") };
/// assert_eq!((send.destination.as_str(), send.content_type.as_deref()), ("/app/say", Some("text/plain")));
/// assert_eq!((&send.body[..], send.headers.get("colour")), (&b"hello"[..], Some("red")));
/// assert!(send.receipt.is_none() && send.transaction.is_none());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Send {
    /// Where to.
    pub destination: String,
    /// The body's type.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
    /// All headers, the standard ones included.
    pub headers: Headers,
    /// The transaction it belongs to.
    pub transaction: Option<String>,
    /// The receipt asked for.
    pub receipt: Option<String>,
}

/// SUBSCRIBE.
///
/// ```
/// # use bytes::Bytes;
/// # use parlor_stomp::{AckMode, Request, ServerConfig, ServerSession};
/// # let mut session = ServerSession::new(ServerConfig::default());
/// # session.handle_input(Bytes::from_static(b"CONNECT\naccept-version:1.2\n\n\0"));
/// # session.poll_request();
/// session.handle_input(Bytes::from_static(b"SUBSCRIBE\nid:0\ndestination:/queue/jobs\nack:client-individual\n\n\0"));
/// let Some(Request::Subscribe(subscribe)) = session.poll_request() else { panic!("a SUBSCRIBE was sent") };
/// assert_eq!((subscribe.id.to_string(), subscribe.destination.as_str()), ("0".to_owned(), "/queue/jobs"));
/// assert_eq!(subscribe.ack, AckMode::ClientIndividual);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Subscribe {
    /// What the client calls the subscription.
    pub id: SubscriptionId,
    /// What it wants to hear.
    pub destination: String,
    /// How it acknowledges.
    pub ack: AckMode,
    /// All headers, the standard ones included.
    pub headers: Headers,
    /// The receipt asked for.
    pub receipt: Option<String>,
}

/// How a subscription acknowledges its messages
/// ([SUBSCRIBE ack Header](https://stomp.github.io/stomp-specification-1.2.html#SUBSCRIBE_ack_Header)).
///
/// ```
/// use bytes::Bytes;
/// use parlor_stomp::{AckMode, ClientConfig, ClientSession};
///
/// let mut session = ClientSession::new(ClientConfig::default());
/// session.connect();
/// # while session.poll_transmit().is_some() {}
/// # session.handle_input(Bytes::from_static(b"CONNECTED\nversion:1.2\n\n\0"));
/// # let _ = session.poll_event();
/// session.subscribe("jobs", "/queue/jobs", AckMode::ClientIndividual, None);
/// let subscribe = session.poll_transmit().unwrap();
/// assert!(std::str::from_utf8(&subscribe.bytes).unwrap().contains("\nack:client-individual\n"));
/// assert_eq!(AckMode::default(), AckMode::Auto);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the specification's set is closed")]
pub enum AckMode {
    /// Sent is consumed.
    #[default]
    Auto,
    /// ACK settles a message and all before it.
    Client,
    /// ACK settles one message (from 1.1 on).
    ClientIndividual,
}

/// UNSUBSCRIBE.
///
/// ```
/// # use bytes::Bytes;
/// # use parlor_stomp::{Request, ServerConfig, ServerSession, SubscriptionId};
/// # let mut session = ServerSession::new(ServerConfig::default());
/// # session.handle_input(Bytes::from_static(b"CONNECT\naccept-version:1.2\n\n\0"));
/// # session.poll_request();
/// session.handle_input(Bytes::from_static(b"UNSUBSCRIBE\nid:0\nreceipt:gone\n\n\0"));
/// let Some(Request::Unsubscribe(unsubscribe)) = session.poll_request() else { panic!("an UNSUBSCRIBE was sent") };
/// assert_eq!(unsubscribe.id, SubscriptionId::Named("0".into()));
/// assert_eq!(unsubscribe.receipt.as_deref(), Some("gone"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Unsubscribe {
    /// The subscription.
    pub id: SubscriptionId,
    /// The receipt asked for.
    pub receipt: Option<String>,
}

/// ACK or NACK.
///
/// ```
/// # use bytes::Bytes;
/// # use parlor_stomp::{Request, ServerConfig, ServerSession};
/// # let mut session = ServerSession::new(ServerConfig::default());
/// # session.handle_input(Bytes::from_static(b"CONNECT\naccept-version:1.2\n\n\0"));
/// # session.poll_request();
/// session.handle_input(Bytes::from_static(b"NACK\nid:a-7\ntransaction:tx\n\n\0"));
/// let Some(Request::Nack(settle)) = session.poll_request() else { panic!("a NACK was sent") };
/// assert_eq!((settle.message.as_str(), settle.transaction.as_deref()), ("a-7", Some("tx")));
/// assert!(settle.subscription.is_none(), "1.2 needs none");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settle {
    /// The message: `id` in 1.2 (the MESSAGE's `ack`), `message-id` before.
    pub message: String,
    /// The subscription, which 1.1 names beside the message.
    pub subscription: Option<String>,
    /// The transaction it belongs to.
    pub transaction: Option<String>,
    /// The receipt asked for.
    pub receipt: Option<String>,
}

/// BEGIN, COMMIT or ABORT.
///
/// ```
/// # use bytes::Bytes;
/// # use parlor_stomp::{Request, ServerConfig, ServerSession};
/// # let mut session = ServerSession::new(ServerConfig::default());
/// # session.handle_input(Bytes::from_static(b"CONNECT\naccept-version:1.2\n\n\0"));
/// # session.poll_request();
/// session.handle_input(Bytes::from_static(b"BEGIN\ntransaction:tx\n\n\0COMMIT\ntransaction:tx\nreceipt:done\n\n\0"));
/// let Some(Request::Begin(begun)) = session.poll_request() else { panic!("a BEGIN was sent") };
/// let Some(Request::Commit(committed)) = session.poll_request() else { panic!("a COMMIT was sent") };
/// assert_eq!(begun.id, committed.id);
/// assert_eq!(committed.receipt.as_deref(), Some("done"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Transaction {
    /// The transaction.
    pub id: String,
    /// The receipt asked for.
    pub receipt: Option<String>,
}

/// DISCONNECT.
///
/// ```
/// # use bytes::Bytes;
/// # use parlor_stomp::{Request, ServerConfig, ServerSession, ServerState};
/// # let mut session = ServerSession::new(ServerConfig::default());
/// # session.handle_input(Bytes::from_static(b"CONNECT\naccept-version:1.2\n\n\0"));
/// # session.poll_request();
/// session.handle_input(Bytes::from_static(b"DISCONNECT\nreceipt:bye\n\n\0SEND\ndestination:/app/late\n\n\0"));
/// let Some(Request::Disconnect(disconnect)) = session.poll_request() else { panic!("a DISCONNECT was sent") };
/// assert_eq!(disconnect.receipt.as_deref(), Some("bye"));
/// assert!(session.poll_request().is_none(), "nothing behind it has an effect");
/// assert_eq!(session.state(), ServerState::Disconnected);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Disconnect {
    /// The receipt asked for.
    pub receipt: Option<String>,
}

impl Request {
    /// The receipt that the frame asked for. A CONNECT asks for none (CON-11).
    #[must_use]
    pub fn receipt(&self) -> Option<&str> {
        match self {
            Self::Abort(transaction) | Self::Begin(transaction) | Self::Commit(transaction) => &transaction.receipt,
            Self::Ack(settle) | Self::Nack(settle) => &settle.receipt,
            Self::Connect(_) => return None,
            Self::Disconnect(disconnect) => &disconnect.receipt,
            Self::Fault(fault) => &fault.receipt,
            Self::Send(send) => &send.receipt,
            Self::Subscribe(subscribe) => &subscribe.receipt,
            Self::Unsubscribe(unsubscribe) => &unsubscribe.receipt,
        }
        .as_deref()
    }
}

impl Request {
    /// Octets of the frame's headers and body, for whoever bounds what waits: those of commands without much in them come out a
    /// little less, as only what the command means is kept. A fault has none.
    #[must_use]
    pub fn octets(&self) -> usize {
        let optional = |value: &Option<String>| value.as_ref().map_or(0, String::len);
        match self {
            Self::Abort(transaction) | Self::Begin(transaction) | Self::Commit(transaction) => {
                transaction.id.len() + optional(&transaction.receipt)
            }
            Self::Ack(settle) | Self::Nack(settle) => {
                settle.message.len()
                    + optional(&settle.subscription)
                    + optional(&settle.transaction)
                    + optional(&settle.receipt)
            }
            Self::Connect(connect) => connect.headers.octets(),
            Self::Disconnect(disconnect) => optional(&disconnect.receipt),
            Self::Fault(_) => 0,
            Self::Send(send) => send.headers.octets() + send.body.len(),
            Self::Subscribe(subscribe) => subscribe.headers.octets(),
            Self::Unsubscribe(Unsubscribe { id, receipt }) => {
                let (SubscriptionId::Named(id) | SubscriptionId::Unnamed(id)) = id;
                id.len() + optional(receipt)
            }
        }
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("host", &self.host)
            .field("heart_beat", &self.heart_beat)
            .finish_non_exhaustive()
    }
}
