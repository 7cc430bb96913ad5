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
    "ack",
    "code",
    "complete",
    "content-length",
    "content-type",
    "destination",
    "dropped",
    "heart-beat",
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
    let mut relayed: Headers = headers.iter().filter(|(name, _)| !NEVER_RELAYED.contains(name)).collect();
    if let Some(trace) = TraceContext::from_headers(headers) {
        trace.write_to(&mut relayed);
    }
    relayed
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
}
