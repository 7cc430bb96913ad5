//! What all connections of one endpoint share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use parlor_stomp::ServerConfig;

use crate::{
    app::{Authorize, Interceptor, Part, Rejection, Routes, Snapshot},
    auth::{Judge, Principal},
    broker::{Address, Broker, Publication},
    config::Config,
    destination::{Destination, Pattern},
    limits::{Repeats, SocketRates},
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
    /// How frames are read: of the settings, in the form that connections share.
    pub(crate) stomp: ServerConfig,
    /// How much each connection may send, likewise.
    pub(crate) socket_rates: Arc<SocketRates>,
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
    /// What subscriptions to a user's own destinations begin with, by their paths.
    pub(crate) snapshots: Vec<(Destination, Arc<dyn Snapshot>)>,
    pub(crate) interceptors: Vec<Arc<dyn Interceptor>>,
    pub(crate) listeners: Vec<Arc<dyn LifecycleListener>>,
    /// The sends that were handled lately, by their keys.
    pub(crate) repeats: Mutex<Repeats>,
    pub(crate) stopping: AtomicBool,
    /// What was mounted beside the routes and watches sessions.
    pub(crate) parts: Vec<Arc<dyn Part>>,
}

impl Endpoint {
    pub(crate) fn meters(&self) -> &Arc<Meters> {
        self.broker.meters()
    }

    /// Whether the endpoint lets nobody in any more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Whether a subscription there begins with messages of its own.
    pub(crate) fn greets(&self, address: &Address) -> bool {
        match address {
            Address::Topic(topic) => self.parts.iter().any(|part| part.greets(topic)),
            Address::User(user) => self.snapshot_of(&user.path).is_some(),
            Address::Queue(_) => false,
        }
    }

    /// What a subscription there begins with. It is registered already and held back, so that nothing lies between the two.
    ///
    /// # Errors
    /// Why the client may not subscribe.
    pub(crate) async fn greetings(
        &self,
        address: &Address,
        principal: &Principal,
    ) -> Result<Vec<Publication>, Rejection> {
        match address {
            Address::Topic(topic) => Ok(self.parts.iter().filter_map(|part| part.greeting(topic)).collect()),
            Address::User(user) => match self.snapshot_of(&user.path) {
                Some(snapshot) => snapshot.messages(principal).await,
                None => Ok(Vec::new()),
            },
            Address::Queue(_) => Ok(Vec::new()),
        }
    }

    fn snapshot_of(&self, path: &Destination) -> Option<&Arc<dyn Snapshot>> {
        self.snapshots.iter().find(|(of, _)| of == path).map(|(_, snapshot)| snapshot)
    }

    /// Tells every listener in turn: those of the builder, then those of the routes.
    pub(crate) async fn announce(&self, session: &Session, event: LifecycleEvent) {
        announce(&self.listeners, self.config.listener_timeout, session, event).await;
    }
}
