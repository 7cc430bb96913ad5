//! Users that are online: with a session or an event stream anywhere.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;

use crate::{
    app::{BoundHook, Handler, Hook, IntoOutcome, Mount, Part as Mounted, Router},
    auth::{Principal, UserId},
    broker::Broker,
    destination::Params,
    presence::{
        Alone, CameOnline, PresenceLimits, WentOffline,
        desk::{Desk, Part, attach, change},
        events::context,
        occupant::Occupant,
        roll::{Changes, Connection},
        rooms::{GRACE, SETTLING},
        started::{Start, Started},
    },
    session::{Departure, DisconnectReason, Observer, Session},
    telemetry,
};

/// Who is online: *online* is told with the first session or event stream of a user, *offline* once the last one has been gone
/// for the [grace](Self::grace). What [`Rooms`](super::Rooms) are to a destination this is to the whole endpoint; for the events
/// without a grace, of each session, there is [`Listener`](crate::app::Listener). Anonymous sessions are nobody.
///
/// ```
/// use std::time::Duration;
/// use parlor_core::{
///     Realtime,
///     app::Router,
///     auth::Anonymous,
///     presence::{CameOnline, Online, WentOffline},
///     testing::{TestClient, TestClock},
/// };
///
/// async fn came(CameOnline { user, .. }: CameOnline) { println!("{user} is online"); }
/// async fn went(WentOffline { user, .. }: WentOffline) { println!("{user} is offline"); }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let online = Online::new().grace(Duration::from_secs(10));
/// let routes = Router::new().mount(online.on_online(came)).mount(online.on_offline(went)).with_state(());
/// let realtime = Realtime::builder(routes).authenticate(Anonymous).build()?;
///
/// let ada = TestClient::connect(&realtime, "ada").await;
/// ada.abort().await;
/// assert!(online.is_online(&"ada".parse()?), "she may be back in a moment");
/// TestClock::pause().advance(Duration::from_secs(10)).await;
/// assert!(!online.is_online(&"ada".parse()?));
/// # Ok(()) }) }
/// ```
#[derive(Clone)]
pub struct Online {
    inner: Arc<Inner>,
}

struct Inner {
    me: Weak<Self>,
    /// Each user is a place of their own, so that none waits for the listeners of another.
    desk: Desk<UserId, Occupant>,
    grace: Mutex<Duration>,
    settling: Mutex<Duration>,
    told: Mutex<HashMap<UserId, Principal>>,
    hooks: Mutex<Hooks>,
    started: Start,
}

#[derive(Clone, Default)]
struct Hooks {
    online: Vec<BoundHook<CameOnline>>,
    offline: Vec<BoundHook<WentOffline>>,
}

/// Somebody came or went.
enum News {
    Came(Principal),
    Went(Principal, Departure),
}

impl Online {
    /// The users of the endpoint that it is mounted on.
    #[must_use]
    pub fn new() -> Self {
        let limits = PresenceLimits::default();
        let inner = Arc::new_cyclic(|me| Inner {
            me: Weak::clone(me),
            desk: Desk::new(Arc::new(Alone::default()), limits.bounds_of_all(), Duration::ZERO),
            grace: Mutex::new(GRACE),
            settling: Mutex::new(SETTLING),
            told: Mutex::default(),
            hooks: Mutex::default(),
            started: Start::new(),
        });
        attach(&inner);
        Self { inner }
    }

    /// How long a user may be away without going offline, default 10 s; none after a log-out, a ban or the end of a token.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        *self.inner.grace.lock() = grace;
        self
    }

    /// How long after the endpoint was built nothing is announced, default 10 s; see [`Rooms::settling`](super::Rooms::settling).
    #[must_use]
    pub fn settling(self, settling: Duration) -> Self {
        *self.inner.settling.lock() = settling;
        self
    }

    /// Sets the bounds.
    #[must_use]
    pub fn limits(self, limits: PresenceLimits) -> Self {
        self.inner.desk.ask(|roll, _| roll.set_bounds(limits.bounds_of_all()));
        self
    }

    /// Calls `listener` when a user is online; mount what is returned. Its arguments are extractors: [`CameOnline`],
    /// `Principal`, `State`, `Broker`; what it returns is sent, as from a handler. Listeners of one user are called one after
    /// another, each for at most [`listener_timeout`](crate::Config::listener_timeout).
    #[must_use = "mount it on the router"]
    pub fn on_online<S, H, T>(&self, listener: H) -> OnlineListener<S>
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<S, CameOnline, T, Output: IntoOutcome<CameOnline> + Send>,
    {
        OnlineListener::new(self, listener, |hooks| &mut hooks.online)
    }

    /// Calls `listener` when a user is offline; as [`on_online`](Self::on_online), with [`WentOffline`], and its reason as a
    /// [`Departure`].
    #[must_use = "mount it on the router"]
    pub fn on_offline<S, H, T>(&self, listener: H) -> OnlineListener<S>
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<S, WentOffline, T, Output: IntoOutcome<WentOffline> + Send>,
    {
        OnlineListener::new(self, listener, |hooks| &mut hooks.offline)
    }

    /// Whether a user is online, or away for no longer than the grace.
    #[must_use]
    pub fn is_online(&self, user: &UserId) -> bool {
        self.inner.desk.ask(|roll, now| roll.fold().is_present(user, user, now))
    }

    /// Who is online, in the order of their ids.
    #[must_use]
    pub fn users(&self) -> Vec<UserId> {
        let mut users: Vec<UserId> = self.inner.desk.ask(|roll, now| {
            roll.fold().places().filter(|user| roll.fold().is_present(user, user, now)).cloned().collect()
        });
        users.sort();
        users
    }

    /// How many users are online.
    #[must_use]
    pub fn count(&self) -> usize {
        self.users().len()
    }

    /// Ends the grace of a user who is not connected; false where none is running.
    pub fn dismiss(&self, user: &UserId) -> bool {
        change(&self.inner, |roll, now| roll.let_go(user, user, |was| was.departs(Departure::Dismissed), now))
    }

    /// Whether nothing is known of anyone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.desk.ask(|roll, _| roll.is_empty()) && self.inner.told.lock().is_empty()
    }
}

