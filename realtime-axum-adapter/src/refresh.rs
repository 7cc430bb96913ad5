//! A newer bearer token by HTTP, as a service for `route_service`.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::extract::Request;
use parlor_core::Realtime;
use parlor_hyper::{PeerAddr, RefreshService};
use tower_service::Service;

use crate::authenticated::peer;

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
pub fn refresh(realtime: &Realtime) -> Refresh {
    Refresh { inner: RefreshService::new(realtime) }
}

/// The service made by [`refresh`]. It also knows axum's `ConnectInfo<SocketAddr>`.
#[derive(Clone, Debug)]
pub struct Refresh {
    inner: RefreshService,
}

impl Service<Request> for Refresh {
    type Response = <RefreshService as Service<http::Request<()>>>::Response;
    type Error = Infallible;
    type Future = <RefreshService as Service<http::Request<()>>>::Future;

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
