//! Members of rooms: users, not tabs (rule 20).

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use parlor_stomp::Headers;

use crate::{
    app::{BoundHook, Handler, Hook, IntoOutcome, Mount, Part as Mounted, RouteError, Router},
    auth::{Principal, UserId},
    broker::Broker,
    destination::{Destination, Pattern},
    presence::{
        Alone, CountChanged, Joined, Left, PresenceLimits,
        desk::{Desk, Part, attach, change},
        events::context,
        occupant::Occupant,
        roll::{Changes, Connection},
        started::{Start, Started},
    },
    session::{Departure, Listening, Observer},
    telemetry,
};

/// How long a user may be away without leaving, unless set otherwise: longer than clients wait before they reconnect.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// How long after a start nobody is announced, unless set otherwise.
pub(super) const SETTLING: Duration = Duration::from_secs(10);

/// The members of every room: whoever listens to a destination that the pattern matches, by a subscription or an event stream.
///
/// A user with any number of tabs is one member. *Joined* is told once, when the first subscription is registered; *left* once,
/// when the last one has been gone for the [grace](Self::grace). A reload, a second tab, a second device or a network blip
/// announces nothing. Anonymous sessions are no members, as nobody could know them again after a reload; a client's pattern
/// (`/topic/rooms/*`) makes nobody a member.
///
/// A handle: cheap to clone, and made before the router, so that it can be a part of the application's state. Mount its
/// listeners, or itself, on the router; once is enough.
///
/// ```
/// use std::time::Duration;
/// use parlor_core::{
///     Realtime,
///     app::{Router, Rules},
///     auth::{Anonymous, Principal},
///     broker::{Broker, PublishError},
///     presence::{Joined, Rooms},
///     testing::TestClient,
/// };
///
/// async fn joined(Joined { destination, .. }: Joined, user: Principal, broker: Broker) -> Result<(), PublishError> {
///     broker.publish(destination.as_str(), &format!("{user} joined")).await?;
///     Ok(())
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let rooms = Rooms::at("/topic/rooms/{room}").settling(Duration::ZERO);
/// let routes = Router::new().mount(rooms.on_joined(joined)).with_state(());
/// let realtime = Realtime::builder(routes)
///     .authenticate(Anonymous)
///     .authorize(Rules::deny_all().allow_subscribe("/topic/rooms/{room}"))
///     .build()?;
///
/// let ada = TestClient::connect(&realtime, "ada").await;
/// let heard = ada.subscribe("/topic/rooms/7").await;
/// heard.expect_json("ada joined").await;
/// let second_tab = TestClient::connect(&realtime, "ada").await;
/// let _also = second_tab.subscribe("/topic/rooms/7").await;
/// heard.assert_silent().await;
/// assert_eq!(rooms.members(&"/topic/rooms/7".parse()?), ["ada".parse()?]);
/// # Ok(()) }) }
/// ```
#[derive(Clone)]
pub struct Rooms {
    inner: Arc<Inner>,
}

struct Inner {
    me: Weak<Self>,
    pattern: Result<Pattern, RouteError>,
    desk: Desk<Destination, Occupant>,
    times: Mutex<Times>,
    /// Who was told to have joined, in which room.
    told: Mutex<HashMap<Destination, Room>>,
    hooks: Mutex<Hooks>,
    started: Start,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    grace: Duration,
    settling: Duration,
}

#[derive(Debug, Default)]
struct Room {
    members: HashMap<UserId, Principal>,
    count_told: usize,
}

#[derive(Clone, Default)]
struct Hooks {
    joined: Vec<BoundHook<Joined>>,
    left: Vec<BoundHook<Left>>,
    count: Vec<BoundHook<CountChanged>>,
}

/// Something to tell of a room.
enum News {
    Joined(Principal, UserId),
    Left(Principal, UserId, Departure),
    Count(usize),
}

