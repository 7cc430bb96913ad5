//! The destinations of the queue prefix: each message to one of their consumers, and stored while there is none.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, atomic::Ordering},
};

use parlor_stomp::AckMode;

use crate::{
    broker::{
        Address, Begins, Broker, Consumer, Publication, PublishError, Subscriber, recovered_header,
        shared_queue::{Handed, Receiver, SharedQueue, Usage},
        stored::Stored,
    },
    destination::Destination,
    limits::QueueLimits,
    sync::RwLock,
};

/// Bounds of queues: of each, and of all together.
///
/// ```
/// use parlor_core::{Config, broker::QueueSettings, limits::QueueLimits};
///
/// // They are set with the rest of the endpoint's settings.
/// let config = Config::default().queues(QueueLimits::default().max_messages(500)).max_queues(100);
/// assert_eq!(QueueSettings::default().max_queues, 10_000);
/// assert_eq!(config.max_queues, 100);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct QueueSettings {
    /// Of each queue.
    pub queues: QueueLimits,
    /// Of each subscription to a topic that acknowledges.
    pub acknowledgements: QueueLimits,
    /// Queues with messages or consumers.
    pub max_queues: usize,
    /// Octets in all queues together.
    pub max_bytes: usize,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            queues: QueueLimits::default(),
            acknowledgements: QueueLimits::default().max_messages(1024).max_bytes(1 << 20),
            max_queues: 10_000,
            max_bytes: 64 << 20,
        }
    }
}

/// All queues of a broker.
#[derive(Debug, Default)]
pub(super) struct Queues {
    settings: OnceLock<QueueSettings>,
    table: RwLock<HashMap<Destination, Arc<SharedQueue>>>,
    usage: Usage,
}

impl Queues {
    pub(super) fn set(&self, settings: QueueSettings) {
        // Whoever was first has queues by it perhaps.
        let _ = self.settings.set(settings);
    }

    pub(super) fn settings(&self) -> QueueSettings {
        self.settings.get().copied().unwrap_or_default()
    }

    /// Messages that wait in a queue.
    pub(super) fn waiting(&self, destination: &Destination) -> usize {
        self.find(destination).map_or(0, |queue| queue.waiting())
    }

    /// Consumers of a queue.
    pub(super) fn consumers(&self, destination: &Destination) -> usize {
        self.find(destination).map_or(0, |queue| queue.consumers())
    }

    fn find(&self, destination: &Destination) -> Option<Arc<SharedQueue>> {
        self.table.read().get(destination).cloned()
    }

    /// The queue of `destination`, made by `limits` if need be; none where there are as many as there may be.
    fn find_or_new(&self, destination: &Destination, limits: impl FnOnce() -> QueueLimits) -> Option<Arc<SharedQueue>> {
        if let Some(queue) = self.find(destination) {
            return Some(queue);
        }
        let mut table = self.table.write();
        if let Some(queue) = table.get(destination) {
            return Some(Arc::clone(queue));
        }
        if table.len() >= self.settings().max_queues {
            return None;
        }
        let queue = Arc::new(SharedQueue::new(limits(), Some(Arc::clone(&self.usage))));
        table.insert(destination.clone(), Arc::clone(&queue));
        Some(queue)
    }

    fn retire(&self, destination: &Destination) {
        let mut table = self.table.write();
        if table.get(destination).is_some_and(|queue| queue.retire()) {
            table.remove(destination);
        }
    }
}

impl Broker {
    /// Puts a message into a queue, and hands it to a consumer where one can take it.
    pub(super) fn enqueue(&self, destination: &Destination, publication: Publication) -> Result<Handed, PublishError> {
        let Some(publication) = self.outbound(&Address::Queue(destination.clone()), publication)? else {
            return Ok(Handed::default());
        };
        let message = Arc::new(Stored {
            message_id: self.next_message_id().into(),
            destination: destination.as_str().into(),
            publication: publication.in_current_trace().into_owned().into_kept(),
            place: None,
        });
        let full = |reason: String| PublishError::QueueFull { destination: destination.clone(), reason };
        let queues = &self.inner.queues;
        let max_bytes = queues.settings().max_bytes;
        let handed = loop {
            if queues.usage.load(Ordering::Relaxed) + message.octets() > max_bytes {
                return Err(full(format!("all queues together hold {max_bytes} octets at most")));
            }
            let Some(queue) = self.queue(destination) else {
                return Err(full(format!("there are {} queues already", queues.settings().max_queues)));
            };
            match queue.publish(Arc::clone(&message), None) {
                Some(Ok(handed)) => break handed,
                Some(Err(error)) => {
                    // A message that never fits has made the queue perhaps.
                    self.retire_queue_if_idle(destination);
                    return Err(full(error.to_string()));
                }
                None => {}
            }
        };
        let meters = self.inner.meters.destinations.of(destination);
        meters.published.add(1);
        self.count_handed(&meters, handed);
        self.retire_queue_if_idle(destination);
        Ok(handed)
    }

    /// Makes `subscriber` a consumer of a queue; none where there are as many queues as there may be.
    pub(crate) fn consume(&self, destination: &Destination, subscriber: &Subscriber) -> Option<Arc<Consumer>> {
        let key = self.next_key();
        let queue = loop {
            let queue = self.queue(destination)?;
            if queue.add(key, Receiver::new(subscriber)) {
                break queue;
            }
        };
        let meters = self.inner.meters.destinations.of(destination);
        meters.subscriptions.increment();
        let destination = destination.clone();
        Some(Arc::new(Consumer { broker: self.clone(), queue, destination, key, meters, is_shared: true }))
    }

    pub(super) fn retire_queue(&self, destination: &Destination) {
        self.inner.queues.retire(destination);
    }

    /// `limits` with the time-out that was declared for `destination`.
    pub(super) fn limits_of(&self, destination: &Destination, limits: QueueLimits) -> QueueLimits {
        self.rules().map_or(limits, |rules| rules.limits_of(destination, limits))
    }

    /// A message that an `ack:auto` consumer took at once may leave nothing behind.
    fn retire_queue_if_idle(&self, destination: &Destination) {
        if self.inner.queues.find(destination).is_some_and(|queue| queue.is_idle()) {
            self.inner.queues.retire(destination);
        }
    }

    fn queue(&self, destination: &Destination) -> Option<Arc<SharedQueue>> {
        let limits = || self.limits_of(destination, self.inner.queues.settings().queues);
        self.inner.queues.find_or_new(destination, limits)
    }
}

impl Receiver {
    pub(super) fn new(subscriber: &Subscriber) -> Self {
        let mode = subscriber.ack;
        Self {
            outbox: Arc::clone(&subscriber.outbox),
            encoding: subscriber.encoding.clone(),
            mode,
            prefetch: if mode == AckMode::Auto { usize::MAX } else { subscriber.prefetch },
            is_ready: false,
            // A queue has no history: who wants to resume there is told with its first message.
            first: (subscriber.begins == Begins::Resuming).then(|| recovered_header(false)),
            looks_at: None,
            ids: None,
        }
    }
}
