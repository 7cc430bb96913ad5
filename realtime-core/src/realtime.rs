//! A real-time endpoint put together: routes, broker, registry, authentication, rules and settings.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    app::{Authorize, Interceptor, Permissions, RouteError, RouteListener, Routes, Rules},
    auth::{Authenticator, OriginError, OriginPolicy, Principal},
    broker::{Broker, OutboundInterceptor},
    config::Config,
    connection::{Closing, Driver, Transport},
    destination::{Pattern, PatternError},
    session::{LifecycleEvent, LifecycleListener, Registry, Session, announce},
};

/// When the server stops, clients are told to come back spread over this time, so that they do not come all at once.
pub(crate) const RECONNECT_SPREAD: Duration = Duration::from_secs(5);

/// What is wrong with an endpoint, found when it is built. One sentence for each fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Another endpoint set the outbound interceptors of the same broker.
    #[error("the broker has outbound interceptors already; add them all where the first of its endpoints is built")]
    Intercepted,
    /// An allowed origin is not scheme, host and optional port.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// A prefix leaves no room for destinations below it.
    #[error("the topic prefix leaves no room for destinations below it: {0}")]
    Prefix(PatternError),
    /// Routes or rules are wrong.
    #[error("{}", sentences(.0))]
    Routes(Vec<RouteError>),
}

/// As many connections as a wait for all of them can count.
fn permits(max_connections: usize) -> u32 {
    u32::try_from(max_connections.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX)
}

/// The share of the whole that comes up to a place, from above 0 to 1.
fn share(place: u32, count: u32) -> f64 {
    f64::from(place) / f64::from(count.max(1))
}

fn sentences(errors: &[RouteError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Everything a web framework's adapter needs to serve real-time connections. Cheap to clone.
///
/// ```
/// use parlor_core::{Realtime, app::{Route, Router, Rules}, auth::Anonymous};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(()))
///     .authenticate(Anonymous)
///     .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
///     .allowed_origins(["https://app.example"])
///     .build()?;
/// # let _ = realtime; Ok(()) }
/// ```
#[derive(Clone)]
pub struct Realtime {
    inner: Arc<Inner>,
}

struct Inner {
    routes: Routes,
    broker: Broker,
    registry: Registry,
    authenticator: Arc<dyn Authenticator>,
    rules: Arc<dyn Authorize>,
    origins: OriginPolicy,
    config: Config,
    topic_pattern: Pattern,
    interceptors: Vec<Arc<dyn Interceptor>>,
    listeners: Vec<Arc<dyn LifecycleListener>>,
    connections: Arc<Semaphore>,
    unready: AtomicBool,
    stopping: AtomicBool,
}

/// Puts a [`Realtime`] together.
pub struct RealtimeBuilder {
    routes: Routes,
    broker: Option<Broker>,
    authenticator: Option<Arc<dyn Authenticator>>,
    rules: Arc<dyn Authorize>,
    origins: Result<OriginPolicy, OriginError>,
    config: Config,
    interceptors: Vec<Arc<dyn Interceptor>>,
    outbound: Vec<Arc<dyn OutboundInterceptor>>,
    listeners: Vec<Arc<dyn LifecycleListener>>,
}

/// The right to one connection; dropping it gives it back.
#[derive(Debug)]
pub struct Admission {
    _permit: OwnedSemaphorePermit,
}

impl Realtime {
    /// Begins with the routes of the application.
    ///
    /// Without further calls nobody gets in: the default authenticator refuses everyone, the default rules deny
    /// everything, and no foreign origin is allowed.
    #[must_use]
    pub fn builder(routes: Routes) -> RealtimeBuilder {
        RealtimeBuilder {
            routes,
            broker: None,
            authenticator: None,
            rules: Arc::new(Rules::deny_all()),
            origins: Ok(OriginPolicy::default()),
            config: Config::default(),
            interceptors: Vec::new(),
            outbound: Vec::new(),
            listeners: Vec::new(),
        }
    }

    /// Where to publish from anywhere.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.inner.broker
    }

    /// Who is connected.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// Who is asked who a client is, before the upgrade.
    #[must_use]
    pub fn authenticator(&self) -> &Arc<dyn Authenticator> {
        &self.inner.authenticator
    }

    /// Which origins may open connections.
    #[must_use]
    pub fn origins(&self) -> &OriginPolicy {
        &self.inner.origins
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Who may send and subscribe where, as a table to print or to compare in a test.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        Permissions::of(self.routes(), self.rules(), self.broker().prefixes())
    }

    /// The right to one more connection, or none when the endpoint is full or stopping.
    #[must_use]
    pub fn admit(&self) -> Option<Admission> {
        if self.is_stopping() {
            return None;
        }
        let permit = Arc::clone(&self.inner.connections).try_acquire_owned().ok()?;
        Some(Admission { _permit: permit })
    }

    /// Serves one upgraded connection to its end. `principal` is who the handshake authenticated.
    ///
    /// Spawn it: a connection must outlive the HTTP request that it came from.
    pub async fn serve(self, transport: Transport, principal: Principal, admission: Admission) {
        Driver::new(self, transport, principal).run().await;
        drop(admission);
    }

    /// Whether new clients should be sent here: what a readiness probe asks. Not any more once the endpoint
    /// [will stop](Self::begin_stop).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.inner.unready.load(Ordering::Acquire) && !self.is_stopping()
    }

    /// Says that a stop is near: readiness ends, and nothing else changes. Load balancers that probe it then send their
    /// clients elsewhere, before [`shutdown`](Self::shutdown) turns anyone away.
    pub fn begin_stop(&self) {
        self.inner.unready.store(true, Ordering::Release);
    }

    /// Whether [`shutdown`](Self::shutdown) was called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.inner.stopping.load(Ordering::Acquire)
    }

    /// Lets nobody in any more and ends every session: what was read is answered, receipts included, for as long as
    /// [`finish_timeout`](Config::finish_timeout) allows; then the connection closes with 1012 and a spread `retry-after`.
    /// Waits until all are gone, but not longer than `patience`. Returns whether all were gone by then.
    pub async fn shutdown(&self, patience: Duration) -> bool {
        self.inner.stopping.store(true, Ordering::Release);
        self.inner
            .registry
            .drain_all(|place, count| Closing::going_away(RECONNECT_SPREAD.mul_f64(share(place, count))));
        let all = permits(self.inner.config.max_connections);
        tokio::time::timeout(patience, self.inner.connections.acquire_many(all)).await.is_ok()
    }

    pub(crate) fn routes(&self) -> &Routes {
        &self.inner.routes
    }

    pub(crate) fn rules(&self) -> &dyn Authorize {
        &*self.inner.rules
    }

    pub(crate) fn interceptors(&self) -> &[Arc<dyn Interceptor>] {
        &self.inner.interceptors
    }

    /// Tells every listener in turn: those of the builder, then those of the routes.
    pub(crate) async fn announce(&self, session: &Session, event: LifecycleEvent) {
        announce(&self.inner.listeners, self.config().listener_timeout, session, event).await;
    }

    /// What pattern subscriptions must lie within.
    pub(crate) fn topic_pattern(&self) -> &Pattern {
        &self.inner.topic_pattern
    }
}

