//! Event streams as a service for `route_service`.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::extract::Request;
use parlor_core::Realtime;
use parlor_hyper::{EventsService, PeerAddr};
use tower_service::Service;

use crate::authenticated::peer;

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
pub fn events(realtime: &Realtime) -> Events {
    Events { inner: EventsService::new(realtime) }
}

/// The service made by [`events`]. It also knows axum's `ConnectInfo<SocketAddr>`.
///
/// ```
/// use parlor_axum::Events;
/// use parlor_core::{Realtime, app, auth::Anonymous};
/// use tower_service::Service;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(app::Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let mut events: Events = parlor_axum::events(&realtime);
/// // No rule allows anything.
/// let request = http::Request::get("/events?destination=/topic/secrets").body(axum::body::Body::empty())?;
/// assert_eq!(events.call(request).await?.status(), 403);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Events {
    inner: EventsService,
}

impl Service<Request> for Events {
    type Response = <EventsService as Service<http::Request<()>>>::Response;
    type Error = Infallible;
    type Future = <EventsService as Service<http::Request<()>>>::Future;

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
