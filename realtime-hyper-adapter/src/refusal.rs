//! Why a request was not upgraded, as status and JSON.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use parlor_core::{
    auth::{AuthError, OriginRefusal},
    limits::AdmissionError,
};

/// How long a client should wait when it cannot be told now who it is, and for another server when this one stops.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A handshake that is refused before the upgrade. The response's body is `{"code": …, "message": …}`.
///
/// ```
/// use parlor_core::auth::AuthError;
/// use parlor_hyper::Refusal;
///
/// // A route of your own refuses in the same words as a handshake.
/// let refusal = Refusal::from(AuthError::Missing);
/// assert_eq!((refusal.status().as_u16(), refusal.code()), (401, AuthError::Missing.code()));
/// let response = refusal.into_response();
/// assert_eq!(response.headers()["content-type"], "application/json");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There are too many connections, or too many refused handshakes: 429 or 503 with `Retry-After`.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// The authenticator does not let the client in: 401, 403, or 503 with `Retry-After`.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Not a well-formed WebSocket handshake: 400.
    #[error("{0}")]
    BadHandshake(&'static str),
    /// Not a GET: 405.
    #[error("Connect with GET.")]
    Method,
    /// A refresh that is not a POST: 405.
    #[error("Refresh with POST.")]
    NotPost,
    /// The Origin may not connect: 403.
    #[error(transparent)]
    Origin(#[from] OriginRefusal),
    /// Not one destination, or several positions, in the query: 400.
    #[error("Name one destination in the query, and at most one position: ?destination=/topic/news.")]
    Query,
    /// The server stops, says a readiness probe: 503 with `Retry-After`.
    #[error("The server is about to stop. Use another one.")]
    Stopping,
    /// Only subprotocols that are not spoken here were offered: 400.
    #[error("Offer v12.stomp, v11.stomp or v10.stomp, or no subprotocol at all.")]
    Subprotocol,
    /// Not a WebSocket request at all: 426.
    #[error("This address speaks WebSocket. Connect with a STOMP client.")]
    UpgradeRequired,
    /// Another WebSocket version: 426 with the version that is spoken.
    #[error("Only WebSocket version 13 is spoken here.")]
    Version,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Admission(error) => error.code(),
            Self::Auth(error) => error.code(),
            Self::BadHandshake(_) => "bad-handshake",
            Self::Method | Self::NotPost => "method-not-allowed",
            Self::Origin(_) => "origin-not-allowed",
            Self::Query => "bad-query",
            Self::Stopping => "stopping",
            Self::Subprotocol => "subprotocol-not-supported",
            Self::UpgradeRequired => "upgrade-required",
            Self::Version => "websocket-version-not-supported",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Admission(error) => error.status(),
            Self::Auth(error) => error.status(),
            Self::BadHandshake(_) | Self::Query | Self::Subprotocol => StatusCode::BAD_REQUEST,
            Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::Method | Self::NotPost => StatusCode::METHOD_NOT_ALLOWED,
            Self::Origin(_) => StatusCode::FORBIDDEN,
            Self::UpgradeRequired | Self::Version => StatusCode::UPGRADE_REQUIRED,
        }
    }

    /// How long the client should wait where trying again can help.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Admission(error) => Some(error.retry_after()),
            Self::Auth(AuthError::Unavailable) | Self::Stopping => Some(RETRY_AFTER),
            _ => None,
        }
    }

    /// The response.
    #[must_use]
    pub fn into_response(self) -> Response<Full<Bytes>> {
        self.to_response().map(Full::from)
    }

    /// The response with its body as octets, for whatever type of body a service has.
    pub(crate) fn to_response(&self) -> Response<Bytes> {
        // Codes and messages are our own texts, without a character that JSON would escape.
        let message: Cow<'_, str> = self.to_string().into();
        let body = format!(r#"{{"code":"{}","message":"{message}"}}"#, self.code());
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Each status has a header that RFC 9110 (sections 15.5 and 15.6) asks for with it.
        match self.status() {
            StatusCode::METHOD_NOT_ALLOWED => {
                let allowed = if matches!(self, Self::NotPost) { "POST" } else { "GET" };
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            _ => {}
        }
        with_retry_after(response, self.retry_after())
    }
}

/// The response with `Retry-After`, where there is a time.
fn with_retry_after<B>(mut response: Response<B>, time: Option<Duration>) -> Response<B> {
    if let Some(time) = time {
        // Whole seconds (RFC 9110 section 10.2.3), never too few.
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
