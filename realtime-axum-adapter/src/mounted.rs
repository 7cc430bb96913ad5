//! Parlor's services as services for `route_service`.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::extract::Request;
use parlor_core::Realtime;
use parlor_hyper::{EventsService, PeerAddr, RefreshService, WebSocketService};
use tower_service::Service;

use crate::authenticated::peer;

/// The service made by [`websocket`], [`events`] and [`refresh`]. It also knows axum's `ConnectInfo<SocketAddr>`.
///
/// ```
/// use parlor_axum::Mounted;
/// use parlor_hyper::EventsService;
///
/// /// Beside whatever else there is.
/// fn with_events(http: axum::Router, events: Mounted<EventsService>) -> axum::Router {
///     http.route_service("/events", events)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Mounted<S> {
    inner: S,
}

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
pub fn websocket(realtime: &Realtime) -> Mounted<WebSocketService> {
    Mounted { inner: WebSocketService::new(realtime) }
}

/// Server-sent events at one route: `Router::new().route_service("/events", events(&realtime))`. Clients open
/// `/events?destination=/topic/news`.
///
/// ```
/// use parlor_core::{Realtime, app, auth::Anonymous};
///
/// let realtime = Realtime::builder(app::Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let http: axum::Router = axum::Router::new().route_service("/events", parlor_axum::events(&realtime));
/// # let _ = http; Ok::<(), parlor_core::BuildError>(())
/// ```
#[must_use]
pub fn events(realtime: &Realtime) -> Mounted<EventsService> {
    Mounted { inner: EventsService::new(realtime) }
}

/// `POST` with a newer bearer token at one route: `Router::new().route_service("/refresh", refresh(&realtime))`. It extends the
/// sessions and event streams of the token's login. See [`RefreshService`]; pages with a cookie refresh by a handler of the
/// application, which makes the cookie.
///
/// ```
/// use parlor_core::{Realtime, app, auth::Anonymous};
///
/// let realtime = Realtime::builder(app::Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let http: axum::Router = axum::Router::new().route_service("/refresh", parlor_axum::refresh(&realtime));
/// # let _ = http; Ok::<(), parlor_core::BuildError>(())
/// ```
#[must_use]
pub fn refresh(realtime: &Realtime) -> Mounted<RefreshService> {
    Mounted { inner: RefreshService::new(realtime) }
}

impl<S: Service<Request, Error = Infallible>> Service<Request> for Mounted<S> {
    type Response = S::Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> S::Future {
        if let Some(peer) = peer(request.extensions()) {
            request.extensions_mut().insert(PeerAddr(peer));
        }
        self.inner.call(request)
    }
}
