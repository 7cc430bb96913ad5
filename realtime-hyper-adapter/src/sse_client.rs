//! A client that asks for an event stream: judged, admitted and authenticated, and then answered with one.

use std::{fmt, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use parlor_core::{
    Admission, Realtime,
    app::Rejection,
    auth::Principal,
    event_stream::{EventStream, EventsRequest, OpenEmitter, SseEmitter},
    sse::SseEvent,
};

use crate::{EventsBody, Refusal, applicant::authenticated, cors::Cors, peer::client_addr};

/// The header with which a client says where it was.
const LAST_EVENT_ID: &str = "last-event-id";

/// Who asks for an event stream, for routes of an application's own that answer with an [`SseEmitter`]. It has a place already,
/// which [`open`](Self::open) keeps and dropping gives back.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::Anonymous, sse::SseEvent};
/// use parlor_hyper::SseClient;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let (request, ()) = http::Request::get("/progress").body(())?.into_parts();
/// let response = match SseClient::admit(&realtime, &request).await {
///     Ok(client) => {
///         let (emitter, response) = client.open().await;
///         tokio::spawn(async move {
///             for percent in [50, 100] {
///                 emitter.send(&SseEvent::json(&percent)?)?;
///             }
///             emitter.complete();
///             Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
///         });
///         response
///     }
///     Err(refusal) => refusal.into_response(),
/// };
/// assert_eq!(response.headers()["content-type"], "text/event-stream");
/// # Ok(()) }
/// ```
pub struct SseClient {
    realtime: Realtime,
    principal: Principal,
    admission: Admission,
    client: Option<SocketAddr>,
    last_event_id: Option<String>,
    cors: Cors,
}

/// Why a client has no event stream, as it is told so that an `EventSource` does what it should.
///
/// What passes by itself (too many streams, a server that is full, stops, or cannot ask who somebody is) is a stream of one
/// event, `parlor.closed` with the code and the time after which to come back: an `EventSource` stops for ever at any other
/// status than 200. What does not pass has its status, and `ended` has 204.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::Nobody};
/// use parlor_hyper::SseClient;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Nobody).build()?;
/// let (request, ()) = http::Request::get("/progress").body(())?.into_parts();
/// let Err(refusal) = SseClient::admit(&realtime, &request).await else { panic!("nobody gets in") };
/// assert_eq!(refusal.into_response().status(), 401);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SseRefusal {
    told: Told,
    cors: Cors,
}

#[derive(Debug)]
enum Told {
    /// 204: there is nothing, and never will be.
    Ended,
    /// A stream of one event.
    Later { code: String, retry: Duration },
    /// Of who asks.
    Handshake(Refusal),
    /// Of what is asked for.
    Subscription(Rejection),
}

impl SseClient {
    /// Judges a request, in this order: its Origin by its method (403), the endpoint's room and that of its network address, the
    /// authenticator (401, 403), the room of its user. Every refusal is counted and logged as one of a handshake.
    ///
    /// # Errors
    /// Why there is no stream.
    pub async fn admit(realtime: &Realtime, request: &Parts) -> Result<Self, SseRefusal> {
        let client = client_addr(realtime, &request.extensions, &request.headers);
        let cors = Cors::of(realtime.origins(), &request.headers);
        let judged = async {
            realtime.origins().judge_request(&request.method, &request.headers)?;
            let (extensions, headers) = (&request.extensions, &request.headers);
            let (applicant, principal) = authenticated(realtime, extensions, headers, &request.uri).await?;
            let admission = applicant.for_event_stream(&principal)?;
            Ok((principal, admission))
        };
        match judged.await {
            Ok((principal, admission)) => {
                let (realtime, last_event_id) = (realtime.clone(), last_event_id(&request.headers));
                Ok(Self { realtime, principal, admission, client, last_event_id, cors })
            }
            Err(refusal) => Err(SseRefusal::handshake(realtime, &request.headers, client, refusal, cors)),
        }
    }

