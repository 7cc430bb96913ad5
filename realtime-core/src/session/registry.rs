//! Who is connected: sessions by id and users by their sessions.
//!
//! An entry belongs to its connection and vanishes with it, by a drop guard, also when a handler panicked. Anonymous
//! sessions are found by session only.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use parking_lot::Mutex;

use crate::{
    auth::{Principal, UserId},
    clock,
    closing::Closing,
    destination::Destination,
    outbox::Outbox,
    session::{
        Departure, DisconnectReason, Identity, LastSeen, Listening, Observer, Session, last_seen::Departed,
        listeners::Listeners,
    },
    session_id::SessionId,
    telemetry::{Meters, OutboxStats},
};

/// The sessions and users that are connected to this node. Cheap to clone.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::Anonymous};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let registry = realtime.registry();
/// assert_eq!((registry.session_count(), registry.user_count()), (0, 0));
/// for session in registry.sessions_at(&"/topic/rooms/7".parse()?) {
///     println!("{} listens", session.principal());
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    meters: Arc<Meters>,
    observers: Box<[Arc<dyn Observer>]>,
    max_last_seen: usize,
}

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<SessionId, Session>,
    users: HashMap<UserId, Vec<SessionId>>,
    /// Connections that have not sent CONNECT yet: whoever is banned or stopped is so before it too.
    waiting: HashMap<u64, Line>,
    streams: HashMap<u64, Stream>,
    /// How many event streams each user has.
    streaming: HashMap<UserId, usize>,
    /// The sessions, and event streams, that listen to a destination.
    places: HashMap<Destination, Listeners>,
    departed: Departed,
    /// Names the next entry of any of these.
    next_key: u64,
}

/// An event stream.
#[derive(Clone, Debug)]
struct Stream {
    /// A session of its own, which is not among the sessions.
    session: Session,
    /// What its client named; none where the application sends the events itself.
    destination: Option<Destination>,
}

/// What every kind of connection has: whose it is, and the way to it.
#[derive(Clone, Debug)]
struct Line {
    kind: Kind,
    identity: Arc<Identity>,
    outbox: Arc<Outbox>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    EventStream,
    Session,
    Waiting,
}

/// What a refresh, or a change of rights, has reached.
///
/// ```
/// use parlor_core::session::Refreshed;
///
/// fn line(refreshed: Refreshed) -> String {
///     format!("{} sessions, {} streams", refreshed.sessions, refreshed.event_streams)
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refreshed {
    /// Sessions.
    pub sessions: usize,
    /// Event streams.
    pub event_streams: usize,
    /// WebSocket connections that have not sent CONNECT yet.
    pub waiting: usize,
}

impl Refreshed {
    /// All of them.
    #[must_use]
    pub fn total(self) -> usize {
        self.sessions + self.event_streams + self.waiting
    }
}

impl Registry {
    /// A registry that nobody is in. `observers` hear of everyone who comes and goes, and of that many users is remembered when
    /// they were here.
    pub(crate) fn new(meters: Arc<Meters>, observers: Vec<Arc<dyn Observer>>, max_last_seen: usize) -> Self {
        Self {
            shared: Arc::new(Shared { state: Mutex::default(), meters, observers: observers.into(), max_last_seen }),
        }
    }

