//! Event streams as a tower service: `GET /events?destination=/topic/a`.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Method, Request, Response, request::Parts};
use parlor_core::Realtime;
use tower_service::Service;

use crate::{
    EventsBody, Refusal, SseClient, SseRefusal,
    cors::{Cors, is_preflight},
    peer::client_addr,
};

/// The response, on its way.
type Answer = Pin<Box<dyn Future<Output = Result<Response<EventsBody>, Infallible>> + Send>>;

/// Serves the messages of one destination as server-sent events, over HTTP/1.1 and HTTP/2. Clone it freely; all clones serve
/// one [`Realtime`].
///
/// The destination stands in the query (`?destination=/topic/news`), and so may the position that a first stream goes on from
/// (`&resume-from=…`); the header `Last-Event-ID`, which browsers send when they reconnect, counts before that one.
///
/// In this order: the request must be a GET (405) that names one destination (400), its Origin allowed (403), the endpoint
/// neither full nor stopping, its address within its limits, the authenticator satisfied (401, 403), the user within their
/// limits, and the destination one that the client may subscribe to (400, 403, 404). A browser's `EventSource` never tries
/// again after any status but 200, so what passes by itself is answered with a stream of one event, `parlor.closed`, which says
/// when to come back: see [`SseRefusal`]. Other refusals have the body `{"code": …, "message": …}`.
///
/// Pages of the origins on the endpoint's list may connect from there, with credentials (CORS, with the preflight for clients
/// that are no `EventSource`).
///
/// What follows is described in `docs/sse.md`. The stream is driven by a task of its own, which ends with it, or when
/// [`Realtime::shutdown`] ends it.
///
/// ```
/// use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous};
/// use parlor_hyper::EventsService;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(()))
///     .authenticate(Anonymous)
///     .authorize(Rules::deny_all().allow_subscribe("/topic/news"))
///     .build()?;
/// let request = http::Request::get("/events?destination=/topic/news").body(())?;
/// let response = EventsService::new(&realtime).oneshot(request).await?;
/// assert_eq!(response.headers()["content-type"], "text/event-stream");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct EventsService {
    realtime: Realtime,
}

impl EventsService {
    /// A service for `realtime`.
    #[must_use]
    pub fn new(realtime: &Realtime) -> Self {
        Self { realtime: realtime.clone() }
    }

    async fn answer(self, request: &Parts) -> Result<Response<EventsBody>, SseRefusal> {
        let (realtime, headers) = (&self.realtime, &request.headers);
        let cors = Cors::of(realtime.origins(), headers);
        let refused = |refusal: Refusal| {
            let client = client_addr(realtime, &request.extensions, headers);
            SseRefusal::handshake(realtime, headers, client, refusal, cors.clone())
        };
        if is_preflight(&request.method, headers) {
            realtime.origins().judge_get(headers).map_err(|refusal| refused(refusal.into()))?;
            return Ok(cors.preflight().map(EventsBody::from));
        }
        if request.method != Method::GET {
            return Err(refused(Refusal::Method));
        }
        let query = request.uri.query().unwrap_or_default();
        let destination = only(query, "destination").and_then(|named| named.ok_or(Refusal::Query)).map_err(refused)?;
        let position = only(query, "resume-from").map_err(refused)?;
        SseClient::admit(realtime, request).await?.subscribe(&destination, position).await
    }
}

/// The parameter of that name; several are refused.
fn only(query: &str, name: &str) -> Result<Option<String>, Refusal> {
    let mut all = form_urlencoded::parse(query.as_bytes()).filter(|(known, _)| known == name);
    let value = all.next().map(|(_, value)| value.into_owned());
    if all.next().is_some() { Err(Refusal::Query) } else { Ok(value) }
}

impl<B> Service<Request<B>> for EventsService {
    type Response = Response<EventsBody>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let service = self.clone();
        // A GET has no body that means anything (RFC 9110 section 9.3.1).
        let (request, _) = request.map(drop).into_parts();
        Box::pin(async move { Ok(service.answer(&request).await.unwrap_or_else(SseRefusal::into_response)) })
    }
}

impl fmt::Debug for EventsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventsService").field("realtime", &self.realtime).finish()
    }
}
