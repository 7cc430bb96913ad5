//! Listeners of parts: functions with extractors that hear of what a part found out, apart from any session's own events.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    app::{
        CaptureError, Context, Handler, HandlerError, IntoOutcome, Outcome, Publications, Rejection, outcome::Delivery,
    },
    broker::Broker,
    destination::Pattern,
    session::Session,
    telemetry::{self, FrameInFlight},
};

/// A function that hears of events of kind `K`, which misses its state.
pub(crate) struct Hook<S, K> {
    call: Call<S, K>,
    fits: fn(&Pattern) -> Result<(), CaptureError>,
}

type Call<S, K> = Arc<dyn Fn(Context<K>, S) -> BoxFuture<'static, Result<Outcome, HandlerError>> + Send + Sync>;

/// The same with its state.
pub(crate) struct BoundHook<K> {
    call: Arc<dyn Fn(Context<K>) -> BoxFuture<'static, Result<Outcome, HandlerError>> + Send + Sync>,
}

impl<S, K> Hook<S, K>
where
    S: Clone + Send + Sync + 'static,
    K: Send + Sync + 'static,
{
    pub(crate) fn new<H, T>(hook: H) -> Self
    where
        H: Handler<S, K, T, Output: IntoOutcome<K> + Send>,
    {
        Self {
            call: Arc::new(move |context, state| {
                let hook = hook.clone();
                async move { hook.call(context, state).await?.into_outcome() }.boxed()
            }),
            fits: H::check_pattern,
        }
    }

    /// Whether what `pattern` captures can be what the function takes.
    pub(crate) fn check_pattern(&self, pattern: &Pattern) -> Result<(), CaptureError> {
        (self.fits)(pattern)
    }

    pub(crate) fn bind(&self, state: S) -> BoundHook<K> {
        let call = Arc::clone(&self.call);
        BoundHook { call: Arc::new(move |context| call(context, state.clone())) }
    }
}

impl<K> BoundHook<K> {
    /// Calls the function, for at most `limit`, and sends what it returns. A panic or an `Err` is logged under `event`.
    pub(crate) async fn call(&self, context: Context<K>, event: &'static str, limit: Duration) {
        let (broker, session) = (context.broker().clone(), context.session().clone());
        // Made inside the guarded block: a function may panic before its first await.
        let heard = async { send((self.call)(context).await?, &broker, &session).await.map_err(HandlerError::from) };
        let told = async {
            match tokio::time::timeout(limit, AssertUnwindSafe(heard).catch_unwind()).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => telemetry::application_failed("a listener failed", &error.into_rejection()),
                Ok(Err(_)) => telemetry::listener_panicked(event),
                Err(_) => telemetry::listener_timed_out(event),
            }
        };
        telemetry::scope(FrameInFlight::of_session(broker.meters(), None), told).await;
    }
}

impl<K> Clone for BoundHook<K> {
    fn clone(&self) -> Self {
        Self { call: Arc::clone(&self.call) }
    }
}

/// Sends what a listener returned; streams are not for listeners.
pub(super) async fn send(outcome: Outcome, broker: &Broker, session: &Session) -> Result<(), Rejection> {
    for Delivery { to, publications } in outcome.into_deliveries() {
        if let Publications::One(publication) = publications {
            to.send(broker, session, publication).await?;
        }
    }
    Ok(())
}