    /// The session with that id, if it is connected.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<Session> {
        self.shared.state.lock().sessions.get(&id).cloned()
    }

    /// All sessions, in no particular order.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        self.shared.state.lock().sessions.values().cloned().collect()
    }

    /// The sessions of a user, oldest first.
    #[must_use]
    pub fn sessions_of(&self, user: &UserId) -> Vec<Session> {
        let state = self.shared.state.lock();
        let ids = state.users.get(user).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| state.sessions.get(id).cloned()).collect()
    }

    /// The users that have at least one session, in no particular order.
    #[must_use]
    pub fn users(&self) -> Vec<UserId> {
        self.shared.state.lock().users.keys().cloned().collect()
    }

    /// How many sessions are connected.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.shared.state.lock().sessions.len()
    }

    /// How many users are connected.
    #[must_use]
    pub fn user_count(&self) -> usize {
        self.shared.state.lock().users.len()
    }

    /// The sessions that subscribed to `destination`, in no particular order; those that hear of it by a pattern, and event
    /// streams, are not among them.
    #[must_use]
    pub fn sessions_at(&self, destination: &Destination) -> Vec<Session> {
        let state = self.shared.state.lock();
        let listening = state.places.get(destination).into_iter().flat_map(Listeners::sessions);
        let sessions = listening.filter(|session| state.sessions.contains_key(&session.id()));
        // By id, as one may have several subscriptions there.
        sessions.map(|session| (session.id(), session.clone())).collect::<HashMap<_, _>>().into_values().collect()
    }

    /// The users that listen to `destination`, in the order of their ids: by a subscription or an event stream, not by a pattern.
    /// However many tabs one has, each is there once. Who is only away for a moment is not here; see
    /// [`Rooms::members`](crate::presence::Rooms::members).
    #[must_use]
    pub fn users_at(&self, destination: &Destination) -> Vec<UserId> {
        let state = self.shared.state.lock();
        let listening = state.places.get(destination).into_iter().flat_map(Listeners::sessions);
        let users: BTreeSet<UserId> = listening.filter_map(|session| session.principal().id().cloned()).collect();
        users.into_iter().collect()
    }

    /// When `user` was here for the last time; none where that is not known, or was too long ago: the latest
    /// [`max_last_seen`](crate::Config::max_last_seen) are remembered, as long as this process runs.
    #[must_use]
    pub fn last_seen(&self, user: &UserId) -> Option<LastSeen> {
        let state = self.shared.state.lock();
        if state.is_here(user) { Some(LastSeen::Now) } else { state.departed.of(user).map(LastSeen::At) }
    }

    /// Ends one session; returns whether it was connected.
    pub fn disconnect_session(&self, id: SessionId, closing: Closing) -> bool {
        self.session(id).inspect(|session| session.close(closing)).is_some()
    }

    /// How many event streams are open.
    #[must_use]
    pub fn event_stream_count(&self) -> usize {
        self.shared.state.lock().streams.len()
    }

    /// Ends every session that subscribed to `destination`, as in [`sessions_at`](Self::sessions_at), and every event stream
    /// of it; returns how many there were.
    pub fn disconnect_destination(&self, destination: &Destination, closing: &Closing) -> usize {
        let streams: Vec<Stream> = self.shared.state.lock().streams.values().cloned().collect();
        let streams = streams.iter().filter(|stream| stream.destination.as_ref() == Some(destination));
        let streams = streams.map(|stream| stream.session.close(closing.clone())).count();
        streams + self.sessions_at(destination).iter().map(|session| session.close(closing.clone())).count()
    }

    /// Ends every session and event stream of a user, and their connections that have not sent CONNECT yet; returns how many
    /// there were.
    pub fn disconnect_user(&self, user: &UserId, closing: &Closing) -> usize {
        self.disconnect_where(|principal| principal.id() == Some(user), closing)
    }

    /// Ends every session, event stream, and connection that has not sent CONNECT yet, whose principal is `wanted`; returns how
    /// many there were. Looks at all of them.
    ///
    /// `wanted` is called after the registry's lock was given back.
    pub fn disconnect_where(&self, wanted: impl Fn(&Principal) -> bool, closing: &Closing) -> usize {
        let lines = self.lines().into_iter().filter(|line| wanted(&line.identity.principal()));
        lines.map(|line| line.outbox.stop(closing.clone())).count()
    }

    /// Replaces the principal of every session, event stream, and connection that has not sent CONNECT yet, of a user, and has
    /// their live subscriptions judged anew: what the rules, and the guards of subscribe handlers, do not allow any more ends,
    /// which is told on `/user/queue/errors`. Returns what was reached; each session judges when the frame that it is answering
    /// is answered.
    ///
    /// Call it when the application has changed what a user may do; `change` makes the new principal of the old one, or
    /// returns it as it is where rights stand elsewhere. User and login stay whatever it says. An earlier
    /// [expiry](Principal::with_expiry) holds. It is called without any lock held, perhaps more than once.
    ///
    /// ```
    /// use parlor_core::{auth::UserId, session::Registry};
    ///
    /// fn demote(registry: &Registry, user: &UserId) {
    ///     registry.replace_principals(user, |principal| principal.with_roles(["member"]));
    /// }
    /// ```
    pub fn replace_principals(&self, user: &UserId, change: impl Fn(Principal) -> Principal) -> Refreshed {
        self.replace(|old| (old.id() == Some(user)).then(|| change(old.clone()).in_the_name_of(old)))
    }

    /// Puts `fresh` in the place of the principals of the same user and login that end before it.
    pub(crate) fn refresh(&self, fresh: &Principal) -> Refreshed {
        self.replace(|old| (old.is_same_login(fresh) && fresh.outlasts(old)).then(|| fresh.clone()))
    }

    /// Replaces those for which `change` has something, outside of the registry's lock.
    fn replace(&self, change: impl Fn(&Principal) -> Option<Principal>) -> Refreshed {
        let mut refreshed = Refreshed::default();
        for line in self.lines() {
            if line.identity.replace(&line.outbox, &change) {
                match line.kind {
                    Kind::EventStream => refreshed.event_streams += 1,
                    Kind::Session => refreshed.sessions += 1,
                    Kind::Waiting => refreshed.waiting += 1,
                }
            }
        }
        refreshed
    }

    /// Ends every session and connection, after what was read is answered. `closing` is given their number and its own
    /// place among them.
    pub(crate) fn drain_all(&self, closing: impl Fn(u32, u32) -> Closing) {
        let lines = self.lines();
        let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        for (place, line) in (1..=count).zip(lines) {
            line.outbox.drain(closing(place, count));
        }
    }

    /// Enters a connection that was authenticated and has not sent CONNECT yet.
    pub(crate) fn wait(&self, identity: Arc<Identity>, outbox: Arc<Outbox>) -> Waiting {
        let mut state = self.shared.state.lock();
        let key = state.take_key();
        state.waiting.insert(key, Line { kind: Kind::Waiting, identity, outbox });
        self.shared.meters.connections.opened();
        Waiting { registry: self.clone(), key }
    }

    /// Enters an event stream of `destination`, as its client named it, or one of the application's own events.
    pub(crate) fn stream(&self, session: &Session, destination: Option<Destination>) -> Streaming {
        let (key, listens) = {
            let mut state = self.shared.state.lock();
            if let Some(user) = session.principal().id() {
                *state.streaming.entry(user.clone()).or_default() += 1;
                state.departed.came(user);
            }
            let listening = destination.clone().map(|destination| state.listen(session, destination));
            let key = state.take_key();
            state.streams.insert(key, Stream { session: session.clone(), destination });
            self.shared.meters.connections.stream_opened();
            (key, listening.map(|listening| Listens { registry: self.clone(), listening }))
        };
        self.shared.observers.iter().for_each(|observer| observer.came(session));
        listens.iter().for_each(Listens::announce);
        Streaming { registry: self.clone(), key, session: session.clone(), listens }
    }

    /// Enters that a session listens to a destination, as its client named it.
    pub(crate) fn listen(&self, session: &Session, destination: Destination) -> Listens {
        let listening = self.shared.state.lock().listen(session, destination);
        let listens = Listens { registry: self.clone(), listening };
        listens.announce();
        listens
    }

    /// What waits for the clients of all connections.
    pub(crate) fn outboxes(&self) -> OutboxStats {
        OutboxStats::of(self.lines().iter().map(|line| line.outbox.waiting_bytes()))
    }

    /// Everyone who is connected: by WebSocket, with CONNECT or still without, and by event stream.
    fn lines(&self) -> Vec<Line> {
        let state = self.shared.state.lock();
        let line = |kind, session: &Session| Line {
            kind,
            identity: Arc::clone(session.identity()),
            outbox: Arc::clone(session.outbox()),
        };
        let sessions = state.sessions.values().map(|session| line(Kind::Session, session));
        let streams = state.streams.values().map(|stream| line(Kind::EventStream, &stream.session));
        sessions.chain(state.waiting.values().cloned()).chain(streams).collect()
    }

    pub(crate) fn enter(&self, session: &Session) -> Entered {
        let mut first_session = true;
        {
            let mut state = self.shared.state.lock();
            state.sessions.insert(session.id(), session.clone());
            if let Some(user) = session.principal().id() {
                let ids = state.users.entry(user.clone()).or_default();
                first_session = ids.is_empty();
                if first_session {
                    // Most users have one.
                    ids.reserve_exact(1);
                }
                ids.push(session.id());
                state.departed.came(user);
            }
            self.shared.meters.connections.session_entered(first_session && session.principal().id().is_some());
        }
        self.shared.observers.iter().for_each(|observer| observer.came(session));
        Entered { registry: self.clone(), session: session.clone(), first_session, left: false }
    }

    fn leave(&self, session: &Session) -> bool {
        let departed = {
            let mut state = self.shared.state.lock();
            state.sessions.remove(&session.id());
            let mut departed = false;
            if let Some(user) = session.principal().id()
                && let Some(ids) = state.users.get_mut(user)
            {
                ids.retain(|id| *id != session.id());
                departed = ids.is_empty();
                if departed {
                    state.users.remove(user);
                    state.left(user, self.shared.max_last_seen);
                }
            }
            self.shared.meters.connections.session_left(departed);
            departed
        };
        self.went(session);
        departed || session.principal().id().is_none()
    }

    /// Tells of the end of a session or event stream; one that nobody gave a reason for was lost.
    fn went(&self, session: &Session) {
        let reason = session.ends_by(DisconnectReason::Lost);
        self.shared.observers.iter().for_each(|observer| observer.went(session, reason));
    }
}

