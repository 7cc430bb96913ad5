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
    broker::{ActiveSubscription, stored::Stored, subscription::Link},
    closing::Closing,
    destination::Destination,
    history::{Entry, Journal, Page, Position, ReadLimit, Stamp},
    telemetry,
};

/// What is read from a journal at once.
const PAGE: ReadLimit = ReadLimit::new(64, 128 * 1024);

/// The header that says whether a subscription missed nothing.
pub(crate) const RECOVERED: &str = "recovered";

/// What came of a wish to resume.
pub(crate) struct Recovery {
    /// Whether nothing is missing between the position and what follows.
    pub(crate) recovered: bool,
    /// Sends what was missed, one message each time that it is polled; then the subscription is live. An error ends the
    /// connection. None where the subscription is live already.
    pub(crate) replay: Option<BoxStream<'static, Result<(), Closing>>>,
}

/// A replay under way.
struct Replay {
    link: Link,
    journal: Arc<dyn Journal>,
    destination: Destination,
    entries: VecDeque<(Stamp, Arc<Entry>)>,
    /// The position of the last message that was sent, or the client's own.
    last: Position,
    /// Up to where the history was read.
    top: Position,
}

impl ActiveSubscription {
    /// Begins where the position `token` is, or with `recovered:false` where that cannot be done without a hole.
    ///
    /// `topic` is what it subscribed to; none where that is not a topic, and has no history.
    pub(crate) async fn resume(&self, topic: Option<&Destination>, token: &str) -> Recovery {
        let found = match topic {
            Some(topic) => self.find(topic, token).await,
            None => None,
        };
        let recovered = found.is_some();
        if let Some(mut member) = self.link.member() {
            let value = if recovered { "true" } else { "false" };
            member.announce(self.link.key, (RECOVERED, value));
            if !recovered {
                member.go_live(&self.link.encoding, None);
            }
        }
        Recovery { recovered, replay: found.map(|replay| stream::try_unfold(replay, Replay::step).boxed()) }
    }

    async fn find(&self, destination: &Destination, token: &str) -> Option<Replay> {
        let rules = self.link.broker.rules()?;
        let journal = Arc::clone(rules.journal_of(destination)?);
        let position = rules.positions.decode(destination, token).ok()?;
        let page = match journal.read(destination, position, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                telemetry::application_failed("the history could not be read", &error);
                return None;
            }
        };
        let (link, destination) = (self.link.clone(), destination.clone());
        page.complete.then(|| Replay {
            link,
            journal,
            destination,
            entries: page.entries.into(),
            last: position,
            top: page.top,
        })
    }
}

impl Replay {
    /// Sends one message, or goes live.
    async fn step(mut self) -> Result<Option<((), Self)>, Closing> {
        loop {
            let Some(queue) = self.link.member().map(|member| member.private_queue()) else { return Ok(None) };
            if let Some(queue) = queue {
                poll_fn(|cx| queue.poll_room(cx)).await;
            }
            if let Some((stamp, entry)) = self.entries.pop_front() {
                let Some(mut member) = self.link.member() else { return Ok(None) };
                member.deliver_stored(&self.link.encoding, &self.stored(stamp, &entry));
                drop(member);
                self.last = stamp.position();
                return Ok(Some(((), self)));
            }
            if self.last == self.top && self.goes_live() {
                return Ok(None);
            }
            self.read().await?;
        }
    }

    /// Makes the subscription live, unless what was held back has to be read first.
    fn goes_live(&self) -> bool {
        let Some(mut member) = self.link.member() else { return true };
        let fits = member.outbox.has_room_for(member.held_bytes());
        if member.begin_again(!fits) {
            return false;
        }
        member.go_live(&self.link.encoding, Some(self.last));
        true
    }

    /// Reads on. What has left the history meanwhile was not read in time.
    async fn read(&mut self) -> Result<(), Closing> {
        let page = self.journal.read(&self.destination, self.last, PAGE).await;
        let Page { entries, top, complete, .. } = page.map_err(|error| {
            telemetry::application_failed("the history could not be read on", &error);
            Closing::slow_consumer()
        })?;
        if !complete {
            return Err(Closing::slow_consumer());
        }
        (self.entries, self.top) = (entries.into(), top);
        Ok(())
    }

    fn stored(&self, stamp: Stamp, entry: &Entry) -> Arc<Stored> {
        self.link.broker.stored(&self.destination, stamp, entry)
    }
}
