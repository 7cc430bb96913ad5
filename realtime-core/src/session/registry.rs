//! Who is connected: sessions by id and users by their sessions.
//!
//! An entry belongs to its connection and vanishes with it, by a drop guard, also when a handler panicked. Anonymous
//! sessions are found by session only.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::{
    auth::{Principal, UserId},
    closing::Closing,
    destination::Destination,
    outbox::Outbox,
    session::{Identity, Session},
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
#[derive(Clone, Debug)]
pub struct Registry {
    state: Arc<Mutex<State>>,
    meters: Arc<Meters>,
}

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<SessionId, Session>,
    users: HashMap<UserId, Vec<SessionId>>,
    /// Connections that have not sent CONNECT yet: whoever is banned or stopped is so before it too.
    waiting: HashMap<u64, Line>,
    /// Event streams, which have no session of their own.
    streams: HashMap<u64, Stream>,
    /// Names the next entry of either of these two.
    next_key: u64,
}

/// An event stream.
#[derive(Clone, Debug)]
struct Stream {
    line: Line,
    destination: Destination,
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
    pub(crate) fn new(meters: Arc<Meters>) -> Self {
        Self { state: Arc::default(), meters }
    }

    /// The session with that id, if it is connected.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<Session> {
        self.state.lock().sessions.get(&id).cloned()
    }

    /// All sessions, in no particular order.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        self.state.lock().sessions.values().cloned().collect()
    }

    /// The sessions of a user, oldest first.
    #[must_use]
    pub fn sessions_of(&self, user: &UserId) -> Vec<Session> {
        let state = self.state.lock();
        let ids = state.users.get(user).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| state.sessions.get(id).cloned()).collect()
    }

    /// The users that have at least one session, in no particular order.
    #[must_use]
    pub fn users(&self) -> Vec<UserId> {
        self.state.lock().users.keys().cloned().collect()
    }

    /// How many sessions are connected.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.state.lock().sessions.len()
    }

    /// How many users are connected.
    #[must_use]
    pub fn user_count(&self) -> usize {
        self.state.lock().users.len()
    }

    /// The sessions that subscribed to `destination`, in no particular order; those that hear of it by a pattern are not among
    /// them. Looks at all sessions.
    #[must_use]
    pub fn sessions_at(&self, destination: &Destination) -> Vec<Session> {
        self.sessions().into_iter().filter(|session| session.is_subscribed_to(destination)).collect()
    }

    /// Ends one session; returns whether it was connected.
    pub fn disconnect_session(&self, id: SessionId, closing: Closing) -> bool {
        self.session(id).inspect(|session| session.close(closing)).is_some()
    }

    /// How many event streams are open.
    #[must_use]
    pub fn event_stream_count(&self) -> usize {
        self.state.lock().streams.len()
    }

    /// Ends every session that subscribed to `destination`, as in [`sessions_at`](Self::sessions_at), and every event stream
    /// of it; returns how many there were.
    pub fn disconnect_destination(&self, destination: &Destination, closing: &Closing) -> usize {
        let streams: Vec<Stream> = self.state.lock().streams.values().cloned().collect();
        let streams = streams.iter().filter(|stream| stream.destination == *destination);
        let streams = streams.map(|stream| stream.line.outbox.stop(closing.clone())).count();
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
        let mut state = self.state.lock();
        let key = state.take_key();
        state.waiting.insert(key, Line { kind: Kind::Waiting, identity, outbox });
        self.meters.connections.opened();
        Waiting { registry: self.clone(), key }
    }

    /// Enters an event stream of `destination`, as its client named it.
    pub(crate) fn stream(&self, identity: Arc<Identity>, destination: Destination, outbox: Arc<Outbox>) -> Streaming {
        let line = Line { kind: Kind::EventStream, identity, outbox };
        let mut state = self.state.lock();
        let key = state.take_key();
        state.streams.insert(key, Stream { line, destination });
        self.meters.connections.stream_opened();
        Streaming { registry: self.clone(), key }
    }

    /// What waits for the clients of all connections.
    pub(crate) fn outboxes(&self) -> OutboxStats {
        OutboxStats::of(self.lines().iter().map(|line| line.outbox.waiting_bytes()))
    }

    /// Everyone who is connected: by WebSocket, with CONNECT or still without, and by event stream.
    fn lines(&self) -> Vec<Line> {
        let state = self.state.lock();
        let sessions = state.sessions.values().map(|session| Line {
            kind: Kind::Session,
            identity: Arc::clone(session.identity()),
            outbox: Arc::clone(session.outbox()),
        });
        let streams = state.streams.values().map(|stream| stream.line.clone());
        sessions.chain(state.waiting.values().cloned()).chain(streams).collect()
    }

    pub(crate) fn enter(&self, session: &Session) -> Presence {
        let mut state = self.state.lock();
        state.sessions.insert(session.id(), session.clone());
        let mut first_session = true;
        if let Some(user) = session.principal().id() {
            let ids = state.users.entry(user.clone()).or_default();
            first_session = ids.is_empty();
            ids.push(session.id());
        }
        self.meters.connections.session_entered(first_session && session.principal().id().is_some());
        Presence { registry: self.clone(), session: session.clone(), first_session, left: false }
    }

    fn leave(&self, session: &Session) -> bool {
        let mut state = self.state.lock();
        state.sessions.remove(&session.id());
        let mut departed = false;
        if let Some(user) = session.principal().id()
            && let Some(ids) = state.users.get_mut(user)
        {
            ids.retain(|id| *id != session.id());
            departed = ids.is_empty();
            if departed {
                state.users.remove(user);
            }
        }
        self.meters.connections.session_left(departed);
        departed || session.principal().id().is_none()
    }
}

impl State {
    fn take_key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }
}

/// A registry that nobody is in, and that counts for itself.
impl Default for Registry {
    fn default() -> Self {
        Self::new(Meters::new())
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
        self.registry.state.lock().waiting.remove(&self.key);
        self.registry.meters.connections.waited();
    }
}

/// The entry of an event stream: dropping it takes it out.
#[derive(Debug)]
pub(crate) struct Streaming {
    registry: Registry,
    key: u64,
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.registry.state.lock().streams.remove(&self.key);
        self.registry.meters.connections.stream_ended();
    }
}

/// A session's entry in the registry: dropping it takes the session out.
#[derive(Debug)]
pub(crate) struct Presence {
    registry: Registry,
    session: Session,
    first_session: bool,
    left: bool,
}

impl Presence {
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

impl Drop for Presence {
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
