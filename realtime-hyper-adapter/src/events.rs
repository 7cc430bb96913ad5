//! Event streams as a tower service: `GET /events?destination=/topic/a`.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use parlor_core::{
    Realtime,
    app::Rejection,
    auth::Handshake,
    event_stream::{EventStream, EventsRequest},
};
use tower_service::Service;

use crate::{EventsBody, PeerAddr, Refusal, peer::client_addr, refusal::with_retry_after};

/// The header with which a client says where it was.
const LAST_EVENT_ID: &str = "last-event-id";

/// The response, on its way.
type Answer = Pin<Box<dyn Future<Output = Result<Response<EventsBody>, Infallible>> + Send>>;

/// Serves the messages of one destination as server-sent events, over HTTP/1.1 and HTTP/2. Clone it freely; all clones serve
/// one [`Realtime`].
///
/// The destination stands in the query (`?destination=/topic/news`), and so may the position that a first stream goes on from
/// (`&resume-from=…`); the header `Last-Event-ID`, which browsers send when they reconnect, counts before that one.
///
/// In this order: the request must be a GET (405) that names one destination (400), its Origin allowed (403), the endpoint
/// neither full nor stopping (503), its address within its limits (429), the authenticator satisfied (401, 403, or 503
/// where it cannot tell), the user within theirs (429), and the destination one that the client may subscribe to (400, 403,
/// 404). A refusal's body is `{"code": …, "message": …}`. A browser's `EventSource` never tries again after one.
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

/// Why there is no stream.
enum Denied {
    /// Before it was known who asks for what.
    Handshake(Refusal),
    /// The destination.
    Subscription(Rejection),
}

/// What a request asks for.
struct Asked {
    destination: String,
    resume_from: Option<String>,
}

impl EventsService {
    /// A service for `realtime`.
    #[must_use]
    pub fn new(realtime: &Realtime) -> Self {
        Self { realtime: realtime.clone() }
    }

    async fn open(&self, request: &Request<()>) -> Result<EventStream, Denied> {
        if request.method() != Method::GET {
            return Err(Refusal::Method.into());
        }
        let asked = Asked::by(request)?;
        let headers = request.headers();
        self.realtime.origins().judge_get(headers).map_err(Refusal::from)?;
        let client = client_addr(&self.realtime, request);
        let applicant = self.realtime.admit(client.map(|client| client.ip())).map_err(Refusal::from)?;
        let peer = request.extensions().get::<PeerAddr>().map(|peer| peer.0);
        let handshake = Handshake::new(headers, request.uri(), peer);
        let principal = applicant.authenticate(handshake).await.map_err(Refusal::from)?;
        let admission = applicant.for_event_stream(&principal).map_err(Refusal::from)?;
        let mut wanted = EventsRequest::new(&asked.destination);
        if let Some(position) = &asked.resume_from {
            wanted = wanted.resume_from(position);
        }
        if let Some(client) = client {
            wanted = wanted.with_peer(client);
        }
        let opened = self.realtime.events(wanted, principal, admission).await;
        let (stream, running) = opened.map_err(Denied::Subscription)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the stream owns itself: its admission is what shutdown waits for"
        )]
        tokio::spawn(running);
        Ok(stream)
    }

    async fn answer(self, request: Request<()>) -> Response<EventsBody> {
        match self.open(&request).await {
            Ok(stream) => response(stream),
            Err(Denied::Handshake(refusal)) => {
                let client = client_addr(&self.realtime, &request);
                self.realtime.handshake_refused(refusal.code(), request.headers(), client);
                not_stored(refusal.to_response()).map(EventsBody::from)
            }
            Err(Denied::Subscription(rejection)) => not_stored(refuse(&rejection)).map(EventsBody::from),
        }
    }
}

impl Asked {
    fn by(request: &Request<()>) -> Result<Self, Refusal> {
        let query = request.uri().query().unwrap_or_default();
        let only = |name: &str| {
            let mut all = form_urlencoded::parse(query.as_bytes()).filter(|(known, _)| known == name);
            let value = all.next().map(|(_, value)| value.into_owned());
            if all.next().is_some() { Err(Refusal::Query) } else { Ok(value) }
        };
        let destination = only("destination")?.ok_or(Refusal::Query)?;
        let resume_from = match last_event_id(request.headers()) {
            Some(id) => Some(id),
            None => only("resume-from")?,
        };
        Ok(Self { destination, resume_from: resume_from.filter(|position| !position.is_empty()) })
    }
}

/// What the header says; what is no text is a position that nobody gave out.
fn last_event_id(headers: &HeaderMap) -> Option<String> {
    headers.get(LAST_EVENT_ID).map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned())
}

fn response(stream: EventStream) -> Response<EventsBody> {
    let mut response = Response::new(stream.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // nginx would collect events until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    not_stored(response)
}

fn not_stored<B>(mut response: Response<B>) -> Response<B> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refuse(rejection: &Rejection) -> Response<Bytes> {
    let body = serde_json::json!({ "code": rejection.code(), "message": rejection.message() });
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = match rejection.code() {
        "invalid-destination" | "not-supported" => StatusCode::BAD_REQUEST,
        "no-such-destination" => StatusCode::NOT_FOUND,
        "rate-limited" => StatusCode::TOO_MANY_REQUESTS,
        "overloaded" => StatusCode::SERVICE_UNAVAILABLE,
        "internal" => StatusCode::INTERNAL_SERVER_ERROR,
        // What an interceptor of the application says too.
        _ => StatusCode::FORBIDDEN,
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with_retry_after(response, rejection.retry_after())
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Handshake(refusal)
    }
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
        let request = request.map(drop);
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

impl fmt::Debug for EventsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventsService").field("realtime", &self.realtime).finish()
    }
}
