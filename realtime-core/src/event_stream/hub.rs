//! Emitters by user and by key, for events that several clients get.
//!
//! One lock stands over a hub: it is the order in which all emitters of a key get their events, and it is held while an event
//! is handed to each outbox, which never waits. An emitter that ended is out of its hubs by then.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use crate::{
    auth::UserId,
    destination::Destination,
    event_stream::{
        SseEmitter, SseSendError,
        emitter::{EmitterKey, Encoded},
    },
    outbox::Overflow,
    sse::SseEvent,
};

/// The most keys of one emitter in a hub, as many as a session has subscriptions by default.
const MAX_KEYS: usize = 128;

/// Event streams of an application by user and by key. Cheap to clone.
///
/// A key is whatever the application tells groups apart by: a destination by default, a room's or an order's number. An emitter
/// is in a hub from [`join`](Self::join) to its end, whatever ends it. It reaches the streams of this node.
///
/// For fan-out to thousands, and where messages shall be heard over STOMP too or be replayed, publish to a topic instead.
///
/// ```
/// use futures_util::StreamExt;
/// use parlor_core::{
///     Realtime,
///     app::Router,
///     auth::{Anonymous, Principal},
///     event_stream::{OpenEmitter, SseHub},
///     sse::SseEvent,
/// };
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let hub: SseHub<u32> = SseHub::new();
/// let ada = Principal::user("ada".parse()?);
/// let admission = realtime.admit(None)?.for_event_stream(&ada)?;
/// let OpenEmitter { emitter, mut stream, running, .. } = realtime.emitter(ada, admission).await;
/// tokio::spawn(running);
///
/// hub.join(&emitter, 7)?;
/// assert_eq!(hub.broadcast(&7, &SseEvent::message("to order 7"))?, 1);
/// assert_eq!(hub.send_to_user(&"ada".parse()?, &SseEvent::message("to Ada"))?, 1);
/// assert_eq!(hub.broadcast(&8, &SseEvent::message("to nobody"))?, 0);
/// assert_eq!(stream.next().await.unwrap(), "retry: 3000\n\ndata: to order 7\n\ndata: to Ada\n\n");
/// # Ok(()) }
/// ```
pub struct SseHub<K = Destination> {
    state: Arc<Mutex<State<K>>>,
}

struct State<K> {
    members: HashMap<EmitterKey, Member<K>>,
    users: HashMap<UserId, Vec<EmitterKey>>,
    keys: HashMap<K, Vec<EmitterKey>>,
}

struct Member<K> {
    emitter: SseEmitter,
    keys: Vec<K>,
}

/// An emitter has as many keys in a hub as it may.
///
/// ```
/// use parlor_core::{app::Rejection, event_stream::TooManyKeys};
///
/// fn refusal(error: TooManyKeys) -> Rejection {
///     Rejection::new("too-many-orders", error.to_string())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event stream has at most {MAX_KEYS} keys in a hub")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct TooManyKeys;

