//! How subscribers listen: each transport is an implementation of [`Transport`]. A subscriber may change between them, because
//! positions are the same.

use std::{net::SocketAddr, sync::Arc};

use futures_util::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use parlor_client::{Client, SubscriptionEvent};

use crate::chaos::scene::Scene;

/// What a subscription goes through.
#[derive(Debug)]
pub(super) enum FeedEvent {
    /// The server has confirmed it, and said where it begins.
    Confirmed { position: Option<String> },
    /// It is over, for this reason.
    Ended(String),
    /// A message with this body, and its position.
    Message { id: String, position: Option<String> },
    /// It is in force again after a reconnect, or with another client.
    Resumed { recovered: bool },
}

/// A subscription.
pub(super) type Feed = BoxStream<'static, FeedEvent>;

/// A way to listen.
pub(super) trait Transport: Send + Sync {
    /// A connected client of that name. It reconnects by itself until it, and what it gave, is dropped.
    fn connect<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Box<dyn Listener>>;
}

/// A client that can subscribe.
pub(super) trait Listener: Send + Sync {
    /// Subscribes as soon as the stream is read, which begins with [`FeedEvent::Confirmed`].
    fn subscribe(&self, destination: String, resume_from: Option<String>) -> Feed;

    /// Counts reconnects until the client ends.
    fn count_sessions(&self) -> BoxFuture<'static, ()>;
}

/// STOMP over WebSocket.
pub(super) struct WebSocket {
    pub(super) scene: Arc<Scene>,
    pub(super) address: SocketAddr,
}

struct WebSocketListener {
    scene: Arc<Scene>,
    client: Client,
}

impl Transport for WebSocket {
    fn connect<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Box<dyn Listener>> {
        async {
            let client = self.scene.connect(name, self.address).await;
            Box::new(WebSocketListener { scene: Arc::clone(&self.scene), client }) as Box<dyn Listener>
        }
        .boxed()
    }
}

impl Listener for WebSocketListener {
    fn subscribe(&self, destination: String, resume_from: Option<String>) -> Feed {
        let client = self.client.clone();
        stream::once(async move {
            let builder = client.subscribe(destination);
            let subscribed = match resume_from {
                Some(position) => builder.resume_from(position).await,
                None => builder.await,
            };
            match subscribed {
                Ok(subscription) => {
                    let confirmed = FeedEvent::Confirmed { position: subscription.position().map(str::to_owned) };
                    stream::iter([confirmed]).chain(subscription.events().map(FeedEvent::from)).boxed()
                }
                Err(error) => stream::iter([FeedEvent::Ended(error.to_string())]).boxed(),
            }
        })
        .flatten()
        .boxed()
    }

    fn count_sessions(&self) -> BoxFuture<'static, ()> {
        let (scene, state) = (Arc::clone(&self.scene), self.client.state());
        async move { scene.count_sessions(state).await }.boxed()
    }
}

impl From<SubscriptionEvent> for FeedEvent {
    fn from(event: SubscriptionEvent) -> Self {
        match event {
            SubscriptionEvent::Message(message) => Self::Message {
                id: message.text().unwrap_or_default().to_owned(),
                position: message.position().map(str::to_owned),
            },
            SubscriptionEvent::Resumed { recovered } => Self::Resumed { recovered },
            SubscriptionEvent::Ended(refusal) => Self::Ended(refusal.to_string()),
            other => Self::Ended(format!("what this tool does not know happened: {other:?}")),
        }
    }
}
