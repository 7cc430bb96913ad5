//! A subscription in force: while it lives messages flow, and dropping it ends it.

use std::sync::Arc;

use parlor_stomp::{AckMode, Command};

use crate::{
    broker::{
        Address, Broker, Publication,
        encoding::{Encoding, Head},
        index::Place,
        member::Member,
        topic::SharedTopic,
    },
    destination::Destination,
    fan_out::SubscriberKey,
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
    pub(super) key: SubscriberKey,
}

impl ActiveSubscription {
    /// The destination, where its client named it as the index does.
    pub(crate) fn destination(&self) -> Option<&Destination> {
        match &self.place {
            Place::Address(Address::Queue(destination) | Address::Topic(destination)) => Some(destination),
            Place::Address(Address::User(_)) | Place::Pattern(_) => None,
        }
    }

    /// Sends `replies` as the subscription's first messages, where they are its first ones.
    pub(crate) fn send_first(&self, destination: &str, replies: &[Publication]) {
        let broker = &self.link.broker;
        for reply in replies {
            let message_id = broker.next_message_id();
            let head = Head::new(&message_id, destination);
            let sent = self.link.with_member(|member| {
                let wire = member.encoding.encode(&head, &reply.in_current_trace());
                let octets = wire.len();
                member.send_first(self.link.key, wire);
                octets
            });
            broker.meters().traffic.sent(Command::Message, sent.is_some().into(), sent.unwrap_or_default());
        }
    }

    /// Lets go what was held back.
    pub(crate) fn go_live(&self) {
        let reach = self.link.with_member(Member::go_live);
        self.link.broker.count_delivered(&self.meters, &reach.unwrap_or_default());
    }
}

impl Link {
    /// Works on the subscriber under the lock of its topic; none where it is gone.
    pub(super) fn with_member<T>(&self, work: impl FnOnce(&mut Member) -> T) -> Option<T> {
        self.topic.lock()?.with_member(self.key, work)
    }
}

impl Drop for ActiveSubscription {
    fn drop(&mut self) {
        let Link { broker, topic, key } = &self.link;
        let empty = topic.lock().is_some_and(|mut state| state.remove(*key));
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
