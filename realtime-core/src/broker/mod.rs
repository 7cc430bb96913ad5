//! The broker: who subscribed to what, and the delivery of messages to them.
//!
//! Every subscriber is a direct handle to the outbox of its connection, so a publish is: find the topic, take its lock
//! (which is the destination's order), assign a position, encode once per encoding group, push to each outbox. Nothing
//! here waits for a subscriber.

mod address;
mod group;
mod index;
#[cfg(test)]
mod model_tests;
mod outbound;
mod patterns;
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
use bytes::Bytes;
pub use outbound::OutboundInterceptor;
use parlor_stomp::Command;
use serde::Serialize;
pub(crate) use subscription::{ActiveSubscription, Subscriber};
pub use topic::Position;

pub use crate::outbox::{Annotate, Outbox, OutboxLimits, Overflow, Pushed, WireWriter, annotate_message};
use crate::{
    auth::UserId,
    broker::{
        group::{GroupKey, Member},
        index::{Index, Place},
        topic::{Envelope, Reach},
    },
    destination::{Destination, DestinationError, Owner, Pattern, Prefixes, UserDestination},
    session::Session,
    session_id::SessionId,
    telemetry::{DestinationMeters, Meters},
};
pub use crate::{
    outbox::{Outbox, OutboxLimits, Pushed, WireWriter},
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
    meters: Arc<Meters>,
    prefixes: Prefixes,
    /// Distinguishes the message ids of this process from those of an earlier one.
    node: String,
    next_message: AtomicU64,
    next_subscriber: AtomicU64,
    /// Set when an endpoint is built, before there is a message.
    outbound: OnceLock<Vec<Arc<dyn OutboundInterceptor>>>,
}

/// What a publish to a destination reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The subscriptions it was handed to. One that closes at the same time may still miss it (at most once).
    pub subscriptions: usize,
}

/// What a message to a user reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentToUser {
    /// The sessions (tabs, devices) of the user that listen to that path.
    pub sessions: usize,
    /// Their subscriptions; a session may have several.
    pub subscriptions: usize,
}

