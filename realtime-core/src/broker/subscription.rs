//! A subscription in force: while it lives messages flow, and dropping it ends it.

use std::sync::Arc;

use parlor_stomp::{AckMode, Command};

use crate::{
    broker::{
        Broker, Publication,
        encoding::{Encoding, Head},
        group::{Member, SubscriberKey},
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
    pub(super) link: Link,
    pub(super) place: Place,
    pub(super) meters: Arc<DestinationMeters>,
}

/// Where a subscription is found; nothing is found there once it ended.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) broker: Broker,
    pub(super) topic: SharedTopic,
    pub(super) encoding: Encoding,
    pub(super) key: SubscriberKey,
}

impl ActiveSubscription {
    /// Sends `replies` as the subscription's first messages, where they are its first ones.
    pub(crate) fn send_first(&self, destination: &str, replies: &[Publication]) {
        let Link { broker, encoding, .. } = &self.link;
        for reply in replies {
            let message_id = broker.next_message_id();
            let wire = encoding.encode(&Head::new(&message_id, destination), &reply.in_current_trace());
            broker.meters().traffic.sent(Command::Message, 1, wire.len());
            self.link.with_member(|member| member.send_first(self.link.key, wire));
        }
    }

    /// Lets go what was held back.
    pub(crate) fn go_live(&self) {
        let reach = self.link.with_member(|member| member.go_live(&self.link.encoding));
        self.link.broker.count_delivered(&self.meters, &reach.unwrap_or_default());
    }
}

impl Link {
    /// Works on the subscriber under the lock of its topic; none where it is gone.
    pub(super) fn with_member<T>(&self, work: impl FnOnce(&mut Member) -> T) -> Option<T> {
        self.topic.lock()?.member_mut(&self.encoding, self.key).map(work)
    }
}

impl Drop for ActiveSubscription {
    fn drop(&mut self) {
        let Link { broker, topic, encoding, key } = &self.link;
        let (removed, empty) = match topic.lock() {
            Some(mut state) => state.remove(encoding, *key),
            None => (None, false),
        };
        if let Some(member) = removed {
            member.outbox.forget(*key);
        }
        self.meters.subscriptions.decrement();
        let index = &broker.inner.index;
        index.removed(&self.place);
        if empty {
            index.retire(&self.place);
        }
    }
}

/// Who subscribes, for [`Broker::subscribe`].
#[derive(Clone, Debug)]
pub(crate) struct Subscriber {
    pub(crate) session: SessionId,
    pub(crate) encoding: Encoding,
    pub(crate) outbox: Arc<Outbox>,
    /// How it acknowledges, and how many messages it wants to have without.
    pub(crate) ack: AckMode,
    pub(crate) prefetch: usize,
    pub(crate) begins: Begins,
}

/// What a subscription sees first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Begins {
    /// What is published from now on.
    #[default]
    Live,
    /// A reply; live messages are held back until [`ActiveSubscription::go_live`].
    WithReply,
    /// What came before, from a history, by [`ActiveSubscription::resume`].
    Resuming,
}