impl RealtimeBuilder {
    /// Says who a client is, from its handshake. Required: without it every handshake is refused.
    #[must_use]
    pub fn authenticate(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Publishes through this broker, which services of the application may hold already. Its prefixes are then the
    /// endpoint's. Default: a broker of its own with the prefixes of the settings.
    #[must_use]
    pub fn broker(mut self, broker: Broker) -> Self {
        self.broker = Some(broker);
        self
    }

    /// Says who may send and subscribe where. Default: nobody anywhere, but for mounted routes and one's own `/user/**`.
    #[must_use]
    pub fn authorize(mut self, rules: impl Authorize) -> Self {
        self.rules = Arc::new(rules);
        self
    }

    /// The exact origins (`https://app.example`) whose pages may open connections with a cookie.
    #[must_use]
    pub fn allowed_origins<O: AsRef<str>>(mut self, origins: impl IntoIterator<Item = O>) -> Self {
        self.origins = OriginPolicy::new(origins);
        self
    }

    /// The whole origin policy, where a list is not enough.
    #[must_use]
    pub fn origin_policy(mut self, origins: OriginPolicy) -> Self {
        self.origins = Ok(origins);
        self
    }

    /// The settings.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Looks at every SEND and SUBSCRIBE before rules and handlers do; several in the order in which they are added.
    #[must_use]
    pub fn intercept(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.push(Arc::new(interceptor));
        self
    }

    /// Looks at every message before it is delivered; several in the order in which they are added. They belong to the broker,
    /// whoever publishes.
    #[must_use]
    pub fn intercept_outbound(mut self, interceptor: impl OutboundInterceptor) -> Self {
        self.outbound.push(Arc::new(interceptor));
        self
    }

    /// Adds a listener to the events of every session. Where extractors are wanted, use
    /// [`Router::on_connected`](crate::app::Router::on_connected) and its like.
    #[must_use]
    pub fn listen(mut self, listener: impl LifecycleListener) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// The finished endpoint.
    ///
    /// # Errors
    /// Everything that is wrong with routes, rules and origins, so that it is found at start-up and never at the first
    /// message.
    pub fn build(self) -> Result<Realtime, BuildError> {
        let broker = self.broker.unwrap_or_else(|| Broker::new(self.config.prefixes.clone()));
        let prefixes = broker.prefixes();
        let mut errors = self.routes.check(prefixes);
        errors.extend(self.rules.errors(prefixes));
        if !errors.is_empty() {
            return Err(BuildError::Routes(errors));
        }
        if !self.outbound.is_empty() && !broker.intercept(self.outbound) {
            return Err(BuildError::Intercepted);
        }
        let mut listeners = self.listeners;
        for listener in self.routes.listeners() {
            let (listener, broker) = (Arc::clone(listener), broker.clone());
            listeners.push(Arc::new(RouteListener::new(listener, broker)));
        }
        let topic_pattern = format!("{}/**", prefixes.topic).parse().map_err(BuildError::Prefix)?;
        Ok(Realtime {
            inner: Arc::new(Inner {
                routes: self.routes,
                broker,
                registry: Registry::default(),
                authenticator: self.authenticator.unwrap_or_else(|| Arc::new(crate::auth::Nobody)),
                rules: self.rules,
                origins: self.origins?,
                connections: Arc::new(Semaphore::new(permits(self.config.max_connections) as usize)),
                config: self.config,
                topic_pattern,
                interceptors: self.interceptors,
                listeners,
                unready: AtomicBool::new(false),
                stopping: AtomicBool::new(false),
            }),
        })
    }
}

impl fmt::Debug for Realtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Realtime").field("sessions", &self.registry().session_count()).finish_non_exhaustive()
    }
}

impl fmt::Debug for RealtimeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealtimeBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
