//! Notifications: a mailbox for each user, delivered over whichever transport is open, at least once until it is acknowledged.
//!
//! ```text
//! notify -> store -> /user/queue/notifications: STOMP sessions and event streams of the user
//! subscribe -> registered -> what is unread, from the store -> live
//! acknowledge -> store -> `acknowledged` to all of them
//! ```
//!
//! What is promised stands on the store alone: a notification is stored before anyone hears of it, and each subscription begins
//! with what is unread. So a client that is cut off, or a server that dies, loses none; a client may hear of one twice, by the
//! same id.

mod limits;
mod memory_notifications;
mod notification;
mod store;

use std::{fmt, sync::Arc, time::UNIX_EPOCH};

use futures_util::future::{BoxFuture, FutureExt};
pub use limits::NotificationLimits;
pub use memory_notifications::MemoryNotifications;
pub use notification::{Notification, NotificationEvent, NotificationId, Unread};
use serde::{Deserialize, Serialize};
pub use store::{Acknowledge, NewNotification, NotificationStore, NotificationStoreError};

use crate::{
    app::{Rejection, Route, Router, Snapshot},
    auth::{Principal, UserId},
    broker::{Broker, Publication},
    clock,
    destination::{Destination, DestinationError, Owner, UserDestination},
    extract::{Payload, Reply},
    telemetry,
};

/// Where clients hear of them, behind `/user`.
const PATH: &str = "/queue/notifications";

/// The header of a message that names it for event streams.
const EVENT: &str = "event";

/// The longest kind, in octets.
const LONGEST_KIND: usize = 64;

/// The mailboxes of all users. Cheap to clone; keep one in the application's state.
///
/// ```
/// use parlor_core::{
///     Realtime,
///     app::Router,
///     auth::Anonymous,
///     broker::Broker,
///     notifications::{MemoryNotifications, NotificationEvent, Notifications},
///     testing::TestClient,
/// };
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = Broker::default();
/// let notifications = Notifications::new(broker.clone(), MemoryNotifications::default());
/// let routes = Router::new().merge(notifications.routes("/app/notifications")).with_state(());
/// let realtime =
///     Realtime::builder(routes).broker(broker).authenticate(Anonymous).notifications(&notifications).build()?;
///
/// // Nobody is there: it waits.
/// notifications.notify(&"ada".parse()?, "mention", &"Bob named you").await?;
/// let ada = TestClient::connect(&realtime, "ada").await;
/// let bell = ada.subscribe("/user/queue/notifications").await;
/// let NotificationEvent::Unread(unread) = bell.expect().await else { panic!("the first message") };
/// assert_eq!(unread.notifications[0].payload, "Bob named you");
///
/// ada.send("/app/notifications/acknowledge", &serde_json::json!({ "ids": [unread.notifications[0].id] })).await;
/// assert!(matches!(bell.expect().await, NotificationEvent::Acknowledged { ids } if ids.len() == 1));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Notifications {
    broker: Broker,
    store: Arc<dyn NotificationStore>,
    path: Destination,
    limits: NotificationLimits,
}

/// A notification that was stored.
///
/// ```
/// use parlor_core::notifications::Notified;
///
/// fn line(notified: Notified) -> String {
///     format!("{} is stored, and {} sessions heard it at once", notified.id, notified.sessions)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notified {
    /// Its id.
    pub id: NotificationId,
    /// How many sessions and event streams of the user were told at once.
    pub sessions: usize,
}

/// Why a user was not notified. Nothing is stored then, and nobody was told.
///
/// ```
/// use parlor_core::notifications::NotifyError;
///
/// /// Whether it makes sense to try again later.
/// fn passes(error: &NotifyError) -> bool {
///     matches!(error, NotifyError::Store(_))
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// JSON cannot hold the payload.
    #[error("the payload of a notification cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The kind is empty or longer than 64 octets.
    #[error("the kind of a notification has 1 to {LONGEST_KIND} octets")]
    Kind,
    /// The payload is larger than [`NotificationLimits::max_payload_bytes`].
    #[error("the payload of a notification has {octets} octets and may have {most}")]
    PayloadTooLarge {
        /// How large it is as JSON.
        octets: usize,
        /// How large it may be.
        most: usize,
    },
    /// The store failed, or the user's mailbox is full.
    #[error(transparent)]
    Store(#[from] NotificationStoreError),
}

/// What a client asks for more of its unread notifications with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    #[serde(default)]
    after: Option<NotificationId>,
}

impl Notifications {
    /// Notifications that are kept in `store` and delivered by `broker`, which must be the endpoint's
    /// ([`RealtimeBuilder::broker`](crate::RealtimeBuilder::broker)). Give them to the endpoint too
    /// ([`RealtimeBuilder::notifications`](crate::RealtimeBuilder::notifications)), or its subscriptions begin with nothing.
    #[must_use]
    pub fn new(broker: Broker, store: impl NotificationStore) -> Self {
        #[expect(clippy::expect_used, reason = "the literal is a destination")]
        let path = PATH.parse().expect("a destination");
        Self { broker, store: Arc::new(store), path, limits: NotificationLimits::default() }
    }

    /// Delivers them at `/user` + `path`; default `/queue/notifications`.
    ///
    /// # Errors
    /// When `path` is no destination.
    pub fn at(mut self, path: &str) -> Result<Self, DestinationError> {
        self.path = path.parse()?;
        Ok(self)
    }

