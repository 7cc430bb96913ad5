//! Puts an endpoint together, and finds what is wrong with it at start-up.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
};

use parking_lot::Mutex;
use parlor_stomp::ServerConfig;

use crate::{
    app::{Authorize, Interceptor, RouteListener, Routes, Rules, Snapshot},
    auth::{Authenticator, Judge, OriginError, OriginPolicy},
    broker::{Broker, DeliveryRules, HeldLimits, OutboundInterceptor, Overflow, QueueSettings},
    config::{Config, Profile},
    destination::{Class, Destination, Prefixes, UserPath},
    endpoint::Endpoint,
    history::Retain,
    limits::{Gate, Repeats},
    notifications::Notifications,
    realtime::{BuildError, Realtime},
    session::{LifecycleListener, Observer, Registry},
};

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
    snapshots: Vec<(String, Arc<dyn Snapshot>)>,
    listeners: Vec<Arc<dyn LifecycleListener>>,
    delivery: DeliveryRules,
    shows_users: bool,
}

impl RealtimeBuilder {
    pub(super) fn new(routes: Routes) -> Self {
        Self {
            routes,
            broker: None,
            authenticator: None,
            rules: Arc::new(Rules::deny_all()),
            origins: Ok(OriginPolicy::default()),
            config: Config::default(),
            interceptors: Vec::new(),
            outbound: Vec::new(),
            snapshots: Vec::new(),
            listeners: Vec::new(),
            delivery: DeliveryRules::default(),
            shows_users: true,
        }
    }

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

    /// Begins each subscription to `/user` + `path`, for example `/queue/notes`, with what `snapshot` says. One for each path: of
    /// several the first counts.
    #[must_use]
    pub fn snapshot(mut self, path: &str, snapshot: impl Snapshot) -> Self {
        self.snapshots.push((path.to_owned(), Arc::new(snapshot)));
        self
    }

    /// Begins each subscription to a user's notifications with what is unread.
    #[must_use]
    pub fn notifications(self, notifications: &Notifications) -> Self {
        self.snapshot(notifications.path().as_str(), notifications.clone())
    }

    /// Adds a listener to the events of every session. Where extractors are wanted, use
    /// [`Router::on_connected`](crate::app::Router::on_connected) and its like.
    #[must_use]
    pub fn listen(mut self, listener: impl LifecycleListener) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// How messages are delivered: what of them is kept, what happens where a client reads too slowly, and how long they may
    /// wait for their acknowledgement. They belong to the broker, whoever publishes. Default: nothing is kept, and a slow
    /// client is disconnected.
    ///
    /// ```
    /// use std::time::Duration;
    /// use parlor_core::{Realtime, app::Router, broker::{DeliveryRules, Overflow}, history::Retain};
    ///
    /// let rules = DeliveryRules::default()
    ///     .history("/topic/rooms/*/chat", Retain::last(500).within(Duration::from_secs(3600)))
    ///     .overflow("/topic/rooms/*/typing", Overflow::LatestOnly);
    /// let builder = Realtime::builder(Router::new().with_state(())).delivery(rules);
    /// # let _ = builder;
    /// ```
    #[must_use]
    pub fn delivery(mut self, rules: DeliveryRules) -> Self {
        self.delivery = rules;
        self
    }

    /// Keeps messages of the topics that `pattern` matches, so that clients can resume after a reconnect (rules 14 and 15); added
    /// to [`delivery`](Self::delivery). Default: nothing is kept.
    ///
    /// ```
    /// use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, history::Retain, testing::TestClient};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
    /// let realtime = Realtime::builder(Router::new().with_state(()))
    ///     .authenticate(Anonymous)
    ///     .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
    ///     .history("/topic/rooms/*/chat", Retain::last(500))
    ///     .build()?;
    ///
    /// let ada = TestClient::connect(&realtime, "ada").await;
    /// let chat = ada.subscribe("/topic/rooms/7/chat").await;
    /// realtime.broker().publish("/topic/rooms/7/chat", "first").await?;
    /// let position = chat.expect_json("first").await.position().unwrap_or_default().to_owned();
    /// ada.abort().await;
    /// realtime.broker().publish("/topic/rooms/7/chat", "missed").await?;
    ///
    /// let ada = TestClient::connect(&realtime, "ada").await;
    /// let chat = ada.subscribe("/topic/rooms/7/chat").resume_from(&position).await;
    /// assert_eq!(chat.recovered(), Some(true));
    /// chat.expect_json("missed").await;
    /// # Ok(()) }) }
    /// ```
    #[must_use]
    pub fn history(mut self, pattern: &str, retain: Retain) -> Self {
        self.delivery = self.delivery.history(pattern, retain);
        self
    }