    /// Who it is.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The id of the last event that it has seen, where it says so: what an application that gives ids goes on from.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref().filter(|id| !id.is_empty())
    }

    /// Opens the stream: the application's end, and the response. A task of its own drives it.
    pub async fn open(self) -> (SseEmitter, Response<EventsBody>) {
        let Self { realtime, principal, admission, cors, .. } = self;
        let OpenEmitter { emitter, stream, running, .. } = realtime.emitter(principal, admission).await;
        #[expect(
            clippy::disallowed_methods,
            reason = "the stream owns itself: its admission is what shutdown waits for"
        )]
        tokio::spawn(running);
        (emitter, cors.allow(response(stream)))
    }

    /// Refuses the stream for a reason of the application's own. One with a
    /// [`retry_after`](Rejection::with_retry_after) invites back, and [`Rejection::ended`] does so never again.
    #[must_use]
    pub fn refuse(self, rejection: Rejection) -> SseRefusal {
        SseRefusal::subscription(&self.realtime, rejection, self.cors)
    }

    /// Opens a stream of a destination. The header counts before the position in the query, also where it is empty.
    pub(crate) async fn subscribe(
        self,
        destination: &str,
        position: Option<String>,
    ) -> Result<Response<EventsBody>, SseRefusal> {
        let Self { realtime, principal, admission, client, last_event_id, cors } = self;
        let position = last_event_id.or(position).filter(|position| !position.is_empty());
        let mut wanted = EventsRequest::new(destination);
        if let Some(position) = &position {
            wanted = wanted.resume_from(position);
        }
        if let Some(client) = client {
            wanted = wanted.with_peer(client);
        }
        let (stream, running) = match realtime.events(wanted, principal, admission).await {
            Ok(opened) => opened,
            Err(rejection) => return Err(SseRefusal::subscription(&realtime, rejection, cors)),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the stream owns itself: its admission is what shutdown waits for"
        )]
        tokio::spawn(running);
        Ok(cors.allow(response(stream)))
    }
}

impl SseRefusal {
    /// Of who asks; counted and logged.
    pub(crate) fn handshake(
        realtime: &Realtime,
        headers: &HeaderMap,
        client: Option<SocketAddr>,
        refusal: Refusal,
        cors: Cors,
    ) -> Self {
        realtime.handshake_refused(refusal.code(), headers, client);
        let told = match refusal.retry_after() {
            Some(retry) => Told::Later { code: refusal.code().to_owned(), retry },
            None => Told::Handshake(refusal),
        };
        Self { told, cors }
    }

    fn subscription(realtime: &Realtime, rejection: Rejection, cors: Cors) -> Self {
        let passes = matches!(rejection.code(), "internal" | "overloaded" | "rate-limited" | "timeout");
        let retry = rejection.retry_after().or_else(|| passes.then(|| realtime.config().sse_retry));
        let told = match retry {
            _ if rejection.code() == "ended" => Told::Ended,
            Some(retry) => Told::Later { code: rejection.code().to_owned(), retry },
            None => Told::Subscription(rejection),
        };
        Self { told, cors }
    }

    /// The response.
    #[must_use]
    pub fn into_response(self) -> Response<EventsBody> {
        let response = match self.told {
            Told::Ended => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            Told::Later { code, retry } => {
                as_event_stream(Response::new(SseEvent::closed(&code, Some(retry)).encode().into()))
            }
            Told::Handshake(refusal) => refusal.to_response(),
            Told::Subscription(rejection) => refuse(&rejection),
        };
        self.cors.allow(not_stored(response)).map(EventsBody::from)
    }
}

/// What the header says; what is no text is a position that nobody gave out.
fn last_event_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(LAST_EVENT_ID)?;
    Some(String::from_utf8_lossy(id.as_bytes()).into_owned())
}

fn response(stream: EventStream) -> Response<EventsBody> {
    not_stored(as_event_stream(Response::new(stream.into())))
}

fn as_event_stream<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // nginx would collect events until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn not_stored<B>(mut response: Response<B>) -> Response<B> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A refusal that does not pass by itself.
fn refuse(rejection: &Rejection) -> Response<Bytes> {
    let body = serde_json::json!({ "code": rejection.code(), "message": rejection.message() });
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = match rejection.code() {
        "invalid-destination" | "not-supported" => StatusCode::BAD_REQUEST,
        "no-such-destination" => StatusCode::NOT_FOUND,
        // What an interceptor of the application says too.
        _ => StatusCode::FORBIDDEN,
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl fmt::Debug for SseClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseClient").field("principal", &self.principal).finish_non_exhaustive()
    }
}
