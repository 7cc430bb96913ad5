//! What orchestrators and load balancers ask: is the process alive, and should it get new clients?

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use parlor_core::Realtime;
use tower_service::Service;

use crate::Refusal;

/// `/readyz`: 200 while new clients are welcome, 503 with `Retry-After` from the moment when the server begins to stop.
///
/// It answers any method. Whatever else your application needs (a database, say) it does not know: ask that in a handler of
/// your own, and [`Realtime::is_ready`] with it.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::Anonymous};
/// use parlor_hyper::ReadyService;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let ask = async || ReadyService::new(&realtime).oneshot(http::Request::new(())).await;
/// assert_eq!(ask().await?.status(), 200);
/// realtime.begin_stop();
/// let response = ask().await?;
/// assert_eq!(response.status(), 503);
/// assert!(response.headers().contains_key("retry-after"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ReadyService {
    realtime: Realtime,
}

/// `/livez`: 200 as long as requests are answered at all. Restart the process when it is not; a server that stops is alive.
///
/// ```
/// use parlor_hyper::LiveService;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let response = LiveService::new().oneshot(http::Request::new(())).await?;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.headers()["cache-control"], "no-store");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct LiveService;

impl ReadyService {
    /// Asks `realtime`.
    #[must_use]
    pub fn new(realtime: &Realtime) -> Self {
        Self { realtime: realtime.clone() }
    }
}

impl LiveService {
    /// The service.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl<B> Service<Request<B>> for ReadyService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let response =
            if self.realtime.is_ready() { ok("ready\n") } else { uncached(Refusal::Stopping.into_response()) };
        ready(Ok(response))
    }
}

impl<B> Service<Request<B>> for LiveService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(ok("alive\n")))
    }
}

fn ok(text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    uncached(response)
}

/// An answer of a moment ago would be worse than none.
fn uncached(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
