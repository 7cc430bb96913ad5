//! What is published: headers, content type and body, before it has a destination and a place in its order.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use parlor_stomp::Headers;
use serde::Serialize;

use crate::telemetry::{TRACEPARENT, TraceContext};

/// The content of a message on its way to subscribers.
///
/// ```
/// use parlor_core::broker::Publication;
///
/// let text = Publication::text("hello");
/// assert_eq!(text.content_type.as_deref(), Some("text/plain;charset=utf-8"));
/// let json = Publication::json(&[1, 2, 3]).unwrap();
/// assert_eq!(&json.body[..], b"[1,2,3]");
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Publication {
    /// Headers that subscribers see beside the standard ones.
    pub headers: Headers,
    /// The `content-type` header, where there is one.
    pub content_type: Option<Arc<str>>,
    /// The body.
    pub body: Bytes,
}

impl Publication {
    /// A body without a content type.
    #[must_use]
    pub fn bytes(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// Text, as `text/plain;charset=utf-8`.
    #[must_use]
    pub fn text(body: impl Into<String>) -> Self {
        Self::bytes(body.into()).with_content_type("text/plain;charset=utf-8")
    }

    /// A value as JSON, as `application/json`.
    ///
    /// # Errors
    /// When `value` cannot be represented in JSON, for example a map with keys that are not strings.
    pub fn json(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        Ok(Self::bytes(serde_json::to_vec(value)?).with_content_type("application/json"))
    }

    /// Sets the content type.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<Arc<str>>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets the headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }

    /// The publication with a body of its own: one that came from a client is a part of what was read from its socket at once,
    /// and would keep all of that.
    pub(crate) fn into_kept(mut self) -> Self {
        self.body = Bytes::copy_from_slice(&self.body);
        self
    }

    /// The publication with the trace context of the frame that is being answered, unless it has one of its own.
    pub(crate) fn in_current_trace(&self) -> Cow<'_, Self> {
        let Some(trace) = TraceContext::current().filter(|_| self.headers.get(TRACEPARENT).is_none()) else {
            return Cow::Borrowed(self);
        };
        let mut traced = self.clone();
        trace.write_to(&mut traced.headers);
        Cow::Owned(traced)
    }
}
