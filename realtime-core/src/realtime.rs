//! A real-time endpoint put together: routes, broker, registry, authentication, rules and settings.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::HeaderMap;
use tracing::Instrument;

use crate::{
    app::{Authorize, Interceptor, Permissions, RouteError, RouteListener, Routes, Rules},
    auth::{Authenticator, OriginError, OriginPolicy, Principal, UserId},
    broker::{Broker, OutboundInterceptor},
    config::{Config, Profile},
    connection::{Closing, Driver, Transport},
    destination::{Pattern, PatternError},
    limits::{Admission, AdmissionError, Applicant, Gate},
    session::{LifecycleEvent, LifecycleListener, Registry, Session, announce},
    telemetry::{self, Meters, Stats},
};

/// When the server stops, clients are told to come back spread over this time, so that they do not come all at once.
pub(crate) const RECONNECT_SPREAD: Duration = Duration::from_secs(5);

/// What is wrong with an endpoint, found when it is built. One sentence for each fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Any page of the web may connect, and a cookie lets its user in: every page could act for every user.
    #[error(
        "any origin is allowed and the authenticator takes cookies, so every page of the web could act for every user; list the origins with .allowed_origins([…]), or take bearer tokens alone"
    )]
    AnyOriginWithCookies,
    /// The authenticator's settings are wrong.
    #[error("{0}")]
    Authenticator(Box<dyn std::error::Error + Send + Sync>),
    /// Another endpoint set the outbound interceptors of the same broker.
    #[error("the broker has outbound interceptors already; add them all where the first of its endpoints is built")]
    Intercepted,
    /// Nobody says who a client is.
    #[error(
        "nobody could connect, as nothing says who a client is; call .authenticate(…) with a JwtVerifier, with Anonymous to let everyone in, or with Nobody to mean it"
    )]
    NoAuthenticator,
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
    gate: Gate,
    unready: AtomicBool,
    stopping: AtomicBool,
    shows_users: bool,
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
    shows_users: bool,
}

impl Realtime {
    /// Begins with the routes of the application.
    ///
    /// An authenticator is required. Without further calls the rules deny everything, and no page may connect with a cookie.
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
            shows_users: true,
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

    /// A place for one more client, whose handshake is to be judged. `from` is where it comes from, by
    /// [`trusted_proxies`](Config::trusted_proxies); without it bounds by address do not apply.
    ///
    /// ```
    /// use parlor_core::{Realtime, app::Router, auth::{Anonymous, Handshake}};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
    /// # let (headers, uri) = (http::HeaderMap::new(), http::Uri::from_static("/ws"));
    /// let applicant = realtime.admit(Some("192.0.2.1".parse()?))?;
    /// let principal = applicant.authenticate(Handshake::new(&headers, &uri, None)).await?;
    /// let admission = applicant.for_principal(&principal)?;
    /// // The request is upgraded, and then: realtime.serve(transport, principal, admission).await
    /// # let _ = admission; Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run()).unwrap();
    /// ```
    ///
    /// # Errors
    /// The endpoint is full or stopping, or the client's address has too many connections or refused handshakes.
    pub fn admit(&self, from: Option<IpAddr>) -> Result<Applicant, AdmissionError> {
        if self.is_stopping() {
            return Err(AdmissionError::Full);
        }
        Applicant::enter(self, from)
    }

    /// Serves one upgraded connection to its end. `principal` is who the handshake authenticated.
    ///
    /// Spawn it: a connection must outlive the HTTP request that it came from.
    pub async fn serve(self, transport: Transport, principal: Principal, admission: Admission) {
        let user = principal.id().filter(|_| self.inner.shows_users).map(UserId::as_str);
        let span = telemetry::connection_span(user, transport.peer);
        let authenticator = Arc::clone(self.authenticator());
        let patience = self.config().authenticate_timeout;
        // In the registry from here on: whoever is logged out from now on is found there, and whoever was before is known.
        let driver = Driver::new(self, transport, principal.clone(), admission.user_frames());
        let is_still_good = tokio::time::timeout(patience, authenticator.is_still_good(&principal)).await;
        if !is_still_good.unwrap_or(false) {
            driver.stop(Closing::token_expired());
        }
        driver.run().instrument(span).await;
        drop(admission);
    }

