//! A subscription that is given messages one by one: to a queue, or to a topic that it acknowledges.

use std::sync::Arc;

use parlor_stomp::Settle;
use tokio::time::Instant;

use crate::{
    broker::{
        Broker,
        shared_queue::{Handed, Named, SharedQueue},
    },
    clock,
    delivery::Settled,
    destination::Destination,
    telemetry::DestinationMeters,
};

/// One consumer. It belongs to its session; what it had in flight goes back when it is dropped, also when a handler panicked.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(super) broker: Broker,
    pub(super) queue: Arc<SharedQueue>,
    pub(super) destination: Destination,
    pub(super) key: u64,
    pub(super) meters: Arc<DestinationMeters>,
    /// Whether the queue is a destination of its own, with other consumers perhaps.
    pub(super) is_shared: bool,
}

impl Consumer {
    /// The number that the `ack` values of its messages begin with.
    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// Gives it messages from now on.
    pub(crate) fn begin(&self) {
        self.count(self.queue.set_ready(self.key, true));
    }

    /// Gives it nothing more.
    pub(crate) fn pause(&self) {
        self.count(self.queue.set_ready(self.key, false));
    }

    /// Hands out what waited for room in the connection.
    pub(crate) fn pump(&self) {
        self.count(self.queue.pump());
    }

    /// ACK or NACK of one of its messages: by the number of the delivery where the client has one, else by the message's id.
    pub(crate) fn settle(&self, delivery: Option<u64>, settle: &Settle, accepted: bool) -> Settled {
        let named = delivery.map_or(Named::Message(&settle.message), Named::Delivery);
        let (settled, dead, handed) = self.queue.settle(self.key, named, accepted);
        self.count(handed);
        self.broker.bury(dead);
        settled
    }

    /// When time-outs are to be looked at.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        self.queue.next_look(self.key, clock::now())
    }

    /// Takes back what was in flight for too long.
    pub(crate) fn expire(&self, now: Instant) {
        let (dead, handed) = self.queue.expire(now);
        self.count(handed);
        self.broker.bury(dead);
    }

    fn count(&self, handed: Handed) {
        self.broker.count_handed(&self.meters, handed);
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let (dead, handed, idle) = self.queue.remove(self.key);
        self.count(handed);
        self.broker.bury(dead);
        if self.is_shared {
            self.meters.subscriptions.decrement();
            if idle {
                self.broker.retire_queue(&self.destination);
            }
        }
    }
}
