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
    app::{Authorize, Interceptor, Routes, Snapshot},
    broker::{Address, Broker},
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
    /// Where refusals are told.
    pub(crate) errors: Destination,
    /// What subscriptions to a user's own destinations begin with, by their paths.
    pub(crate) snapshots: Vec<(Destination, Arc<dyn Snapshot>)>,
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

    /// What a subscription there begins with.
    pub(crate) fn snapshot_of(&self, address: &Address) -> Option<Arc<dyn Snapshot>> {
        let Address::User(user) = address else { return None };
        self.snapshots.iter().find(|(path, _)| *path == user.path).map(|(_, snapshot)| Arc::clone(snapshot))
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
