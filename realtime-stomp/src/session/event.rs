//! What a client's session hands out.

use bytes::Bytes;

use crate::{Headers, HeartBeat, Version};

/// What a server said.
///
/// ```
/// use bytes::Bytes;
/// use parlor_stomp::{ClientConfig, ClientEvent, ClientSession};
///
/// let mut session = ClientSession::new(ClientConfig::default());
/// session.connect();
/// session.handle_input(Bytes::from_static(b"CONNECTED\nversion:1.2\n\n\0RECEIPT\nreceipt-id:7\n\n\0"));
/// session.handle_input(Bytes::from_static(b"ERROR\nmessage:The server stops\n\n\0"));
/// let mut heard = Vec::new();
/// while let Some(event) = session.poll_event()? {
///     heard.push(match event {
///         ClientEvent::Connected(connected) => connected.version.to_string(),
///         ClientEvent::Receipt(id) => id,
///         ClientEvent::Error { headers, .. } => headers.get("message").unwrap_or_default().to_owned(),
///         other => panic!("{other:?} was not sent"),
///     });
/// }
/// assert_eq!(heard, ["1.2", "7", "The server stops"]);
/// # Ok::<(), parlor_stomp::ClientError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The session is open.
    Connected(ConnectedEvent),
    /// The server found something wrong and ends the connection. The last event.
    Error {
        /// All headers: `message` says what was wrong.
        headers: Headers,
        /// More about it.
        body: Bytes,
    },
    /// A message of a subscription.
    Message(MessageEvent),
    /// A frame was processed: the id that its `receipt` header named.
    Receipt(String),
}

/// CONNECTED.
///
/// ```
/// use bytes::Bytes;
/// use parlor_stomp::{ClientConfig, ClientEvent, ClientSession, HeartBeat, Version};
///
/// let mut session = ClientSession::new(ClientConfig::default());
/// session.connect();
/// session.handle_input(Bytes::from_static(b"CONNECTED\nversion:1.1\nsession:s-1\nheart-beat:0,5000\n\n\0"));
/// let Some(ClientEvent::Connected(connected)) = session.poll_event()? else { panic!("CONNECTED came") };
/// assert_eq!((connected.version, connected.session.as_deref()), (Version::V1_1, Some("s-1")));
/// assert_eq!(connected.heart_beat, HeartBeat { can_send_ms: 0, wants_ms: 5_000 });
/// # Ok::<(), parlor_stomp::ClientError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectedEvent {
    /// The agreed version.
    pub version: Version,
    /// The session's id.
    pub session: Option<String>,
    /// What the server offers in heart-beats.
    pub heart_beat: HeartBeat,
    /// All headers.
    pub headers: Headers,
}

/// MESSAGE.
///
/// ```
/// # use bytes::Bytes;
/// # use parlor_stomp::{ClientConfig, ClientEvent, ClientSession};
/// # let mut session = ClientSession::new(ClientConfig::default());
/// # session.connect();
/// # session.handle_input(Bytes::from_static(b"CONNECTED\nversion:1.2\n\n\0"));
/// # session.poll_event()?;
/// session.handle_input(Bytes::from_static(b"MESSAGE\nsubscription:0\nmessage-id:m-1\ndestination:/topic/news\n\nhello\0"));
/// let Some(ClientEvent::Message(message)) = session.poll_event()? else { panic!("a MESSAGE came") };
/// assert_eq!((message.subscription(), message.message_id()), (Some("0"), Some("m-1")));
/// assert_eq!((message.destination(), message.text()), (Some("/topic/news"), Some("hello")));
/// # Ok::<(), parlor_stomp::ClientError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageEvent {
    /// All headers.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

impl MessageEvent {
    /// The receiving subscription's id.
    #[must_use]
    pub fn subscription(&self) -> Option<&str> {
        self.headers.get("subscription")
    }

    /// The destination.
    #[must_use]
    pub fn destination(&self) -> Option<&str> {
        self.headers.get("destination")
    }

    /// The message's id.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.headers.get("message-id")
    }

    /// The body as text, where it is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }
}
