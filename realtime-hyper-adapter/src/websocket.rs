//! STOMP over WebSocket as a tower service: Origin, admission and authentication before the upgrade.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use parlor_core::{Admission, Realtime, auth::Principal};
use tower_service::Service;

use crate::{
    Refusal,
    applicant::authenticated,
    handshake::{Accepted, refuse},
    open::Open,
    peer::client_addr,
    transport::transport,
};

/// The response to a handshake, on its way.
type Answer = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

/// Upgrades requests to STOMP over WebSocket. Clone it freely; all clones serve one [`Realtime`].
///
/// Over HTTP/1.1 that is a GET with `Upgrade` (RFC 6455), over HTTP/2 a CONNECT with `:protocol` (RFC 8441), which the
/// server's HTTP/2 must have enabled: [`Server`](crate::Server) and `axum::serve` do. All that follows is the same.
///
/// In this order: the request must be a WebSocket handshake (400, 405, 426) with a known subprotocol where any is offered
/// (400), its Origin allowed (403), the endpoint neither full nor stopping (503), its address within its limits (429), the
/// authenticator satisfied (401, 403, or 503 where it cannot tell) and the user within theirs (429). The peer address is
/// taken from a [`PeerAddr`](crate::PeerAddr) extension, and behind trusted proxies the client's from their header. The connection then runs
/// in a task of its own, which ends with it, or when [`Realtime::shutdown`] closes it.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::Anonymous};
/// use parlor_hyper::WebSocketService;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let service = WebSocketService::new(&realtime);
/// let refused = service.oneshot(http::Request::get("/ws").body(())?).await?;
/// assert_eq!(refused.status(), 426); // a GET that is no WebSocket handshake
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct WebSocketService {
    realtime: Realtime,
}

impl WebSocketService {
    /// A service for `realtime`.
    #[must_use]
    pub fn new(realtime: &Realtime) -> Self {
        Self { realtime: realtime.clone() }
    }

    async fn judge(&self, request: &Request<()>) -> Result<(Accepted, Admission, Principal), Refusal> {
        let accepted = Accepted::check(request, true)?;
        self.realtime.origins().judge_upgrade(request.headers())?;
        let (extensions, headers) = (request.extensions(), request.headers());
        let (applicant, principal) = authenticated(&self.realtime, extensions, headers, request.uri()).await?;
        let admission = applicant.for_principal(&principal)?;
        Ok((accepted, admission, principal))
    }

    async fn answer(self, mut request: Request<()>) -> Response<Full<Bytes>> {
        let version = request.version();
        let client = client_addr(&self.realtime, request.extensions(), request.headers());
        let (accepted, admission, principal) = match self.judge(&request).await {
            Ok(judged) => judged,
            Err(refusal) => {
                self.realtime.handshake_refused(refusal.code(), request.headers(), client);
                return refuse(refusal, version);
            }
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let response = match accepted.into_response() {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(%error, "the handshake could not be answered");
                return refuse(Refusal::BadHandshake("The handshake could not be answered."), version);
            }
        };
        let realtime = self.realtime;
        #[expect(clippy::disallowed_methods, reason = "it ends with the HTTP connection")]
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => {
                    let (transport, slot) = transport(upgraded, realtime.config());
                    let transport = match client {
                        Some(client) => transport.with_peer(client),
                        None => transport,
                    };
                    // In a task of its own, which has room for nothing but itself.
                    let connection = Open::new(realtime.serve(transport, principal, admission), slot);
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "the connection owns itself: its admission is what shutdown waits for"
                    )]
                    tokio::spawn(connection);
                }
                Err(error) => tracing::debug!(%error, "the connection broke before the upgrade"),
            }
        });
        response
    }
}

impl<B> Service<Request<B>> for WebSocketService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let service = self.clone();
        // A handshake has no body.
        let request = request.map(drop);
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

impl fmt::Debug for WebSocketService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketService").field("realtime", &self.realtime).finish()
    }
}