impl Rooms {
    /// The rooms whose destinations `pattern` matches; each destination is a room. What is wrong with the pattern is reported
    /// when the endpoint is built.
    #[must_use]
    pub fn at(pattern: &str) -> Self {
        let limits = PresenceLimits::default();
        let pattern = pattern.parse().map_err(|error| RouteError::pattern(pattern, error));
        let inner = Arc::new_cyclic(|me| Inner {
            me: Weak::clone(me),
            pattern,
            desk: Desk::new(Arc::new(Alone::default()), limits.bounds_of_all(), Duration::ZERO),
            times: Mutex::new(Times { grace: GRACE, settling: SETTLING }),
            told: Mutex::default(),
            hooks: Mutex::default(),
            started: Start::new(),
        });
        attach(&inner);
        Self { inner }
    }

    /// How long a user may be away without leaving, default 10 s. None of it is given after a log-out, a ban or the end of a
    /// token, see [`Departure::is_for_good`].
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        self.inner.times.lock().grace = grace;
        self
    }

    /// How long after the endpoint was built *joined* and *left* are not announced, default 10 s: so that a restart, after which
    /// everyone comes back, is not a storm of them (rule 17). Members count from the beginning. Tests set it to zero.
    #[must_use]
    pub fn settling(self, settling: Duration) -> Self {
        self.inner.times.lock().settling = settling;
        self
    }

    /// Sets the bounds.
    #[must_use]
    pub fn limits(self, limits: PresenceLimits) -> Self {
        self.inner.desk.ask(|roll, _| roll.set_bounds(limits.bounds_of_all()));
        self
    }

    /// Calls `listener` when a user joined a room; mount what is returned. Its arguments are extractors: [`Joined`],
    /// `Path`, `Destination`, `Principal`, `State`, `Broker`; what it returns is sent, as from a handler.
    ///
    /// Listeners of a room are called one after another, in the order in which users come and go, each for at most
    /// [`listener_timeout`](crate::Config::listener_timeout); rooms do not wait for each other. Who leaves and comes back while
    /// listeners are behind is not told.
    #[must_use = "mount it on the router"]
    pub fn on_joined<S, H, T>(&self, listener: H) -> RoomListener<S>
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<S, Joined, T, Output: IntoOutcome<Joined> + Send>,
    {
        RoomListener::new(self, listener, |hooks| &mut hooks.joined)
    }

    /// Calls `listener` when a user left a room; as [`on_joined`](Self::on_joined), with [`Left`], and its reason as a
    /// [`Departure`].
    #[must_use = "mount it on the router"]
    pub fn on_left<S, H, T>(&self, listener: H) -> RoomListener<S>
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<S, Left, T, Output: IntoOutcome<Left> + Send>,
    {
        RoomListener::new(self, listener, |hooks| &mut hooks.left)
    }

    /// Calls `listener` when a room has more or fewer members than before, during the settling time too; as
    /// [`on_joined`](Self::on_joined), with [`CountChanged`].
    #[must_use = "mount it on the router"]
    pub fn on_count_changed<S, H, T>(&self, listener: H) -> RoomListener<S>
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<S, CountChanged, T, Output: IntoOutcome<CountChanged> + Send>,
    {
        RoomListener::new(self, listener, |hooks| &mut hooks.count)
    }

    /// The members of a room, in the order of their ids; those too whose grace is running.
    #[must_use]
    pub fn members(&self, room: &Destination) -> Vec<UserId> {
        self.inner.desk.ask(|roll, now| roll.fold().users(room, now).cloned().collect())
    }

    /// How many members a room has.
    #[must_use]
    pub fn count(&self, room: &Destination) -> usize {
        self.inner.desk.ask(|roll, now| roll.fold().users(room, now).count())
    }

    /// Whether a user is a member of a room.
    #[must_use]
    pub fn contains(&self, room: &Destination, user: &UserId) -> bool {
        self.inner.desk.ask(|roll, now| roll.fold().is_present(room, user, now))
    }

    /// Every room that has members, with their number, in the order of the destinations: what a lobby shows first. Looks at
    /// all members.
    #[must_use]
    pub fn counts(&self) -> Vec<(Destination, usize)> {
        let mut counts: Vec<_> = self.inner.desk.ask(|roll, now| {
            let rooms = roll.fold().places().map(|room| (room.clone(), roll.fold().users(room, now).count()));
            rooms.filter(|(_, count)| *count > 0).collect()
        });
        counts.sort();
        counts
    }

    /// Ends the graces of a user, for whom nobody needs to wait any more: who logged out while the connection was lost, say.
    /// Returns how many rooms the user left. Sessions that are connected are not touched;
    /// [`Registry::disconnect_user`](crate::session::Registry::disconnect_user) ends those.
    pub fn dismiss(&self, user: &UserId) -> usize {
        change(&self.inner, |roll, now| {
            let rooms = roll.leaving_of(user);
            rooms.iter().filter(|room| roll.let_go(room, user, |was| was.departs(Departure::Dismissed), now)).count()
        })
    }

    /// Whether nothing is known of anyone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.desk.ask(|roll, _| roll.is_empty()) && self.inner.told.lock().is_empty()
    }
}

