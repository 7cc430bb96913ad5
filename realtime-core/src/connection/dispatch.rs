//! Brings a session's SENDs and SUBSCRIBEs to where they belong, and does what handlers decide.
//!
//! ```text
//! SEND      -> interceptors -> /app: route -> handler -> Outcome -> broker
//!                          \-> /topic, /user: rules -> broker
//! SUBSCRIBE -> interceptors -> route -> handler -> replies -> live
//!                          \-> rules -> live
//! ```
//!
//! Code of the application runs guarded: a panic, or the end of the connection's patience, is its failure and nobody
//! else's.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use futures_util::{
    FutureExt, StreamExt,
    future::ready,
    stream::{self, AbortHandle, Abortable, BoxStream},
};
use parking_lot::Mutex;
use parlor_stomp::{AckMode, Command, Send, Subscribe, SubscriptionId, encode_receipt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{
    app::{self, Context, Failure, Outcome, Publications, Recipient, Rejection, SendTarget, Target},
    broker::{ActiveSubscription, Address, Broker, Publication, Subscriber},
    connection::{
        Closing,
        background::{Done, EndOnDrop, Job},
        conversation::wire,
        refusal::Refused,
    },
    destination::{Class, Destination, Pattern, UserDestination, UserPath},
    endpoint::Endpoint,
    message::{Message, relayed_headers},
    outbox::Outbox,
    session::Session,
    telemetry::{self, Observed},
};

/// The client's header that ties an answer to its request.
const CORRELATION_ID: &str = "correlation-id";

/// The header of the last message of a stream of replies.
const COMPLETE: &str = "complete";

/// What a session's frames are handled with.
pub(super) struct Dispatch {
    endpoint: Arc<Endpoint>,
    session: Session,
    outbox: Arc<Outbox>,
    /// Becomes true when a running handler shall be dropped.
    cancel: watch::Receiver<bool>,
    /// Turns of the routes that are `concurrent`, by route.
    slots: Mutex<HashMap<usize, Arc<Semaphore>>>,
    /// Streams that may still be started.
    streams: Arc<Semaphore>,
}

/// A subscription that was granted.
pub(super) struct Entered {
    /// None for one that was only a question to a handler (`/app/…`).
    pub(super) active: Option<ActiveSubscription>,
    /// Dropping them ends the subscription's streams.
    pub(super) streams: Vec<EndOnDrop>,
    pub(super) jobs: Vec<Job>,
}

/// What a frame is known by when it is answered.
#[derive(Clone, Debug)]
struct Asked {
    destination: String,
    receipt: Option<String>,
    correlation: Option<String>,
    is_subscribe: bool,
}

/// Where replies go.
#[derive(Clone)]
enum ReplyTo {
    /// The session's replies, with the request's correlation id.
    Session(Option<String>),
    /// The subscription that is being made.
    Subscription(Arc<Subscriber>, Destination),
}

/// What came of an outcome.
#[derive(Default)]
struct Performed {
    /// Replies to the subscription that is being made.
    replies: Vec<Publication>,
    jobs: Vec<Job>,
    streams: Vec<EndOnDrop>,
}

impl Dispatch {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        session: Session,
        outbox: Arc<Outbox>,
        cancel: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let streams = Arc::new(Semaphore::new(endpoint.config.max_streams));
        Arc::new(Self { endpoint, session, outbox, cancel, slots: Mutex::default(), streams })
    }

    /// Handles a SEND, or begins to where its route is concurrent.
    pub(super) async fn send(self: &Arc<Self>, send: Send) -> Done {
        let asked = Asked {
            destination: send.destination.clone(),
            receipt: send.receipt.clone(),
            correlation: send.headers.get(CORRELATION_ID).map(str::to_owned),
            is_subscribe: false,
        };
        let message = match self.message(send).await {
            Ok(message) => message,
            Err(rejection) => return self.answer(&asked, Err(rejection.into())).await,
        };
        match self.slot(&message).await {
            Some(slot) => {
                let this = Arc::clone(self);
                let handler = async move {
                    let delivered = this.deliver(message, &asked).await;
                    drop(slot);
                    this.answer(&asked, delivered).await
                };
                Done { result: Ok(()), jobs: vec![Job::Handler(Observed::current().run(handler).boxed())] }
            }
            None => {
                let delivered = self.deliver(message, &asked).await;
                self.answer(&asked, delivered).await
            }
        }
    }

    /// Judges a SUBSCRIBE and registers it; `Err` is how the connection ends where it has to.
    pub(super) async fn subscribe(self: &Arc<Self>, subscribe: &Subscribe) -> Result<Option<Entered>, Closing> {
        match self.enter(subscribe).await {
            Ok(entered) => Ok(Some(entered)),
            Err(failure) => {
                let asked = Asked {
                    destination: subscribe.destination.clone(),
                    receipt: subscribe.receipt.clone(),
                    correlation: subscribe.headers.get(CORRELATION_ID).map(str::to_owned),
                    is_subscribe: true,
                };
                // A refused subscription starts nothing.
                self.answer(&asked, Err(failure)).await.result.map(|()| None)
            }
        }
    }

    pub(super) fn receipt(&self, receipt: Option<&str>) {
        if let Some(receipt) = receipt {
            let wire = wire(&encode_receipt(receipt, self.session.version()));
            self.endpoint.meters().traffic.sent(Command::Receipt, 1, wire.len());
            self.outbox.push(wire);
        }
    }

    fn broker(&self) -> &Broker {
        &self.endpoint.broker
    }

    /// The message that a SEND is, after the interceptors.
    async fn message(&self, send: Send) -> Result<Message, Rejection> {
        let destination: Destination = send.destination.parse()?;
        let mut message = Message::new(destination, relayed_headers(&send.headers), send.content_type, send.body);
        for interceptor in &self.endpoint.interceptors {
            message = self.guarded(async { interceptor.on_send(&self.session, message).await }).await?;
        }
        Ok(message)
    }

    /// A turn at the message's route where that is concurrent; waits until one is free.
    async fn slot(&self, message: &Message) -> Option<OwnedSemaphorePermit> {
        if !self.endpoint.routes.has_concurrent() {
            return None;
        }
        let matched = self.endpoint.routes.message(message.destination())?;
        let count = matched.options.concurrent?;
        let slots =
            Arc::clone(self.slots.lock().entry(matched.id).or_insert_with(|| Arc::new(Semaphore::new(count.get()))));
        slots.acquire_owned().await.ok()
    }

    /// Brings a message to where its destination says: a handler, a topic, a user.
    async fn deliver(self: &Arc<Self>, message: Message, asked: &Asked) -> Result<Performed, Failure> {
        let destination = message.destination().clone();
        let target = match self.broker().prefixes().classify(&destination) {
            Class::App => return self.call_handler(message, asked).await,
            Class::Topic => SendTarget::Topic(destination.clone()),
            Class::User(UserPath::Own(path)) => SendTarget::OwnUser(path),
            Class::User(UserPath::Named { user, path }) => {
                SendTarget::OtherUser { user: user.parse().map_err(Rejection::from)?, path }
            }
            Class::Queue => {
                return Err(Rejection::not_supported("Queues are not supported yet; send to a topic.").into());
            }
            _ => return Err(Rejection::not_found(&destination).into()),
        };
        let allowed = self.endpoint.rules.may_send(self.session.principal(), &target);
        if !self.guarded::<_, Rejection>(allowed.map(Ok)).await? {
            return Err(Rejection::forbidden_send(&destination).into());
        }
        let publication = Publication::bytes(message.body().clone()).with_headers(message.headers().clone());
        let publication = match message.content_type() {
            Some(content_type) => publication.with_content_type(content_type),
            None => publication,
        };
        let target = match target {
            SendTarget::OwnUser(path) => Target::User(Recipient::Own, path),
            SendTarget::OtherUser { user, path } => Target::User(Recipient::User(user), path),
            SendTarget::Topic(destination) => Target::Topic(destination),
        };
        self.send_one(&target, publication).await?;
        Ok(Performed::default())
    }

    async fn call_handler(self: &Arc<Self>, message: Message, asked: &Asked) -> Result<Performed, Failure> {
        let destination = message.destination().clone();
        let Some(matched) = self.endpoint.routes.message(&destination) else {
            return Err(Rejection::not_found(&destination).into());
        };
        if let Some(limit) = matched.options.max_size
            && message.body().len() > limit
        {
            return Err(Rejection::too_large(limit).into());
        }
        self.take_turn(&matched)?;
        let context = Context::new(self.session.clone(), self.broker().clone(), message);
        let outcome = self.guarded(matched.call(context)).await?;
        let reply_to = ReplyTo::Session(asked.correlation.clone());
        Ok(self.perform(outcome, &reply_to, asked).await?)
    }

    fn take_turn<K>(&self, matched: &app::Matched<'_, K>) -> Result<(), Rejection> {
        match matched.options.rate {
            Some(rate) => self.session.take_turn(matched.id, rate).map_err(Rejection::rate_limited),
            None => Ok(()),
        }
    }

    async fn enter(self: &Arc<Self>, subscribe: &Subscribe) -> Result<Entered, Failure> {
        check_supported(subscribe)?;
        for interceptor in &self.endpoint.interceptors {
            let (destination, headers) = (&subscribe.destination, &subscribe.headers);
            let heard = async { interceptor.on_subscribe(&self.session, destination, headers).await };
            self.guarded::<_, Rejection>(heard).await?;
        }
        if subscribe.destination.contains('*') {
            let active = self.enter_pattern(subscribe).await?;
            return Ok(Entered { active: Some(active), streams: Vec::new(), jobs: Vec::new() });
        }
        let destination: Destination = subscribe.destination.parse().map_err(Rejection::from)?;
        let address = match self.broker().prefixes().classify(&destination) {
            Class::App => None,
            Class::Topic => Some(Address::Topic(destination.clone())),
            Class::User(UserPath::Own(path)) => {
                Some(Address::User(UserDestination { owner: self.session.owner(), path }))
            }
            Class::User(UserPath::Named { .. }) => {
                return Err(Rejection::forbidden_subscribe(destination.as_str()).into());
            }
            Class::Queue => {
                return Err(Rejection::not_supported("Queues are not supported yet; subscribe to a topic.").into());
            }
            _ => return Err(Rejection::not_found(&destination).into()),
        };
        if self.endpoint.routes.subscribe(&destination).is_some() {
            return self.ask_handler(subscribe, destination, address).await;
        }
        let Some(address) = address else { return Err(Rejection::not_found(&destination).into()) };
        if let Address::Topic(_) = &address
            && !self.may_subscribe(&Pattern::from(destination.clone())).await?
        {
            return Err(Rejection::forbidden_subscribe(destination.as_str()).into());
        }
        let active = self.broker().subscribe(address, self.subscriber(subscribe, false));
        Ok(Entered { active: Some(active), streams: Vec::new(), jobs: Vec::new() })
    }

    async fn ask_handler(
        self: &Arc<Self>,
        subscribe: &Subscribe,
        destination: Destination,
        address: Option<Address>,
    ) -> Result<Entered, Failure> {
        let Some(matched) = self.endpoint.routes.subscribe(&destination) else {
            return Err(Rejection::not_found(&destination).into());
        };
        self.take_turn(&matched)?;
        // Registered first and held back, so that nothing published while the handler runs is missed.
        let active = address.map(|address| self.broker().subscribe(address, self.subscriber(subscribe, true)));
        let event = app::Subscribe::new(destination.clone(), subscribe.headers.clone(), subscribe.id.clone());
        let context = Context::new(self.session.clone(), self.broker().clone(), event);
        let outcome = self.guarded(matched.call(context)).await?;
        let subscriber = Arc::new(self.subscriber(subscribe, false));
        let reply_to = ReplyTo::Subscription(Arc::clone(&subscriber), destination.clone());
        let asked = Asked {
            destination: subscribe.destination.clone(),
            receipt: None,
            correlation: subscribe.headers.get(CORRELATION_ID).map(str::to_owned),
            is_subscribe: false,
        };
        let Performed { replies, jobs, streams } = self.perform(outcome, &reply_to, &asked).await?;
        match &active {
            Some(active) => active.release(destination.as_str(), &replies),
            None => replies.iter().for_each(|reply| self.reply(&subscriber, &destination, reply)),
        }
        Ok(Entered { active, streams, jobs })
    }

    async fn enter_pattern(&self, subscribe: &Subscribe) -> Result<ActiveSubscription, Rejection> {
        if !self.endpoint.config.pattern_subscriptions {
            return Err(Rejection::not_supported(
                "Subscriptions to patterns are switched off here; name one destination.",
            ));
        }
        let pattern: Pattern = subscribe.destination.parse()?;
        let topics = &self.endpoint.topic_pattern;
        // A handler judges its destinations one by one; a pattern must not go around it.
        let judged = self.endpoint.routes.judges_within(&pattern);
        if judged || !topics.includes(&pattern) || !self.may_subscribe(&pattern).await? {
            return Err(Rejection::forbidden_subscribe(&subscribe.destination));
        }
        let subscriber = self.subscriber(subscribe, false);
        Ok(self.broker().subscribe_pattern(pattern, subscriber))
    }

    async fn may_subscribe(&self, pattern: &Pattern) -> Result<bool, Rejection> {
        self.guarded(self.endpoint.rules.may_subscribe(self.session.principal(), pattern).map(Ok)).await
    }

    fn subscriber(&self, subscribe: &Subscribe, hold: bool) -> Subscriber {
        let subscription = match &subscribe.id {
            SubscriptionId::Named(id) => Some(Arc::clone(id)),
            SubscriptionId::Unnamed(_) => None,
        };
        let (version, outbox) = (self.session.version(), Arc::clone(&self.outbox));
        Subscriber { session: self.session.id(), version, subscription, outbox, hold }
    }

    /// A message for one subscription alone.
    fn reply(&self, to: &Subscriber, destination: &Destination, reply: &Publication) {
        self.outbox.push(self.broker().encode_reply(to, destination, reply));
    }

    /// Runs code of the application: a panic, or the end of the connection's patience, is its failure and nobody else's.
    async fn guarded<T, E: From<Rejection>>(&self, running: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut cancel = self.cancel.clone();
        tokio::select! {
            result = AssertUnwindSafe(running).catch_unwind() => result.unwrap_or_else(|_| {
                telemetry::handler_panicked();
                Err(Rejection::handler_panicked().into())
            }),
            _ = cancel.wait_for(|cancelled| *cancelled) => Err(Rejection::cancelled().into()),
        }
    }

    /// Does what a handler's outcome says, in its order.
    async fn perform(
        self: &Arc<Self>,
        outcome: Outcome,
        reply_to: &ReplyTo,
        asked: &Asked,
    ) -> Result<Performed, Rejection> {
        let mut performed = Performed::default();
        for delivery in outcome.into_deliveries() {
            match (delivery.publications, delivery.to) {
                (Publications::Nothing, _) => {}
                (Publications::One(publication), Target::Reply) => match reply_to {
                    ReplyTo::Subscription(..) => performed.replies.push(publication),
                    ReplyTo::Session(correlation) => self.answer_request(correlation.as_deref(), publication)?,
                },
                (Publications::One(publication), to) => self.send_one(&to, publication).await?,
                (Publications::Stream(items), to) => {
                    let limit = self.endpoint.config.max_streams;
                    let permit = Arc::clone(&self.streams)
                        .try_acquire_owned()
                        .map_err(|_| Rejection::too_many_streams(limit))?;
                    let (handle, registration) = AbortHandle::new_pair();
                    if let ReplyTo::Subscription(..) = reply_to {
                        performed.streams.push(EndOnDrop(handle));
                    }
                    // Its receipt is sent when the handler has returned.
                    let asked = Asked { receipt: None, ..asked.clone() };
                    let sent = Arc::clone(self).stream(items, to, reply_to.clone(), asked);
                    let sent = Abortable::new(sent, registration).map(move |item| {
                        let _held = &permit;
                        item
                    });
                    performed.jobs.push(Job::Stream(sent.boxed()));
                }
            }
        }
        Ok(performed)
    }

    async fn send_one(&self, to: &Target, publication: Publication) -> Result<(), Rejection> {
        to.send(self.broker(), &self.session, publication).await
    }

    /// The reply to a message: at the session's replies, with the message's correlation id.
    fn answer_request(&self, correlation: Option<&str>, publication: Publication) -> Result<(), Rejection> {
        let path = format!("{}/replies", self.broker().prefixes().queue).parse::<Destination>();
        let path = path.map_err(Rejection::internal)?;
        let publication = match correlation {
            Some(correlation) => publication.with_header(CORRELATION_ID, correlation),
            None => publication,
        };
        let replies = UserDestination { owner: self.session.owner(), path };
        self.broker().send_to_owner(&replies, &publication, Some(self.session.id()));
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
        let mut failed = false;
        let items = items.take_while(move |item| {
            let goes_on = !failed;
            failed = item.is_err();
            ready(goes_on)
        });
        items
            .then(move |item| {
                let this = Arc::clone(&self);
                let (to, reply_to, asked) = (to.clone(), reply_to.clone(), asked.clone());
                frame.clone().run(async move {
                    let sent = match item {
                        Ok(publication) => this.send_item(&to, &reply_to, publication).await,
                        Err(rejection) => Err(rejection),
                    };
                    match sent {
                        Ok(()) => Ok(()),
                        Err(rejection) => this.refuse(&asked, &rejection),
                    }
                })
            })
            .boxed()
    }

    async fn send_item(&self, to: &Target, reply_to: &ReplyTo, publication: Publication) -> Result<(), Rejection> {
        match (to, reply_to) {
            (Target::Reply, ReplyTo::Session(correlation)) => self.answer_request(correlation.as_deref(), publication),
            (Target::Reply, ReplyTo::Subscription(subscriber, destination)) => {
                self.reply(subscriber, destination, &publication);
                Ok(())
            }
            _ => self.send_one(to, publication).await,
        }
    }

    /// Answers a frame: with its RECEIPT, or by rule 11.
    async fn answer(self: &Arc<Self>, asked: &Asked, result: Result<Performed, Failure>) -> Done {
        let Failure { rejection, outcome } = match result {
            Ok(Performed { jobs, .. }) => {
                self.receipt(asked.receipt.as_deref());
                return Done { result: Ok(()), jobs };
            }
            Err(failure) => failure,
        };
        let reply_to = ReplyTo::Session(asked.correlation.clone());
        let jobs = match self.perform(outcome, &reply_to, asked).await {
            Ok(performed) => performed.jobs,
            Err(error) => {
                telemetry::application_failed("what an error handler wanted to send could not be sent", &error);
                Vec::new()
            }
        };
        Done { result: self.refuse(asked, &rejection), jobs }
    }

    fn refuse(&self, asked: &Asked, rejection: &Rejection) -> Result<(), Closing> {
        let refused = Refused {
            destination: &asked.destination,
            receipt: asked.receipt.as_deref(),
            correlation: asked.correlation.as_deref(),
            is_subscribe: asked.is_subscribe,
        };
        refused.tell(self.broker(), &self.session, rejection).map_or(Ok(()), Err)
    }
}

/// Refuses what a later release brings; answering it with a RECEIPT would promise too much.
fn check_supported(subscribe: &Subscribe) -> Result<(), Rejection> {
    if subscribe.ack != AckMode::Auto {
        return Err(Rejection::not_supported("Only ack:auto is supported yet; leave the ack header out."));
    }
    if subscribe.headers.get("selector").is_some() {
        return Err(Rejection::not_supported("Selectors are not supported; subscribe to a narrower destination."));
    }
    if subscribe.headers.get("resume-from").is_some() {
        return Err(Rejection::not_supported("Resuming is not supported yet; subscribe without resume-from."));
    }
    Ok(())
}
