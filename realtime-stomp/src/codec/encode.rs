//! Frames to octets. A frame is text where all of its octets are UTF-8; of those only the body's can be anything else.

use bytes::Bytes;

use crate::{Command, Headers, HeartBeat, Version, codec::escape::Escaping};

/// Room for command and headers of an ordinary frame, so that encoding seldom allocates twice.
const USUAL_HEAD: usize = 256;

/// One encoded frame.
///
/// ```
/// use parlor_stomp::{Command, Headers, Version, encode_frame};
///
/// let text = encode_frame(Command::Send, &Headers::default(), "grüß".as_bytes(), Version::V1_2);
/// let image = encode_frame(Command::Send, &Headers::default(), b"\xff\xd8", Version::V1_2);
/// // A WebSocket may carry the first as a text message, and the second only as a binary one.
/// assert_eq!((text.text, image.text), (true, false));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "octets and their kind are all there is to it")]
pub struct Encoded {
    /// The octets, NUL included.
    pub bytes: Bytes,
    /// Whether all of them are UTF-8, so that they may travel in a text message.
    pub text: bool,
}

/// The CONNECTED frame.
///
/// ```
/// use parlor_stomp::{Connected, HeartBeat, Version};
///
/// let connected = Connected {
///     version: Version::V1_2,
///     session: "s-1",
///     server: "example/1.0",
///     heart_beat: HeartBeat::default(),
///     // A name cannot add a header.
///     user_name: Some("ada\nadmin:true"),
/// };
/// assert_eq!(
///     connected.encode().bytes,
///     "CONNECTED\nversion:1.2\nsession:s-1\nserver:example/1.0\nheart-beat:0,0\nuser-name:adaadmin:true\n\n\0"
/// );
/// ```
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
///
/// ```
/// use parlor_stomp::{Headers, MessageHead, Version, encode_message_into};
///
/// let mut headers = Headers::default();
/// headers.push("subject", "a:b");
/// let head = MessageHead {
///     subscription: Some("0"),
///     message_id: "m-1",
///     destination: "/topic/news",
///     content_type: None,
///     ack: None,
///     extensions: &[("position", "p-1")],
///     headers: &headers,
/// };
/// let mut out = Vec::new();
/// encode_message_into(&head, b"hello", Version::V1_2, &mut out);
/// let text = String::from_utf8(out).unwrap();
/// assert!(text.ends_with("content-length:5\nposition:p-1\nsubject:a\\cb\n\nhello\0"), "{text}");
/// ```
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
    /// The server's own headers beside the standard ones. They stand before `headers`, which cannot displace them.
    pub extensions: &'a [(&'a str, &'a str)],
    /// Further headers. They stand last, so that none of them displaces one of the above.
    pub headers: &'a Headers,
}

impl Connected<'_> {
    /// The frame. Its values are not escaped
    /// ([Value Encoding](https://stomp.github.io/stomp-specification-1.2.html#Value_Encoding)); octets that would break
    /// a line are left out, so a value cannot add a header.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        write_frame(Command::Connected, self.version, b"", |frame| {
            frame.header("version", self.version.as_str());
            frame.header("session", self.session);
            frame.header("server", self.server);
            if self.version > Version::V1_0 {
                frame.header("heart-beat", &self.heart_beat.to_string());
            }
            if let Some(user_name) = self.user_name {
                frame.header("user-name", user_name);
            }
        })
    }
}

/// A RECEIPT frame.
///
/// ```
/// use parlor_stomp::{Version, encode_receipt};
///
/// assert_eq!(encode_receipt("7", Version::V1_2).bytes, "RECEIPT\nreceipt-id:7\n\n\0");
/// ```
#[must_use]
pub fn encode_receipt(receipt_id: &str, version: Version) -> Encoded {
    write_frame(Command::Receipt, version, b"", |frame| frame.header("receipt-id", receipt_id))
}

