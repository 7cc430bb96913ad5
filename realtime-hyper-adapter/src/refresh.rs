//! A newer token by HTTP, as a tower service: `POST /refresh` with `Authorization: Bearer`.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use parlor_core::{Realtime, auth::Handshake};
use tower_service::Service;

use crate::{PeerAddr, Refusal, peer::client_addr};

/// The response, on its way.
type Answer = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

/// Extends every session and event stream of a login by the token that the request itself is authenticated with (rule 24): for
/// bearer clients that have no WebSocket to say it in band, whose event streams would end with the old token. 204 where the
/// token is good, whether or not there was anything to extend.
///
/// In this order: the request must be a POST (405), its Origin allowed (403), the endpoint neither full nor stopping (503), its
/// address within its limits (429), and the authenticator satisfied (401, 403 or 503). The body is not read.
///
/// A page that logs in by an HttpOnly cookie has no newer token to bring: its application makes one, and calls
/// [`Realtime::refresh`] itself. `docs/security.md` has the handler.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::JwtVerifier};
/// use parlor_hyper::RefreshService;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tokens = JwtVerifier::hs256(b"a secret of at least 32 octets, please")?.bearer();
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(tokens).build()?;
/// let request = http::Request::post("/refresh").header("authorization", "Bearer nonsense").body(())?;
/// let response = RefreshService::new(&realtime).oneshot(request).await?;
/// assert_eq!(response.status(), 401);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RefreshService {
    realtime: Realtime,
}

impl RefreshService {
    /// A service for `realtime`.
    #[must_use]
    pub fn new(realtime: &Realtime) -> Self {
        Self { realtime: realtime.clone() }
    }

    async fn refresh(&self, request: &Request<()>) -> Result<(), Refusal> {
        if request.method() != Method::POST {
            return Err(Refusal::NotPost);
        }
        let headers = request.headers();
        self.realtime.origins().judge_request(request.method(), headers)?;
        let client = client_addr(&self.realtime, request.extensions(), request.headers());
        let applicant = self.realtime.admit(client.map(|client| client.ip()))?;
        let peer = request.extensions().get::<PeerAddr>().map(|peer| peer.0);
        // As an applicant, so that tokens cannot be guessed here any faster than at a handshake.
        let fresh = applicant.authenticate(Handshake::new(headers, request.uri(), peer)).await?;
        self.realtime.refresh(&fresh).await?;
        Ok(())
    }

    async fn answer(self, request: Request<()>) -> Response<Full<Bytes>> {
        let mut response = match self.refresh(&request).await {
            Ok(()) => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            Err(refusal) => {
                let client = client_addr(&self.realtime, request.extensions(), request.headers());
                self.realtime.handshake_refused(refusal.code(), request.headers(), client);
                refusal.into_response()
            }
        };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl<B> Service<Request<B>> for RefreshService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let service = self.clone();
        // Whatever it says is no token.
        let request = request.map(drop);
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

impl fmt::Debug for RefreshService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshService").field("realtime", &self.realtime).finish()
    }
}
