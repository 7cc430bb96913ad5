//! Brings a session's SENDs to where they belong, and answers them.
//!
//! ```text
//! SEND -> interceptors -> /app: route -> handler -> Outcome (performing.rs) -> broker
//!                     \-> /topic, /user: rules -> broker
//! ```
//!
//! Code of the application runs guarded: a panic, or the end of the connection's patience, is its failure and nobody
//! else's.

use std::{
    collections::HashMap,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{self, Poll, ready},
};

use futures_util::{FutureExt, future::Either};
use parking_lot::Mutex;
use parlor_stomp::{Command, Encoded, Headers, Send, Subscribe, encode_frame, encode_receipt};
use pin_project_lite::pin_project;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    app::{self, Context, Failure, Outcome, Recipient, Rejection, SendTarget, Target},
    broker::{Broker, POSITION, Publication, recovered_header},
    clock,
    connection::{
        Closing,
        background::{Done, Job},
        conversation::wire,
        performing::{Performed, ReplyTo},
        refusal::Refused,
        shared::Shared,
    },
    destination::{Class, Destination, UserPath},
    endpoint::Endpoint,
    limits::{Claim, First, MessageKey},
    message::{Message, relayed_headers},
    outbox::Outbox,
    session::Session,
    telemetry::{self, Observed},
};

/// The client's header that ties an answer to its request.
pub(super) const CORRELATION_ID: &str = "correlation-id";

/// The client's header that a repeat of a SEND is recognised by.
const MESSAGE_KEY: &str = "message-key";

/// What became of the wish to handle a SEND.
enum Claimed {
    /// It repeats one that was handled.
    Handled,
    /// It is to be handled; what is told of the outcome has a key.
    First(Option<First>),
}

/// By route.
type Slots = HashMap<usize, Arc<Semaphore>>;

/// What a session's frames are handled with.
pub(super) struct Dispatch {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) session: Session,
    pub(super) outbox: Arc<Outbox>,
    /// Says when a running handler shall be dropped.
    shared: Arc<Shared>,
    /// Turns of the routes that are `concurrent`; made with the first.
    slots: Mutex<Option<Box<Slots>>>,
    /// Streams that may still be started; made with the first.
    streams: OnceLock<Arc<Semaphore>>,
}

/// What a frame is known by when it is answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) destination: String,
    pub(super) receipt: Option<String>,
    pub(super) correlation: Option<String>,
    pub(super) is_subscribe: bool,
}

impl Asked {
    pub(super) fn subscribe(subscribe: &Subscribe) -> Self {
        Self {
            destination: subscribe.destination.clone(),
            receipt: subscribe.receipt.clone(),
            correlation: correlation(&subscribe.headers),
            is_subscribe: true,
        }
    }
}

fn correlation(headers: &Headers) -> Option<String> {
    headers.get(CORRELATION_ID).map(str::to_owned)
}

/// What a SEND is known by, and the message that it is.
fn read(send: Send) -> (Asked, Result<Message, Rejection>) {
    let Send { destination, content_type, receipt, body, headers, .. } = send;
    let message = match destination.parse::<Destination>() {
        Ok(to) => Ok(Message::new(to, relayed_headers(&headers), content_type, body)),
        Err(error) => Err(error.into()),
    };
    let correlation = correlation(&headers);
    (Asked { destination, receipt, correlation, is_subscribe: false }, message)
}

