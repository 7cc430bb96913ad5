//! What a handler sees of a SEND, and which of a client's headers others may see.

use bytes::Bytes;
use parlor_stomp::Headers;

use crate::{
    destination::Destination,
    telemetry::{TRACEPARENT, TRACESTATE, TraceContext},
};

/// Headers of a client's frame that never reach a MESSAGE as they are: the standard ones, which the server sets itself,
/// Parlor's own, the trace context, and credentials that a client sent with the wrong frame.
const NEVER_RELAYED: &[&str] = &[
    "accept-version",
    "ack",
    "code",
    "complete",
    "content-length",
    "content-type",
    "destination",
    "dropped",
    "heart-beat",
    "host",
    "id",
    "login",
    "message",
    "message-id",
    "message-key",
    "passcode",
    "position",
    "prefetch-count",
    "receipt",
    "receipt-id",
    "recovered",
    "redelivered",
    "refused-destination",
    "resume-from",
    "retry-after",
    "server",
    "session",
    "subscription",
    TRACEPARENT,
    TRACESTATE,
    "transaction",
    "user-name",
    "version",
];

/// A SEND on its way to a handler. Cheap to clone.
///
/// ```
/// use parlor_core::{Message, broker::Publication};
///
/// /// SEND to /app/mirror; passes on the body as it came, whatever it is.
/// async fn mirror(message: Message) -> Publication {
///     Publication::bytes(message.body().clone())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Message {
    destination: Destination,
    headers: Headers,
    content_type: Option<String>,
    body: Bytes,
}

impl Message {
    /// A message.
    #[must_use]
    pub fn new(destination: Destination, headers: Headers, content_type: Option<String>, body: Bytes) -> Self {
        Self { destination, headers, content_type, body }
    }

    /// Moves it to another destination, for interceptors; rules and handlers judge that one.
    #[must_use]
    pub fn with_destination(mut self, destination: Destination) -> Self {
        self.destination = destination;
        self
    }

    /// Replaces the client's headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// Replaces the content type.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Replaces the body.
    #[must_use]
    pub fn with_body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    /// Where the client sent it.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The client's own headers, without the standard ones.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The `content-type` header, where the client sent one.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// The headers of a client's frame that subscribers and handlers may see: of a trace context only a well-formed one.
pub(crate) fn relayed_headers(headers: &Headers) -> Headers {
    let mut relayed: Headers = headers.iter().filter(|(name, _)| !is_never_relayed(name)).collect();
    if let Some(trace) = TraceContext::from_headers(headers) {
        trace.write_to(&mut relayed);
    }
    relayed
}

/// Names of STOMP are exact, but some clients read them in any case, and cut blanks off: for those a name that differs in
/// these alone would be the server's.
fn is_never_relayed(name: &str) -> bool {
    let bare = name.trim_matches(|character: char| character.is_whitespace() || character.is_control());
    NEVER_RELAYED.iter().any(|never| never.eq_ignore_ascii_case(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_headers_and_credentials_of_a_client_are_not_relayed() {
        let sent: Headers = NEVER_RELAYED.iter().map(|name| (*name, "forged")).chain([("colour", "blue")]).collect();
        let relayed = relayed_headers(&sent);
        assert_eq!(relayed.iter().collect::<Vec<_>>(), [("colour", "blue")]);
    }

    #[test]
    fn every_header_that_is_not_relayed_is_documented() {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/semantics.md");
        let document = std::fs::read_to_string(document).unwrap();
        let (_, list) = document.split_once("Headers of a client that never reach a MESSAGE").unwrap();
        let (list, _) = list.split_once("\n\n").unwrap();
        let missing: Vec<_> = NEVER_RELAYED.iter().filter(|name| !list.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn another_spelling_of_a_server_header_is_not_relayed_either() {
        let forged =
            ["Message-Id", "MESSAGE-ID", " message-id", "subscription ", "\tcode\t", "position\r", "\u{a0}ack"];
        let sent: Headers = forged.into_iter().map(|name| (name, "forged")).chain([("Colour", "blue")]).collect();
        let relayed = relayed_headers(&sent);
        assert_eq!(relayed.iter().collect::<Vec<_>>(), [("Colour", "blue")]);
    }
}
