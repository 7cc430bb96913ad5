//! The handle to a connected session: who it is, what it listens to, and how to end it.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{Arc, OnceLock},
    task,
    time::Duration,
};

use parking_lot::Mutex;
use parlor_stomp::{SubscriptionId, Version};

use crate::{
    auth::Principal,
    clock,
    closing::Closing,
    destination::{Destination, Owner},
    limits::{Rate, TokenBucket},
    outbox::{Outbox, OutboxLimits, WireWriter},
    session::{DisconnectReason, Extensions, Identity},
    session_id::SessionId,
};

/// A connected session. Cheap to clone; it stays valid, and does nothing, after the session ended.
///
/// ```
/// use parlor_core::{app::Rejection, session::Session};
///
/// /// SEND to /app/ready; only for those who listen already.
/// async fn ready(session: Session) -> Result<(), Rejection> {
///     if session.is_subscribed_to(&"/topic/rooms/7".parse()?) {
///         return Ok(());
///     }
///     Err(Rejection::new("not-in-the-room", format!("Enter the room first, {}.", session.principal())))
/// }
/// ```
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

struct Shared {
    id: SessionId,
    identity: Arc<Identity>,
    version: Version,
    outbox: Arc<Outbox>,
    subscriptions: Mutex<Vec<(SubscriptionId, Arc<str>)>>,
    extensions: Extensions,
    /// By route: what was used of its rate. As many entries as there are routes with a rate, at most.
    #[expect(clippy::box_collection, reason = "most sessions have none, and then a pointer is all it costs")]
    turns: Mutex<Option<Box<HashMap<usize, TokenBucket>>>>,
    /// Why it ends, once it does.
    end: OnceLock<DisconnectReason>,
}

impl Session {
    pub(crate) fn new(identity: Arc<Identity>, version: Version, outbox: Arc<Outbox>) -> Self {
        let id = SessionId::random();
        Self {
            shared: Arc::new(Shared {
                id,
                identity,
                version,
                outbox,
                subscriptions: Mutex::default(),
                extensions: Extensions::default(),
                turns: Mutex::default(),
                end: OnceLock::new(),
            }),
        }
    }

    /// A session without a connection, for tests of handlers: what is sent to it goes nowhere.
    #[must_use]
    pub fn detached(principal: Principal) -> Self {
        let outbox = Outbox::new(Box::new(Nowhere), OutboxLimits::default());
        Self::new(Arc::new(Identity::new(principal)), Version::V1_2, Arc::new(outbox))
    }

    /// The session's id, which CONNECTED carries in its `session` header.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.shared.id
    }

    /// Who the session belongs to, as of now: a refresh replaces name, roles, claims and expiry, never the user or the login.
    #[must_use]
    pub fn principal(&self) -> Principal {
        self.shared.identity.principal()
    }

    pub(crate) fn identity(&self) -> &Arc<Identity> {
        &self.shared.identity
    }

    /// Puts `fresh`, the same user, in the place of a principal that ends before it.
    pub(crate) fn refresh(&self, fresh: &Principal) -> bool {
        self.identity().replace(self.outbox(), |old| fresh.outlasts(old).then(|| fresh.clone()))
    }

    /// The negotiated STOMP version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.shared.version
    }

    /// The subscriptions in force, with the destinations the client named.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<(SubscriptionId, String)> {
        let subscriptions = self.shared.subscriptions.lock();
        subscriptions.iter().map(|(id, destination)| (id.clone(), destination.to_string())).collect()
    }

    /// Whether one of the subscriptions in force is to `destination`, as the client named it.
    #[must_use]
    pub fn is_subscribed_to(&self, destination: &Destination) -> bool {
        self.shared.subscriptions.lock().iter().any(|(_, named)| **named == *destination.as_str())
    }

    /// What the application keeps with the session.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.shared.extensions
    }

    /// Ends the session: the client gets the ERROR and the close frame of `closing`. Returns at once.
    pub fn close(&self, closing: Closing) {
        self.shared.outbox.stop(closing);
    }

    /// Whether the session still takes messages.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.shared.outbox.is_open()
    }

    /// Under whom `/user/…` of this session is found: its user, or itself where it is anonymous.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.principal().id().map_or_else(|| Owner::Session(self.id()), |user| Owner::User(user.clone()))
    }

    /// Why it ended, or ends; none while it goes on.
    #[must_use]
    pub fn disconnect_reason(&self) -> Option<&DisconnectReason> {
        self.shared.end.get()
    }

    /// Says why it ends; the first to say so counts.
    pub(crate) fn ends_by(&self, reason: DisconnectReason) -> &DisconnectReason {
        self.shared.end.get_or_init(|| reason)
    }

    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.shared.outbox
    }

    /// Takes a turn at a route with a rate; the error is how long to wait for the next one.
    pub(crate) fn take_turn(&self, route: usize, rate: Rate) -> Result<(), Duration> {
        let now = clock::now();
        let mut turns = self.shared.turns.lock();
        turns.get_or_insert_default().entry(route).or_insert_with(|| TokenBucket::new(now)).take(rate, 1, now)
    }

    pub(crate) fn subscribed(&self, id: &SubscriptionId, destination: Arc<str>) {
        let mut subscriptions = self.shared.subscriptions.lock();
        if subscriptions.is_empty() {
            // Many sessions have one.
            subscriptions.reserve_exact(1);
        }
        subscriptions.push((id.clone(), destination));
    }

    /// Its subscriptions are gone; handles that outlive it must not show them.
    pub(crate) fn ended(&self) {
        self.shared.subscriptions.lock().clear();
    }

    pub(crate) fn unsubscribed(&self, id: &SubscriptionId) {
        self.shared.subscriptions.lock().retain(|(known, _)| known != id);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id()).field("principal", &self.principal()).finish_non_exhaustive()
    }
}

/// Takes everything and keeps nothing.
struct Nowhere;

impl WireWriter for Nowhere {
    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(octets.len())
    }

    fn poll_write(&mut self, _: &mut task::Context<'_>, slices: &[io::IoSlice<'_>]) -> task::Poll<io::Result<usize>> {
        task::Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        task::Poll::Ready(Ok(()))
    }
}
