//! Presence: who is at a place, with a status, as a snapshot and diffs (rule 21).

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;

use crate::{
    app::{Mount, Part as Mounted, RouteError, Router},
    auth::UserId,
    broker::{Broker, Publication},
    destination::{Destination, Pattern},
    presence::{
        Alone, Member, PresenceError, PresenceLimits, Snapshot,
        desk::{Desk, Part, attach, change},
        group::{Groups, Told},
        present::Present,
        roll::{Changes, Connection, Roll},
        rooms::GRACE,
        source::Source,
        started::{Start, Started},
    },
    session::{Departure, DisconnectReason, Listening, Observer, Session},
    session_id::SessionId,
    telemetry,
};

/// How long changes of a place are collected before they are told: what a person takes for at once, and one message for all who
/// come with the same reload of a server.
const BATCH: Duration = Duration::from_millis(50);

/// Who is at the places that a pattern matches, each user once with a typed status, and what the user's sessions say of
/// themselves.
///
/// Each place is a topic. Whoever subscribes to it, over WebSocket or as an event stream, gets a snapshot first, and then diffs,
/// batched for 50 ms; `docs/presence.md` has their form. Who may is asked of the rules, as for every topic.
///
/// By default its subscribers are those who are present; [`of`](Self::of) takes those of another destination, and
/// [`track`](Self::track) anyone. A user's tabs are one member; whoever comes has the status given to [`at`](Self::at), and is
/// gone when the last tab has been gone for the [grace](Self::grace). A status [set by hand](Self::update) stays until then,
/// whatever tabs come and go. Anonymous sessions are not present.
///
/// A handle: cheap to clone, and made before the router, so that it can be a part of the application's state. Mount it.
///
/// ```
/// use parlor_core::{
///     Realtime,
///     app::{Rejection, Route, Router, Rules},
///     auth::{Anonymous, Principal},
///     extract::{Payload, State},
///     presence::Presence,
///     testing::TestClient,
/// };
/// use serde::{Deserialize, Serialize};
/// use serde_json::{Value, json};
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// #[serde(rename_all = "UPPERCASE")]
/// enum Status { Studying, Break, Away, Offline }
///
/// /// SEND to /app/status: the same for all rooms that the user is in.
/// async fn status(user: Principal, State(presence): State<Presence<Status>>, Payload(status): Payload<Status>) -> Result<(), Rejection> {
///     if let Some(user) = user.id() {
///         presence.update_everywhere(user, &status)?;
///     }
///     Ok(())
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let presence = Presence::at("/topic/rooms/{room}/presence", Status::Studying).leaving(Status::Offline);
/// let routes = Router::new()
///     .mount(presence.clone())
///     .mount(Route::message("/app/status", status))
///     .with_state(presence);
/// let realtime = Realtime::builder(routes)
///     .authenticate(Anonymous)
///     .authorize(Rules::deny_all().allow_subscribe("/topic/rooms/{room}/presence"))
///     .build()?;
///
/// let ada = TestClient::connect(&realtime, "ada").await;
/// let room = ada.subscribe("/topic/rooms/7/presence").await;
/// assert_eq!(room.expect::<Value>().await["type"], "snapshot");
/// assert_eq!(room.expect::<Value>().await["joined"][0]["status"], "STUDYING");
/// ada.send("/app/status", &Status::Break).await;
/// assert_eq!(room.expect::<Value>().await["updated"], json!([{ "user": "ada", "status": "BREAK", "metas": [] }]));
/// # Ok(()) }) }
/// ```
pub struct Presence<S> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    me: Weak<Self>,
    pattern: Result<Pattern, RouteError>,
    initial: S,
    settings: Mutex<Settings<S>>,
    desk: Desk<Destination, Present<S>>,
    told: Mutex<Groups<Destination, S>>,
    /// At which places a session is tracked. Locked before the desk.
    tracked: Mutex<HashMap<SessionId, HashSet<Destination>>>,
    started: Start,
}

struct Settings<S> {
    grace: Duration,
    gone: Option<S>,
    source: Source,
    limits: PresenceLimits,
}

