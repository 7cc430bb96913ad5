//! ACK and NACK of one connection: which of its subscriptions they are for, and the timers of what is in flight.
//!
//! They count when they are read, not when the frames before them are handled (rule 12): a handler that is slow must not make
//! a message time out that the client has acknowledged. So the driver asks here, and a lock is between it and the
//! conversation that enters subscriptions.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use parlor_stomp::{Fault, Settle, SubscriptionId};
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
    /// The latest last. Those that have ended stay for a while: an ACK that crosses an UNSUBSCRIBE is no fault.
    entries: Mutex<VecDeque<Entry>>,
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
        entries.push_back(Entry { subscription, key, consumer: Arc::downgrade(consumer) });
    }

    /// Does what an ACK (`accepted`) or NACK says.
    ///
    /// # Errors
    /// When the client was never given what it names (ACK-06).
    pub(super) fn settle(&self, settle: &Settle, accepted: bool) -> Result<(), Fault> {
        let delivery =
            settle.message.split_once('.').and_then(|(key, ack)| key.parse::<u64>().ok().zip(ack.parse().ok()));
        let settled = match (delivery, &settle.subscription) {
            (Some((key, ack)), None) => self.settle_where(|entry| entry.key == key, Some(ack), settle, accepted),
            (_, Some(named)) => {
                let is_named =
                    |entry: &Entry| matches!(&entry.subscription, SubscriptionId::Named(id) if **id == **named);
                self.settle_where(is_named, None, settle, accepted)
            }
            (None, None) => self.settle_where(|_| true, None, settle, accepted),
        };
        // Its name is one that this broker has given a message: nobody can tell any more whether this client got it.
        if settled != Settled::NeverGiven || self.broker.knows_message(&settle.message) {
            return Ok(());
        }
        let fault = Fault::new("unknown-ack", "Nothing with that id was delivered to be acknowledged")
            .with_detail("Name the MESSAGE's `ack` header (STOMP 1.2), or its `message-id` and `subscription` (1.1).");
        Err(match &settle.receipt {
            Some(receipt) => fault.with_receipt(receipt),
            None => fault,
        })
    }

    /// Hands out what waited for room in the connection.
    pub(super) fn pump(&self) {
        for consumer in self.consumers() {
            consumer.pump();
        }
    }

    /// When a message in flight times out.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.consumers().iter().filter_map(|consumer| consumer.next_deadline()).min()
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
        let found: Vec<_> =
            self.entries.lock().iter().filter(|entry| wanted(entry)).map(|e| e.consumer.clone()).collect();
        let mut settled = Settled::NeverGiven;
        for consumer in found {
            settled = match consumer.upgrade() {
                Some(consumer) => consumer.settle(delivery, settle, accepted),
                // Taken back when its subscription ended.
                None if delivery.is_some() => Settled::AlreadySettled,
                None => continue,
            };
            if settled != Settled::NeverGiven {
                break;
            }
        }
        settled
    }

    fn consumers(&self) -> Vec<Arc<Consumer>> {
        let entries = self.entries.lock();
        if entries.is_empty() {
            return Vec::new();
        }
        entries.iter().filter_map(|entry| entry.consumer.upgrade()).collect()
    }
}
