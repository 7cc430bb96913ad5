//! The principal of an HTTP request, by the same rules as a WebSocket's.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::{ConnectInfo, FromRef, FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use parlor_core::{
    Realtime,
    auth::{AuthError, Handshake, Principal},
};
use parlor_hyper::{PeerAddr, Refusal};

/// Who sent this request: judged by the endpoint's Origin policy and authenticator (rule 23). Unsafe methods with a cookie
/// need an allowed Origin; a GET or HEAD must not come from another site.
///
/// Refuses with 401, 403 or 503. As `Option<Authenticated>` it is `None` where credentials are missing or not valid.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an extractor is taken apart by its users")]
pub struct Authenticated(pub Principal);

/// Why there is no [`Authenticated`]: the same JSON as a refused handshake's.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
pub struct NotAuthenticated(#[from] pub Refusal);

/// For handlers that call [`Realtime::refresh`] with `?`.
impl From<AuthError> for NotAuthenticated {
    fn from(error: AuthError) -> Self {
        Self(error.into())
    }
}

async fn authenticate(realtime: &Realtime, parts: &Parts) -> Result<Principal, Refusal> {
    realtime.origins().judge_request(&parts.method, &parts.headers)?;
    let handshake = Handshake::new(&parts.headers, &parts.uri, peer(&parts.extensions));
    Ok(realtime.authenticate(handshake).await?)
}

/// The peer address that either accept loop has left.
pub(crate) fn peer(extensions: &http::Extensions) -> Option<SocketAddr> {
    let ours = extensions.get::<PeerAddr>().map(|peer| peer.0);
    ours.or_else(|| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0))
}

impl<S: Sync> FromRequestParts<S> for Authenticated
where
    Realtime: FromRef<S>,
{
    type Rejection = NotAuthenticated;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NotAuthenticated> {
        Ok(Self(authenticate(&Realtime::from_ref(state), parts).await?))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Authenticated
where
    Realtime: FromRef<S>,
{
    type Rejection = NotAuthenticated;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, NotAuthenticated> {
        match authenticate(&Realtime::from_ref(state), parts).await {
            Ok(principal) => Ok(Some(Self(principal))),
            Err(Refusal::Auth(AuthError::Missing | AuthError::Invalid)) => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

impl IntoResponse for NotAuthenticated {
    fn into_response(self) -> Response {
        self.0.into_response().map(Body::new)
    }
}
