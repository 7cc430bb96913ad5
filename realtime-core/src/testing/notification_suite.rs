//! One suite for every store of notifications: what [`Notifications`](crate::notifications::Notifications) relies on.

#![expect(clippy::expect_used, reason = "the suite fails by panicking, as a test does")]

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::{
    auth::UserId,
    notifications::{
        Acknowledge, NewNotification, Notification, NotificationId, NotificationStore, NotificationStoreError,
    },
};

/// Room for every notification of the suite.
const ENOUGH: usize = 1000;

/// Checks that a store does what [`NotificationStore`] promises. It begins empty, or without notifications of users whose ids begin
/// with `suite-`.
///
/// ```
/// use parlor_core::{notifications::MemoryNotifications, testing::check_notification_store};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// check_notification_store(&MemoryNotifications::default()).await;
/// # }
/// ```
///
/// # Panics
/// Where it does not.
pub async fn check_notification_store(store: &impl NotificationStore) {
    what_was_put_in_comes_out_oldest_first(store).await;
    a_page_says_whether_there_is_more_and_the_next_begins_behind_it(store).await;
    a_mailbox_has_so_many_and_not_one_more(store).await;
    what_is_acknowledged_is_gone_and_told_once(store).await;
    up_to_one_means_none_that_came_later(store).await;
    nobody_reaches_the_mailbox_of_another(store).await;
    an_id_is_never_given_twice(store).await;
    of_many_at_once_each_has_its_own_place(store).await;
}

fn user(name: &str) -> UserId {
    format!("suite-{name}").parse().expect("an id")
}

fn new(kind: &str) -> NewNotification {
    NewNotification::new(kind, json!({ "text": "'quoted' \"too\" %_ 😀\u{0}", "n": [1, 2.5, null] }), 1_700_000_000_123)
}

async fn append(store: &impl NotificationStore, user: &UserId, kind: &str) -> Notification {
    store.append(user, new(kind), ENOUGH).await.expect("there is room")
}

async fn unread(store: &impl NotificationStore, user: &UserId) -> Vec<NotificationId> {
    let unread = store.unread(user, None, ENOUGH).await.expect("it can be read");
    assert!(!unread.more, "there is no more than all");
    unread.notifications.iter().map(|notification| notification.id).collect()
}

async fn acknowledge(store: &impl NotificationStore, user: &UserId, which: Acknowledge) -> Vec<NotificationId> {
    store.acknowledge(user, &which).await.expect("it can be acknowledged")
}

async fn what_was_put_in_comes_out_oldest_first(store: &impl NotificationStore) {
    let ada = user("order");
    let mut all = Vec::new();
    for kind in ["c", "a", "b"] {
        let notification = append(store, &ada, kind).await;
        let NewNotification { kind, payload, at } = new(kind);
        assert_eq!((&notification.kind, &notification.payload, notification.at), (&kind, &payload, at));
        all.push(notification);
    }
    assert!(all.is_sorted_by_key(|notification| notification.id));
    assert_eq!(store.unread(&ada, None, ENOUGH).await.expect("it can be read").notifications, all);
    assert_eq!(unread(store, &user("nobody")).await, []);
}

async fn a_page_says_whether_there_is_more_and_the_next_begins_behind_it(store: &impl NotificationStore) {
    let ada = user("pages");
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(append(store, &ada, "page").await.id);
    }
    let (mut read, mut after) = (Vec::new(), None);
    for (length, more) in [(2, true), (2, true), (1, false)] {
        let page = store.unread(&ada, after, 2).await.expect("it can be read");
        assert_eq!((page.notifications.len(), page.more), (length, more));
        read.extend(page.notifications.iter().map(|notification| notification.id));
        after = read.last().copied();
    }
    assert_eq!(read, all);
    let exactly = store.unread(&ada, None, 5).await.expect("it can be read");
    assert!(!exactly.more);
    // Behind one that was acknowledged goes on as well.
    acknowledge(store, &ada, Acknowledge::These { ids: vec![all[1]] }).await;
    let page = store.unread(&ada, Some(all[1]), 1).await.expect("it can be read");
    assert_eq!((page.notifications[0].id, page.more), (all[2], true));
}

