//! The broker in HTTP handlers.

use std::convert::Infallible;

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use parlor_core::{Realtime, broker::Broker};

/// Where to publish from an HTTP handler.
///
/// ```
/// use axum::{Json, Router, body::Body, extract::FromRef, http::Request, routing::post};
/// use parlor_axum::BrokerHandle;
/// use parlor_core::{Realtime, app::{self, Rules}, auth::Anonymous};
/// use tower_service::Service;
///
/// #[derive(Clone)]
/// struct Web { realtime: Realtime }
///
/// impl FromRef<Web> for Realtime {
///     fn from_ref(web: &Web) -> Self { web.realtime.clone() }
/// }
///
/// async fn announce(BrokerHandle(broker): BrokerHandle, Json(text): Json<String>) -> &'static str {
///     match broker.publish("/topic/news", &text).await {
///         Ok(_) => "announced",
///         Err(_) => "not announced",
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(app::Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let web = Web { realtime: realtime.clone() };
/// let mut http: Router = Router::new().route("/announce", post(announce)).with_state(web);
/// let request = Request::post("/announce").header("content-type", "application/json").body(Body::from("\"hi\""))?;
/// assert_eq!(http.call(request).await?.status(), 200);
/// assert_eq!(realtime.stats().messages.published, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an extractor is taken apart by its users")]
pub struct BrokerHandle(pub Broker);

impl<S: Sync> FromRequestParts<S> for BrokerHandle
where
    Realtime: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Realtime::from_ref(state).broker().clone()))
    }
}