impl State {
    fn take_key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    fn listen(&mut self, session: &Session, destination: Destination) -> Listening {
        let key = self.take_key();
        self.places.entry(destination.clone()).or_default().insert(key, session.clone());
        Listening { key, session: session.clone(), destination }
    }

    fn is_here(&self, user: &UserId) -> bool {
        self.users.contains_key(user) || self.streaming.contains_key(user)
    }

    /// Remembers when a user left, where it was the last of sessions and event streams.
    fn left(&mut self, user: &UserId, most: usize) {
        if !self.is_here(user) {
            self.departed.left(user, clock::wall(), most);
        }
    }
}

/// A registry that nobody is in, and that counts for itself.
impl Default for Registry {
    fn default() -> Self {
        Self::new(Meters::new(), Vec::new(), 0)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("state", &*self.shared.state.lock()).finish_non_exhaustive()
    }
}

/// The entry of a connection before CONNECT: dropping it takes it out.
#[derive(Debug)]
pub(crate) struct Waiting {
    registry: Registry,
    key: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.registry.shared.state.lock().waiting.remove(&self.key);
        self.registry.shared.meters.connections.waited();
    }
}

/// That a session or event stream listens to a destination: dropping it ends that.
#[derive(Debug)]
pub(crate) struct Listens {
    registry: Registry,
    listening: Listening,
}

