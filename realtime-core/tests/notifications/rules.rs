//! What holds for notifications, one by one.

use std::{sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt, ready};
use parlor_core::{
    Realtime,
    app::{Rejection, Router},
    auth::{Anonymous, Principal, UserId},
    broker::Broker,
    event_stream::EventsRequest,
    notifications::{
        Acknowledge, MemoryNotifications, NewNotification, Notification, NotificationEvent, NotificationId,
        NotificationLimits, NotificationStore, NotificationStoreError, Notifications, NotifyError, Unread,
    },
    testing::{TestClient, check_notification_store},
};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::bell::{AT, Bell, Node, id};

#[tokio::test]
async fn the_store_in_memory_passes_the_suite() {
    check_notification_store(&MemoryNotifications::default()).await;
    check_notification_store(&Arc::new(MemoryNotifications::default())).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_comes_first_and_then_what_is_new_over_both_transports() {
    let node = Node::new();
    let missed = node.notify("ada", "while she was away").await;
    let mut tabs = [Bell::over_stomp(&node, "ada").await, Bell::over_events(&node, "ada").await];
    let mut bob = Bell::over_events(&node, "bob").await;
    let notified = node.notifications.notify(&id("ada"), "mention", &json!({ "room": 7 })).await.expect("room");
    assert_eq!(notified.sessions, 2);
    for tab in &mut tabs {
        assert_eq!(tab.ids().await, [missed, notified.id]);
        assert!(matches!(&tab.heard[0], NotificationEvent::Unread(unread) if unread.notifications[0].id == missed));
        let new = &tab.shows[&notified.id];
        assert_eq!((new.kind.as_str(), &new.payload), ("mention", &json!({ "room": 7 })));
    }
    assert_eq!(bob.ids().await, []);
    assert!(matches!(&bob.heard[..], [NotificationEvent::Unread(unread)] if unread.notifications.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_clears_all_tabs_and_no_other_user() {
    let node = Node::new();
    let (one, two) = (node.notify("ada", "1").await, node.notify("ada", "2").await);
    let bobs = node.notify("bob", "his").await;
    let mut stomp = Bell::over_stomp(&node, "ada").await;
    let mut events = Bell::over_events(&node, "ada").await;
    // By the route, of her own and of another's.
    stomp.client().send("/app/notifications/acknowledge", &json!({ "ids": [one, bobs] })).await;
    assert_eq!((stomp.ids().await, events.ids().await), (vec![two], vec![two]));
    // By the application, for a client over HTTP.
    let three = node.notify("ada", "3").await;
    let seen = Acknowledge::UpTo { up_to: two };
    assert_eq!(node.notifications.acknowledge(&id("ada"), &seen).await.expect("acknowledged"), [two]);
    assert_eq!((stomp.ids().await, events.ids().await), (vec![three], vec![three]));
    // What is gone already is told to nobody.
    let heard = events.heard.len();
    assert_eq!(node.notifications.acknowledge(&id("ada"), &seen).await.expect("acknowledged"), []);
    events.look().await;
    assert_eq!(events.heard.len(), heard);
    assert_eq!(Bell::over_stomp(&node, "bob").await.ids().await, [bobs]);
}

#[tokio::test(start_paused = true)]
async fn until_it_is_acknowledged_each_subscription_begins_with_it() {
    let store = Arc::default();
    let mut node = Node::start(&store, NotificationLimits::default());
    let one = node.notify("ada", "1").await;
    for _ in 0..3 {
        let mut tab = Bell::over_events(&node, "ada").await;
        assert_eq!(tab.ids().await, [one]);
        assert_eq!(Bell::over_stomp(&node, "ada").await.ids().await, [one]);
        // The server dies, and the mailboxes do not.
        node = Node::start(&store, NotificationLimits::default());
    }
    node.notifications.acknowledge(&id("ada"), &Acknowledge::These { ids: vec![one] }).await.expect("acknowledged");
    assert_eq!(Bell::over_stomp(&node, "ada").await.ids().await, []);
}

#[tokio::test(start_paused = true)]
async fn more_than_a_page_is_asked_for_page_by_page() {
    let node = Node::start(&Arc::default(), NotificationLimits::default().page(2));
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(node.notify("ada", &number.to_string()).await);
    }
    let mut tab = Bell::over_stomp(&node, "ada").await;
    assert_eq!(tab.ids().await, all[..2]);
    assert!(matches!(&tab.heard[0], NotificationEvent::Unread(Unread { more: true, .. })));
    let mut read = all[..2].to_vec();
    for more in [true, false] {
        let asked = json!({ "after": read.last() });
        let answer = tab.client().request("/app/notifications/unread", &asked).await;
        let NotificationEvent::Unread(unread) = answer else { panic!("a page") };
        assert_eq!(unread.more, more);
        read.extend(unread.notifications.iter().map(|notification| notification.id));
    }
    assert_eq!(read, all);
}

#[tokio::test(start_paused = true)]
async fn a_user_has_so_many_unread_and_not_one_more() {
    let node = Node::start(&Arc::default(), NotificationLimits::default().max_unread(2));
    let one = node.notify("ada", "1").await;
    node.notify("ada", "2").await;
    let refused = node.notifications.notify(&id("ada"), "test", "3").await;
    assert!(matches!(refused, Err(NotifyError::Store(NotificationStoreError::Full))), "{refused:?}");
    assert_eq!(
        refused.map_err(Rejection::from).map_err(|refused| refused.code().to_owned()),
        Err("mailbox-full".to_owned())
    );
    node.notify("bob", "1").await;
    node.notifications.acknowledge(&id("ada"), &Acknowledge::UpTo { up_to: one }).await.expect("acknowledged");
    node.notify("ada", "3").await;
}

#[tokio::test(start_paused = true)]
async fn the_store_in_memory_holds_so_many_and_not_one_more() {
    let node = Node::start(&Arc::new(MemoryNotifications::with_room_for(2)), NotificationLimits::default());
    let one = node.notify("ada", "1").await;
    node.notify("bob", "1").await;
    let refused = node.notifications.notify(&id("eve"), "test", "1").await;
    assert!(matches!(refused, Err(NotifyError::Store(NotificationStoreError::Full))), "{refused:?}");
    node.notifications.acknowledge(&id("ada"), &Acknowledge::UpTo { up_to: one }).await.expect("acknowledged");
    node.notify("eve", "1").await;
}

#[tokio::test(start_paused = true)]
async fn a_payload_has_so_many_octets_and_not_one_more() {
    let node = Node::start(&Arc::default(), NotificationLimits::default().max_payload_bytes(12));
    // Two quotes belong to it.
    node.notify("ada", "ten octets").await;
    let refused = node.notifications.notify(&id("ada"), "test", "ten octets!").await;
    assert!(matches!(refused, Err(NotifyError::PayloadTooLarge { octets: 13, most: 12 })), "{refused:?}");
    for (kind, good) in [("", false), (&"x".repeat(64), true), (&"x".repeat(65), false)] {
        assert_eq!(node.notifications.notify(&id("ada"), kind, "x").await.is_ok(), good, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_largest_page_fits_into_the_room_of_a_client() {
    let node = Node::new();
    let limits = NotificationLimits::default();
    let largest = "x".repeat(limits.max_payload_bytes - 2);
    for _ in 0..limits.max_unread {
        node.notify("ada", &largest).await;
    }
    let mut tab = Bell::over_stomp(&node, "ada").await;
    assert_eq!(tab.ids().await.len(), limits.page);
    assert!(tab.client().is_open());
}

#[tokio::test(start_paused = true)]
async fn who_is_nobody_in_particular_has_no_mailbox() {
    let node = Node::new();
    let guest = TestClient::anonymous(&node.realtime).await;
    guest.subscribe(AT).refused("forbidden").await;
    guest.send("/app/notifications/unread", &json!({})).refused("forbidden").await;
    let nobody = Principal::anonymous();
    let admission = node.realtime.admit(None).and_then(|applicant| applicant.for_event_stream(&nobody));
    let refused = node.realtime.events(EventsRequest::new(AT), nobody, admission.expect("there is room")).await;
    assert_eq!(refused.err().map(|refused| refused.code().to_owned()).as_deref(), Some("forbidden"));
    assert_eq!(node.realtime.registry().event_stream_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_client_says_wrongly_is_refused_and_nothing_is_acknowledged() {
    let node = Node::new();
    let one = node.notify("ada", "1").await;
    let mut tab = Bell::over_stomp(&node, "ada").await;
    for wrong in [json!({}), json!({ "ids": [1] }), json!({ "ids": ["x"] }), json!({ "up_to": null }), json!("all")] {
        tab.client().send("/app/notifications/acknowledge", &wrong).refused("invalid-payload").await;
    }
    assert_eq!(tab.ids().await, [one]);
}

/// A store that takes its time to read: it has read already, and answers when the gate is open.
struct Slow {
    inner: MemoryNotifications,
    gate: Arc<Semaphore>,
}

impl NotificationStore for Slow {
    fn append<'a>(
        &'a self,
        user: &'a UserId,
        new: NewNotification,
        max_unread: usize,
    ) -> BoxFuture<'a, Result<Notification, NotificationStoreError>> {
        self.inner.append(user, new, max_unread)
    }

    fn unread<'a>(
        &'a self,
        user: &'a UserId,
        after: Option<NotificationId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Unread, NotificationStoreError>> {
        async move {
            let unread = self.inner.unread(user, after, limit).await;
            drop(self.gate.acquire().await);
            unread
        }
        .boxed()
    }

    fn acknowledge<'a>(
        &'a self,
        user: &'a UserId,
        which: &'a Acknowledge,
    ) -> BoxFuture<'a, Result<Vec<NotificationId>, NotificationStoreError>> {
        self.inner.acknowledge(user, which)
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_the_mailbox_is_read_comes_behind_what_was_read() {
    let gate = Arc::new(Semaphore::new(0));
    let store = Slow { inner: MemoryNotifications::default(), gate: Arc::clone(&gate) };
    let node = Arc::new(Node::on(store, NotificationLimits::default()));
    let (one, two) = (node.notify("ada", "1").await, node.notify("ada", "2").await);
    let opening = [true, false].map(|is_stomp| {
        let node = Arc::clone(&node);
        tokio::spawn(async move {
            if is_stomp { Bell::over_stomp(&node, "ada").await } else { Bell::over_events(&node, "ada").await }
        })
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let three = node.notify("ada", "3").await;
    let these = Acknowledge::These { ids: vec![one] };
    node.notifications.acknowledge(&id("ada"), &these).await.expect("acknowledged");
    gate.add_permits(10);
    for opening in opening {
        let mut tab = opening.await.expect("no panic");
        assert_eq!(tab.ids().await, [two, three]);
        let names: Vec<_> = tab.heard.iter().map(std::mem::discriminant).collect();
        let unread = NotificationEvent::Unread(Unread::default());
        assert_eq!((names.len(), names[0]), (3, std::mem::discriminant(&unread)));
    }
}

/// A store that fails.
struct Broken;

impl NotificationStore for Broken {
    fn append<'a>(
        &'a self,
        _: &'a UserId,
        _: NewNotification,
        _: usize,
    ) -> BoxFuture<'a, Result<Notification, NotificationStoreError>> {
        ready(Err(NotificationStoreError::failed("the disk is full"))).boxed()
    }

    fn unread<'a>(
        &'a self,
        _: &'a UserId,
        _: Option<NotificationId>,
        _: usize,
    ) -> BoxFuture<'a, Result<Unread, NotificationStoreError>> {
        ready(Err(NotificationStoreError::failed("the disk is broken"))).boxed()
    }

    fn acknowledge<'a>(
        &'a self,
        _: &'a UserId,
        _: &'a Acknowledge,
    ) -> BoxFuture<'a, Result<Vec<NotificationId>, NotificationStoreError>> {
        panic!("the store is broken")
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_costs_the_subscription_and_not_the_session() {
    let broker = Broker::default();
    let notifications = Notifications::new(broker.clone(), Broken);
    let routes = Router::new().merge(notifications.routes("/app/notifications")).with_state(());
    let realtime = Realtime::builder(routes).broker(broker).authenticate(Anonymous).notifications(&notifications);
    let realtime = realtime.build().expect("a good endpoint");
    let ada = TestClient::connect(&realtime, "ada").await;
    ada.subscribe(AT).refused("internal").await;
    ada.send("/app/notifications/acknowledge", &json!({ "ids": [] })).refused("internal").await;
    assert!(ada.is_open());
    assert!(notifications.notify(&id("ada"), "test", "x").await.is_err());
}

#[test]
fn a_snapshot_for_no_destination_of_a_user_is_found_at_start_up() {
    for path in ["queue", "/queue/", "/elsewhere", ""] {
        let notifications = Notifications::new(Broker::default(), MemoryNotifications::default());
        let builder = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous);
        assert!(builder.snapshot(path, notifications).build().is_err(), "{path:?}");
    }
}
