//! How much a mailbox holds.

/// The bounds of every user's notifications.
///
/// ```
/// use parlor_core::{
///     broker::Broker,
///     notifications::{MemoryNotifications, NotificationLimits, Notifications},
/// };
///
/// let limits = NotificationLimits::default().max_unread(50);
/// let notifications = Notifications::new(Broker::default(), MemoryNotifications::default()).with_limits(limits);
/// # let _ = notifications;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotificationLimits {
    /// Octets of a notification's payload as JSON, default 4,096; a larger one is refused. Protects the store, and the room of the
    /// client's outbox, which a page must fit into.
    pub max_payload_bytes: usize,
    /// Notifications of a user that are not acknowledged, default 200; one more is refused. Protects the store from users who never
    /// come back. Nothing that is there is dropped for it.
    pub max_unread: usize,
    /// Notifications in one message of unread ones, default 32; whoever wants more asks for the next page.
    pub page: usize,
}

impl Default for NotificationLimits {
    fn default() -> Self {
        Self { max_payload_bytes: 4096, max_unread: 200, page: 32 }
    }
}

impl NotificationLimits {
    /// Sets [`max_payload_bytes`](Self::max_payload_bytes).
    #[must_use]
    pub const fn max_payload_bytes(mut self, octets: usize) -> Self {
        self.max_payload_bytes = octets;
        self
    }

    /// Sets [`max_unread`](Self::max_unread).
    #[must_use]
    pub const fn max_unread(mut self, notifications: usize) -> Self {
        self.max_unread = notifications;
        self
    }

    /// Sets [`page`](Self::page).
    #[must_use]
    pub const fn page(mut self, notifications: usize) -> Self {
        self.page = notifications;
        self
    }
}
