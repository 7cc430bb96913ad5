//! The WebSocket endpoint as a service for `route_service`.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::extract::Request;
use parlor_core::Realtime;
use parlor_hyper::{PeerAddr, WebSocketService};
use tower_service::Service;

use crate::authenticated::peer;

/// STOMP over WebSocket at one route: `Router::new().route_service("/ws", websocket(&realtime))`.
///
/// ```
/// use parlor_core::{Realtime, app, auth::Anonymous};
///
/// let realtime = Realtime::builder(app::Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let http: axum::Router = axum::Router::new().route_service("/ws", parlor_axum::websocket(&realtime));
/// # let _ = http; Ok::<(), parlor_core::BuildError>(())
/// ```
#[must_use]
pub fn websocket(realtime: &Realtime) -> WebSocket {
    WebSocket { inner: WebSocketService::new(realtime) }
}

/// The service made by [`websocket`]. It also knows axum's `ConnectInfo<SocketAddr>`.
///
/// ```
/// use parlor_axum::WebSocket;
/// use parlor_core::{Realtime, app, auth::Anonymous};
/// use tower_service::Service;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(app::Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let mut websocket: WebSocket = parlor_axum::websocket(&realtime);
/// let page = http::Request::get("/ws").body(axum::body::Body::empty())?;
/// assert_eq!(websocket.call(page).await?.status(), 426); // no WebSocket handshake
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct WebSocket {
    inner: WebSocketService,
}

impl Service<Request> for WebSocket {
    type Response = <WebSocketService as Service<http::Request<()>>>::Response;
    type Error = Infallible;
    type Future = <WebSocketService as Service<http::Request<()>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        if let Some(peer) = peer(request.extensions()) {
            request.extensions_mut().insert(PeerAddr(peer));
        }
        self.inner.call(request)
    }
}
