//! What a server's session hands out: client frames, checked and typed.

use std::fmt;

use bytes::Bytes;

use crate::{Fault, Headers, HeartBeat, SubscriptionId, Version};

/// What a client asks for. Every header that the command needs is there.
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
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Unsubscribe {
    /// The subscription.
    pub id: SubscriptionId,
    /// The receipt asked for.
    pub receipt: Option<String>,
}

/// ACK or NACK.
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
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Transaction {
    /// The transaction.
    pub id: String,
    /// The receipt asked for.
    pub receipt: Option<String>,
}

/// DISCONNECT.
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