    /// Sets the bounds.
    #[must_use]
    pub fn with_limits(mut self, limits: NotificationLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Where they are delivered, behind `/user`.
    #[must_use]
    pub fn path(&self) -> &Destination {
        &self.path
    }

    /// Stores a notification, and tells every session and event stream of the user that listens. `kind` is the application's word
    /// for what it is.
    ///
    /// # Errors
    /// Why it was not stored. That nobody could be told is no error: they will find it when they subscribe.
    pub async fn notify(
        &self,
        user: &UserId,
        kind: &str,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<Notified, NotifyError> {
        if kind.is_empty() || kind.len() > LONGEST_KIND {
            return Err(NotifyError::Kind);
        }
        let payload = serde_json::to_value(payload)?;
        let (octets, most) = (payload.to_string().len(), self.limits.max_payload_bytes);
        if octets > most {
            return Err(NotifyError::PayloadTooLarge { octets, most });
        }
        let now = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let new = NewNotification::new(kind, payload, u64::try_from(now).unwrap_or(u64::MAX));
        let notification = self.store.append(user, new, self.limits.max_unread).await?;
        let id = notification.id;
        Ok(Notified { id, sessions: self.tell(user, &NotificationEvent::Notification(notification)).await })
    }

    /// A page of what the user has not acknowledged and comes after `after`, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unread(&self, user: &UserId, after: Option<NotificationId>) -> Result<Unread, NotificationStoreError> {
        self.store.unread(user, after, self.limits.page).await
    }

    /// Takes notifications out of the user's mailbox for good, and tells every session and event stream of the user; returns which
    /// ones were in it until now. Those of other users cannot be named.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn acknowledge(
        &self,
        user: &UserId,
        which: &Acknowledge,
    ) -> Result<Vec<NotificationId>, NotificationStoreError> {
        let ids = self.store.acknowledge(user, which).await?;
        if !ids.is_empty() {
            self.tell(user, &NotificationEvent::Acknowledged { ids: ids.clone() }).await;
        }
        Ok(ids)
    }

    /// Routes with which clients over STOMP do the same by themselves, below `prefix` (`/app/notifications` say):
    ///
    /// - `acknowledge`, with `{"ids":["…"]}` or `{"up_to":"…"}` ([`Acknowledge`]);
    /// - `unread`, with `{"after":"…"}` or `{}`: the next page, as a [`Reply`].
    ///
    /// Clients of event streams need an HTTP route of the application's that calls [`acknowledge`](Self::acknowledge).
    #[must_use]
    pub fn routes<S: Clone + Send + Sync + 'static>(&self, prefix: &str) -> Router<S> {
        let notifications = self.clone();
        let acknowledge = move |user: Principal, Payload(which): Payload<Acknowledge>| {
            let notifications = notifications.clone();
            async move {
                notifications.acknowledge(known(&user)?, &which).await?;
                Ok::<_, Rejection>(())
            }
        };
        let notifications = self.clone();
        let unread = move |user: Principal, Payload(After { after }): Payload<After>| {
            let notifications = notifications.clone();
            async move {
                let unread = notifications.unread(known(&user)?, after).await?;
                Ok::<_, Rejection>(Reply(NotificationEvent::Unread(unread)))
            }
        };
        Router::new()
            .mount(Route::message(&format!("{prefix}/acknowledge"), acknowledge))
            .mount(Route::message(&format!("{prefix}/unread"), unread))
    }

    /// Tells every session and event stream of the user; returns how many there were. It is stored already: whoever could not be
    /// told finds it there.
    async fn tell(&self, user: &UserId, event: &NotificationEvent) -> usize {
        let destination = UserDestination { owner: Owner::User(user.clone()), path: self.path.clone() };
        let sent = match publication(event) {
            Ok(publication) => self.broker.send_to_owner(&destination, &publication, None).await,
            Err(error) => Err(error.into()),
        };
        match sent {
            Ok(sent) => sent.sessions,
            Err(error) => {
                telemetry::application_failed("a notification was stored and could not be delivered", &error);
                0
            }
        }
    }
}

/// An event as what is delivered.
fn publication(event: &NotificationEvent) -> Result<Publication, serde_json::Error> {
    Ok(Publication::json(event)?.with_header(EVENT, event.name()))
}

/// Whose mailbox it is; who is nobody in particular has none.
fn known(principal: &Principal) -> Result<&UserId, Rejection> {
    principal.id().ok_or_else(|| Rejection::new("forbidden", "Notifications are for users. Log in first."))
}

/// What a subscription begins with.
impl Snapshot for Notifications {
    fn messages<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, Result<Vec<Publication>, Rejection>> {
        async move {
            let unread = self.unread(known(principal)?, None).await?;
            Ok(vec![publication(&NotificationEvent::Unread(unread)).map_err(Rejection::internal)?])
        }
        .boxed()
    }
}

impl From<NotificationStoreError> for Rejection {
    fn from(error: NotificationStoreError) -> Self {
        match error {
            NotificationStoreError::Full => {
                Self::new("mailbox-full", "There is no room for more notifications. Acknowledge some first.")
            }
            NotificationStoreError::Failed(error) => Self::internal(error),
        }
    }
}

impl From<NotifyError> for Rejection {
    fn from(error: NotifyError) -> Self {
        match error {
            NotifyError::Store(error) => error.into(),
            error => Self::internal(error),
        }
    }
}

impl fmt::Debug for Notifications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifications").field("path", &self.path).field("limits", &self.limits).finish_non_exhaustive()
    }
}
