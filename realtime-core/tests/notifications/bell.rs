//! What a page shows of its user's notifications, over either transport.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{FutureExt, StreamExt};
use parlor_core::{
    Config, Realtime,
    app::Router,
    auth::{Anonymous, Principal, UserId},
    broker::Broker,
    event_stream::{EventStream, EventsRequest},
    notifications::{
        MemoryNotifications, Notification, NotificationEvent, NotificationId, NotificationLimits, NotificationStore,
        Notifications,
    },
    testing::{TestClient, TestSubscription},
};

pub(crate) const AT: &str = "/user/queue/notifications";

/// A server: what dies together.
pub(crate) struct Node {
    pub(crate) realtime: Realtime,
    pub(crate) notifications: Notifications,
}

impl Node {
    /// On mailboxes that outlive it.
    pub(crate) fn start(store: &Arc<MemoryNotifications>, limits: NotificationLimits) -> Self {
        Self::on(Arc::clone(store), limits)
    }

    /// On any store.
    pub(crate) fn on(store: impl NotificationStore, limits: NotificationLimits) -> Self {
        let broker = Broker::default();
        let notifications = Notifications::new(broker.clone(), store).with_limits(limits);
        let routes = Router::new().merge(notifications.routes("/app/notifications")).with_state(());
        let realtime = Realtime::builder(routes)
            .broker(broker)
            .authenticate(Anonymous)
            .config(Config::development())
            .notifications(&notifications)
            .build()
            .expect("a good endpoint");
        Self { realtime, notifications }
    }

    /// With mailboxes of its own and the default bounds.
    pub(crate) fn new() -> Self {
        Self::start(&Arc::default(), NotificationLimits::default())
    }

    pub(crate) async fn notify(&self, who: &str, what: &str) -> NotificationId {
        self.notifications.notify(&id(who), "test", what).await.expect("there is room").id
    }
}

pub(crate) fn id(who: &str) -> UserId {
    who.parse().expect("an id")
}

/// How a page hears.
enum Line {
    Events { stream: EventStream, text: String, broker: Broker },
    Stomp { client: TestClient, subscription: TestSubscription },
}

/// A page: what it heard, and what it shows for that.
pub(crate) struct Bell {
    line: Line,
    pub(crate) heard: Vec<NotificationEvent>,
    pub(crate) shows: BTreeMap<NotificationId, Notification>,
}

impl Bell {
    pub(crate) async fn over_stomp(node: &Node, who: &str) -> Self {
        let client = TestClient::connect(&node.realtime, who).await;
        let subscription = client.subscribe(AT).await;
        Self::new(Line::Stomp { client, subscription })
    }

    pub(crate) async fn over_events(node: &Node, who: &str) -> Self {
        let who = Principal::user(id(who));
        let admission = node.realtime.admit(None).and_then(|applicant| applicant.for_event_stream(&who));
        let request = EventsRequest::new(AT);
        let opened = node.realtime.events(request, who, admission.expect("there is room")).await;
        let (stream, running) = opened.expect("it is theirs");
        tokio::spawn(running);
        Self::new(Line::Events { stream, text: String::new(), broker: node.realtime.broker().clone() })
    }

    fn new(line: Line) -> Self {
        Self { line, heard: Vec::new(), shows: BTreeMap::new() }
    }

    /// The client, of one over STOMP.
    pub(crate) fn client(&self) -> &TestClient {
        match &self.line {
            Line::Stomp { client, .. } => client,
            Line::Events { .. } => panic!("an event stream cannot send"),
        }
    }

    /// Takes what has come.
    pub(crate) async fn look(&mut self) {
        let mut bodies = Vec::new();
        match &mut self.line {
            Line::Stomp { client, subscription } => {
                client.sync().await;
                for message in subscription.messages() {
                    let event: NotificationEvent = message.json();
                    assert_eq!(message.header("event"), Some(name(&event)));
                    bodies.push(event);
                }
            }
            Line::Events { stream, text, broker } => {
                broker.settled().await;
                while let Some(Some(octets)) = stream.next().now_or_never() {
                    text.push_str(std::str::from_utf8(&octets).expect("no letter is cut in two here"));
                }
                while let Some((block, rest)) = text.split_once("\n\n") {
                    let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
                    if let Some(data) = field("data: ") {
                        let event = serde_json::from_str(data).expect("an event");
                        assert_eq!(field("event: "), Some(name(&event)));
                        bodies.push(event);
                    }
                    *text = rest.to_owned();
                }
            }
        }
        for event in bodies {
            match event.clone() {
                NotificationEvent::Unread(unread) => {
                    self.shows.extend(unread.notifications.into_iter().map(|known| (known.id, known)));
                }
                NotificationEvent::Notification(new) => {
                    self.shows.insert(new.id, new);
                }
                NotificationEvent::Acknowledged { ids } => self.shows.retain(|id, _| !ids.contains(id)),
                other => panic!("an event that no client knows: {other:?}"),
            }
            self.heard.push(event);
        }
    }

    /// The ids that it shows now.
    pub(crate) async fn ids(&mut self) -> Vec<NotificationId> {
        self.look().await;
        self.shows.keys().copied().collect()
    }
}

fn name(event: &NotificationEvent) -> &'static str {
    match event {
        NotificationEvent::Acknowledged { .. } => "acknowledged",
        NotificationEvent::Notification(_) => "notification",
        NotificationEvent::Unread(_) => "unread",
        _ => "unknown",
    }
}