async fn a_mailbox_has_so_many_and_not_one_more(store: &impl NotificationStore) {
    let ada = user("full");
    let first = store.append(&ada, new("one"), 2).await.expect("there is room");
    store.append(&ada, new("two"), 2).await.expect("there is room");
    let third = store.append(&ada, new("three"), 2).await;
    assert!(matches!(third, Err(NotificationStoreError::Full)), "{third:?}");
    assert_eq!(unread(store, &ada).await.len(), 2, "nothing was dropped for it");
    acknowledge(store, &ada, Acknowledge::These { ids: vec![first.id] }).await;
    store.append(&ada, new("three"), 2).await.expect("there is room again");
}

async fn what_is_acknowledged_is_gone_and_told_once(store: &impl NotificationStore) {
    let ada = user("acknowledge");
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(append(store, &ada, "x").await.id);
    }
    let unknown = NotificationId::new(ids[2].get() + 1_000_000);
    let which = Acknowledge::These { ids: vec![ids[2], unknown, ids[0], ids[0]] };
    assert_eq!(acknowledge(store, &ada, which.clone()).await, [ids[0], ids[2]]);
    assert_eq!(unread(store, &ada).await, [ids[1]]);
    assert_eq!(acknowledge(store, &ada, which).await, []);
    assert_eq!(acknowledge(store, &ada, Acknowledge::These { ids: Vec::new() }).await, []);
}

async fn up_to_one_means_none_that_came_later(store: &impl NotificationStore) {
    let ada = user("up-to");
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(append(store, &ada, "x").await.id);
    }
    assert_eq!(acknowledge(store, &ada, Acknowledge::UpTo { up_to: ids[1] }).await, ids[..2]);
    assert_eq!(unread(store, &ada).await, ids[2..]);
    let highest = NotificationId::new(u64::MAX);
    assert_eq!(acknowledge(store, &ada, Acknowledge::UpTo { up_to: highest }).await, ids[2..]);
}

async fn nobody_reaches_the_mailbox_of_another(store: &impl NotificationStore) {
    let (ada, eve) = (user("hers"), user("eve"));
    let id = append(store, &ada, "x").await.id;
    append(store, &eve, "x").await;
    assert_eq!(acknowledge(store, &eve, Acknowledge::These { ids: vec![id] }).await, []);
    acknowledge(store, &eve, Acknowledge::UpTo { up_to: NotificationId::new(u64::MAX) }).await;
    assert_eq!((unread(store, &ada).await, unread(store, &eve).await), (vec![id], Vec::new()));
}

async fn an_id_is_never_given_twice(store: &impl NotificationStore) {
    let ada = user("again");
    let mut last = None;
    for _ in 0..5 {
        let id = append(store, &ada, "x").await.id;
        assert!(last.is_none_or(|last| id > last), "{id} after {last:?}, which was acknowledged");
        acknowledge(store, &ada, Acknowledge::These { ids: vec![id] }).await;
        last = Some(id);
    }
}

async fn of_many_at_once_each_has_its_own_place(store: &impl NotificationStore) {
    let ada = user("at-once");
    let appended = join_all((0..20).map(|_| store.append(&ada, new("x"), 10))).await;
    let kept: BTreeSet<_> = appended.iter().flatten().map(|notification| notification.id).collect();
    let refused = appended.iter().filter(|result| matches!(result, Err(NotificationStoreError::Full))).count();
    assert_eq!((kept.len(), refused), (10, 10), "the bound holds for those at the same time too");
    assert_eq!(unread(store, &ada).await, kept.into_iter().collect::<Vec<_>>());
}