/// Any frame, with exactly the given headers: whoever calls it sets `content-length` where the body needs it.
///
/// CONNECT, STOMP and CONNECTED are not escaped. What a version cannot carry is left out: LF in 1.0, CR in 1.0 and 1.1,
/// NUL in all. A header whose name has one of them (or a colon in 1.0), or is empty, is left out itself.
///
/// ```
/// use parlor_stomp::{Command, Frame, Version, encode_frame};
///
/// let frame = Frame::new(Command::Message).with_header("subject", "line\nbreak").with_body("hello");
/// let encode = |version| encode_frame(frame.command, &frame.headers, &frame.body, version).bytes;
/// assert_eq!(encode(Version::V1_2), "MESSAGE\nsubject:line\\nbreak\n\nhello\0");
/// assert_eq!(encode(Version::V1_0), "MESSAGE\nsubject:linebreak\n\nhello\0", "1.0 cannot carry it");
/// ```
#[must_use]
pub fn encode_frame(command: Command, headers: &Headers, body: &[u8], version: Version) -> Encoded {
    write_frame(command, version, body, |frame| frame.headers(headers))
}

/// Appends a MESSAGE frame to `out`; returns whether all of it is UTF-8.
///
/// `content-length` is always there, so that a body may hold anything. Header values are given decoded, and are written
/// by the rules of `version`, so a message crosses versions by value; what a version cannot carry is left out, see
/// [`encode_frame`].
///
/// ```
/// use parlor_stomp::{Headers, MessageHead, Version, encode_message_into};
///
/// let head = MessageHead {
///     subscription: Some("0"),
///     message_id: "m-1",
///     destination: "/topic/news",
///     content_type: Some("text/plain"),
///     ack: None,
///     extensions: &[],
///     headers: &Headers::default(),
/// };
/// let mut out = Vec::new();
/// assert!(encode_message_into(&head, b"hi", Version::V1_2, &mut out), "all of it is text");
/// assert_eq!(
///     out,
///     b"MESSAGE\nsubscription:0\nmessage-id:m-1\ndestination:/topic/news\ncontent-type:text/plain\ncontent-length:2\n\nhi\0"
/// );
/// ```
pub fn encode_message_into(head: &MessageHead<'_>, body: &[u8], version: Version, out: &mut Vec<u8>) -> bool {
    out.reserve(USUAL_HEAD + body.len());
    encode_message_opening(head.subscription, version, out);
    encode_message_rest(head, body, version, out)
}

/// Appends the beginning of a MESSAGE frame: all of it that is different for each subscription. What is different for each delivery
/// goes behind it, by [`encode_message_header`].
///
/// Who sends one message to many subscriptions encodes [the rest](encode_message_rest) once for all of them.
///
/// ```
/// use parlor_stomp::{Version, encode_message_opening};
///
/// let mut out = Vec::new();
/// encode_message_opening(Some("sub:0"), Version::V1_2, &mut out);
/// assert_eq!(out, b"MESSAGE\nsubscription:sub\\c0\n");
/// ```
pub fn encode_message_opening(subscription: Option<&str>, version: Version, out: &mut Vec<u8>) {
    let mut frame = FrameWriter::begin(Command::Message, version, out);
    if let Some(subscription) = subscription {
        frame.header("subscription", subscription);
    }
}

/// Appends a header to [the opening](encode_message_opening) of a MESSAGE frame: one that only this recipient gets, as `ack`.
///
/// Nothing is appended where the version cannot write the name. From STOMP 1.1 on the first of a repeated header counts, so that this
/// one takes the place of one of the same name in the rest: [`MessageHead::ack`] should be none there.
///
/// ```
/// use parlor_stomp::{Version, encode_message_header, encode_message_opening};
///
/// let mut out = Vec::new();
/// encode_message_opening(Some("0"), Version::V1_2, &mut out);
/// encode_message_header("ack", "7", Version::V1_2, &mut out);
/// assert_eq!(out, b"MESSAGE\nsubscription:0\nack:7\n");
/// ```
pub fn encode_message_header(name: &str, value: &str, version: Version, out: &mut Vec<u8>) {
    FrameWriter::go_on(Command::Message, version, out).header(name, value);
}

