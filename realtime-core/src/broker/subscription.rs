//! A subscription in force: while it lives messages flow, and dropping it ends it.

use std::sync::Arc;

use bytes::Bytes;
use parlor_stomp::Command;

use crate::{
    broker::{
        Broker, Publication,
        group::{self, GroupKey, SubscriberKey},
        index::Place,
        topic::SharedTopic,
    },
    outbox::Outbox,
    session_id::SessionId,
    telemetry::DestinationMeters,
};

/// One registered subscription. It belongs to its session and leaves the broker when it is dropped, also when a handler
/// panicked.
#[derive(Debug)]
pub(crate) struct ActiveSubscription {
    pub(super) broker: Broker,
    pub(super) topic: SharedTopic,
    pub(super) place: Place,
    pub(super) group: GroupKey,
    pub(super) key: SubscriberKey,
    pub(super) meters: Arc<DestinationMeters>,
}

impl ActiveSubscription {
    /// Sends `replies` as the subscription's first messages, then what was held back while they were made.
    pub(crate) fn release(&self, destination: &str, replies: &[Publication]) {
        let first = replies.iter().map(|reply| self.encode(destination, reply)).collect();
        if let Some(mut state) = self.topic.lock()
            && let Some(member) = state.member_mut(&self.group, self.key)
        {
            member.release(first);
        }
    }

    fn encode(&self, destination: &str, reply: &Publication) -> Bytes {
        let message_id = self.broker.next_message_id();
        let wire = group::encode(&self.group, &message_id, destination, &reply.in_current_trace());
        self.broker.inner.meters.traffic.sent(Command::Message, 1, wire.len());
        wire
    }
}

impl Drop for ActiveSubscription {
    fn drop(&mut self) {
        let empty = match self.topic.lock() {
            Some(mut state) => state.remove(&self.group, self.key),
            None => false,
        };
        self.meters.subscriptions.decrement();
        let index = &self.broker.inner.index;
        index.removed(&self.place);
        if empty {
            index.retire(&self.place);
        }
    }
}

/// Who subscribes, for [`Broker::subscribe`].
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) session: SessionId,
    pub(crate) version: parlor_stomp::Version,
    /// The id the client chose; none in STOMP 1.0 without an id.
    pub(crate) subscription: Option<Arc<str>>,
    pub(crate) outbox: Arc<Outbox>,
    /// Hold live messages back until [`ActiveSubscription::release`].
    pub(crate) hold: bool,
}
