//! The broker: who subscribed to what, and the delivery of messages to them.
//!
//! A publish is: find the topic, take its lock (which is the destination's order), encode once for each version of the protocol
//! that is spoken there, append to the topic's lanes. Fan-out (`fan_out`) writes what was appended. Nothing here waits for a
//! subscriber. A destination with history gets its positions from the journal first, in the same order. Between a message and
//! the outbox of a queue's consumer, or of a subscription that acknowledges, stands what is not acknowledged yet.

mod address;
mod by_pattern;
mod consumer;
mod dead_letter;
mod delivery_rules;
mod encoding;
mod held;
mod index;
mod member;
mod members;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod order_tests;
mod outbound;
mod patterns;
mod publish_error;
mod publishing;
mod queues;
mod replay;
#[cfg(all(test, parlor_shuttle))]
mod schedule_tests;
mod shared_queue;
mod stored;
mod subscribing;
mod subscription;
mod topic;

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

pub use address::Address;
pub(crate) use consumer::Consumer;
pub use dead_letter::{DeadLetter, DeadLetterCause, DeadLetters};
pub use delivery_rules::{DeliveryRuleError, DeliveryRules};
pub(crate) use encoding::{Encoding, POSITION};
pub(crate) use held::HeldLimits;
pub use outbound::OutboundInterceptor;
pub use publish_error::{PublishError, Published, SentToUser};
pub use queues::QueueSettings;
pub(crate) use replay::{RESUME_FROM, recovered_header};
pub(crate) use subscription::{ActiveSubscription, Begins, Subscriber};

use crate::{
    broker::{delivery_rules::Compiled, index::Index, queues::Queues},
    destination::{Destination, Prefixes},
    fan_out::Shards,
    telemetry::Meters,
};
pub use crate::{
    outbox::{Annotate, Outbox, OutboxLimits, Overflow, Pushed, WireWriter, annotate_message},
    publication::Publication,
};

/// Where messages are published from anywhere: a handler, an HTTP route, a background task. Cheap to clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), parlor_core::broker::PublishError> {
/// use parlor_core::broker::Broker;
///
/// let broker = Broker::default();
/// let reached = broker.publish("/topic/news", &["hello"]).await?;
/// assert_eq!(reached.subscriptions, 0); // nobody listens yet
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

struct Inner {
    index: Index,
    shards: Arc<Shards>,
    queues: Queues,
    /// Set when an endpoint is built, before there is a subscription.
    held: OnceLock<HeldLimits>,
    meters: Arc<Meters>,
    prefixes: Prefixes,
    /// Distinguishes the message ids of this process from those of an earlier one.
    node: String,
    next_message: AtomicU64,
    next_subscriber: AtomicU64,
    /// Set when an endpoint is built, before there is a message.
    outbound: OnceLock<Vec<Arc<dyn OutboundInterceptor>>>,
    /// Set with the broker or when an endpoint is built, before there is a message.
    rules: OnceLock<Compiled>,
}

impl Default for Broker {
    fn default() -> Self {
        Self::new(Prefixes::default())
    }
}

impl Broker {
    /// A broker without subscribers. Rules of delivery can still be declared by the endpoint that uses it.
    #[must_use]
    pub fn new(prefixes: Prefixes) -> Self {
        let meters = Meters::new();
        let shards = Arc::new(Shards::new(Arc::clone(&meters)));
        Self {
            inner: Arc::new(Inner {
                index: Index::new(Arc::clone(&meters), Arc::clone(&shards)),
                shards,
                queues: Queues::default(),
                held: OnceLock::new(),
                meters,
                prefixes,
                node: crate::session_id::random_tag(),
                next_message: AtomicU64::new(1),
                next_subscriber: AtomicU64::new(1),
                outbound: OnceLock::new(),
                rules: OnceLock::new(),
            }),
        }
    }

