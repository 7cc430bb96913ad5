//! One frame, decoded.

use bytes::Bytes;

use crate::{Command, Headers};

/// A frame: command, headers with their values decoded, and body.
///
/// ```
/// use parlor_stomp::{Command, Frame, Version, encode_frame};
///
/// let frame = Frame::new(Command::Send).with_header("destination", "/app/say").with_body("hello");
/// let encoded = encode_frame(frame.command, &frame.headers, &frame.body, Version::V1_2);
/// assert_eq!(encoded.bytes, "SEND\ndestination:/app/say\n\nhello\0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a frame has no other parts")]
pub struct Frame {
    /// The command.
    pub command: Command,
    /// The headers, in their order, with repeated ones kept.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

impl Frame {
    /// A frame without headers and body.
    #[must_use]
    pub fn new(command: Command) -> Self {
        Self { command, headers: Headers::default(), body: Bytes::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}
