//! Subscribing: to topics, users, patterns and queues.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use parlor_stomp::{AckMode, Command};

use crate::{
    broker::{
        ActiveSubscription, Address, Begins, Broker, Consumer, Publication, Subscriber,
        encoding::Head,
        held::Held,
        index::Place,
        member::{Member, Special},
        shared_queue::{Receiver, SharedQueue},
        subscription::Link,
    },
    destination::{Destination, Pattern},
    telemetry::DestinationMeters,
};

impl Broker {
    /// Subscribes to a topic or a user's destination; the consumer is there where the subscription acknowledges.
    pub(crate) fn subscribe(
        &self,
        address: Address,
        subscriber: Subscriber,
    ) -> (ActiveSubscription, Option<Arc<Consumer>>) {
        self.register(Place::Address(address), subscriber)
    }

    /// Subscribes to every topic that `pattern` matches.
    pub(crate) fn subscribe_pattern(
        &self,
        pattern: Pattern,
        subscriber: Subscriber,
    ) -> (ActiveSubscription, Option<Arc<Consumer>>) {
        self.register(Place::Pattern(pattern), subscriber)
    }

    /// A message for one subscriber alone.
    pub(crate) fn encode_reply(&self, to: &Subscriber, destination: &Destination, reply: &Publication) -> Bytes {
        let message_id = self.next_message_id();
        let wire = to.encoding.encode(&Head::new(&message_id, destination.as_str()), &reply.in_current_trace());
        self.inner.meters.traffic.sent(Command::Message, 1, wire.len());
        wire
    }

    pub(super) fn next_key(&self) -> u64 {
        self.inner.next_subscriber.fetch_add(1, Ordering::Relaxed)
    }

    fn register(&self, place: Place, subscriber: Subscriber) -> (ActiveSubscription, Option<Arc<Consumer>>) {
        let key = self.next_key();
        let meters = self.meters_of(&place);
        let consumer = (subscriber.ack != AckMode::Auto).then(|| self.private_consumer(&place, &subscriber, key));
        let Subscriber { session, encoding, outbox, begins, .. } = subscriber;
        let limits = self.inner.held.get().copied().unwrap_or_default();
        let held = match begins {
            Begins::Live => None,
            Begins::WithReply => Some(Held::new(limits)),
            Begins::Resuming => Some(Held::replaying(limits)),
        };
        let queue = consumer.as_ref().map(|consumer| Arc::clone(&consumer.queue));
        let special = held.map(|held| Box::new(Special { held: Some(held), seen: None, first: None }));
        let mut member = Some(Member { session, outbox, encoding, queue, special });
        let topic = loop {
            let topic = self.inner.index.enter(&place);
            if let Some(mut state) = topic.lock()
                && let Some(member) = member.take()
            {
                state.insert(key, member);
            }
            if member.is_none() {
                break topic;
            }
        };
        self.inner.index.registered(&place);
        meters.subscriptions.increment();
        let link = Link { broker: self.clone(), topic, key };
        (ActiveSubscription { link, place, meters }, consumer)
    }

    /// The queue between a topic and a subscription that acknowledges.
    fn private_consumer(&self, place: &Place, subscriber: &Subscriber, key: u64) -> Arc<Consumer> {
        let destination = match place {
            Place::Address(Address::Topic(destination) | Address::Queue(destination)) => destination.clone(),
            Place::Address(Address::User(user)) => {
                // As the client names it.
                format!("{}{}", self.inner.prefixes.user, user.path).parse().unwrap_or_else(|_| user.path.clone())
            }
            Place::Pattern(_) => self.inner.prefixes.topic.clone(),
        };
        let limits = self.limits_of(&destination, self.inner.queues.settings().acknowledgements);
        let queue = Arc::new(SharedQueue::new(limits, None));
        queue.add(key, Receiver::new(subscriber));
        let meters = self.meters_of(place);
        Arc::new(Consumer { broker: self.clone(), queue, destination, key, meters, is_shared: false })
    }

    /// The meters of a subscription's place.
    fn meters_of(&self, place: &Place) -> Arc<DestinationMeters> {
        let table = &self.inner.meters.destinations;
        match place {
            Place::Address(Address::Topic(destination) | Address::Queue(destination)) => table.of(destination),
            Place::Address(Address::User(_)) => Arc::clone(&table.user),
            Place::Pattern(pattern) => table.of_pattern(pattern),
        }
    }
}