    /// Says what happens to messages of the destinations that `pattern` matches where a client reads too slowly; added to
    /// [`delivery`](Self::delivery).
    #[must_use]
    pub fn overflow(mut self, pattern: &str, overflow: Overflow) -> Self {
        self.delivery = self.delivery.overflow(pattern, overflow);
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
        if let Some((first, second)) = prefixes.overlapping() {
            return Err(BuildError::OverlappingPrefixes { first: first.clone(), second: second.clone() });
        }
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
        if !self.delivery.is_empty() && !broker.declare(self.delivery).map_err(BuildError::Delivery)? {
            return Err(BuildError::DeliveryDeclared);
        }
        let snapshots = snapshots(self.snapshots, prefixes)?;
        broker.set_queues(QueueSettings {
            queues: self.config.queues,
            acknowledgements: self.config.acknowledgements,
            max_queues: self.config.max_queues,
            max_bytes: self.config.max_queued_bytes,
        });
        broker.set_outbox(&self.config.outbox);
        broker.set_held(HeldLimits {
            max_messages: self.config.max_held_messages,
            max_bytes: self.config.max_held_bytes,
        });
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
        let below_queue = |name| format!("{}/{name}", prefixes.queue).parse().map_err(BuildError::QueuePrefix);
        let (replies, errors, notices) = (below_queue("replies")?, below_queue("errors")?, below_queue("session")?);
        let refresh = format!("{}/$refresh", prefixes.app).parse().map_err(BuildError::AppPrefix)?;
        let parts = self.routes.parts().to_vec();
        for part in &parts {
            part.start(&broker, self.config.listener_timeout);
        }
        let meters = broker.meters();
        self.routes.observe(meters);
        meters.destinations.declare(self.routes.destinations().chain(self.rules.destinations()));
        let gate =
            Gate::new(self.config.max_connections, self.config.connections.clone(), self.config.rates.user_frames);
        let judge = Judge::new(authenticator, self.config.authenticate_timeout);
        Ok(Realtime {
            origins: Arc::new(origins),
            gate: Arc::new(gate),
            unready: Arc::default(),
            shows_users: self.shows_users,
            endpoint: Arc::new(Endpoint {
                registry: Registry::new(
                    Arc::clone(meters),
                    parts.iter().map(|part| Arc::clone(part) as Arc<dyn Observer>).collect(),
                    self.config.max_last_seen,
                ),
                parts,
                routes: self.routes,
                rules: self.rules,
                repeats: Mutex::new(Repeats::new(self.config.repeats)),
                stomp: ServerConfig::default().limits(self.config.stomp.clone()).heart_beat(self.config.heart_beat),
                socket_rates: Arc::new(self.config.socket_rates()),
                config: self.config,
                broker,
                topic_pattern,
                replies,
                notices,
                refresh,
                judge,
                errors,
                snapshots,
                interceptors: self.interceptors,
                listeners,
                stopping: AtomicBool::new(false),
            }),
        })
    }
}

/// What subscriptions to `/user` + a path begin with.
type PathSnapshot = (Destination, Arc<dyn Snapshot>);

/// The snapshots by their paths, where each of them is a path behind `/user`.
fn snapshots(all: Vec<(String, Arc<dyn Snapshot>)>, prefixes: &Prefixes) -> Result<Vec<PathSnapshot>, BuildError> {
    let checked = |(path, snapshot): (String, Arc<dyn Snapshot>)| {
        let named: Result<Destination, _> = format!("{}{path}", prefixes.user).parse();
        match named.map(|named| prefixes.classify(&named)) {
            Ok(Class::User(UserPath::Own(path))) => Ok((path, snapshot)),
            _ => Err(BuildError::SnapshotPath(path)),
        }
    };
    all.into_iter().map(checked).collect()
}

impl fmt::Debug for RealtimeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealtimeBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