impl Dispatch {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        session: Session,
        outbox: Arc<Outbox>,
        shared: Arc<Shared>,
    ) -> Arc<Self> {
        Arc::new(Self { endpoint, session, outbox, shared, slots: Mutex::default(), streams: OnceLock::new() })
    }

    /// Places of the streams that may run at a time.
    pub(super) fn streams(&self) -> &Arc<Semaphore> {
        self.streams.get_or_init(|| Arc::new(Semaphore::new(self.endpoint.config.max_streams)))
    }

    /// Handles a SEND, or begins to where its route is concurrent.
    ///
    /// What most SENDs do without is boxed, here and below: the future of each is made, moved and dropped as a whole, with room
    /// for the largest of all that it may ever wait for.
    pub(super) fn send(self: &Arc<Self>, send: Send) -> impl Future<Output = Done> {
        let is_plain = self.endpoint.interceptors.is_empty()
            && !self.endpoint.routes.has_concurrent()
            && send.headers.get(MESSAGE_KEY).is_none()
            && send.destination != self.endpoint.refresh.as_str();
        if !is_plain {
            return Either::Right(Box::pin(self.send_with_care(send)));
        }
        let (asked, message) = read(send);
        Either::Left(self.deliver(message, asked, None, None))
    }

    /// Handles a SEND that refreshes the token, may be a repeat, is to pass interceptors, or may have to wait for its turn.
    async fn send_with_care(self: &Arc<Self>, send: Send) -> Done {
        if send.destination == self.endpoint.refresh.as_str() {
            let refreshed = self.refresh(&send).await;
            let (asked, _) = read(send);
            return self.answer(&asked, refreshed.map(|()| Performed::default()).map_err(Failure::from)).await;
        }
        let claimed = self.claim(&send).await;
        let (asked, message) = read(send);
        let first = match claimed {
            Ok(Claimed::Handled) => return self.answer(&asked, Ok(Performed::default())).await,
            Ok(Claimed::First(first)) => first,
            Err(rejection) => return self.answer(&asked, Err(rejection)).await,
        };
        let message = match message {
            Ok(message) => self.intercept(message).await,
            Err(rejection) => Err(rejection),
        };
        let slot = match &message {
            Ok(message) => self.slot(message).await,
            Err(_) => Ok(None),
        };
        let (message, slot) = match slot {
            Ok(slot) => (message, slot),
            Err(rejection) => (Err(rejection), None),
        };
        if slot.is_none() {
            return self.deliver(message, asked, first, None).await;
        }
        let this = Arc::clone(self);
        let handler = async move { this.deliver(message, asked, first, slot).await };
        Done { result: Ok(()), jobs: vec![Job::Handler(Observed::current().run(handler).boxed())] }
    }

    /// Confirms a SUBSCRIBE: whether it missed nothing, where it goes on from somewhere, and the place that it begins at.
    pub(super) fn receipt_of_subscribe(&self, receipt: Option<&str>, recovered: Option<bool>, position: Option<&str>) {
        let Some(receipt) = receipt else { return };
        let recovered = recovered.map(recovered_header);
        let position = position.map(|position| (POSITION, position));
        let headers = [("receipt-id", receipt)].into_iter().chain(recovered).chain(position).collect();
        self.send_receipt(&encode_frame(Command::Receipt, &headers, b"", self.session.version()));
    }

    pub(super) fn receipt(&self, receipt: Option<&str>) {
        if let Some(receipt) = receipt {
            self.send_receipt(&encode_receipt(receipt, self.session.version()));
        }
    }

    fn send_receipt(&self, receipt: &Encoded) {
        let wire = wire(receipt);
        self.endpoint.meters().traffic.sent(Command::Receipt, 1, wire.len());
        self.outbox.push(wire);
    }

    pub(super) fn broker(&self) -> &Broker {
        &self.endpoint.broker
    }

    /// Asks whether a SEND repeats one with the same `message-key`; waits for the outcome of one that is being handled.
    async fn claim(&self, send: &Send) -> Result<Claimed, Failure> {
        let Some(key) = send.headers.get(MESSAGE_KEY) else { return Ok(Claimed::First(None)) };
        let key: MessageKey = key.parse().map_err(|error| Rejection::bad_message_key(&error))?;
        let owner = self.session.owner();
        loop {
            let claim = self.endpoint.repeats.lock().claim(&owner, &key, clock::now());
            match claim {
                Claim::Done => return Ok(Claimed::Handled),
                Claim::First(first) => return Ok(Claimed::First(Some(first))),
                Claim::InFlight(pending) => {
                    if self.guarded::<_, Rejection>(pending.is_done().map(Ok)).await? {
                        return Ok(Claimed::Handled);
                    }
                }
            }
        }
    }

    fn settle_claim(&self, first: Option<First>, handled: bool) {
        let Some(first) = first else { return };
        let mut repeats = self.endpoint.repeats.lock();
        if handled {
            repeats.done(first, clock::now());
        } else {
            repeats.failed(first);
        }
    }

    /// A message after the interceptors.
    async fn intercept(&self, mut message: Message) -> Result<Message, Rejection> {
        for interceptor in &self.endpoint.interceptors {
            message = self.guarded(async { interceptor.on_send(&self.session, message).await }).await?;
        }
        Ok(message)
    }

    /// A turn at the message's route where that is concurrent; waits until one is free.
    async fn slot(&self, message: &Message) -> Result<Option<OwnedSemaphorePermit>, Rejection> {
        if !self.endpoint.routes.has_concurrent() {
            return Ok(None);
        }
        let Some(matched) = self.endpoint.routes.message(message.destination()) else { return Ok(None) };
        let Some(count) = matched.options.concurrent else { return Ok(None) };
        let slots = {
            let mut slots = self.slots.lock();
            let slots = slots.get_or_insert_default().entry(matched.id);
            Arc::clone(slots.or_insert_with(|| Arc::new(Semaphore::new(count.get()))))
        };
        self.guarded(slots.acquire_owned().map(|slot| Ok(slot.ok()))).await
    }

    /// Brings a message to where its destination says, and answers the SEND that it was.
    #[expect(clippy::manual_async_fn, reason = "an async function has room for each argument twice")]
    fn deliver(
        self: &Arc<Self>,
        message: Result<Message, Rejection>,
        asked: Asked,
        first: Option<First>,
        slot: Option<OwnedSemaphorePermit>,
    ) -> impl Future<Output = Done> {
        async move {
            let delivered = match message {
                Ok(message) if self.is_for_handler(&message) => self.call_handler(message, &asked).await,
                Ok(message) => self.relay(&message).await.map_err(Failure::from),
                Err(rejection) => Err(rejection.into()),
            };
            self.settle_claim(first, delivered.is_ok());
            // The handler's turn is over: the next one does not wait for this one's answer.
            drop(slot);
            self.answer(&asked, delivered).await
        }
    }

    fn is_for_handler(&self, message: &Message) -> bool {
        self.broker().prefixes().app.is_above(message.destination().as_str())
    }

    async fn call_handler(self: &Arc<Self>, message: Message, asked: &Asked) -> Result<Performed, Failure> {
        let called = self.call(message)?;
        let outcome = called.await?;
        let reply_to = ReplyTo::Session(asked.correlation.clone());
        Ok(self.perform(outcome, &reply_to, asked).await?)
    }

    /// Calls the handler of a message, if it has one that takes it.
    fn call(&self, message: Message) -> Result<impl Future<Output = Result<Outcome, Failure>>, Rejection> {
        let Some(matched) = self.endpoint.routes.message(message.destination()) else {
            return Err(Rejection::not_found(message.destination()));
        };
        if let Some(limit) = matched.options.max_size
            && message.body().len() > limit
        {
            return Err(Rejection::too_large(limit));
        }
        self.take_turn(&matched)?;
        let context = Context::new(self.session.clone(), self.broker().clone(), message);
        Ok(self.guarded(matched.call(context)))
    }

    /// Sends a message on to a topic, a user or a queue, if the rules allow it.
    async fn relay(&self, message: &Message) -> Result<Performed, Rejection> {
        let destination = message.destination();
        let target = match self.broker().prefixes().classify(destination) {
            Class::Topic => SendTarget::Topic(destination.clone()),
            Class::User(UserPath::Own(path)) => SendTarget::OwnUser(path),
            Class::User(UserPath::Named { user, path }) => SendTarget::OtherUser { user: user.parse()?, path },
            Class::Queue => SendTarget::Queue(destination.clone()),
            _ => return Err(Rejection::not_found(destination)),
        };
        // The future is made inside the guarded block as well: an authorizer may panic before its first await.
        let principal = self.session.principal();
        let allowed = async { Ok(self.endpoint.rules.may_send(&principal, &target).await) };
        if !self.guarded::<_, Rejection>(allowed).await? {
            return Err(Rejection::forbidden_send(destination));
        }
        let publication = Publication::bytes(message.body().clone()).with_headers(message.headers().clone());
        let publication = match message.content_type() {
            Some(content_type) => publication.with_content_type(content_type),
            None => publication,
        };
        let target = match target {
            SendTarget::OwnUser(path) => Target::User(Recipient::Own, path),
            SendTarget::OtherUser { user, path } => Target::User(Recipient::User(user), path),
            SendTarget::Queue(destination) | SendTarget::Topic(destination) => Target::Topic(destination),
        };
        self.send_one(target, publication).await?;
        Ok(Performed::default())
    }

    pub(super) fn take_turn<K>(&self, matched: &app::Matched<'_, K>) -> Result<(), Rejection> {
        match matched.options.rate {
            Some(rate) => self.session.take_turn(matched.id, rate).map_err(Rejection::rate_limited),
            None => Ok(()),
        }
    }

    /// Runs code of the application: a panic, or the end of the connection's patience, is its failure and nobody else's.
    pub(super) fn guarded<T, E: From<Rejection>>(
        &self,
        running: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, E>> {
        Guarded { running, cancelled: self.shared.cancellation.cancelled() }
    }

    /// Answers a frame: with its RECEIPT, or by rule 11.
    pub(super) async fn answer(self: &Arc<Self>, asked: &Asked, result: Result<Performed, Failure>) -> Done {
        match result {
            Ok(Performed { jobs, .. }) => {
                self.receipt(asked.receipt.as_deref());
                Done { result: Ok(()), jobs }
            }
            Err(failure) => Box::pin(self.fail(asked, failure)).await,
        }
    }

    /// Sends what an error handler wants to have sent, and says what went wrong.
    async fn fail(self: &Arc<Self>, asked: &Asked, failure: Failure) -> Done {
        let Failure { rejection, outcome } = failure;
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

    pub(super) fn refuse(&self, asked: &Asked, rejection: &Rejection) -> Result<(), Closing> {
        let refused = Refused {
            destination: &asked.destination,
            receipt: asked.receipt.as_deref(),
            correlation: asked.correlation.as_deref(),
            subscription: None,
            is_subscribe: asked.is_subscribe,
        };
        refused.tell(&self.endpoint, &self.session, rejection).map_or(Ok(()), Err)
    }
}

pin_project! {
    /// Code of the application that runs until it is done, panics, or is told to stop.
    ///
    /// Written by hand, for it has room for `running` once: an async function keeps what it was given beside what it waits for.
    struct Guarded<F, C> {
        #[pin]
        running: F,
        #[pin]
        cancelled: C,
    }
}

impl<T, E, F, C> Future for Guarded<F, C>
where
    E: From<Rejection>,
    F: Future<Output = Result<T, E>>,
    C: Future<Output = ()>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match panic::catch_unwind(AssertUnwindSafe(|| this.running.poll(cx))) {
            Ok(Poll::Ready(result)) => return Poll::Ready(result),
            Ok(Poll::Pending) => {}
            Err(_) => {
                telemetry::handler_panicked();
                return Poll::Ready(Err(Rejection::handler_panicked().into()));
            }
        }
        ready!(this.cancelled.poll(cx));
        Poll::Ready(Err(Rejection::cancelled().into()))
    }
}
