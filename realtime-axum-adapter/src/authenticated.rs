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
///
/// ```
/// use axum::{Router, body::Body, extract::FromRef, http::Request, routing::get};
/// use parlor_axum::Authenticated;
/// use parlor_core::{Realtime, app, auth::Anonymous};
/// use tower_service::Service;
///
/// #[derive(Clone)]
/// struct Web { realtime: Realtime }
///
/// impl FromRef<Web> for Realtime {
///     fn from_ref(web: &Web) -> Self { web.realtime.clone() }
/// }
///
/// async fn me(Authenticated(principal): Authenticated) -> String {
///     principal.to_string()
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(app::Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let mut http: Router = Router::new().route("/me", get(me)).with_state(Web { realtime });
/// let response = http.call(Request::get("/me").body(Body::empty())?).await?;
/// assert_eq!(axum::body::to_bytes(response.into_body(), 1024).await?, "anonymous");
/// // Another site's page is not answered for whoever is logged in here.
/// let foreign = Request::get("/me").header("origin", "https://other.example").body(Body::empty())?;
/// assert_eq!(http.call(foreign).await?.status(), 403);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an extractor is taken apart by its users")]
pub struct Authenticated(pub Principal);

/// Why there is no [`Authenticated`]: the same JSON as a refused handshake's.
///
/// ```
/// use axum::{http::StatusCode, response::{IntoResponse, Response}};
/// use parlor_axum::{Authenticated, NotAuthenticated};
///
/// /// A page for people: whoever is not logged in is sent to where they can be.
/// async fn page(who: Result<Authenticated, NotAuthenticated>) -> Response {
///     match who {
///         Ok(Authenticated(principal)) => format!("Hello, {principal}").into_response(),
///         Err(refused) if refused.0.status() == StatusCode::UNAUTHORIZED => {
///             axum::response::Redirect::to("/login").into_response()
///         }
///         Err(refused) => refused.into_response(), // 403 or 503, as JSON
///     }
/// }
/// # use parlor_core::auth::AuthError;
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let stranger = Err(parlor_hyper::Refusal::from(AuthError::Missing).into());
/// assert_eq!(page(stranger).await.headers()["location"], "/login");
/// # }
/// ```
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
