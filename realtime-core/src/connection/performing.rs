//! Does what a handler decided: replies, publications, and streams of them.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::{
    StreamExt,
    future::Either,
    stream::{self, BoxStream},
};

use crate::{
    app::{Outcome, Publications, Rejection, Target},
    broker::{Publication, Subscriber},
    connection::{
        Closing,
        background::{EndOnDrop, Job, StreamPlace},
        dispatch::{Asked, CORRELATION_ID, Dispatch},
    },
    destination::{Destination, UserDestination},
    telemetry::{self, Observed},
};

/// The header of the last message of a stream of replies.
const COMPLETE: &str = "complete";

/// Where replies go.
#[derive(Clone)]
pub(super) enum ReplyTo {
    /// The session's replies, with the request's correlation id.
    Session(Option<String>),
    /// The subscription that is being made.
    Subscription(Arc<Subscriber>, Destination),
}

/// What came of an outcome.
#[derive(Default)]
pub(super) struct Performed {
    /// Replies to the subscription that is being made.
    pub(super) replies: Vec<Publication>,
    pub(super) jobs: Vec<Job>,
    pub(super) streams: Vec<EndOnDrop>,
}

impl Dispatch {
    /// Does what a handler's outcome says, in its order.
    pub(super) async fn perform(
        self: &Arc<Self>,
        outcome: Outcome,
        reply_to: &ReplyTo,
        asked: &Asked,
    ) -> Result<Performed, Rejection> {
        let mut performed = Performed::default();
        for delivery in outcome.into_deliveries() {
            // Waited for below, where nothing of the delivery has to be kept beside it.
            let sent = match (delivery.publications, delivery.to) {
                (Publications::Nothing, _) => continue,
                (Publications::One(publication), Target::Reply) => match reply_to {
                    ReplyTo::Subscription(..) => {
                        performed.replies.push(publication);
                        continue;
                    }
                    ReplyTo::Session(correlation) => {
                        Either::Left(self.answer_request(correlation.as_deref(), publication))
                    }
                },
                (Publications::One(publication), to) => Either::Right(self.send_one(to, publication)),
                (Publications::Stream(items), to) => {
                    let limit = self.endpoint.config.max_streams;
                    let permit = Arc::clone(self.streams())
                        .try_acquire_owned()
                        .map_err(|_| Rejection::too_many_streams(limit))?;
                    let place = Arc::new(StreamPlace::new(Some(permit)));
                    let shared = Arc::downgrade(&place);
                    // Its receipt is sent when the handler has returned.
                    let asked = Asked { receipt: None, ..asked.clone() };
                    let sent = Arc::clone(self).stream(items, to, reply_to.clone(), asked);
                    let (job, stream) = Job::stream(sent.inspect(move |_| {
                        let _held = &place;
                    }));
                    if let ReplyTo::Subscription(..) = reply_to {
                        performed.streams.push(EndOnDrop { stream, place: shared });
                    }
                    performed.jobs.push(job);
                    continue;
                }
            };
            sent.await?;
        }
        Ok(performed)
    }

    pub(super) fn send_one(&self, to: Target, publication: Publication) -> impl Future<Output = Result<(), Rejection>> {
        // A journal may be the application's own.
        self.guarded(to.send(self.broker(), &self.session, publication))
    }

    /// The reply to a message: at the session's replies, with the message's correlation id.
    async fn answer_request(&self, correlation: Option<&str>, publication: Publication) -> Result<(), Rejection> {
        let publication = match correlation {
            Some(correlation) => publication.with_header(CORRELATION_ID, correlation),
            None => publication,
        };
        let replies = UserDestination { owner: self.session.owner(), path: self.endpoint.replies.clone() };
        self.broker().send_to_owner(&replies, &publication, Some(self.session.id())).await?;
        Ok(())
    }

    /// Sends one item each time it is polled. An error, or a panic, is told to the client and ends it.
    fn stream(
        self: Arc<Self>,
        items: BoxStream<'static, Result<Publication, Rejection>>,
        to: Target,
        reply_to: ReplyTo,
        asked: Asked,
    ) -> BoxStream<'static, Result<(), Closing>> {
        let complete = matches!(to, Target::Reply).then(|| Ok(Publication::default().with_header(COMPLETE, "true")));
        let items = AssertUnwindSafe(items)
            .catch_unwind()
            .map(|item| {
                item.unwrap_or_else(|_| {
                    telemetry::handler_panicked();
                    Err(Rejection::handler_panicked())
                })
            })
            .chain(stream::iter(complete));
        // A stream goes on when its frame was answered, as a part of it all the same.
        let frame = Observed::current();
        let sent = stream::unfold(Some(items), move |items| {
            let (this, frame) = (Arc::clone(&self), frame.clone());
            let (to, reply_to, asked) = (to.clone(), reply_to.clone(), asked.clone());
            async move {
                let mut items = items?;
                let item = items.next().await?;
                let refused = frame.run(async {
                    let sent = async { this.send_item(&to, &reply_to, item?).await };
                    sent.await.err().map(|rejection| this.refuse(&asked, &rejection))
                });
                Some(match refused.await {
                    None => (Ok(()), Some(items)),
                    Some(told) => (told, None),
                })
            }
        });
        sent.boxed()
    }

    async fn send_item(&self, to: &Target, reply_to: &ReplyTo, publication: Publication) -> Result<(), Rejection> {
        match (to, reply_to) {
            (Target::Reply, ReplyTo::Session(correlation)) => {
                self.answer_request(correlation.as_deref(), publication).await
            }
            (Target::Reply, ReplyTo::Subscription(subscriber, destination)) => {
                self.reply(subscriber, destination, &publication);
                Ok(())
            }
            _ => self.send_one(to.clone(), publication).await,
        }
    }

    /// A message for one subscription alone, with one header more.
    pub(super) fn push_reply(
        &self,
        to: &Subscriber,
        destination: &Destination,
        reply: &Publication,
        header: Option<(&str, &str)>,
    ) {
        let wire = self.broker().encode_reply(to, destination, reply);
        self.outbox.push(match header {
            Some((name, value)) => self.outbox.annotate(&wire, name, value),
            None => wire,
        });
    }

    /// A message for one subscription alone.
    pub(super) fn reply(&self, to: &Subscriber, destination: &Destination, reply: &Publication) {
        self.push_reply(to, destination, reply, None);
    }
}