impl Inner {
    /// What is new about these users of a room. It is told from now on.
    fn news(&self, room: &Destination, changes: Changes<Occupant>, started: &Started) -> Vec<News> {
        let settled = started.at.after(self.times.lock().settling);
        let mut news = Vec::new();
        self.desk.ask(|roll, now| {
            let is_settled = now >= settled;
            let mut told = self.told.lock();
            let known = told.entry(room.clone()).or_default();
            for (user, ended) in changes {
                let there = roll.fold().entries(room, &user, now).next();
                match there {
                    Some(there) if !known.members.contains_key(&user) => {
                        known.members.insert(user.clone(), there.principal.clone());
                        news.extend(is_settled.then(|| News::Joined(there.principal.clone(), user)));
                    }
                    None => {
                        let Some(principal) = known.members.remove(&user) else { continue };
                        let reason = ended.map_or(Departure::Dismissed, Occupant::departure);
                        news.extend(is_settled.then(|| News::Left(principal, user, reason)));
                    }
                    Some(_) => {}
                }
            }
            let count = known.members.len();
            if std::mem::replace(&mut known.count_told, count) != count {
                news.push(News::Count(count));
            }
            if count == 0 {
                told.remove(room);
            }
        });
        news
    }
}

impl Part for Inner {
    type Place = Destination;
    type Data = Occupant;

    fn desk(&self) -> &Desk<Destination, Occupant> {
        &self.desk
    }

    async fn tell(self: Arc<Self>, room: Destination, changes: Changes<Occupant>) {
        let (Some(started), Ok(pattern)) = (self.started.get(), &self.pattern) else { return };
        let news = self.news(&room, changes, started);
        let hooks = self.hooks.lock().clone();
        let params = pattern.captures(&room).unwrap_or_default();
        let of = |principal: &Principal| (principal.clone(), params.clone(), room.clone());
        for news in news {
            match news {
                News::Joined(principal, user) => {
                    let (principal, params, destination) = of(&principal);
                    let event = Joined { user, destination, headers: Headers::default() };
                    let context = context(&principal, &started.broker, params, event);
                    started.announce(&hooks.joined, "joined", context).await;
                }
                News::Left(principal, user, reason) => {
                    let (principal, params, destination) = of(&principal);
                    let event = Left { user, destination, reason, headers: Headers::default() };
                    let context = context(&principal, &started.broker, params, event);
                    started.announce(&hooks.left, "left", context).await;
                }
                News::Count(count) => {
                    let (principal, params, destination) = of(&Principal::anonymous());
                    let event = CountChanged { destination, count, headers: Headers::default() };
                    let context = context(&principal, &started.broker, params, event);
                    started.announce(&hooks.count, "count-changed", context).await;
                }
            }
        }
    }
}

