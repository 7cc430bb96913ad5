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
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
};

use futures_util::FutureExt;
use parking_lot::Mutex;
use parlor_stomp::{Command, Encoded, Headers, Send, Subscribe, encode_frame, encode_receipt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    app::{self, Context, Failure, Recipient, Rejection, SendTarget, Target},
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
    pub(super) fn send(send: &Send) -> Self {
        Self::new(&send.destination, send.receipt.as_ref(), &send.headers, false)
    }

    pub(super) fn subscribe(subscribe: &Subscribe) -> Self {
        Self::new(&subscribe.destination, subscribe.receipt.as_ref(), &subscribe.headers, true)
    }

    fn new(destination: &str, receipt: Option<&String>, headers: &Headers, is_subscribe: bool) -> Self {
        let correlation = headers.get(CORRELATION_ID).map(str::to_owned);
        Self { destination: destination.to_owned(), receipt: receipt.cloned(), correlation, is_subscribe }
    }
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
    pub(super) async fn send(self: &Arc<Self>, send: Send) -> Done {
        let asked = Asked::send(&send);
        if send.destination == self.endpoint.refresh.as_str() {
            let refreshed = Box::pin(self.refresh(&send)).await;
            return self.answer(&asked, refreshed.map(|()| Performed::default()).map_err(Failure::from)).await;
        }
        let first = match self.claim(&send).await {
            Ok(Claimed::Handled) => return self.answer(&asked, Ok(Performed::default())).await,
            Ok(Claimed::First(first)) => first,
            Err(rejection) => return self.answer(&asked, Err(rejection)).await,
        };
        let message = match self.message(send).await {
            Ok(message) => message,
            Err(rejection) => return self.answer(&asked, Err(rejection.into())).await,
        };
        match self.slot(&message).await {
            Err(rejection) => {
                self.settle_claim(first, false);
                self.answer(&asked, Err(rejection.into())).await
            }
            Ok(Some(slot)) => {
                let this = Arc::clone(self);
                let handler = async move {
                    let delivered = this.deliver(message, &asked).await;
                    this.settle_claim(first, delivered.is_ok());
                    drop(slot);
                    this.answer(&asked, delivered).await
                };
                Done { result: Ok(()), jobs: vec![Job::Handler(Observed::current().run(handler).boxed())] }
            }
            Ok(None) => {
                let delivered = self.deliver(message, &asked).await;
                self.settle_claim(first, delivered.is_ok());
                self.answer(&asked, delivered).await
            }
        }
    }

    /// The RECEIPT of a SUBSCRIBE, which says whether anything was missed where the client wanted to resume.
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
            Class::Queue => SendTarget::Queue(destination.clone()),
            _ => return Err(Rejection::not_found(&destination).into()),
        };
        // The future is made inside the guarded block as well: an authorizer may panic before its first await.
        let principal = self.session.principal();
        let allowed = async { Ok(self.endpoint.rules.may_send(&principal, &target).await) };
        if !self.guarded::<_, Rejection>(allowed).await? {
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
            SendTarget::Queue(destination) | SendTarget::Topic(destination) => Target::Topic(destination),
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

    pub(super) fn take_turn<K>(&self, matched: &app::Matched<'_, K>) -> Result<(), Rejection> {
        match matched.options.rate {
            Some(rate) => self.session.take_turn(matched.id, rate).map_err(Rejection::rate_limited),
            None => Ok(()),
        }
    }

    /// Runs code of the application: a panic, or the end of the connection's patience, is its failure and nobody else's.
    pub(super) async fn guarded<T, E: From<Rejection>>(
        &self,
        running: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        tokio::select! {
            result = AssertUnwindSafe(running).catch_unwind() => result.unwrap_or_else(|_| {
                telemetry::handler_panicked();
                Err(Rejection::handler_panicked().into())
            }),
            () = self.shared.cancellation.cancelled() => Err(Rejection::cancelled().into()),
        }
    }

    /// Answers a frame: with its RECEIPT, or by rule 11.
    pub(super) async fn answer(self: &Arc<Self>, asked: &Asked, result: Result<Performed, Failure>) -> Done {
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
