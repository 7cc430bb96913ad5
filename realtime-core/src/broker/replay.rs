//! Resuming: what a subscription missed is read from the history, and then it goes live (rules 14 and 15).
//!
//! 1. The subscription is registered; live messages are held back for it from now on.
//! 2. The position that the client names is read from; where completeness cannot be proved nothing is replayed.
//! 3. Everything up to the top of that moment is sent, as fast as the client reads.
//! 4. Under the topic's lock: what was held back and not replayed is sent, and the subscription is live.
//!
//! Where more was held back than there is room for, it is forgotten and read as well: 3 begins again from where it was.

use std::{collections::VecDeque, future::poll_fn, sync::Arc};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

use crate::{
    broker::{
        ActiveSubscription, Broker, Publication,
        member::{MAX_NOTE, Taken},
        shared_queue::SharedQueue,
        subscription::Link,
        topic::Reach,
    },
    closing::Closing,
    destination::Destination,
    history::{Entry, Journal, Page, Position, ReadLimit, Stamp},
    outbox::Outbox,
    telemetry::{self, DestinationMeters},
};

/// What is read from a journal at once.
const PAGE: ReadLimit = ReadLimit::new(64, 128 * 1024);

/// Says whether a subscription missed nothing.
const RECOVERED: &str = "recovered";

/// The client's header with the position that it wants to go on from.
pub(crate) const RESUME_FROM: &str = "resume-from";

/// The header of a subscription's first message, and of its receipt, where it wanted to resume.
pub(crate) fn recovered_header(recovered: bool) -> (&'static str, &'static str) {
    (RECOVERED, if recovered { "true" } else { "false" })
}

/// Sends what was missed, one message each time that it is polled; then the subscription is live. An error ends the
/// connection.
pub(crate) type Missed = BoxStream<'static, Result<(), Closing>>;

/// A replay under way.
struct Replay {
    link: Link,
    meters: Arc<DestinationMeters>,
    journal: Arc<dyn Journal>,
    destination: Destination,
    entries: VecDeque<(Stamp, Arc<Entry>)>,
    /// The position of the last message that was sent, or the client's own.
    last: Position,
    /// Up to where the history was read.
    top: Position,
}

/// What a message of the history goes to, once there is room.
enum Way {
    Outbox(Arc<Outbox>, usize),
    Queue(Arc<SharedQueue>),
}

impl Broker {
    /// The place after the last message of a topic, as a client may be told; none where it has no history.
    pub(crate) async fn position_of(&self, topic: &Destination) -> Option<String> {
        let rules = self.rules()?;
        let top = rules.journal_of(topic)?.top(topic).await;
        let top =
            top.inspect_err(|error| telemetry::application_failed("the history could not be read", error)).ok()?;
        Some(rules.positions.encode(topic, top))
    }
}

impl ActiveSubscription {
    /// Resumes from the position `token`, and says so with the first message: what was missed, to be sent after `replies`; or
    /// none, where it cannot be proved to be all, and then the subscription is live.
    ///
    /// `topic` is what it subscribed to; none where that is not a topic, and has no history.
    pub(crate) async fn resume(
        &self,
        topic: Option<&Destination>,
        token: &str,
        shown: &str,
        replies: &[Publication],
    ) -> Option<Missed> {
        let found = match topic {
            Some(topic) => self.find(topic, token).await,
            None => None,
        };
        self.link.with_member(|member| {
            member.announce(self.link.key, recovered_header(found.is_some()));
            if found.is_none() && !replies.is_empty() && member.has_forgotten() {
                // The client would take what a handler replied and what follows for everything.
                member.handler_is_too_slow();
            }
        });
        self.send_first(shown, replies);
        if found.is_none() {
            self.go_live();
        }
        found.map(|replay| stream::try_unfold(replay, Replay::step).boxed())
    }

    async fn find(&self, destination: &Destination, token: &str) -> Option<Replay> {
        let rules = self.link.broker.rules()?;
        let journal = Arc::clone(rules.journal_of(destination)?);
        let last = rules.positions.decode(destination, token).ok()?;
        let page = match journal.read(destination, last, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                telemetry::application_failed("the history could not be read", &error);
                return None;
            }
        };
        if !page.complete {
            return None;
        }
        let (link, meters, destination) = (self.link.clone(), Arc::clone(&self.meters), destination.clone());
        let (entries, top) = (VecDeque::new(), last);
        let mut replay = Replay { link, meters, journal, destination, entries, last, top };
        replay.take(page);
        Some(replay)
    }
}

impl Replay {
    /// Sends one message, or goes live.
    async fn step(mut self) -> Result<Option<((), Self)>, Closing> {
        loop {
            if let Some((stamp, entry)) = self.entries.pop_front() {
                let sent = self.send(stamp, &entry).await;
                return Ok(sent.then_some(((), self)));
            }
            if self.last == self.top && self.goes_live() {
                return Ok(None);
            }
            self.read().await?;
        }
    }

    /// Sends a message once there is room for it; false where nobody is there any more.
    async fn send(&mut self, stamp: Stamp, entry: &Entry) -> bool {
        let stored = self.link.broker.stored(&self.destination, stamp, entry);
        let way = self.link.with_member(|member| {
            let octets = || stored.encode(&member.encoding).len() + MAX_NOTE;
            match member.private_queue() {
                Some(queue) => Way::Queue(queue),
                None => Way::Outbox(Arc::clone(&member.outbox), octets()),
            }
        });
        let Some(way) = way else { return false };
        match way {
            Way::Queue(queue) => poll_fn(|cx| queue.poll_room(cx)).await,
            Way::Outbox(outbox, octets) => poll_fn(|cx| outbox.poll_room(octets, cx)).await,
        }
        let taken = self.link.with_member(|member| member.replay(stored));
        let Some(taken) = taken else { return false };
        let mut reach = Reach::default();
        reach.count(taken);
        self.link.broker.count_delivered(&self.meters, &reach);
        self.last = stamp.position();
        taken != Taken::Refused
    }

    /// Makes the subscription live, unless what was held back has to be read first.
    fn goes_live(&self) -> bool {
        let reach = self.link.with_member(|member| member.try_go_live(self.last));
        let Some(reach) = reach else { return true };
        if let Some(reach) = &reach {
            self.link.broker.count_delivered(&self.meters, reach);
        }
        reach.is_some()
    }

    /// Reads on. What has left the history meanwhile was not read in time.
    async fn read(&mut self) -> Result<(), Closing> {
        let page = self.journal.read(&self.destination, self.last, PAGE).await.map_err(|error| {
            telemetry::application_failed("the history could not be read on", &error);
            Closing::slow_consumer()
        })?;
        if !page.complete {
            return Err(Closing::slow_consumer());
        }
        self.take(page);
        Ok(())
    }

    fn take(&mut self, page: Page) {
        let Page { entries, top, .. } = page;
        if entries.is_empty() {
            // Also where the offsets behind it are a gap: nothing is there.
            self.last = top;
        }
        (self.entries, self.top) = (entries.into(), top);
    }
}