impl Observer for Inner {
    fn listens(&self, listening: &Listening) {
        let (Some(me), Ok(pattern)) = (self.me.upgrade(), &self.pattern) else { return };
        let principal = listening.session.principal();
        let Some(user) = principal.id().filter(|_| pattern.matches(&listening.destination)) else { return };
        let connection = Connection { session: listening.session.id(), number: listening.key };
        let enters = || Occupant::new(principal.clone());
        let entered = change(&me, |roll, now| {
            roll.open(connection, &listening.destination, user, enters, |was| *was = enters(), now)
        });
        if entered.is_err() {
            telemetry::presence_full("rooms");
        }
    }

    fn stopped(&self, listening: &Listening, departure: &Departure) {
        let (Some(me), Ok(pattern)) = (self.me.upgrade(), &self.pattern) else { return };
        let principal = listening.session.principal();
        let Some(user) = principal.id() else { return };
        if !pattern.matches(&listening.destination) {
            return;
        }
        let connection = Connection { session: listening.session.id(), number: listening.key };
        let grace = if departure.is_for_good() { Duration::ZERO } else { self.times.lock().grace };
        change(&me, |roll, now| {
            let closes = |was: &mut Occupant, left: &[Connection]| {
                if left.is_empty() {
                    was.departs(departure.clone());
                }
                false
            };
            roll.close(connection, &listening.destination, user, grace, closes, now);
        });
    }
}

impl Mounted for Inner {
    fn start(&self, broker: &Broker, limit: Duration) {
        // The first endpoint that it is mounted on counts.
        let _ = self.started.set(Started::new(broker, limit, self.desk.now()));
    }

    fn watched(&self) -> Vec<(&'static str, String)> {
        self.pattern.iter().map(|pattern| ("the pattern of rooms", pattern.to_string())).collect()
    }
}

impl<S: Clone + Send + Sync + 'static> Mount<S> for Rooms {
    fn mount(self, router: &mut Router<S>) {
        match &self.inner.pattern {
            Ok(_) => router.add_part(self.inner),
            Err(error) => router.add_error(error.clone()),
        }
    }
}

/// A listener of [`Rooms`], to be mounted.
///
/// ```
/// use parlor_core::{app::Router, presence::{Joined, RoomListener, Rooms}};
///
/// async fn joined(event: Joined) {
///     println!("{} joined", event.user);
/// }
///
/// let listener: RoomListener<()> = Rooms::at("/topic/rooms/{room}").on_joined(joined);
/// let router: Router<()> = Router::new().mount(listener);
/// # let _ = router;
/// ```
pub struct RoomListener<S> {
    rooms: Rooms,
    bind: Box<dyn FnOnce(&S) + Send>,
    error: Option<RouteError>,
}

impl<S: Clone + Send + Sync + 'static> RoomListener<S> {
    fn new<K, H, T>(rooms: &Rooms, listener: H, of: fn(&mut Hooks) -> &mut Vec<BoundHook<K>>) -> Self
    where
        K: Send + Sync + 'static,
        H: Handler<S, K, T, Output: IntoOutcome<K> + Send>,
    {
        let hook = Hook::<S, K>::new(listener);
        let pattern = rooms.inner.pattern.as_ref().ok();
        let error = pattern.and_then(|pattern| {
            let error = hook.check_pattern(pattern).err()?;
            Some(RouteError::Capture { route: pattern.to_string(), error })
        });
        let inner = Arc::clone(&rooms.inner);
        let bind = Box::new(move |state: &S| of(&mut inner.hooks.lock()).push(hook.bind(state.clone())));
        Self { rooms: rooms.clone(), bind, error }
    }
}

impl<S: Clone + Send + Sync + 'static> Mount<S> for RoomListener<S> {
    fn mount(self, router: &mut Router<S>) {
        if let Some(error) = self.error {
            router.add_error(error);
        }
        router.add_bind(self.bind);
        self.rooms.mount(router);
    }
}

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rooms").field("pattern", &self.inner.pattern).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for RoomListener<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomListener").field("rooms", &self.rooms).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "rooms_tests.rs"]
mod tests;
