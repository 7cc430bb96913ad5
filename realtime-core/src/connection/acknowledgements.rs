//! ACK and NACK of one connection: which of its subscriptions they are for, and the timers of what is in flight.
//!
//! They count when they are read, not when the frames before them are handled (rule 12): a handler that is slow must not make
//! a message time out that the client has acknowledged. So the driver asks here, and a lock is between it and the
//! conversation that enters subscriptions.

#[cfg(test)]
mod model_tests;

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use parlor_stomp::{Fault, Settle, SubscriptionId, Version};
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::{
    broker::{Broker, Consumer},
    delivery::Settled,
};

/// Ended subscriptions whose last messages may still be acknowledged; of more, the oldest are forgotten.
const MAX_ENDED: usize = 256;

/// The subscriptions of a connection that are given messages one by one.
#[derive(Debug)]
pub(super) struct Acknowledgements {
    broker: Broker,
    /// The latest last; most clients have one at most. Those that have ended stay for a while: an ACK that crosses an UNSUBSCRIBE
    /// is no fault.
    entries: Mutex<SmallVec<[Entry; 1]>>,
}

#[derive(Debug)]
struct Entry {
    subscription: SubscriptionId,
    key: u64,
    consumer: Weak<Consumer>,
}

impl Acknowledgements {
    pub(super) fn new(broker: Broker) -> Self {
        Self { broker, entries: Mutex::default() }
    }

    /// Enters a subscription.
    pub(super) fn enter(&self, subscription: &SubscriptionId, consumer: &Arc<Consumer>) {
        let mut entries = self.entries.lock();
        let ended = entries.iter().filter(|entry| entry.consumer.strong_count() == 0).count();
        if ended > MAX_ENDED
            && let Some(oldest) = entries.iter().position(|entry| entry.consumer.strong_count() == 0)
        {
            entries.remove(oldest);
        }
        let (subscription, key) = (subscription.clone(), consumer.key());
        entries.push(Entry { subscription, key, consumer: Arc::downgrade(consumer) });
    }

    /// Does what an ACK (`accepted`) or NACK says.
    ///
    /// # Errors
    /// When the client was never given what it names (ACK-06).
    pub(super) fn settle(&self, settle: &Settle, version: Version, accepted: bool) -> Result<(), Fault> {
        let was_given = if version >= Version::V1_2 {
            let delivery = settle.message.split_once('.');
            let delivery = delivery.and_then(|(key, ack)| key.parse::<u64>().ok().zip(ack.parse().ok()));
            delivery.is_some_and(|(key, ack)| {
                self.settle_where(|entry| entry.key == key, Some(ack), settle, accepted) != Settled::NeverGiven
            })
        } else {
            let is_named = |entry: &Entry| match (&settle.subscription, &entry.subscription) {
                (None, _) => true,
                (Some(named), SubscriptionId::Named(id)) => **id == **named,
                (Some(_), SubscriptionId::Unnamed(_)) => false,
            };
            // A name that this broker has given to a message: nobody can tell any more whether this client got it.
            self.settle_where(is_named, None, settle, accepted) != Settled::NeverGiven
                || self.broker.knows_message(&settle.message)
        };
        if was_given {
            return Ok(());
        }
        let fault = Fault::new("unknown-ack", "Nothing with that id was delivered to be acknowledged")
            .with_detail("Name the MESSAGE's `ack` header (STOMP 1.2), or its `message-id` and `subscription` (1.1).");
        Err(match &settle.receipt {
            Some(receipt) => fault.with_receipt(receipt),
            None => fault,
        })
    }

    /// Gives none of the subscriptions anything more: one of them that ends would else give to the next what nobody reads,
    /// and each time would count as an attempt.
    pub(super) fn pause(&self) {
        for consumer in self.consumers() {
            consumer.pause();
        }
    }

    /// Hands out what waited for room in the connection: which of the subscriptions that was for, their queues know.
    pub(super) fn pump(&self) {
        for consumer in self.consumers() {
            consumer.pump();
        }
    }

    /// When time-outs are to be looked at.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.consumers().iter().filter_map(|consumer| consumer.next_look()).min()
    }

    /// Takes back what was in flight for too long.
    pub(super) fn expire(&self, now: Instant) {
        for consumer in self.consumers() {
            consumer.expire(now);
        }
    }

    fn settle_where(
        &self,
        wanted: impl Fn(&Entry) -> bool,
        delivery: Option<u64>,
        settle: &Settle,
        accepted: bool,
    ) -> Settled {
        // Outside of the lock: what a NACK or an end sets off may take its time.
        let entries = self.entries.lock();
        let found: SmallVec<[_; 1]> =
            entries.iter().filter(|entry| wanted(entry)).map(|e| e.consumer.clone()).collect();
        drop(entries);
        let mut known = Settled::NeverGiven;
        for consumer in found {
            let settled = match consumer.upgrade() {
                Some(consumer) => consumer.settle(delivery, settle, accepted),
                // Taken back when its subscription ended.
                None if delivery.is_some() => Settled::AlreadySettled,
                None => continue,
            };
            match settled {
                Settled::Settled(_) => return settled,
                // Another subscription may have it now.
                Settled::AlreadySettled => known = settled,
                Settled::NeverGiven => {}
            }
        }
        known
    }

    fn consumers(&self) -> SmallVec<[Arc<Consumer>; 1]> {
        self.entries.lock().iter().filter_map(|entry| entry.consumer.upgrade()).collect()
    }
}
