//! tower layers over the handlers of a router.
//!
//! A handler with its state is a tower service of [`Context<K>`], so tower's own `Timeout`, `ConcurrencyLimit` and
//! `LoadShed` are used as they are. A route without layers pays nothing for them.

use std::{
    error::Error,
    fmt,
    sync::Arc,
    task::{self, Poll},
};

use futures_util::{FutureExt, future::BoxFuture};
use tower::{Layer, Service, ServiceExt, load_shed, timeout, util::BoxCloneSyncService};

use crate::app::{Context, HandlerError, Outcome, Rejection, route::BoundCall};

/// Any error, as tower's layers return them.
type BoxError = Box<dyn Error + Send + Sync>;

/// A handler with its state, as a tower service: what [`Router::layer`](crate::app::Router::layer) wraps.
///
/// Its request is the event's [`Context`], its response the [`Outcome`].
///
/// ```
/// use std::{task::{Context as TaskContext, Poll}, sync::{Arc, atomic::{AtomicU32, Ordering}}};
/// use parlor_core::{Realtime, app::{Context, Route, Router, RouteService}, auth::Anonymous, testing::TestClient};
/// use tower::{Layer, Service};
///
/// /// Counts the calls of the handlers that it is around.
/// #[derive(Clone, Default)]
/// struct Counting(Arc<AtomicU32>);
///
/// #[derive(Clone)]
/// struct Counted<S>(Counting, S);
///
/// impl<K> Layer<RouteService<K>> for Counting {
///     type Service = Counted<RouteService<K>>;
///
///     fn layer(&self, handler: RouteService<K>) -> Self::Service {
///         Counted(self.clone(), handler)
///     }
/// }
///
/// impl<K, S: Service<Context<K>>> Service<Context<K>> for Counted<S> {
///     type Response = S::Response;
///     type Error = S::Error;
///     type Future = S::Future;
///
///     fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
///         self.1.poll_ready(cx)
///     }
///
///     fn call(&mut self, context: Context<K>) -> S::Future {
///         self.0.0.fetch_add(1, Ordering::Relaxed);
///         self.1.call(context)
///     }
/// }
///
/// async fn say(_: String) {}
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let calls = Counting::default();
/// let routes = Router::new().mount(Route::message("/app/say", say)).layer(calls.clone()).with_state(());
/// let realtime = Realtime::builder(routes).authenticate(Anonymous).build()?;
/// TestClient::connect(&realtime, "ada").await.send_text("/app/say", "hello").await;
/// assert_eq!(calls.0.load(Ordering::Relaxed), 1);
/// # Ok(()) }) }
/// ```
pub struct RouteService<K> {
    inner: Inner<K>,
}

enum Inner<K> {
    Handler(BoundCall<K>),
    /// With layers around it, whose readiness the next layer must see.
    Layered(BoxCloneSyncService<Context<K>, Outcome, HandlerError>),
}

/// Wraps a handler.
pub(super) type Wrap<K> = Arc<dyn Fn(RouteService<K>) -> RouteService<K> + Send + Sync>;

/// The layer as a function of handlers.
pub(super) fn wrap<K, L>(layer: L) -> Wrap<K>
where
    K: Send + Sync + 'static,
    L: Layer<RouteService<K>> + Send + Sync + 'static,
    L::Service: Service<Context<K>, Response = Outcome> + Clone + Send + Sync + 'static,
    <L::Service as Service<Context<K>>>::Error: Into<BoxError> + 'static,
    <L::Service as Service<Context<K>>>::Future: Send + 'static,
{
    Arc::new(move |service| {
        let layered = layer.layer(service).map_err(|error| of_layer(error.into()));
        RouteService { inner: Inner::Layered(BoxCloneSyncService::new(layered)) }
    })
}

impl<K: Send + 'static> RouteService<K> {
    pub(super) fn new(handler: BoundCall<K>) -> Self {
        Self { inner: Inner::Handler(handler) }
    }

    /// The service as a function. A message that must wait for a layer to be ready waits in the future.
    pub(super) fn into_call(self) -> BoundCall<K> {
        match self.inner {
            Inner::Handler(handler) => handler,
            Inner::Layered(service) => Arc::new(move |context| service.clone().oneshot(context).boxed()),
        }
    }
}

/// What a layer's error is to the client.
fn of_layer(error: BoxError) -> HandlerError {
    let error = match error.downcast::<HandlerError>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    let error = match error.downcast::<Rejection>() {
        Ok(rejection) => return HandlerError::new(*rejection),
        Err(error) => error,
    };
    let rejection = if error.is::<timeout::error::Elapsed>() {
        Rejection::new("timeout", "This took too long and was given up. Try again later.")
    } else if error.is::<load_shed::error::Overloaded>() {
        Rejection::new("overloaded", "The server is busy. Try again later.")
    } else {
        Rejection::internal(error)
    };
    HandlerError::new(rejection)
}

impl<K> Service<Context<K>> for RouteService<K> {
    type Response = Outcome;
    type Error = HandlerError;
    type Future = BoxFuture<'static, Result<Outcome, HandlerError>>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), HandlerError>> {
        match &mut self.inner {
            Inner::Handler(_) => Poll::Ready(Ok(())),
            Inner::Layered(service) => service.poll_ready(cx),
        }
    }

    fn call(&mut self, context: Context<K>) -> Self::Future {
        match &mut self.inner {
            Inner::Handler(handler) => handler(context),
            Inner::Layered(service) => service.call(context),
        }
    }
}

impl<K> Clone for RouteService<K> {
    fn clone(&self) -> Self {
        let inner = match &self.inner {
            Inner::Handler(handler) => Inner::Handler(Arc::clone(handler)),
            Inner::Layered(service) => Inner::Layered(service.clone()),
        };
        Self { inner }
    }
}

impl<K> fmt::Debug for RouteService<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteService").finish_non_exhaustive()
    }
}
