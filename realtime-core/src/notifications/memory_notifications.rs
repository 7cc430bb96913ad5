//! Notifications in memory: the reference of what a store does, and enough where a restart may forget them.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::UNIX_EPOCH,
};

use futures_util::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;

use crate::{
    auth::UserId,
    clock,
    notifications::{
        Acknowledge, NewNotification, Notification, NotificationId, NotificationStore, NotificationStoreError, Unread,
    },
};

/// Keeps notifications in this process; they end with it.
///
/// ```
/// use parlor_core::{broker::Broker, notifications::{MemoryNotifications, Notifications}};
///
/// let notifications = Notifications::new(Broker::default(), MemoryNotifications::default());
/// # let _ = notifications;
/// ```
pub struct MemoryNotifications {
    max_in_all: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// A user without unread notifications has no mailbox.
    mailboxes: HashMap<UserId, BTreeMap<NotificationId, Notification>>,
    in_all: usize,
    last: u64,
}

impl Default for MemoryNotifications {
    /// With room for 50,000 notifications of all users together.
    fn default() -> Self {
        Self::with_room_for(50_000)
    }
}

impl MemoryNotifications {
    /// With room for so many notifications of all users together; one more is refused as those of a full mailbox are.
    #[must_use]
    pub fn with_room_for(max_in_all: usize) -> Self {
        Self { max_in_all, state: Mutex::default() }
    }
}

impl State {
    /// Greater than all before it, and than those of earlier processes, as far as the clock goes forward: a client that kept what
    /// it has seen must not take a new one for an old one.
    fn next_id(&mut self) -> NotificationId {
        let micros = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        self.last = u64::try_from(micros).unwrap_or(u64::MAX).max(self.last + 1);
        NotificationId::new(self.last)
    }
}

impl NotificationStore for MemoryNotifications {
    fn append<'a>(
        &'a self,
        user: &'a UserId,
        NewNotification { kind, payload, at }: NewNotification,
        max_unread: usize,
    ) -> BoxFuture<'a, Result<Notification, NotificationStoreError>> {
        let mut state = self.state.lock();
        let unread = state.mailboxes.get(user).map_or(0, BTreeMap::len);
        if unread >= max_unread || state.in_all >= self.max_in_all {
            return ready(Err(NotificationStoreError::Full)).boxed();
        }
        let notification = Notification::new(state.next_id(), kind, payload, at);
        state.mailboxes.entry(user.clone()).or_default().insert(notification.id, notification.clone());
        state.in_all += 1;
        ready(Ok(notification)).boxed()
    }

    fn unread<'a>(
        &'a self,
        user: &'a UserId,
        after: Option<NotificationId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Unread, NotificationStoreError>> {
        let state = self.state.lock();
        let mailbox = state.mailboxes.get(user).into_iter().flat_map(BTreeMap::values);
        let mut later = mailbox.skip_while(|notification| after.is_some_and(|after| notification.id <= after));
        let notifications = later.by_ref().take(limit).cloned().collect();
        let more = later.next().is_some();
        ready(Ok(Unread::new(notifications, more))).boxed()
    }

    fn acknowledge<'a>(
        &'a self,
        user: &'a UserId,
        which: &'a Acknowledge,
    ) -> BoxFuture<'a, Result<Vec<NotificationId>, NotificationStoreError>> {
        let mut state = self.state.lock();
        let State { mailboxes, in_all, .. } = &mut *state;
        let Some(mailbox) = mailboxes.get_mut(user) else { return ready(Ok(Vec::new())).boxed() };
        let acknowledged: Vec<_> = mailbox.keys().copied().filter(|id| which.includes(*id)).collect();
        for id in &acknowledged {
            mailbox.remove(id);
        }
        *in_all -= acknowledged.len();
        if mailbox.is_empty() {
            mailboxes.remove(user);
        }
        ready(Ok(acknowledged)).boxed()
    }
}

impl fmt::Debug for MemoryNotifications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryNotifications").field("in_all", &self.state.lock().in_all).finish_non_exhaustive()
    }
}