impl Listens {
    fn announce(&self) {
        self.registry.shared.observers.iter().for_each(|observer| observer.listens(&self.listening));
    }
}

impl Drop for Listens {
    fn drop(&mut self) {
        let Listening { key, session, destination } = &self.listening;
        {
            let mut state = self.registry.shared.state.lock();
            if let Some(listening) = state.places.get_mut(destination) {
                listening.remove(*key);
                if listening.is_empty() {
                    state.places.remove(destination);
                }
            }
        }
        let reason = session.disconnect_reason().cloned();
        let departure = reason.map_or(Departure::Unsubscribed, Departure::Disconnected);
        self.registry.shared.observers.iter().for_each(|observer| observer.stopped(&self.listening, &departure));
    }
}

/// The entry of an event stream: dropping it takes it out.
#[derive(Debug)]
pub(crate) struct Streaming {
    registry: Registry,
    key: u64,
    session: Session,
    /// None where the application sends the events itself, and once it is dropped.
    listens: Option<Listens>,
}

impl Streaming {
    /// Takes it out, as the server ended it, or else its client did.
    pub(crate) fn leave(self, closing: Option<&Closing>) {
        let reason = closing.map_or(DisconnectReason::ClosedByClient, DisconnectReason::by_server);
        self.session.ends_by(reason);
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        let Self { registry, key, session, listens } = self;
        session.ends_by(DisconnectReason::Lost);
        // It listens to nothing any more when it is told that it went.
        drop(listens.take());
        {
            let mut state = registry.shared.state.lock();
            state.streams.remove(key);
            if let Some(user) = session.principal().id()
                && let Some(count) = state.streaming.get_mut(user)
            {
                *count -= 1;
                if *count == 0 {
                    state.streaming.remove(user);
                    state.left(user, registry.shared.max_last_seen);
                }
            }
            registry.shared.meters.connections.stream_ended();
        }
        registry.went(session);
    }
}

/// A session's entry in the registry: dropping it takes the session out.
#[derive(Debug)]
pub(crate) struct Entered {
    registry: Registry,
    session: Session,
    first_session: bool,
    left: bool,
}

impl Entered {
    /// Whether the user had no session before; always for an anonymous one.
    pub(crate) fn is_first_session(&self) -> bool {
        self.first_session
    }

    /// Takes the session out; returns whether it was the user's last one.
    pub(crate) fn leave(mut self) -> bool {
        self.left = true;
        self.registry.leave(&self.session)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if !self.left {
            self.registry.leave(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> Session {
        Session::detached(Principal::user(name.parse().unwrap()))
    }

    #[test]
    fn a_second_tab_is_neither_first_nor_last() {
        let registry = Registry::default();
        let (one, two) = (user("ada"), user("ada"));
        let first = registry.enter(&one);
        let second = registry.enter(&two);
        assert!(first.is_first_session());
        assert!(!second.is_first_session());
        assert_eq!((registry.session_count(), registry.user_count()), (2, 1));
        assert!(!first.leave());
        assert!(second.leave());
        assert_eq!((registry.session_count(), registry.user_count()), (0, 0));
    }

    #[test]
    fn a_dropped_entry_takes_the_session_out() {
        let registry = Registry::default();
        let session = user("ada");
        drop(registry.enter(&session));
        assert!(registry.session(session.id()).is_none());
        assert!(registry.users().is_empty());
    }

    #[test]
    fn disconnecting_a_user_ends_all_of_their_sessions_and_no_other() {
        let registry = Registry::default();
        let (one, two, other) = (user("ada"), user("ada"), user("bob"));
        let _entries = [&one, &two, &other].map(|session| registry.enter(session));
        let ended = registry.disconnect_user(&"ada".parse().unwrap(), &Closing::token_expired());
        assert_eq!(ended, 2);
        assert_eq!([one.is_open(), two.is_open(), other.is_open()], [false, false, true]);
    }
}