    /// A broker without subscribers that delivers by `rules`.
    ///
    /// # Errors
    /// Everything that is wrong with the rules.
    pub fn with_rules(prefixes: Prefixes, rules: DeliveryRules) -> Result<Self, Vec<DeliveryRuleError>> {
        let broker = Self::new(prefixes);
        broker.declare(rules)?;
        Ok(broker)
    }

    /// How many subscriptions `destination` has, not counting patterns.
    #[must_use]
    pub fn subscription_count(&self, destination: &Destination) -> usize {
        let topic = self.inner.index.topic(&Address::Topic(destination.clone()));
        topic.map_or(0, |topic| topic.len()) + self.inner.queues.consumers(destination)
    }

    /// How many destinations have subscribers.
    #[must_use]
    pub fn destination_count(&self) -> usize {
        self.inner.index.address_count()
    }

    /// How many messages wait in the queue `destination` for a consumer.
    #[must_use]
    pub fn waiting_count(&self, destination: &Destination) -> usize {
        self.inner.queues.waiting(destination)
    }

    /// The destination prefixes.
    #[must_use]
    pub fn prefixes(&self) -> &Prefixes {
        &self.inner.prefixes
    }

    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.inner.meters
    }

    /// Sets how messages are delivered; false if that was done before.
    pub(crate) fn declare(&self, rules: DeliveryRules) -> Result<bool, Vec<DeliveryRuleError>> {
        let rules = rules.compile(&self.inner.prefixes)?;
        let journal = rules.journal().cloned();
        let first = self.inner.rules.set(rules).is_ok();
        if let Some(journal) = journal.filter(|_| first) {
            journal.attach(Arc::new(publishing::Sink(Arc::downgrade(&self.inner))));
        }
        Ok(first)
    }

    /// Lets the histories give back a little of what is too old.
    pub(crate) fn tidy_histories(&self) {
        if let Some(journal) = self.rules().and_then(Compiled::journal) {
            journal.tidy();
        }
    }

    /// Sets the bounds of queues; only the first call counts.
    pub(crate) fn set_queues(&self, settings: QueueSettings) {
        self.inner.queues.set(settings);
    }

    /// Bounds what is not written yet by what may wait for one client; only the first call counts.
    pub(crate) fn set_outbox(&self, limits: &OutboxLimits) {
        self.inner.shards.set_outbox(limits);
    }

    /// Sets how much each subscription may hold back; only the first call counts.
    pub(crate) fn set_held(&self, limits: HeldLimits) {
        let _ = self.inner.held.set(limits);
    }

    /// Sets what every message passes; false if that was done before.
    pub(crate) fn intercept(&self, interceptors: Vec<Arc<dyn OutboundInterceptor>>) -> bool {
        self.inner.outbound.set(interceptors).is_ok()
    }

    pub(crate) fn next_message_id(&self) -> String {
        format!("{}-{}", self.inner.node, self.inner.next_message.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether this broker may have given that message id to somebody.
    pub(crate) fn knows_message(&self, id: &str) -> bool {
        let number = id.strip_prefix(&self.inner.node).and_then(|rest| rest.strip_prefix('-'));
        let number = number.and_then(|number| number.parse::<u64>().ok());
        number.is_some_and(|number| number < self.inner.next_message.load(Ordering::Relaxed))
    }

    /// Waits until everything that was published before is written or waits in an outbox.
    ///
    /// For tests that look at figures, or decide what a client that does not read will find when it does: publishing gives a
    /// message its place, and it is written a little later.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = parlor_core::broker::Broker::default();
    /// broker.publish("/topic/news", "hello").await?;
    /// broker.settled().await;
    /// # Ok(()) }
    /// ```
    #[cfg(any(test, feature = "testing"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub async fn settled(&self) {
        self.inner.shards.settled().await;
    }

    fn rules(&self) -> Option<&Compiled> {
        self.inner.rules.get()
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("destinations", &self.destination_count()).finish_non_exhaustive()
    }
}
