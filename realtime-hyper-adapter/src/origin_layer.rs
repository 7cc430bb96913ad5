//! The Origin gate as a tower layer, for an application's own routes beside the WebSocket.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use parlor_core::{Realtime, auth::OriginPolicy};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::Refusal;

/// Judges the Origin of every request, logged in or not, by its method (rule 23): with POST and whatever else can change
/// something, a cookie needs an Origin on the list; a GET must not come from another site. Other requests are answered with
/// 403 and do not reach the service.
///
/// It protects routes that act for whoever a cookie names: put it around them, log-in and log-out included. Not around pages
/// that people come to by links from elsewhere: a browser calls such a GET `cross-site`.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::Anonymous};
/// use parlor_hyper::OriginLayer;
///
/// let realtime = Realtime::builder(Router::new().with_state(()))
///     .authenticate(Anonymous)
///     .allowed_origins(["https://app.example"])
///     .build()?;
/// let layer = OriginLayer::new(&realtime);
/// # let _ = layer; Ok::<(), parlor_core::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OriginLayer {
    policy: Arc<OriginPolicy>,
}

/// The service that [`OriginLayer`] makes of another.
///
/// ```
/// use std::convert::Infallible;
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use parlor_core::auth::OriginPolicy;
/// use parlor_hyper::{OriginGate, OriginLayer};
/// use tower::{Layer, ServiceExt};
///
/// async fn logged_out(_: Request<()>) -> Result<Response<Bytes>, Infallible> {
///     Ok(Response::new(Bytes::new()))
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = OriginLayer::with_policy(OriginPolicy::new(["https://app.example"])?);
/// let log_out: OriginGate<_> = layer.layer(tower::service_fn(logged_out));
/// let from = |origin| Request::post("/log-out").header("cookie", "token=…").header("origin", origin).body(());
/// assert_eq!(log_out.clone().oneshot(from("https://app.example")?).await?.status(), 200);
/// assert_eq!(log_out.oneshot(from("https://other.example")?).await?.status(), 403);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct OriginGate<S> {
    inner: S,
    policy: Arc<OriginPolicy>,
}

pin_project! {
    /// The response of an [`OriginGate`].
    pub struct OriginGateFuture<F> {
        #[pin]
        inner: Judged<F>,
    }
}

pin_project! {
    #[project = JudgedProjection]
    enum Judged<F> {
        Allowed { #[pin] future: F },
        Refused { refusal: Option<Refusal> },
    }
}

impl OriginLayer {
    /// With the policy of `realtime`: the pages that may connect may also use the routes.
    #[must_use]
    pub fn new(realtime: &Realtime) -> Self {
        Self::with_policy(realtime.origins().clone())
    }

    /// With a policy of its own.
    #[must_use]
    pub fn with_policy(policy: OriginPolicy) -> Self {
        Self { policy: Arc::new(policy) }
    }
}

impl<S> Layer<S> for OriginLayer {
    type Service = OriginGate<S>;

    fn layer(&self, inner: S) -> OriginGate<S> {
        OriginGate { inner, policy: Arc::clone(&self.policy) }
    }
}

impl<S, B, R> Service<Request<B>> for OriginGate<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = OriginGateFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = match self.policy.judge_request(request.method(), request.headers()) {
            Ok(()) => Judged::Allowed { future: self.inner.call(request) },
            Err(refusal) => Judged::Refused { refusal: Some(refusal.into()) },
        };
        OriginGateFuture { inner }
    }
}

impl<F, R, E> Future for OriginGateFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().inner.project() {
            JudgedProjection::Allowed { future } => future.poll(context),
            JudgedProjection::Refused { refusal } => match refusal.take() {
                Some(refusal) => Poll::Ready(Ok(refusal.to_response().map(R::from))),
                // Polled again after it was ready, which no caller may do.
                None => Poll::Pending,
            },
        }
    }
}

impl<F> fmt::Debug for OriginGateFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginGateFuture").finish_non_exhaustive()
    }
}