impl<K: Clone + Eq + Hash + Send + 'static> SseHub<K> {
    /// A hub without emitters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters an emitter under `key`, and under its user where it has one; for as long as its stream lasts. One that has ended
    /// stays outside. An emitter may have several keys, each once.
    ///
    /// # Errors
    /// [`TooManyKeys`]: it has 128 already.
    pub fn join(&self, emitter: &SseEmitter, key: K) -> Result<(), TooManyKeys> {
        if self.enter(emitter, key)? {
            // Without the lock: an emitter that has ended drops it at once.
            emitter.keep(Seat { hub: Arc::downgrade(&self.state), emitter: emitter.key() });
        }
        Ok(())
    }

    /// Takes an emitter out of one key; under its user it stays.
    pub fn leave(&self, emitter: &SseEmitter, key: &K) {
        let mut state = self.state.lock();
        if let Some(member) = state.members.get_mut(&emitter.key()) {
            member.keys.retain(|known| known != key);
        }
        take_out(&mut state.keys, key, emitter.key());
    }

    /// Sends an event to all emitters of a user; returns how many took it.
    ///
    /// # Errors
    /// [`SseSendError::ReservedName`].
    pub fn send_to_user(&self, user: &UserId, event: &SseEvent<'_>) -> Result<usize, SseSendError> {
        let encoded = Encoded::new(event)?;
        let state = self.state.lock();
        Ok(state.push(state.users.get(user), Overflow::Disconnect, &encoded))
    }

    /// Sends an event to all emitters under `key`, encoded once; returns how many took it. All of them see the events of a key in
    /// one order.
    ///
    /// # Errors
    /// [`SseSendError::ReservedName`].
    pub fn broadcast(&self, key: &K, event: &SseEvent<'_>) -> Result<usize, SseSendError> {
        self.broadcast_with(Overflow::Disconnect, key, event)
    }

    /// Sends an event to all emitters under `key` that clients who read too slowly may miss, as by
    /// [`SseEmitter::send_with`]; returns how many took it.
    ///
    /// # Errors
    /// [`SseSendError::ReservedName`].
    pub fn broadcast_with(&self, overflow: Overflow, key: &K, event: &SseEvent<'_>) -> Result<usize, SseSendError> {
        let encoded = Encoded::new(event)?;
        let state = self.state.lock();
        Ok(state.push(state.keys.get(key), overflow, &encoded))
    }

    /// How many emitters are in the hub.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.lock().members.len()
    }

    /// Whether no emitter is in the hub.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The emitters under `key`, in the order in which they joined.
    #[must_use]
    pub fn emitters(&self, key: &K) -> Vec<SseEmitter> {
        let state = self.state.lock();
        state.found(state.keys.get(key)).cloned().collect()
    }

    /// Enters an emitter; whether it was not in the hub before.
    fn enter(&self, emitter: &SseEmitter, key: K) -> Result<bool, TooManyKeys> {
        let mut state = self.state.lock();
        let State { members, users, keys } = &mut *state;
        let id = emitter.key();
        let is_new = !members.contains_key(&id);
        let member = members.entry(id).or_insert_with(|| Member { emitter: emitter.clone(), keys: Vec::new() });
        if member.keys.contains(&key) {
            return Ok(false);
        }
        if member.keys.len() >= MAX_KEYS {
            return Err(TooManyKeys);
        }
        member.keys.push(key.clone());
        keys.entry(key).or_default().push(id);
        if is_new && let Some(user) = emitter.principal().id() {
            users.entry(user.clone()).or_default().push(id);
        }
        Ok(is_new)
    }
}

impl<K> State<K> {
    fn found(&self, ids: Option<&Vec<EmitterKey>>) -> impl Iterator<Item = &SseEmitter> {
        let ids = ids.map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| Some(&self.members.get(id)?.emitter))
    }

    fn push(&self, ids: Option<&Vec<EmitterKey>>, overflow: Overflow, encoded: &Encoded) -> usize {
        self.found(ids).filter(|emitter| emitter.push(overflow, encoded).is_ok()).count()
    }
}

fn take_out<K: Eq + Hash>(map: &mut HashMap<K, Vec<EmitterKey>>, key: &K, emitter: EmitterKey) {
    if let Some(ids) = map.get_mut(key) {
        ids.retain(|id| *id != emitter);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}

/// The place of an emitter in a hub, given back when its stream ends.
struct Seat<K: Eq + Hash> {
    hub: Weak<Mutex<State<K>>>,
    emitter: EmitterKey,
}

impl<K: Eq + Hash> Drop for Seat<K> {
    fn drop(&mut self) {
        let Some(hub) = self.hub.upgrade() else { return };
        let mut state = hub.lock();
        let Some(member) = state.members.remove(&self.emitter) else { return };
        for key in &member.keys {
            take_out(&mut state.keys, key, self.emitter);
        }
        if let Some(user) = member.emitter.principal().id() {
            take_out(&mut state.users, user, self.emitter);
        }
    }
}

impl<K> Default for SseHub<K> {
    fn default() -> Self {
        let state = State { members: HashMap::new(), users: HashMap::new(), keys: HashMap::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }
}

impl<K> Clone for SseHub<K> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state) }
    }
}

impl<K> fmt::Debug for SseHub<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseHub").field("emitters", &self.state.lock().members.len()).finish_non_exhaustive()
    }
}