impl<S> Presence<S>
where
    S: Clone + PartialEq + Serialize + Send + Sync + 'static,
{
    /// Presence at the topics that `pattern` matches, where whoever comes has the status `entering`. What is wrong with the
    /// pattern is reported when the endpoint is built.
    #[must_use]
    pub fn at(pattern: &str, entering: S) -> Self {
        let limits = PresenceLimits::default();
        let pattern = pattern.parse().map_err(|error| RouteError::pattern(pattern, error));
        let inner = Arc::new_cyclic(|me| Inner {
            me: Weak::clone(me),
            pattern,
            initial: entering,
            settings: Mutex::new(Settings { grace: GRACE, gone: None, source: Source::Subscribers, limits }),
            desk: Desk::new(Arc::new(Alone::default()), limits.bounds(), BATCH),
            told: Mutex::default(),
            tracked: Mutex::default(),
            started: Start::new(),
        });
        attach(&inner);
        Self { inner }
    }

    /// Those are present who listen to a destination that `pattern` matches, a room's chat say. What its placeholders capture
    /// goes into those of the same name of [`at`](Self::at). Default: those who listen to the place itself.
    #[must_use]
    pub fn of(self, pattern: &str) -> Self {
        // Where the places are no pattern, that is what is wrong.
        if let Ok(places) = &self.inner.pattern {
            self.inner.settings.lock().source = Source::others(pattern, places).unwrap_or_else(Source::Wrong);
        }
        self
    }

    /// Nobody is present by listening: those alone whom the application [tracks](Self::track).
    #[must_use]
    pub fn tracked_only(self) -> Self {
        self.inner.settings.lock().source = Source::Nobody;
        self
    }

    /// What a diff shows as the status of who left, offline say. Default: nothing.
    #[must_use]
    pub fn leaving(self, status: S) -> Self {
        self.inner.settings.lock().gone = Some(status);
        self
    }

    /// How long a user may be away before leaving, default 10 s. None of it is given after a log-out, a ban or the end of a
    /// token, see [`Departure::is_for_good`].
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        self.inner.settings.lock().grace = grace;
        self
    }

    /// Sets the bounds.
    #[must_use]
    pub fn limits(self, limits: PresenceLimits) -> Self {
        self.inner.settings.lock().limits = limits;
        self.inner.desk.ask(|roll, _| roll.set_bounds(limits.bounds()));
        self
    }

    /// Makes a session's user present at a place until the session ends or is [untracked](Self::untrack), whatever it listens to,
    /// and says `meta` of the session, which may be `()`. Tracked again, it says something else.
    ///
    /// # Errors
    /// The place is none of these, the session is anonymous or over, there is no room, or `meta` is too large.
    pub fn track(&self, place: &Destination, session: &Session, meta: &impl Serialize) -> Result<(), PresenceError> {
        let inner = &self.inner;
        let principal = session.principal();
        let user = principal.id().ok_or(PresenceError::Anonymous)?;
        if !inner.pattern.as_ref().is_ok_and(|pattern| pattern.matches(place)) {
            return Err(PresenceError::NotAPlace);
        }
        let meta = self.checked(meta)?;
        let limit = inner.settings.lock().limits.max_tracked_per_session;
        let mut tracked = inner.tracked.lock();
        // Under the lock: whoever ends the session sees it in the table, or it is seen here that it has ended.
        if session.disconnect_reason().is_some() {
            return Err(PresenceError::Ended);
        }
        let places = tracked.get(&session.id());
        if places.is_some_and(|places| places.len() >= limit && !places.contains(place)) || limit == 0 {
            return Err(PresenceError::TooManyPlaces { limit });
        }
        change(inner, |roll, now| {
            let enters = || Present::new(&principal, inner.initial.clone(), now);
            roll.open(tracked_by(session), place, user, enters, Present::returns, now)
                .map_err(|_| PresenceError::Full)?;
            if !meta.is_null() {
                roll.change(place, user, |was| was.set_meta(session.id(), meta), now);
            }
            Ok::<_, PresenceError>(())
        })?;
        tracked.entry(session.id()).or_default().insert(place.clone());
        Ok(())
    }

    /// Ends what [`track`](Self::track) began; false where it did not. Where it was all that made the user present, the user is
    /// gone at once.
    pub fn untrack(&self, place: &Destination, session: &Session) -> bool {
        let mut tracked = self.inner.tracked.lock();
        let Some(places) = tracked.get_mut(&session.id()) else { return false };
        let was_there = places.remove(place);
        if places.is_empty() {
            tracked.remove(&session.id());
        }
        if was_there {
            self.inner.close(tracked_by(session), place, session, Duration::ZERO);
        }
        was_there
    }

    /// Says something else of a session whose user is present; `()` for nothing any more.
    ///
    /// # Errors
    /// The user is not there, or `meta` is too large.
    pub fn describe(&self, place: &Destination, session: &Session, meta: &impl Serialize) -> Result<(), PresenceError> {
        let principal = session.principal();
        let user = principal.id().ok_or(PresenceError::Anonymous)?;
        let meta = self.checked(meta)?;
        if session.disconnect_reason().is_some() {
            return Err(PresenceError::Ended);
        }
        let id = session.id();
        let changed = change(&self.inner, |roll, now| {
            let says = |was: &mut Present<S>| {
                if meta.is_null() {
                    was.forget(id);
                } else {
                    was.set_meta(id, meta);
                }
            };
            roll.connections(place, user).iter().any(|connection| connection.session == id)
                && roll.change(place, user, says, now)
        });
        if changed { Ok(()) } else { Err(PresenceError::NotPresent) }
    }

    /// Sets a user's status at a place by hand: it stays until the user left, also when other tabs come.
    ///
    /// # Errors
    /// The user is not there, or the status is too large.
    pub fn update(&self, place: &Destination, user: &UserId, status: &S) -> Result<(), PresenceError> {
        self.checked(status)?;
        let set = |was: &mut Present<S>, now| was.set_status(status.clone(), now);
        let changed = change(&self.inner, |roll, now| roll.change(place, user, |was| set(was, now), now));
        if changed { Ok(()) } else { Err(PresenceError::NotPresent) }
    }

    /// Sets a user's status by hand at every place where the user is; at how many. Looks at all places.
    ///
    /// # Errors
    /// The status is too large.
    pub fn update_everywhere(&self, user: &UserId, status: &S) -> Result<usize, PresenceError> {
        self.checked(status)?;
        Ok(change(&self.inner, |roll, now| {
            let places = roll.places_of(user);
            let changed =
                places.iter().filter(|place| roll.change(place, user, |was| was.set_status(status.clone(), now), now));
            changed.count()
        }))
    }

    /// Who is at a place now. What subscribers have been told may be 50 ms behind.
    #[must_use]
    pub fn snapshot(&self, place: &Destination) -> Snapshot<S> {
        let inner = &self.inner;
        inner.desk.ask(|roll, now| {
            let users = roll.fold().users(place, now);
            let members = users.filter_map(|user| Present::merged(user, roll.fold().entries(place, user, now)));
            Snapshot { members: members.collect(), version: inner.told.lock().snapshot(place).version }
        })
    }

    /// A user at a place; none who is not there.
    #[must_use]
    pub fn member(&self, place: &Destination, user: &UserId) -> Option<Member<S>> {
        self.inner.desk.ask(|roll, now| Present::merged(user, roll.fold().entries(place, user, now)))
    }

    /// Ends the graces of a user, for whom nobody needs to wait any more, as [`Rooms::dismiss`](super::Rooms::dismiss); at how
    /// many places.
    pub fn dismiss(&self, user: &UserId) -> usize {
        change(&self.inner, |roll, now| {
            let places = roll.leaving_of(user);
            places.iter().filter(|place| roll.let_go(place, user, |_| {}, now)).count()
        })
    }

    /// Whether nothing is known of anyone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let inner = &self.inner;
        inner.desk.ask(|roll, _| roll.is_empty()) && inner.told.lock().is_empty() && inner.tracked.lock().is_empty()
    }

    /// The value as JSON, where it is small enough.
    fn checked(&self, value: &impl Serialize) -> Result<Value, PresenceError> {
        let limit = self.inner.settings.lock().limits.max_meta_bytes;
        let octets = serde_json::to_vec(value)?.len();
        if octets > limit {
            return Err(PresenceError::TooLarge { octets, limit });
        }
        Ok(serde_json::to_value(value)?)
    }
}

