//! Judges a session's SUBSCRIBEs and registers them.
//!
//! ```text
//! SUBSCRIBE -> interceptors -> route -> handler -> replies -> what was missed -> live
//!                          \-> rules ---------------------> what was missed -> live
//! ```

use std::sync::{Arc, Weak};

use futures_util::FutureExt;
use parlor_stomp::{Subscribe, SubscriptionId};

use crate::{
    app::{self, Context, Failure, Rejection},
    broker::{
        ActiveSubscription, Address, Begins, Consumer, Encoding, Publication, RESUME_FROM, Subscriber, recovered_header,
    },
    connection::{
        Closing,
        background::{EndOnDrop, Job},
        dispatch::{Asked, Dispatch},
        performing::{Performed, ReplyTo},
    },
    destination::{Class, Destination, Pattern, UserDestination, UserPath},
};

/// The client's header with how many messages it wants to have without acknowledging one.
const PREFETCH_COUNT: &str = "prefetch-count";

/// A subscription that was granted.
#[derive(Default)]
pub(super) struct Entered {
    /// None for one to a queue, and for one that was only a question to a handler (`/app/…`).
    pub(super) active: Option<ActiveSubscription>,
    /// Where it is given messages one by one: a queue's, or one that acknowledges.
    pub(super) consumer: Option<Arc<Consumer>>,
    /// Whether it missed nothing since the position that the client named, where it named one.
    pub(super) recovered: Option<bool>,
    /// The place that it begins at, where its destination has a history and the client asked for a receipt.
    pub(super) position: Option<String>,
    /// What the guards of its route have let in, to be asked again when rights change.
    pub(super) asked: Option<Box<app::Subscribe>>,
    /// Dropping them ends the subscription's streams.
    pub(super) streams: Vec<EndOnDrop>,
    pub(super) jobs: Vec<Job>,
}

impl Entered {
    fn new((active, consumer): (ActiveSubscription, Option<Arc<Consumer>>)) -> Self {
        Self { active: Some(active), consumer, ..Self::default() }
    }

    fn at(self, position: Option<String>) -> Self {
        Self { position, ..self }
    }

    /// Sends the replies, goes on from where the client was, if it says, and is live then. `topic` is what was subscribed to,
    /// where that can have a history.
    async fn begin(
        mut self,
        shown: &str,
        topic: Option<&Destination>,
        resume_from: Option<&str>,
        replies: &[Publication],
    ) -> Self {
        self.recovered = resume_from.map(|_| false);
        let Some(active) = &self.active else { return self };
        let Some(token) = resume_from else {
            active.send_first(shown, replies);
            active.go_live();
            return self;
        };
        if let Some(missed) = active.resume(topic, token, shown, replies).await {
            self.recovered = Some(true);
            self.position = Some(token.to_owned());
            let (job, stream) = Job::stream(missed);
            self.streams.push(EndOnDrop { stream, place: Weak::new() });
            self.jobs.push(job);
        }
        self
    }
}

impl Dispatch {
    /// Judges a SUBSCRIBE and registers it; `Err` is how the connection ends where it has to.
    pub(super) async fn subscribe(self: &Arc<Self>, subscribe: &Subscribe) -> Result<Option<Entered>, Closing> {
        match self.enter(subscribe).await {
            Ok(entered) => Ok(Some(entered)),
            Err(failure) => {
                // A refused subscription starts nothing.
                self.answer(&Asked::subscribe(subscribe), Err(failure)).await.result.map(|()| None)
            }
        }
    }

    async fn enter(self: &Arc<Self>, subscribe: &Subscribe) -> Result<Entered, Failure> {
        if subscribe.headers.get("selector").is_some() {
            let hint = "Selectors are not supported; subscribe to a narrower destination.";
            return Err(Rejection::not_supported(hint).into());
        }
        for interceptor in &self.endpoint.interceptors {
            let (destination, headers) = (&subscribe.destination, &subscribe.headers);
            let heard = async { interceptor.on_subscribe(&self.session, destination, headers).await };
            self.guarded::<_, Rejection>(heard).await?;
        }
        if subscribe.destination.contains('*') {
            return Ok(self.enter_pattern(subscribe).await?);
        }
        let destination: Destination = subscribe.destination.parse().map_err(Rejection::from)?;
        let address = match self.broker().prefixes().classify(&destination) {
            Class::App => None,
            Class::Queue => Some(Address::Queue(destination.clone())),
            Class::Topic => Some(Address::Topic(destination.clone())),
            Class::User(UserPath::Own(path)) => {
                Some(Address::User(UserDestination { owner: self.session.owner(), path }))
            }
            Class::User(UserPath::Named { .. }) => {
                return Err(Rejection::forbidden_subscribe(destination.as_str()).into());
            }
            _ => return Err(Rejection::not_found(&destination).into()),
        };
        if self.endpoint.routes.subscribe(&destination).is_some() {
            return self.ask_handler(subscribe, destination, address).await;
        }
        let Some(address) = address else { return Err(Rejection::not_found(&destination).into()) };
        if matches!(address, Address::Topic(_) | Address::Queue(_))
            && !self.may_subscribe(&Pattern::from(destination.clone())).await?
        {
            return Err(Rejection::forbidden_subscribe(destination.as_str()).into());
        }
        let topic = matches!(address, Address::Topic(_)).then_some(&destination);
        let resume_from = subscribe.headers.get(RESUME_FROM);
        let is_greeted = self.endpoint.greets(&address);
        let begins = match resume_from {
            Some(_) => Begins::Resuming,
            None if is_greeted => Begins::WithReply,
            None => Begins::Live,
        };
        let position = self.place(subscribe, topic).await?;
        let entered = self.register(address.clone(), self.subscriber(subscribe, begins)?)?.at(position);
        let first = if is_greeted {
            self.guarded::<_, Rejection>(self.endpoint.greetings(&address, &self.session.principal())).await?
        } else {
            Vec::new()
        };
        if resume_from.is_none() {
            return Ok(entered.begin(destination.as_str(), topic, None, &first).await);
        }
        // A journal may be the application's own.
        let begun = entered.begin(destination.as_str(), topic, resume_from, &first).map(Ok);
        Ok(self.guarded::<_, Rejection>(begun).await?)
    }

