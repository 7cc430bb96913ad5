//! Event streams for pages of other origins: CORS (Fetch Standard, section 3.2), for those of the exact list and nobody else.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use parlor_core::auth::OriginPolicy;

/// What a page may send beside what every page may: a position by a client that is no `EventSource`, a bearer token, and what
/// some of those clients say of caches.
const ALLOWED_HEADERS: &str = "authorization, cache-control, last-event-id";

/// How long a browser may remember that, in seconds.
const MAX_AGE: &str = "600";

/// Who may read the answer to a request.
#[derive(Clone, Debug)]
pub(crate) enum Cors {
    /// Any page, and without credentials: the endpoint takes no cookies.
    Any,
    /// A page of this origin, which is on the list, with credentials.
    Listed(HeaderValue),
    /// Pages of the server's own origin, which ask nobody.
    Own,
}

impl Cors {
    /// As the policy has it for whoever sent these headers.
    pub(crate) fn of(policy: &OriginPolicy, headers: &HeaderMap) -> Self {
        match policy.listed_origin(headers) {
            Some(origin) => Self::Listed(origin.clone()),
            None if policy.allows_any() => Self::Any,
            None => Self::Own,
        }
    }

    /// Says so in a response.
    pub(crate) fn allow<B>(&self, mut response: Response<B>) -> Response<B> {
        let headers = response.headers_mut();
        // Also where nothing is said: whoever keeps the answer must not give it to another page.
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        match self {
            Self::Any => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            Self::Listed(origin) => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            Self::Own => {}
        }
        response
    }

    /// The answer to a preflight whose Origin was judged already.
    pub(crate) fn preflight(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        self.allow(response)
    }
}

/// Whether a browser asks what a page of another origin may do.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
