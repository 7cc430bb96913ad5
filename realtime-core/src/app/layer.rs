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
use tower::{Layer, Service, ServiceExt, load_shed, timeout};

use crate::app::{Context, HandlerError, Outcome, Rejection, route::BoundCall};

/// Any error, as tower's layers return them.
type BoxError = Box<dyn Error + Send + Sync>;

/// A handler with its state, as a tower service: what [`Router::layer`](crate::app::Router::layer) wraps.
///
/// Its request is the event's [`Context`], its response the [`Outcome`].
pub struct RouteService<K> {
    call: BoundCall<K>,
}

/// Wraps a handler.
pub(super) type Wrap<K> = Arc<dyn Fn(BoundCall<K>) -> BoundCall<K> + Send + Sync>;

/// The layer as a function of handlers.
pub(super) fn wrap<K, L>(layer: L) -> Wrap<K>
where
    K: Send + Sync + 'static,
    L: Layer<RouteService<K>> + Send + Sync + 'static,
    L::Service: Service<Context<K>, Response = Outcome> + Clone + Send + Sync + 'static,
    <L::Service as Service<Context<K>>>::Error: Into<BoxError> + 'static,
    <L::Service as Service<Context<K>>>::Future: Send + 'static,
{
    Arc::new(move |call| {
        let service = layer.layer(RouteService { call });
        Arc::new(move |context| {
            let answer = service.clone().oneshot(context);
            async move { answer.await.map_err(|error| of_layer(error.into())) }.boxed()
        })
    })
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

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), HandlerError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, context: Context<K>) -> Self::Future {
        (self.call)(context)
    }
}

impl<K> Clone for RouteService<K> {
    fn clone(&self) -> Self {
        Self { call: Arc::clone(&self.call) }
    }
}

impl<K> fmt::Debug for RouteService<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteService").finish_non_exhaustive()
    }
}