impl<S> Inner<S>
where
    S: Clone + PartialEq + Serialize + Send + Sync + 'static,
{
    /// Where someone is who listens to `destination`.
    fn place_of(&self, destination: &Destination) -> Option<Destination> {
        self.settings.lock().source.place_of(destination, self.pattern.as_ref().ok()?)
    }

    fn close(&self, connection: Connection, place: &Destination, session: &Session, grace: Duration) {
        let principal = session.principal();
        let (Some(me), Some(user)) = (self.me.upgrade(), principal.id()) else { return };
        let closes = |was: &mut Present<S>, left: &[Connection]| {
            // What the last one said is shown until the grace is over.
            let over = !left.is_empty() && left.iter().all(|other| other.session != connection.session);
            over && was.forget(connection.session)
        };
        change(&me, |roll, now| roll.close(connection, place, user, grace, closes, now));
    }

    fn grace_of(&self, is_for_good: bool) -> Duration {
        if is_for_good { Duration::ZERO } else { self.settings.lock().grace }
    }

    /// What is to be told of these users.
    fn diff(&self, place: &Destination, changes: Changes<Present<S>>) -> Option<Told<S>> {
        let gone = self.settings.lock().gone.clone();
        self.desk.ask(|roll: &mut Roll<Destination, Present<S>>, now| {
            let users = changes.into_keys().map(|user| {
                let member = Present::merged(&user, roll.fold().entries(place, &user, now));
                (user, member)
            });
            self.told.lock().advance(place, users, gone.as_ref())
        })
    }
}

