//! The broadcast service: sends what was kept to everyone in the room.

use parlor::broker::{Broker, PublishError};

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

    /// Sends a message. Where it fails, pages that are here miss it, and those that resume would: it has to be sent again.
    pub(super) async fn message(&self, message: &Message) -> Result<(), PublishError> {
        let destination = format!("/topic/rooms/{}/chat", message.room);
        let reached = self.broker.publish(destination, &Said { message }).await?;
        tracing::debug!(id = message.id, subscriptions = reached.subscriptions, "said");
        Ok(())
    }
}
