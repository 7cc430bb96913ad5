//! What was wrong with a peer's frame, and the ERROR frame that says so.
//!
//! Every code of this crate stands in one table, on [`Fault`]; codes are stable.

use std::{borrow::Cow, fmt, time::Duration};

use crate::{
    Command, Version,
    codec::{Encoded, write_frame},
};

/// Something that ends a connection with an ERROR frame.
///
/// The codes of this crate, with the close status that a WebSocket server should add:
///
/// | code | what was wrong | status |
/// |---|---|---|
/// | `already-connected` | a second CONNECT or STOMP | 1002 |
/// | `bad-content-length` | not a plain decimal number | 1002 |
/// | `body-too-large` | more octets than the limit | 1009 |
/// | `duplicate-subscription` | the id is in use on this connection | 1002 |
/// | `frame-too-large` | a frame before CONNECT over its limit | 1009 |
/// | `head-too-large` | command and headers over their limit | 1009 |
/// | `header-too-long` | one header over its limit | 1009 |
/// | `invalid-ack` | not `auto`, `client` or (from 1.1 on) `client-individual` | 1002 |
/// | `invalid-heart-beat` | not two plain numbers with a comma | 1002 |
/// | `invalid-utf8` | header octets that are not UTF-8 | 1002 |
/// | `malformed-frame` | no NUL behind the counted body, or a NUL in the head | 1002 |
/// | `malformed-header` | a line without a colon, without a name, or with a bare CR | 1002 |
/// | `missing-header` | a header that the command needs | 1002 |
/// | `not-connected` | another command before CONNECT | 1002 |
/// | `server-command` | a command that only servers send | 1002 |
/// | `too-many-headers` | more headers than the limit | 1009 |
/// | `too-many-subscriptions` | more subscriptions than the limit | 1009 |
/// | `undefined-escape` | a backslash that begins no escape of this version | 1002 |
/// | `unknown-command` | none of this version | 1002 |
/// | `version-not-supported` | no common version | 1002 |
///
/// Whoever uses this crate may add codes of its own with [`Fault::new`].
///
/// ```
/// use bytes::Bytes;
/// use parlor_stomp::{Request, ServerConfig, ServerSession, Version};
///
/// let mut session = ServerSession::new(ServerConfig::default());
/// session.handle_input(Bytes::from_static(b"SEND\ndestination:/app/say\n\nhello\0"));
/// let Some(Request::Fault(fault)) = session.poll_request() else { panic!("nobody has connected") };
/// assert_eq!(fault.code, "not-connected");
/// // What the client is told before the connection ends.
/// let error = fault.encode(Version::V1_2);
/// assert!(error.bytes.starts_with(b"ERROR\n"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The stable code.
    pub code: Cow<'static, str>,
    /// One short sentence, for the `message` header.
    pub message: Cow<'static, str>,
    /// What to do, for the body; the message again where empty.
    pub detail: Cow<'static, str>,
    /// The receipt that the bad frame asked for.
    pub receipt: Option<String>,
    /// Whether a limit was exceeded: a WebSocket server closes with 1009 then, else with 1002.
    pub too_large: bool,
    /// Whether ERROR lists the versions that the server speaks.
    pub lists_versions: bool,
    /// After which time the peer may try again, for the header `retry-after` (whole milliseconds, rounded up).
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault.
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            detail: "".into(),
            receipt: None,
            too_large: false,
            lists_versions: false,
            retry_after: None,
        }
    }

    /// A limit was exceeded.
    #[must_use]
    pub fn too_large(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { too_large: true, ..Self::new(code, message) }
    }

    /// No common version.
    pub(crate) fn version_not_supported() -> Self {
        Self {
            lists_versions: true,
            ..Self::new("version-not-supported", "None of the accepted versions is spoken here")
                .with_detail(format!("This server speaks {}. Name one of them in accept-version.", Version::ALL))
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Names the receipt that the bad frame asked for.
    #[must_use]
    pub fn with_receipt(mut self, receipt: impl Into<String>) -> Self {
        self.receipt = Some(receipt.into());
        self
    }

    /// Says after which time the peer may try again.
    #[must_use]
    pub fn with_retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    /// The ERROR frame. Nothing may follow it (ALL-07).
    #[must_use]
    pub fn encode(&self, version: Version) -> Encoded {
        let body = if self.detail.is_empty() { &self.message } else { &self.detail };
        write_frame(Command::Error, version, body.as_bytes(), |frame| {
            frame.header("message", &self.message);
            frame.header("code", &self.code);
            if let Some(receipt) = &self.receipt {
                frame.header("receipt-id", receipt);
            }
            if let Some(time) = self.retry_after {
                frame.header("retry-after", &time.as_nanos().div_ceil(1_000_000).to_string());
            }
            if self.lists_versions {
                frame.header("version", Version::ALL);
            }
            frame.header("content-type", "text/plain;charset=utf-8");
            frame.content_length(body.len());
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}