    /// What was counted so far: by reason, by route and by pattern of the destination, never by destination or user.
    ///
    /// Looks at every connection once, for what waits there; call it every few seconds, not for each message.
    ///
    /// ```
    /// use parlor_core::{Realtime, app::Router, auth::Anonymous};
    ///
    /// # fn main() -> Result<(), parlor_core::BuildError> {
    /// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
    /// assert_eq!(realtime.stats().sessions.connected, 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.meters().stats(self.registry().outboxes())
    }

    /// Counts and logs a handshake that an adapter refused before the upgrade. `code` is that of the response; of `headers` the
    /// log shows the Origin alone.
    pub fn handshake_refused(&self, code: &'static str, headers: &HeaderMap, peer: Option<SocketAddr>) {
        self.meters().handshake_refused(code, headers, peer);
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
        tokio::time::timeout(patience, self.inner.gate.all_gone()).await.is_ok()
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    pub(crate) fn meters(&self) -> &Arc<Meters> {
        self.inner.broker.meters()
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
    /// Says who a client is, from its handshake. Required.
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

    /// Leaves users out of the spans and log lines of their connections, for where their ids are sensitive (an e-mail address
    /// say). Default: the id, never the name, stands in the span `connection`.
    #[must_use]
    pub fn hide_users_in_logs(mut self) -> Self {
        self.shows_users = false;
        self
    }

    /// The finished endpoint.
    ///
    /// # Errors
    /// Everything that is wrong with routes, rules, origins and the authenticator, so that it is found at start-up and never
    /// at the first message.
    pub fn build(mut self) -> Result<Realtime, BuildError> {
        let broker = self.broker.unwrap_or_else(|| Broker::new(self.config.prefixes.clone()));
        let prefixes = broker.prefixes();
        let mut errors = self.routes.check(prefixes);
        errors.extend(self.rules.errors(prefixes));
        if !errors.is_empty() {
            return Err(BuildError::Routes(errors));
        }
        let authenticator = self.authenticator.ok_or(BuildError::NoAuthenticator)?;
        authenticator.check().map_err(BuildError::Authenticator)?;
        let origins = self.origins?;
        if origins.allows_any() && authenticator.uses_cookies() {
            return Err(BuildError::AnyOriginWithCookies);
        }
        if origins.allows_none() && authenticator.uses_cookies() {
            tracing::warn!("no page can connect with its cookie, as no origin is allowed; call .allowed_origins([…])");
        }
        if !self.outbound.is_empty() && !broker.intercept(self.outbound) {
            return Err(BuildError::Intercepted);
        }
        let mut listeners = self.listeners;
        for listener in self.routes.listeners() {
            let (listener, broker) = (Arc::clone(listener), broker.clone());
            listeners.push(Arc::new(RouteListener::new(listener, broker)));
        }
        match self.config.profile() {
            Profile::Development => tracing::warn!(
                profile = "development",
                "no caps by network address, on anonymous clients or on rates: not for the open network"
            ),
            Profile::Production => tracing::info!(profile = "production", "all limits are on"),
        }
        let topic_pattern = format!("{}/**", prefixes.topic).parse().map_err(BuildError::Prefix)?;
        let meters = broker.meters();
        self.routes.observe(meters);
        meters.destinations.declare(self.routes.destinations().chain(self.rules.destinations()));
        Ok(Realtime {
            inner: Arc::new(Inner {
                routes: self.routes,
                registry: Registry::new(Arc::clone(meters)),
                authenticator,
                rules: self.rules,
                origins,
                gate: Gate::new(&self.config),
                config: self.config,
                broker,
                topic_pattern,
                interceptors: self.interceptors,
                listeners,
                unready: AtomicBool::new(false),
                stopping: AtomicBool::new(false),
                shows_users: self.shows_users,
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
