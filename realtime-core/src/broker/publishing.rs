//! Publishing: from a message to the outboxes of everyone who subscribed.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Weak},
};

use parlor_stomp::Command;
use serde::Serialize;

use crate::{
    auth::UserId,
    broker::{
        Address, Broker, DeadLetter, Inner, Publication, PublishError, Published, SentToUser,
        index::Place,
        shared_queue::Handed,
        stored::Stored,
        topic::{Envelope, Reach},
    },
    delivery::Dead,
    destination::{Destination, DestinationError, Owner, UserDestination},
    history::{Entry, Journal, JournalSink, Position, Stamp},
    outbox::Overflow,
    session::Session,
    session_id::SessionId,
    telemetry::{self, DestinationMeters},
};

/// Delivers what the journal has given a place.
pub(super) struct Sink(pub(super) Weak<Inner>);

impl JournalSink for Sink {
    fn appended(&self, destination: &Destination, stamp: Stamp, entry: &Entry) -> usize {
        let Some(inner) = self.0.upgrade() else { return 0 };
        let broker = Broker { inner };
        let place = Some(stamp.position());
        broker.fan_out(destination, &entry.message_id, &entry.publication, place).subscriptions
    }
}

impl Broker {
    /// Publishes a value as JSON to every subscription of a topic, or to one consumer of a queue.
    ///
    /// # Errors
    /// As [`publish_message`](Self::publish_message), and a payload that JSON cannot hold.
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

    /// Publishes with headers, content type and body of the caller's choice.
    ///
    /// # Errors
    /// When `destination` is neither a topic nor a queue, when the queue is full, or when the history of the topic does not
    /// take the message.
    pub async fn publish_message(
        &self,
        destination: Destination,
        publication: Publication,
    ) -> Result<Published, PublishError> {
        self.inner.shards.wait_for_room().await;
        let prefixes = self.prefixes();
        if prefixes.queue.is_above(destination.as_str()) {
            let handed = self.enqueue(&destination, publication)?;
            if handed.queued || handed.messages == 0 {
                // As below; and who waits for a consumer must let it read and acknowledge.
                tokio::task::yield_now().await;
            }
            return Ok(Published { subscriptions: handed.messages.min(1), position: None });
        }
        if !prefixes.topic.is_above(destination.as_str()) {
            return Err(PublishError::NotPublishable(destination));
        }
        let address = Address::Topic(destination.clone());
        let Some(publication) = self.outbound(&address, publication)? else {
            return Ok(Published { subscriptions: 0, position: None });
        };
        if let Some(journal) = self.rules().and_then(|rules| rules.journal_of(&destination)) {
            return Box::pin(self.append(&**journal, destination, publication)).await;
        }
        let reach = self.fan_out(&destination, &self.next_message_id(), &publication.in_current_trace(), None);
        drop(publication);
        Self::give_way(reach.queued).await;
        Ok(Published { subscriptions: reach.subscriptions, position: None })
    }

    /// Lets others do what a publish has made for them. It may be the very task of the publisher that has to write, or one that
    /// shares a thread with it: a loop of publishes must let it. For room it waits before the next one.
    async fn give_way(queued: bool) {
        if queued {
            tokio::task::yield_now().await;
        } else {
            tokio::task::consume_budget().await;
        }
    }

    async fn append(
        &self,
        journal: &dyn Journal,
        destination: Destination,
        publication: Publication,
    ) -> Result<Published, PublishError> {
        let entry = Entry::new(self.next_message_id(), publication.in_current_trace().into_owned());
        match journal.append(&destination, entry).await {
            Ok(appended) => {
                Self::give_way(false).await;
                Ok(Published { subscriptions: appended.reached, position: Some(appended.position) })
            }
            Err(error) => Err(PublishError::History { destination, error }),
        }
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
        self.send_json(Owner::User(user.clone()), path, payload, None).await
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
        self.send_json(session.owner(), path, payload, Some(session.id())).await
    }

    async fn send_json<D>(
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
        self.send_to_owner(&UserDestination { owner, path }, &Publication::json(payload)?, only).await
    }

    /// Sends to the sessions of a resolved user destination, or to one of them.
    ///
    /// # Errors
    /// When an outbound interceptor panics.
    pub async fn send_to_owner(
        &self,
        destination: &UserDestination,
        publication: &Publication,
        only: Option<SessionId>,
    ) -> Result<SentToUser, PublishError> {
        self.inner.shards.wait_for_room().await;
        let (sent, queued) = self.hand_to_owner(destination, publication, only)?;
        Self::give_way(queued).await;
        Ok(sent)
    }

    /// Sends to a user without giving way to others; says whether something waits in a queue. For one message, never for a
    /// loop.
    pub(crate) fn hand_to_owner(
        &self,
        destination: &UserDestination,
        publication: &Publication,
        only: Option<SessionId>,
    ) -> Result<(SentToUser, bool), PublishError> {
        let address = Address::User(destination.clone());
        let shown = format!("{}{}", self.inner.prefixes.user, destination.path);
        let mut sessions = Vec::new();
        // What passed the interceptors, which hear of a message once, however often its topic is looked for.
        let mut passed = None;
        let reach = loop {
            let Some(topic) = self.inner.index.topic(&address) else { break Reach::default() };
            let publication = match &passed {
                Some(publication) => publication,
                None => {
                    let outbound = self.outbound(&address, publication.in_current_trace().into_owned())?;
                    let Some(publication) = outbound else { break Reach::default() };
                    passed.insert(publication)
                }
            };
            // Retired meanwhile: there may be a new one, with subscriptions that were confirmed.
            let Some(mut state) = topic.lock() else { continue };
            let message_id = self.next_message_id();
            let overflow = state.overflow(|| self.overflow_of(shown.parse().ok()));
            let meters = Arc::clone(&self.inner.meters.destinations.user);
            let envelope = Envelope { overflow, only, ..Envelope::new(&message_id, &shown, publication, meters) };
            break state.apply(&envelope, Some(&mut sessions));
        };
        self.count(&self.inner.meters.destinations.user, &reach);
        Ok((SentToUser { sessions: sessions.len(), subscriptions: reach.subscriptions }, reach.queued))
    }