/// Appends what follows [the opening](encode_message_opening) of a MESSAGE frame; returns whether all of it is UTF-8. The
/// `subscription` of `head` does not count.
///
/// ```
/// use parlor_stomp::{Headers, MessageHead, Version, encode_message_opening, encode_message_rest};
///
/// let head = MessageHead {
///     subscription: None,
///     message_id: "m-1",
///     destination: "/topic/news",
///     content_type: None,
///     ack: None,
///     extensions: &[],
///     headers: &Headers::default(),
/// };
/// let mut rest = Vec::new();
/// encode_message_rest(&head, b"hi", Version::V1_2, &mut rest);
/// for subscription in ["0", "1"] {
///     let mut frame = Vec::new();
///     encode_message_opening(Some(subscription), Version::V1_2, &mut frame);
///     frame.extend_from_slice(&rest);
///     assert!(frame.ends_with(b"message-id:m-1\ndestination:/topic/news\ncontent-length:2\n\nhi\0"));
/// }
/// ```
pub fn encode_message_rest(head: &MessageHead<'_>, body: &[u8], version: Version, out: &mut Vec<u8>) -> bool {
    let mut frame = FrameWriter::go_on(Command::Message, version, out);
    frame.header("message-id", head.message_id);
    frame.header("destination", head.destination);
    if let Some(ack) = head.ack {
        frame.header("ack", ack);
    }
    if let Some(content_type) = head.content_type {
        frame.header("content-type", content_type);
    }
    frame.content_length(body.len());
    for (name, value) in head.extensions {
        frame.header(name, value);
    }
    frame.headers(head.headers);
    frame.finish(body)
}

/// A frame whose headers `write` adds.
pub(crate) fn write_frame(
    command: Command,
    version: Version,
    body: &[u8],
    write: impl FnOnce(&mut FrameWriter<'_>),
) -> Encoded {
    let mut out = Vec::with_capacity(USUAL_HEAD + body.len());
    let mut frame = FrameWriter::begin(command, version, &mut out);
    write(&mut frame);
    let text = frame.finish(body);
    Encoded { bytes: out.into(), text }
}

/// The grammar of a frame, in the one place that writes it.
#[derive(Debug)]
pub(crate) struct FrameWriter<'a> {
    out: &'a mut Vec<u8>,
    escaping: Escaping,
}

impl<'a> FrameWriter<'a> {
    fn begin(command: Command, version: Version, out: &'a mut Vec<u8>) -> Self {
        out.extend_from_slice(command.as_str().as_bytes());
        out.push(b'\n');
        Self::go_on(command, version, out)
    }

    /// Writes on behind the first lines of a frame.
    fn go_on(command: Command, version: Version, out: &'a mut Vec<u8>) -> Self {
        let escaping = match command {
            Command::Connect | Command::Connected | Command::Stomp => Escaping::Never,
            _ => Escaping::Of(version),
        };
        Self { out, escaping }
    }

    pub(crate) fn header(&mut self, name: &str, value: &str) {
        let start = self.out.len();
        self.escaping.encode_name(name, self.out);
        if self.out.len() == start {
            // The name cannot stand in this version: a line without one would be malformed.
            return;
        }
        self.out.push(b':');
        self.escaping.encode_value(value, self.out);
        self.out.push(b'\n');
    }

    pub(crate) fn headers(&mut self, headers: &Headers) {
        for (name, value) in headers.iter() {
            self.header(name, value);
        }
    }

    pub(crate) fn content_length(&mut self, octets: usize) {
        self.out.extend_from_slice(b"content-length:");
        self.out.extend_from_slice(itoa::Buffer::new().format(octets).as_bytes());
        self.out.push(b'\n');
    }

    fn finish(self, body: &[u8]) -> bool {
        self.out.push(b'\n');
        self.out.extend_from_slice(body);
        self.out.push(0);
        std::str::from_utf8(body).is_ok()
    }
}
