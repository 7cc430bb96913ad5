//! Where notifications are kept until they are acknowledged.

use std::{error::Error, sync::Arc};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    auth::UserId,
    notifications::{Notification, NotificationId, Unread},
};

/// Keeps the mailboxes of users: what they have not acknowledged.
///
/// Called by [`Notifications`](super::Notifications), from any task and for one user at several places at once.
/// [`MemoryNotifications`](super::MemoryNotifications) is the one that needs nothing else, and loses everything with the process.
/// Each implementation passes `parlor_core::testing::check_notification_store`.
///
/// ```
/// use futures_util::future::BoxFuture;
/// use parlor_core::{
///     auth::UserId,
///     notifications::{
///         Acknowledge, MemoryNotifications, NewNotification, Notification, NotificationId, NotificationStore,
///         NotificationStoreError, Unread,
///     },
/// };
///
/// /// Says what another store is asked.
/// struct Told(MemoryNotifications);
///
/// impl NotificationStore for Told {
///     fn append<'a>(
///         &'a self,
///         user: &'a UserId,
///         new: NewNotification,
///         max_unread: usize,
///     ) -> BoxFuture<'a, Result<Notification, NotificationStoreError>> {
///         println!("{} is notified of {}", user.as_str(), new.kind);
///         self.0.append(user, new, max_unread)
///     }
///
///     fn unread<'a>(
///         &'a self,
///         user: &'a UserId,
///         after: Option<NotificationId>,
///         limit: usize,
///     ) -> BoxFuture<'a, Result<Unread, NotificationStoreError>> {
///         self.0.unread(user, after, limit)
///     }
///
///     fn acknowledge<'a>(
///         &'a self,
///         user: &'a UserId,
///         which: &'a Acknowledge,
///     ) -> BoxFuture<'a, Result<Vec<NotificationId>, NotificationStoreError>> {
///         self.0.acknowledge(user, which)
///     }
/// }
/// ```
pub trait NotificationStore: Send + Sync + 'static {
    /// Keeps a notification, with an id that is greater than all that the user ever had from this store, acknowledged ones
    /// included.
    ///
    /// # Errors
    /// [`NotificationStoreError::Full`] where the user has `max_unread` already: then nothing is changed.
    fn append<'a>(
        &'a self,
        user: &'a UserId,
        new: NewNotification,
        max_unread: usize,
    ) -> BoxFuture<'a, Result<Notification, NotificationStoreError>>;

    /// What the user has not acknowledged and comes after `after`, oldest first, at most `limit` of them, and whether there are
    /// more.
    fn unread<'a>(
        &'a self,
        user: &'a UserId,
        after: Option<NotificationId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Unread, NotificationStoreError>>;

    /// Takes acknowledged notifications out of the user's mailbox and returns their ids, smallest first: those that were in it
    /// until now. The others, of other users say, are left out.
    fn acknowledge<'a>(
        &'a self,
        user: &'a UserId,
        which: &'a Acknowledge,
    ) -> BoxFuture<'a, Result<Vec<NotificationId>, NotificationStoreError>>;
}

/// A store that several share.
impl<S: NotificationStore + ?Sized> NotificationStore for Arc<S> {
    fn append<'a>(
        &'a self,
        user: &'a UserId,
        new: NewNotification,
        max_unread: usize,
    ) -> BoxFuture<'a, Result<Notification, NotificationStoreError>> {
        (**self).append(user, new, max_unread)
    }

    fn unread<'a>(
        &'a self,
        user: &'a UserId,
        after: Option<NotificationId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Unread, NotificationStoreError>> {
        (**self).unread(user, after, limit)
    }

    fn acknowledge<'a>(
        &'a self,
        user: &'a UserId,
        which: &'a Acknowledge,
    ) -> BoxFuture<'a, Result<Vec<NotificationId>, NotificationStoreError>> {
        (**self).acknowledge(user, which)
    }
}

/// A notification that has no id yet.
///
/// ```
/// use parlor_core::notifications::NewNotification;
///
/// let new = NewNotification::new("mention", serde_json::json!({ "room": 7 }), 1_700_000_000_000);
/// assert_eq!(new.kind, "mention");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NewNotification {
    /// What kind it is.
    pub kind: String,
    /// What there is to say.
    pub payload: Value,
    /// When it was made, in milliseconds since 1970.
    pub at: u64,
}

/// Which notifications are acknowledged: what a client sends, as JSON.
///
/// ```
/// use parlor_core::notifications::{Acknowledge, NotificationId};
///
/// let these: Acknowledge = serde_json::from_str(r#"{"ids":["3","5"]}"#)?;
/// assert_eq!(these, Acknowledge::These { ids: vec![NotificationId::new(3), NotificationId::new(5)] });
/// let all: Acknowledge = serde_json::from_str(r#"{"up_to":"5"}"#)?;
/// assert_eq!(all, Acknowledge::UpTo { up_to: NotificationId::new(5) });
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
#[non_exhaustive]
pub enum Acknowledge {
    /// These ones.
    These {
        /// Their ids.
        ids: Vec<NotificationId>,
    },
    /// This one and all before it: all that the user has seen, and none that came meanwhile.
    UpTo {
        /// The last one that was seen.
        up_to: NotificationId,
    },
}

/// Why a store did not do what it was asked.
///
/// ```
/// use parlor_core::notifications::NotificationStoreError;
///
/// let error = NotificationStoreError::failed("the disk is full");
/// assert!(matches!(error, NotificationStoreError::Failed(_)));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotificationStoreError {
    /// It failed.
    #[error("the notifications could not be stored or read: {0}")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
    /// There is no room: the user has as many unread notifications as they may, or the store as many in all.
    #[error("there is no room for more unread notifications")]
    Full,
}

impl NewNotification {
    /// A notification without an id; `at` is in milliseconds since 1970.
    #[must_use]
    pub fn new(kind: impl Into<String>, payload: Value, at: u64) -> Self {
        Self { kind: kind.into(), payload, at }
    }
}

impl Acknowledge {
    /// Whether a notification is meant.
    #[must_use]
    pub fn includes(&self, id: NotificationId) -> bool {
        match self {
            Self::These { ids } => ids.contains(&id),
            Self::UpTo { up_to } => id <= *up_to,
        }
    }
}

impl NotificationStoreError {
    /// A store's own failure.
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }
}
