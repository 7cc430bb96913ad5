//! Event streams of an application's own in HTTP handlers.

use axum::{
    body::Body,
    extract::{FromRef, FromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use parlor_core::Realtime;
use parlor_hyper::{PeerAddr, SseClient};

use crate::authenticated::peer;

/// A client that asks for an event stream, judged, admitted and authenticated as one of [`events`](crate::events) is; what
/// refuses it is answered as there.
///
/// ```
/// use axum::{extract::{FromRef, State}, response::{IntoResponse, Response}, routing::get};
/// use parlor_axum::Sse;
/// use parlor_core::{Realtime, app, auth::Anonymous, event_stream::SseHub, sse::SseEvent};
///
/// #[derive(Clone)]
/// struct Web { realtime: Realtime, orders: SseHub<u32> }
///
/// impl FromRef<Web> for Realtime {
///     fn from_ref(web: &Web) -> Self { web.realtime.clone() }
/// }
///
/// /// GET /orders/7
/// async fn order(
///     Sse(client): Sse,
///     axum::extract::Path(order): axum::extract::Path<u32>,
///     State(web): State<Web>,
/// ) -> Response {
///     let (emitter, response) = client.open().await;
///     // From here on it hears what is said of the order; a new stream has room for one key.
///     let _ = web.orders.join(&emitter, order);
///     let _ = emitter.send(&SseEvent::message("Here is how your order goes on."));
///     response.into_response()
/// }
///
/// let realtime = Realtime::builder(app::Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let web = Web { realtime, orders: SseHub::new() };
/// let http: axum::Router = axum::Router::new().route("/orders/{order}", get(order)).with_state(web);
/// # let _ = http; Ok::<(), parlor_core::BuildError>(())
/// ```
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "an extractor is taken apart by its users")]
pub struct Sse(pub SseClient);

impl<S: Sync> FromRequestParts<S> for Sse
where
    Realtime: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        if let Some(peer) = peer(&parts.extensions) {
            parts.extensions.insert(PeerAddr(peer));
        }
        let admitted = SseClient::admit(&Realtime::from_ref(state), parts).await;
        admitted.map(Self).map_err(|refusal| refusal.into_response().map(Body::new).into_response())
    }
}
