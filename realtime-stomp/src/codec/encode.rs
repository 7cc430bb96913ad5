//! Frames to octets. The octets of a frame are text wherever all of them are UTF-8.

use bytes::Bytes;

use crate::{Command, Headers, HeartBeat, Version, codec::escape::Escaping};

/// Room for command and headers of an ordinary frame, so that encoding seldom allocates twice.
const USUAL_HEAD: usize = 256;

/// One encoded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "octets and their kind are all there is to it")]
pub struct Encoded {
    /// The octets, NUL included.
    pub bytes: Bytes,
    /// Whether all of them are UTF-8, so that they may travel in a text message.
    pub text: bool,
}

/// The CONNECTED frame.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "every header has to be thought about")]
pub struct Connected<'a> {
    /// The agreed version.
    pub version: Version,
    /// The session's unique id.
    pub session: &'a str,
    /// `name/version` of the server.
    pub server: &'a str,
    /// What the server offers; left out in 1.0.
    pub heart_beat: HeartBeat,
    /// Who the session belongs to, where that is known.
    pub user_name: Option<&'a str>,
}

/// Everything of a MESSAGE but its body.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "every header has to be thought about")]
pub struct MessageHead<'a> {
    /// The receiving subscription's id; none in 1.0 without an id.
    pub subscription: Option<&'a str>,
    /// The message's unique id.
    pub message_id: &'a str,
    /// The destination that the receiver subscribed to.
    pub destination: &'a str,
    /// The body's type.
    pub content_type: Option<&'a str>,
    /// What ACK and NACK name, where the subscription acknowledges.
    pub ack: Option<&'a str>,
    /// Further headers. They stand last, so that none of them displaces one of the above.
    pub headers: &'a Headers,
}

impl Connected<'_> {
    /// The frame. Its values are not escaped, by the specification; octets that would break a line are left out.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        let mut headers = Headers::default();
        headers.push("version", self.version.as_str());
        headers.push("session", self.session);
        headers.push("server", self.server);
        if self.version > Version::V1_0 {
            headers.push("heart-beat", &self.heart_beat.to_string());
        }
        if let Some(user_name) = self.user_name {
            headers.push("user-name", user_name);
        }
        encode_frame(Command::Connected, &headers, b"", self.version)
    }
}

/// A RECEIPT frame.
#[must_use]
pub fn encode_receipt(receipt_id: &str, version: Version) -> Encoded {
    let mut out = Vec::with_capacity(32 + receipt_id.len());
    out.extend_from_slice(b"RECEIPT\n");
    header("receipt-id", receipt_id, Escaping::Of(version), &mut out);
    out.extend_from_slice(b"\n\0");
    Encoded { bytes: out.into(), text: true }
}

/// Any frame, with exactly the given headers: whoever calls it sets `content-length` where the body needs it.
///
/// CONNECT, STOMP and CONNECTED are not escaped.
#[must_use]
pub fn encode_frame(command: Command, headers: &Headers, body: &[u8], version: Version) -> Encoded {
    let escaping =
        if command.opens_session() || command == Command::Connected { Escaping::Never } else { Escaping::Of(version) };
    let mut out = Vec::with_capacity(USUAL_HEAD + body.len());
    out.extend_from_slice(command.as_str().as_bytes());
    out.push(b'\n');
    for (name, value) in headers.iter() {
        header(name, value, escaping, &mut out);
    }
    finish(body, &mut out);
    Encoded { text: std::str::from_utf8(body).is_ok(), bytes: out.into() }
}

/// Appends a MESSAGE frame to `out`; returns whether all of it is UTF-8.
///
/// `content-length` is always there, so that a body may hold anything.
pub fn encode_message_into(head: &MessageHead<'_>, body: &[u8], version: Version, out: &mut Vec<u8>) -> bool {
    let escaping = Escaping::Of(version);
    out.reserve(USUAL_HEAD + body.len());
    out.extend_from_slice(b"MESSAGE\n");
    if let Some(subscription) = head.subscription {
        header("subscription", subscription, escaping, out);
    }
    header("message-id", head.message_id, escaping, out);
    header("destination", head.destination, escaping, out);
    if let Some(ack) = head.ack {
        header("ack", ack, escaping, out);
    }
    if let Some(content_type) = head.content_type {
        header("content-type", content_type, escaping, out);
    }
    header("content-length", &body.len().to_string(), escaping, out);
    for (name, value) in head.headers.iter() {
        header(name, value, escaping, out);
    }
    finish(body, out);
    std::str::from_utf8(body).is_ok()
}

fn header(name: &str, value: &str, escaping: Escaping, out: &mut Vec<u8>) {
    let start = out.len();
    escaping.encode_name(name, out);
    if out.len() == start {
        // A name of which nothing can stand in this version: a line without a name would be malformed.
        return;
    }
    out.push(b':');
    escaping.encode_value(value, out);
    out.push(b'\n');
}

fn finish(body: &[u8], out: &mut Vec<u8>) {
    out.push(b'\n');
    out.extend_from_slice(body);
    out.push(0);
}