    /// A message of the history, as it is delivered again.
    pub(super) fn stored(&self, destination: &Destination, stamp: Stamp, entry: &Entry) -> Arc<Stored> {
        let position = stamp.position();
        let token = self.rules().map(|rules| rules.positions.encode(destination, position).into());
        Arc::new(Stored {
            message_id: Arc::clone(&entry.message_id),
            destination: destination.as_str().into(),
            publication: entry.publication.clone(),
            place: token.map(|token| (position, token)),
        })
    }

    /// Gives messages that could not be delivered away. Called without a lock.
    pub(super) fn bury(&self, dead: Vec<Dead<Arc<Stored>>>) {
        for Dead { attempts, cause, message, .. } in dead {
            // It was one when it was published.
            let Ok(destination) = message.destination.parse::<Destination>() else { continue };
            let letter = DeadLetter {
                destination: destination.clone(),
                message_id: message.message_id.to_string(),
                publication: message.publication.clone(),
                attempts,
                cause: cause.into(),
            };
            self.inner.meters.dead_letter(destination.as_str(), letter.cause.as_str(), attempts);
            let Some(dead_letters) = self.rules().and_then(|rules| rules.dead_letters.as_ref()) else { continue };
            if panic::catch_unwind(AssertUnwindSafe(|| dead_letters.take(letter))).is_err() {
                telemetry::application_failed("the dead-letter hook panicked", &destination);
            }
        }
    }

    /// Counts what a queue handed out.
    pub(super) fn count_handed(&self, meters: &DestinationMeters, handed: Handed) {
        if handed.messages > 0 {
            meters.delivered.add(handed.messages as u64);
            self.inner.meters.traffic.sent(Command::Message, handed.messages, handed.octets);
        }
    }

    /// The publication after the outbound interceptors. Whoever publishes may be in the middle of something, so that a panic of
    /// theirs costs this message alone.
    pub(super) fn outbound(&self, to: &Address, publication: Publication) -> Result<Option<Publication>, PublishError> {
        let interceptors = self.inner.outbound.get().map(Vec::as_slice).unwrap_or_default();
        let passed = AssertUnwindSafe(|| {
            interceptors
                .iter()
                .try_fold(publication, |publication, interceptor| interceptor.on_publish(to, publication))
        });
        panic::catch_unwind(passed).map_err(|_| PublishError::Interceptor(to.path().clone()))
    }

    fn overflow_of(&self, destination: Option<Destination>) -> Overflow {
        let found = self.rules().zip(destination).map(|(rules, destination)| rules.overflow_of(&destination));
        found.unwrap_or_default()
    }

    /// Counts one publish, whatever it reached.
    fn count(&self, meters: &DestinationMeters, reach: &Reach) {
        meters.published.add(1);
        self.count_delivered(meters, reach);
    }

    /// Counts what subscriptions were handed, at once or later.
    pub(super) fn count_delivered(&self, meters: &DestinationMeters, reach: &Reach) {
        if reach.messages > 0 {
            meters.delivered.add(reach.messages as u64);
            self.inner.meters.traffic.sent(Command::Message, reach.messages, reach.octets);
        }
        if reach.refused > 0 {
            self.inner.meters.destinations.dropped_closing.add(reach.refused as u64);
        }
    }

    fn fan_out(
        &self,
        destination: &Destination,
        message_id: &str,
        publication: &Publication,
        position: Option<Position>,
    ) -> Reach {
        let index = &self.inner.index;
        let address = Address::Topic(destination.clone());
        loop {
            let topic = match index.topic(&address) {
                Some(topic) => topic,
                None if index.matching_patterns(destination).is_empty() => {
                    self.count(&self.inner.meters.destinations.of(destination), &Reach::default());
                    return Reach::default();
                }
                // Two publishers must meet at one lock, so that subscribers by pattern see one order as well.
                None => index.topic_or_new(&address),
            };
            let Some(mut state) = topic.lock() else { continue };
            // Looked for when the message has its turn: who subscribed while it waited was confirmed before it.
            let patterns = index.matching_patterns(destination);
            let token = position.zip(self.rules()).map(|(at, rules)| rules.positions.encode(destination, at));
            let meters = state.meters(|| self.inner.meters.destinations.of(destination));
            let envelope = Envelope {
                overflow: state.overflow(|| self.overflow_of(Some(destination.clone()))),
                place: position.zip(token.as_deref()),
                ..Envelope::new(message_id, destination.as_str(), publication, Arc::clone(&meters))
            };
            let mut reach = state.apply(&envelope, None);
            if !patterns.is_empty() {
                let envelope = Envelope { salt: self.inner.index.salt(&address), ..envelope };
                for pattern in &patterns {
                    if let Some(mut state) = pattern.lock() {
                        reach.add(state.apply(&envelope, None));
                    }
                }
            }
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