impl Default for Online {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn news(&self, user: &UserId, changes: Changes<Occupant>, started: &Started) -> Option<News> {
        let settled = started.at.after(*self.settling.lock());
        self.desk.ask(|roll, now| {
            let mut told = self.told.lock();
            let there = roll.fold().entries(user, user, now).next();
            let news = match there {
                Some(there) if !told.contains_key(user) => {
                    told.insert(user.clone(), there.principal.clone());
                    News::Came(there.principal.clone())
                }
                None => {
                    let principal = told.remove(user)?;
                    let ended = changes.into_values().flatten().next();
                    News::Went(principal, ended.map_or(Departure::Dismissed, Occupant::departure))
                }
                Some(_) => return None,
            };
            (now >= settled).then_some(news)
        })
    }
}

impl Part for Inner {
    type Place = UserId;
    type Data = Occupant;

    fn desk(&self) -> &Desk<UserId, Occupant> {
        &self.desk
    }

    async fn tell(self: Arc<Self>, user: UserId, changes: Changes<Occupant>) {
        let Some(started) = self.started.get() else { return };
        let hooks = self.hooks.lock().clone();
        match self.news(&user, changes, started) {
            Some(News::Came(principal)) => {
                let context = context(&principal, &started.broker, Params::default(), CameOnline { user });
                started.announce(&hooks.online, "online", context).await;
            }
            Some(News::Went(principal, reason)) => {
                let context = context(&principal, &started.broker, Params::default(), WentOffline { user, reason });
                started.announce(&hooks.offline, "offline", context).await;
            }
            None => {}
        }
    }
}

impl Observer for Inner {
    fn came(&self, session: &Session) {
        let principal = session.principal();
        let (Some(me), Some(user)) = (self.me.upgrade(), principal.id()) else { return };
        let connection = Connection { session: session.id(), number: 0 };
        let enters = || Occupant::new(principal.clone());
        let entered = change(&me, |roll, now| roll.open(connection, user, user, enters, |was| *was = enters(), now));
        if entered.is_err() {
            telemetry::presence_full("online");
        }
    }

    fn went(&self, session: &Session, reason: &DisconnectReason) {
        let principal = session.principal();
        let (Some(me), Some(user)) = (self.me.upgrade(), principal.id()) else { return };
        let connection = Connection { session: session.id(), number: 0 };
        let grace = if reason.is_for_good() { Duration::ZERO } else { *self.grace.lock() };
        change(&me, |roll, now| {
            let closes = |was: &mut Occupant, left: &[Connection]| {
                if left.is_empty() {
                    was.departs(Departure::Disconnected(reason.clone()));
                }
                false
            };
            roll.close(connection, user, user, grace, closes, now);
        });
    }
}

impl Mounted for Inner {
    fn start(&self, broker: &Broker, limit: Duration) {
        // The first endpoint that it is mounted on counts.
        let _ = self.started.set(Started::new(broker, limit, self.desk.now()));
    }
}

impl<S: Clone + Send + Sync + 'static> Mount<S> for Online {
    fn mount(self, router: &mut Router<S>) {
        router.add_part(self.inner);
    }
}

/// A listener of [`Online`], to be mounted.
///
/// ```
/// use parlor_core::{app::Router, presence::{CameOnline, Online, OnlineListener}};
///
/// async fn came(event: CameOnline) {
///     println!("{} is online", event.user);
/// }
///
/// let listener: OnlineListener<()> = Online::new().on_online(came);
/// let router: Router<()> = Router::new().mount(listener);
/// # let _ = router;
/// ```
pub struct OnlineListener<S> {
    online: Online,
    bind: Box<dyn FnOnce(&S) + Send>,
}

impl<S: Clone + Send + Sync + 'static> OnlineListener<S> {
    fn new<K, H, T>(online: &Online, listener: H, of: fn(&mut Hooks) -> &mut Vec<BoundHook<K>>) -> Self
    where
        K: Send + Sync + 'static,
        H: Handler<S, K, T, Output: IntoOutcome<K> + Send>,
    {
        let (hook, inner) = (Hook::<S, K>::new(listener), Arc::clone(&online.inner));
        let bind = Box::new(move |state: &S| of(&mut inner.hooks.lock()).push(hook.bind(state.clone())));
        Self { online: online.clone(), bind }
    }
}

impl<S: Clone + Send + Sync + 'static> Mount<S> for OnlineListener<S> {
    fn mount(self, router: &mut Router<S>) {
        router.add_bind(self.bind);
        self.online.mount(router);
    }
}

impl fmt::Debug for Online {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Online").field("told", &self.inner.told.lock().len()).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for OnlineListener<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnlineListener").field("online", &self.online).finish_non_exhaustive()
    }
}
