//! What all connections of one endpoint share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use crate::{
    app::{Authorize, Interceptor, Routes},
    auth::Judge,
    broker::Broker,
    config::Config,
    destination::{Destination, Pattern},
    limits::Repeats,
    session::{LifecycleEvent, LifecycleListener, Registry, Session, announce},
    telemetry::Meters,
};

/// When the server stops, clients are told to come back spread over this time, so that they do not come all at once.
pub(crate) const RECONNECT_SPREAD: Duration = Duration::from_secs(5);

/// Routes, rules, broker, registry and settings: everything that a connection asks.
pub(crate) struct Endpoint {
    pub(crate) routes: Routes,
    pub(crate) broker: Broker,
    pub(crate) registry: Registry,
    pub(crate) rules: Arc<dyn Authorize>,
    pub(crate) config: Config,
    /// What pattern subscriptions must lie within.
    pub(crate) topic_pattern: Pattern,
    /// Where replies to messages go, of whichever user.
    pub(crate) replies: Destination,
    /// Where a session is told that its token ends.
    pub(crate) notices: Destination,
    /// Where a client sends its new token.
    pub(crate) refresh: Destination,
    /// Says whose a new token is.
    pub(crate) judge: Judge,
    /// Where refusals are told.
    pub(crate) errors: Destination,
    pub(crate) interceptors: Vec<Arc<dyn Interceptor>>,
    pub(crate) listeners: Vec<Arc<dyn LifecycleListener>>,
    /// The sends that were handled lately, by their keys.
    pub(crate) repeats: Mutex<Repeats>,
    pub(crate) stopping: AtomicBool,
}

impl Endpoint {
    pub(crate) fn meters(&self) -> &Arc<Meters> {
        self.broker.meters()
    }

    /// Whether the endpoint lets nobody in any more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Tells every listener in turn: those of the builder, then those of the routes.
    pub(crate) async fn announce(&self, session: &Session, event: LifecycleEvent) {
        announce(&self.listeners, self.config.listener_timeout, session, event).await;
    }
}