impl<S> Part for Inner<S>
where
    S: Clone + PartialEq + Serialize + Send + Sync + 'static,
{
    type Place = Destination;
    type Data = Present<S>;

    fn desk(&self) -> &Desk<Destination, Present<S>> {
        &self.desk
    }

    async fn tell(self: Arc<Self>, place: Destination, changes: Changes<Present<S>>) {
        let Some(Started { broker, .. }) = self.started.get() else { return };
        let Some(diff) = self.diff(&place, changes) else { return };
        let published = match Publication::json(&diff) {
            Ok(publication) => {
                broker.publish_message(place, publication).await.map(drop).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = published {
            telemetry::application_failed("a diff of presence could not be published", &error);
        }
    }
}

impl<S> Observer for Inner<S>
where
    S: Clone + PartialEq + Serialize + Send + Sync + 'static,
{
    fn listens(&self, Listening { key, session, destination }: &Listening) {
        let principal = session.principal();
        let (Some(me), Some(user)) = (self.me.upgrade(), principal.id()) else { return };
        let Some(place) = self.place_of(destination) else { return };
        let connection = Connection { session: session.id(), number: *key };
        let entered = change(&me, |roll, now| {
            let enters = || Present::new(&principal, self.initial.clone(), now);
            roll.open(connection, &place, user, enters, Present::returns, now)
        });
        if entered.is_err() {
            telemetry::presence_full("presence");
        }
    }

    fn stopped(&self, Listening { key, session, destination }: &Listening, departure: &Departure) {
        let Some(place) = self.place_of(destination) else { return };
        let connection = Connection { session: session.id(), number: *key };
        self.close(connection, &place, session, self.grace_of(departure.is_for_good()));
    }

    fn went(&self, session: &Session, reason: &DisconnectReason) {
        let places = self.tracked.lock().remove(&session.id());
        for place in places.into_iter().flatten() {
            self.close(tracked_by(session), &place, session, self.grace_of(reason.is_for_good()));
        }
    }
}

impl<S> Mounted for Inner<S>
where
    S: Clone + PartialEq + Serialize + Send + Sync + 'static,
{
    fn start(&self, broker: &Broker, limit: Duration) {
        // The first endpoint that it is mounted on counts.
        let _ = self.started.set(Started::new(broker, limit, self.desk.now()));
    }

    fn watched(&self) -> Vec<(&'static str, String)> {
        let places = self.pattern.iter().map(|pattern| ("the pattern of presence", pattern.to_string()));
        let others = match &self.settings.lock().source {
            Source::Others(pattern, _) => Some(("the pattern of those who are present", pattern.to_string())),
            _ => None,
        };
        places.chain(others).collect()
    }

    fn greets(&self, destination: &Destination) -> bool {
        self.pattern.as_ref().is_ok_and(|pattern| pattern.matches(destination))
    }

    fn greeting(&self, destination: &Destination) -> Option<Publication> {
        if !self.greets(destination) {
            return None;
        }
        let snapshot = Told::Snapshot(self.told.lock().snapshot(destination));
        Publication::json(&snapshot)
            .inspect_err(|error| telemetry::application_failed("a snapshot of presence could not be written", error))
            .ok()
    }
}

/// The connection of a session that the application tracks.
fn tracked_by(session: &Session) -> Connection {
    Connection { session: session.id(), number: 0 }
}

impl<St, S> Mount<St> for Presence<S>
where
    St: Clone + Send + Sync + 'static,
    S: Clone + PartialEq + Serialize + Send + Sync + 'static,
{
    fn mount(self, router: &mut Router<St>) {
        if let Source::Wrong(error) = &self.inner.settings.lock().source {
            router.add_error(error.clone());
        }
        match &self.inner.pattern {
            Ok(_) => router.add_part(self.inner),
            Err(error) => router.add_error(error.clone()),
        }
    }
}

impl<S> Clone for Presence<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<S> fmt::Debug for Presence<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence").field("pattern", &self.inner.pattern).finish_non_exhaustive()
    }
}
