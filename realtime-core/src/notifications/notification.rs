//! A notification, its id, and what clients hear of notifications.

use std::{fmt, num::ParseIntError, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

/// Names a notification of a user. Stable: it is the same however often the notification is delivered, so that clients know what
/// they have. Later ones of a user have greater ids; a text in JSON, as JavaScript's numbers end at 2^53.
///
/// ```
/// use parlor_core::notifications::NotificationId;
///
/// let id: NotificationId = "17".parse()?;
/// assert!(id < NotificationId::new(18));
/// assert_eq!(id.to_string(), "17");
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotificationId(u64);

/// Something that a user should hear of.
///
/// ```
/// use parlor_core::notifications::{Notification, NotificationId};
///
/// let notification = Notification::new(NotificationId::new(1), "mention", serde_json::json!({ "room": 7 }), 0);
/// assert_eq!(serde_json::to_string(&notification)?, r#"{"id":"1","kind":"mention","payload":{"room":7},"at":0}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// What kind it is, in the application's words: at most 64 octets.
    pub kind: String,
    /// What there is to say.
    pub payload: Value,
    /// When it was made, in milliseconds since 1970.
    pub at: u64,
}

/// What a client hears at its user's notifications, as JSON; over SSE the event has the name of the variant, as the header
/// `event` has over STOMP.
///
/// ```
/// use parlor_core::notifications::NotificationEvent;
///
/// let event: NotificationEvent = serde_json::from_str(r#"{"type":"acknowledged","ids":["1","2"]}"#)?;
/// assert!(matches!(event, NotificationEvent::Acknowledged { ids } if ids.len() == 2));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
pub enum NotificationEvent {
    /// These were acknowledged, by this client or another one of the user.
    Acknowledged {
        /// Which ones.
        ids: Vec<NotificationId>,
    },
    /// A new one.
    Notification(Notification),
    /// What is not acknowledged yet, oldest first: the first message of a subscription, and the answer to whoever asks for more.
    Unread(Unread),
}

/// A page of what a user has not acknowledged.
///
/// ```
/// use parlor_core::notifications::Unread;
///
/// let nothing = Unread::default();
/// assert!(nothing.notifications.is_empty() && !nothing.more);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unread {
    /// Oldest first.
    pub notifications: Vec<Notification>,
    /// Whether there are more behind the last of these.
    pub more: bool,
}

impl NotificationId {
    /// An id, for stores.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number that it is.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Notification {
    /// A notification, for stores. `at` is in milliseconds since 1970.
    #[must_use]
    pub fn new(id: NotificationId, kind: impl Into<String>, payload: Value, at: u64) -> Self {
        Self { id, kind: kind.into(), payload, at }
    }
}

impl Unread {
    /// A page, for stores.
    #[must_use]
    pub fn new(notifications: Vec<Notification>, more: bool) -> Self {
        Self { notifications, more }
    }
}

impl NotificationEvent {
    /// The name of the event.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Acknowledged { .. } => "acknowledged",
            Self::Notification(_) => "notification",
            Self::Unread(_) => "unread",
        }
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for NotificationId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

impl Serialize for NotificationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NotificationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom("the id of a notification is a number in a text"))
    }
}