    /// The place that a subscription to `topic` is about to begin at, for its RECEIPT: a client that is cut off before its first
    /// message goes on from there. It is asked for before the subscription is registered, so that nothing lies between the two.
    async fn place(&self, subscribe: &Subscribe, topic: Option<&Destination>) -> Result<Option<String>, Rejection> {
        let Some(topic) = topic.filter(|_| subscribe.receipt.is_some()) else { return Ok(None) };
        // A journal may be the application's own.
        self.guarded(self.broker().position_of(topic).map(Ok)).await
    }

    /// Registers a subscription with the broker.
    fn register(&self, address: Address, subscriber: Subscriber) -> Result<Entered, Rejection> {
        let Address::Queue(queue) = &address else {
            return Ok(Entered::new(self.broker().subscribe(address, subscriber)));
        };
        let consumer = self.broker().consume(queue, &subscriber).ok_or_else(Rejection::too_many_queues)?;
        Ok(Entered { consumer: Some(consumer), ..Entered::default() })
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
        let resume_from = subscribe.headers.get(RESUME_FROM);
        let begins = if resume_from.is_some() { Begins::Resuming } else { Begins::WithReply };
        let topic = matches!(address, Some(Address::Topic(_))).then(|| destination.clone());
        let greeted = address.clone().filter(|address| self.endpoint.greets(address));
        let position = self.place(subscribe, topic.as_ref()).await?;
        let entered = match address {
            // A handler judges a queue's consumers; its replies come beside what the queue has.
            Some(address) => self.register(address, self.subscriber(subscribe, begins)?)?.at(position),
            None => Entered::default(),
        };
        let event = app::Subscribe::new(destination.clone(), subscribe.headers.clone(), subscribe.id.clone());
        let to_ask_again = matched.has_guards().then(|| Box::new(event.clone()));
        let context = Context::new(self.session.clone(), self.broker().clone(), event);
        let outcome = self.guarded(matched.call(context)).await?;
        let subscriber = Arc::new(self.subscriber(subscribe, Begins::Live)?);
        let reply_to = ReplyTo::Subscription(Arc::clone(&subscriber), destination.clone());
        // What fails from now on, a stream, is no answer to the SUBSCRIBE.
        let asked = Asked { receipt: None, is_subscribe: false, ..Asked::subscribe(subscribe) };
        let Performed { mut replies, jobs, streams } = self.perform(outcome, &reply_to, &asked).await?;
        if let Some(address) = &greeted {
            let principal = self.session.principal();
            let greetings = self.endpoint.greetings(address, &principal);
            replies.extend(self.guarded::<_, Rejection>(greetings).await?);
        }
        if entered.active.is_none() {
            // Nothing that is asked under `/app`, and no queue, has a history.
            let mut header = resume_from.filter(|_| entered.consumer.is_none()).map(|_| recovered_header(false));
            replies.iter().for_each(|reply| self.push_reply(&subscriber, &destination, reply, header.take()));
        }
        let begun = entered.begin(destination.as_str(), topic.as_ref(), resume_from, &replies).map(Ok);
        let mut entered = self.guarded::<_, Rejection>(begun).await?;
        entered.asked = to_ask_again;
        entered.streams.extend(streams);
        entered.jobs.extend(jobs);
        Ok(entered)
    }

    async fn enter_pattern(&self, subscribe: &Subscribe) -> Result<Entered, Rejection> {
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
        // A position is one destination's, so there is none that a pattern could go on from.
        let resume_from = subscribe.headers.get(RESUME_FROM);
        let begins = if resume_from.is_some() { Begins::Resuming } else { Begins::Live };
        let entered = Entered::new(self.broker().subscribe_pattern(pattern, self.subscriber(subscribe, begins)?));
        Ok(entered.begin(&subscribe.destination, None, resume_from, &[]).await)
    }

    pub(super) async fn may_subscribe(&self, pattern: &Pattern) -> Result<bool, Rejection> {
        let principal = self.session.principal();
        self.guarded(async { Ok(self.endpoint.rules.may_subscribe(&principal, pattern).await) }).await
    }

    fn subscriber(&self, subscribe: &Subscribe, begins: Begins) -> Result<Subscriber, Rejection> {
        let subscription = match &subscribe.id {
            SubscriptionId::Named(id) => Some(&**id),
            SubscriptionId::Unnamed(_) => None,
        };
        let prefetch = match subscribe.headers.get(PREFETCH_COUNT) {
            Some(text) => text.parse().ok().filter(|count| *count > 0).ok_or_else(Rejection::bad_prefetch_count)?,
            None => usize::MAX,
        };
        Ok(Subscriber {
            session: self.session.id(),
            encoding: Encoding::stomp(self.session.version(), subscription),
            outbox: Arc::clone(&self.outbox),
            // A question to a handler is answered; there is nothing to acknowledge.
            ack: subscribe.ack,
            prefetch,
            begins,
        })
    }
}