/// Why a message was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The destination is not a valid one.
    #[error("the destination is not valid: {0}")]
    Destination(#[from] DestinationError),
    /// The payload cannot be written as JSON.
    #[error("the payload cannot be written as JSON: {0}")]
    Payload(#[from] serde_json::Error),
    /// Only fan-out destinations can be published to so far.
    #[error("{0} is not under the topic prefix; queues come with a later release")]
    NotATopic(Destination),
}

impl Default for Broker {
    fn default() -> Self {
        Self::new(Prefixes::default())
    }
}

impl Broker {
    /// A broker without subscribers.
    #[must_use]
    pub fn new(prefixes: Prefixes) -> Self {
        let meters = Meters::new();
        Self {
            inner: Arc::new(Inner {
                index: Index::new(Arc::clone(&meters)),
                meters,
                prefixes,
                node: crate::session_id::random_tag(),
                next_message: AtomicU64::new(1),
                next_subscriber: AtomicU64::new(1),
                outbound: OnceLock::new(),
            }),
        }
    }

    /// Publishes a value as JSON to every subscription of `destination`.
    ///
    /// # Errors
    /// An invalid destination, one that is not under the topic prefix, or a payload that JSON cannot hold.
    pub async fn publish<D>(
        &self,
        destination: D,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<Published, PublishError>
    where
        D: TryInto<Destination>,
        DestinationError: From<D::Error>,
    {
        let destination = destination.try_into().map_err(DestinationError::from)?;
        self.publish_message(destination, Publication::json(payload)?).await
    }

    /// Publishes to every subscription of `destination`, with headers, content type and body of the caller's choice.
    ///
    /// # Errors
    /// When `destination` is not under the topic prefix.
    pub async fn publish_message(
        &self,
        destination: Destination,
        publication: Publication,
    ) -> Result<Published, PublishError> {
        if destination.below(&self.inner.prefixes.topic).is_none() {
            return Err(PublishError::NotATopic(destination));
        }
        let address = Address::Topic(destination);
        let Some(publication) = self.outbound(&address, publication) else {
            return Ok(Published { subscriptions: 0 });
        };
        let reach = self.fan_out(address, &publication.in_current_trace());
        if reach.queued {
            // A connection's task has to write. It may be the very task that runs the publisher, or share a thread with it:
            // a loop of publishes must let it.
            tokio::task::yield_now().await;
        }
        Ok(Published { subscriptions: reach.subscriptions })
    }

    /// Sends a value as JSON to all sessions of a user that subscribed to `/user` + `path`, for example `/queue/notes`.
    ///
    /// # Errors
    /// An invalid path, or a payload that JSON cannot hold.
    pub async fn send_to_user<D>(
        &self,
        user: &UserId,
        path: D,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<SentToUser, PublishError>
    where
        D: TryInto<Destination>,
        DestinationError: From<D::Error>,
    {
        self.send_json(Owner::User(user.clone()), path, payload, None)
    }

    /// Sends a value as JSON to one session, at `/user` + `path`, if it subscribed to that.
    ///
    /// # Errors
    /// An invalid path, or a payload that JSON cannot hold.
    pub async fn send_to_session<D>(
        &self,
        session: &Session,
        path: D,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<SentToUser, PublishError>
    where
        D: TryInto<Destination>,
        DestinationError: From<D::Error>,
    {
        self.send_json(session.owner(), path, payload, Some(session.id()))
    }

    fn send_json<D>(
        &self,
        owner: Owner,
        path: D,
        payload: &(impl Serialize + ?Sized),
        only: Option<SessionId>,
    ) -> Result<SentToUser, PublishError>
    where
        D: TryInto<Destination>,
        DestinationError: From<D::Error>,
    {
        let path = path.try_into().map_err(DestinationError::from)?;
        Ok(self.send_to_owner(&UserDestination { owner, path }, &Publication::json(payload)?, only))
    }

    /// Sends to the sessions of a resolved user destination, or to one of them.
    pub fn send_to_owner(
        &self,
        destination: &UserDestination,
        publication: &Publication,
        only: Option<SessionId>,
    ) -> SentToUser {
        let address = Address::User(destination.clone());
        let shown = format!("{}{}", self.inner.prefixes.user, destination.path);
        let publication = publication.in_current_trace();
        let mut sessions = Vec::new();
        let mut reach = Reach::default();
        if let Some(topic) = self.inner.index.topic(&address)
            && let Some(publication) = self.outbound(&address, publication.into_owned())
            && let Some(mut state) = topic.lock()
        {
            let message_id = self.next_message_id();
            let position = state.next_position();
            let envelope = Envelope { message_id: &message_id, destination: &shown, publication: &publication, only };
            reach = state.apply(position, &envelope, Some(&mut sessions));
        }
        self.count(&self.inner.meters.destinations.user, &reach);
        SentToUser { sessions: sessions.len(), subscriptions: reach.subscriptions }
    }

    /// How many subscriptions `destination` has, not counting patterns.
    #[must_use]
    pub fn subscription_count(&self, destination: &Destination) -> usize {
        self.inner.index.topic(&Address::Topic(destination.clone())).map_or(0, |topic| topic.len())
    }

    /// How many destinations have subscribers.
    #[must_use]
    pub fn destination_count(&self) -> usize {
        self.inner.index.address_count()
    }

    /// The destination prefixes.
    #[must_use]
    pub fn prefixes(&self) -> &Prefixes {
        &self.inner.prefixes
    }

    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.inner.meters
    }

    pub(crate) fn subscribe(&self, address: Address, subscriber: Subscriber) -> ActiveSubscription {
        self.register(Place::Address(address), subscriber)
    }

    pub(crate) fn subscribe_pattern(&self, pattern: Pattern, subscriber: Subscriber) -> ActiveSubscription {
        self.register(Place::Pattern(pattern), subscriber)
    }

    /// A message for one subscriber alone.
    pub(crate) fn encode_reply(&self, to: &Subscriber, destination: &Destination, reply: &Publication) -> Bytes {
        let group = GroupKey { version: to.version, subscription: to.subscription.clone() };
        let wire = group::encode(&group, &self.next_message_id(), destination.as_str(), &reply.in_current_trace());
        self.inner.meters.traffic.sent(Command::Message, 1, wire.len());
        wire
    }

    pub(crate) fn next_message_id(&self) -> String {
        format!("{}-{}", self.inner.node, self.inner.next_message.fetch_add(1, Ordering::Relaxed))
    }

    fn register(&self, place: Place, subscriber: Subscriber) -> ActiveSubscription {
        let group = GroupKey { version: subscriber.version, subscription: subscriber.subscription };
        let key = self.inner.next_subscriber.fetch_add(1, Ordering::Relaxed);
        let mut member = Some(Member {
            session: subscriber.session,
            outbox: subscriber.outbox,
            held: subscriber.hold.then(Vec::new),
        });
        let topic = loop {
            let topic = self.inner.index.enter(&place);
            if let Some(mut state) = topic.lock()
                && let Some(member) = member.take()
            {
                state.insert(group.clone(), key, member);
            }
            if member.is_none() {
                break topic;
            }
        };
        self.inner.index.registered(&place);
        let meters = self.meters_of(&place);
        meters.subscriptions.increment();
        ActiveSubscription { broker: self.clone(), topic, place, group, key, meters }
    }

    /// The meters of a subscription's place.
    fn meters_of(&self, place: &Place) -> Arc<DestinationMeters> {
        let table = &self.inner.meters.destinations;
        match place {
            Place::Address(Address::Topic(destination)) => table.of(destination),
            Place::Address(Address::User(_)) => Arc::clone(&table.user),
            Place::Pattern(pattern) => table.of_pattern(pattern),
        }
    }

    /// Counts one publish, whatever it reached.
    fn count(&self, meters: &DestinationMeters, reach: &Reach) {
        meters.published.add(1);
        let delivered = reach.subscriptions - reach.refused;
        if delivered > 0 {
            meters.delivered.add(delivered as u64);
            self.inner.meters.traffic.sent(Command::Message, delivered, reach.octets);
        }
        if reach.refused > 0 {
            self.inner.meters.destinations.dropped_closing.add(reach.refused as u64);
        }
    }

    /// Sets what every message passes; false if that was done before.
    pub(crate) fn intercept(&self, interceptors: Vec<Arc<dyn OutboundInterceptor>>) -> bool {
        self.inner.outbound.set(interceptors).is_ok()
    }

    /// The publication after the outbound interceptors.
    fn outbound(&self, to: &Address, publication: Publication) -> Option<Publication> {
        let interceptors = self.inner.outbound.get().map(Vec::as_slice).unwrap_or_default();
        interceptors.iter().try_fold(publication, |publication, interceptor| interceptor.on_publish(to, publication))
    }

    fn fan_out(&self, address: Address, publication: &Publication) -> Reach {
        let Address::Topic(destination) = &address else { return Reach::default() };
        let patterns = self.inner.index.matching_patterns(destination);
        loop {
            let topic = if patterns.is_empty() {
                let Some(topic) = self.inner.index.topic(&address) else {
                    self.count(&self.inner.meters.destinations.of(destination), &Reach::default());
                    return Reach::default();
                };
                topic
            } else {
                // Two publishers must meet at one lock, so that subscribers by pattern see one order as well.
                self.inner.index.topic_or_new(&address)
            };
            let Some(mut state) = topic.lock() else { continue };
            let message_id = self.next_message_id();
            let position = state.next_position();
            let envelope =
                Envelope { message_id: &message_id, destination: destination.as_str(), publication, only: None };
            let mut reach = state.apply(position, &envelope, None);
            for pattern in &patterns {
                if let Some(mut state) = pattern.lock() {
                    let position = state.next_position();
                    let more = state.apply(position, &envelope, None);
                    reach.add(more);
                }
            }
            let meters = state.meters(|| self.inner.meters.destinations.of(destination));
            let empty = state.is_empty();
            drop(state);
            self.count(&meters, &reach);
            if empty {
                self.inner.index.retire(&Place::Address(address));
            }
            return reach;
        }
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("destinations", &self.destination_count()).finish_non_exhaustive()
    }
}
