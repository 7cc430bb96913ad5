//! The broadcast service: sends what was kept to everyone in the room.

use parlor::broker::Broker;

use crate::{chat::Said, store::Message};

/// Publishes messages to their rooms.
#[derive(Clone)]
pub(super) struct BroadcastService {
    broker: Broker,
}

impl BroadcastService {
    pub(super) fn new(broker: Broker) -> Self {
        Self { broker }
    }

    /// Sends a message. A failure is logged and not the author's: the message is kept already.
    pub(super) async fn message(&self, message: &Message) {
        let destination = format!("/topic/rooms/{}/chat", message.room);
        match self.broker.publish(destination, &Said { message }).await {
            Ok(reached) => tracing::debug!(id = message.id, subscriptions = reached.subscriptions, "said"),
            Err(error) => tracing::error!(id = message.id, %error, "a message could not be broadcast"),
        }
    }
}
