//! The processing half of a connection: takes requests one at a time, in order, and answers them.
//!
//! It runs beside the reading half, so reads and heart-beats go on while a handler is slow. Receipts therefore come in
//! the order of the frames they answer, and a RECEIPT for a SEND says that its handler has finished.

use std::{panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use parlor_stomp::{
    AckMode, Connect, Connected, Disconnect, Encoded, Fault, Request, Send, Subscribe, SubscriptionId, Subscriptions,
    Unsubscribe, Version, encode_receipt,
};
use tokio::sync::watch;
use tracing::Instrument;

use crate::{
    app::{self, Context, Delivery, Outcome, Recipient, Rejection, SendTarget},
    auth::Principal,
    broker::{ActiveSubscription, Address, Outbox, Publication, Subscriber},
    connection::{Closing, refusal::Refused},
    destination::{Class, Destination, Owner, Pattern, UserDestination, UserPath},
    message::{Message, relayed_headers},
    realtime::{RECONNECT_SPREAD, Realtime},
    session::{DisconnectReason, LifecycleEvent, RegistryEntry, Session, Waiting, announce},
    websocket::{Opcode, encode_frame},
};

/// What follows a request.
#[derive(Debug)]
pub(super) enum Flow {
    Continue,
    End(Closing, DisconnectReason),
}

/// The state that requests are answered from.
pub(super) struct Conversation {
    realtime: Realtime,
    principal: Principal,
    outbox: Arc<Outbox>,
    /// Becomes true when a running handler shall be dropped.
    cancel: watch::Receiver<bool>,
    /// The connection's entry in the registry until CONNECT.
    waiting: Option<Waiting>,
    live: Option<Live>,
}

/// What exists from CONNECTED on.
struct Live {
    session: Session,
    entry: RegistryEntry,
    subscriptions: Subscriptions<Held>,
}

/// A subscription in force.
struct Held {
    destination: String,
    /// None for a subscription that was only a question to a handler (`/app/…`): its reply was all.
    _active: Option<ActiveSubscription>,
}

impl Conversation {
    pub(super) fn new(
        realtime: Realtime,
        principal: Principal,
        outbox: Arc<Outbox>,
        cancel: watch::Receiver<bool>,
    ) -> Self {
        let waiting = realtime.registry().wait(principal.clone(), Arc::clone(&outbox));
        Self { realtime, principal, outbox, cancel, waiting: Some(waiting), live: None }
    }

    /// Answers one request.
    pub(super) async fn handle(&mut self, request: Request) -> Flow {
        let flow = match request {
            Request::Connect(connect) => self.connect(connect).await,
            Request::Send(send) => self.send(send).await,
            Request::Subscribe(subscribe) => self.subscribe(subscribe).await,
            Request::Unsubscribe(unsubscribe) => self.unsubscribe(unsubscribe).await,
            Request::Ack(settle) | Request::Nack(settle) => Err(not_supported(
                "Acknowledgement is not supported yet",
                "Subscribe with ack:auto, which needs no ACK or NACK.",
                settle.receipt.as_deref(),
            )),
            Request::Begin(begin) => Err(not_supported(
                "Transactions are not supported yet",
                "Send the frames without BEGIN and without a transaction header.",
                begin.receipt.as_deref(),
            )),
            Request::Commit(transaction) | Request::Abort(transaction) => {
                Err(unknown_transaction(transaction.receipt.as_deref()))
            }
            Request::Disconnect(disconnect) => return self.disconnect(&disconnect),
            Request::Fault(fault) => Err(Closing::fault(fault)),
            _ => Err(Closing::fault(Fault::new("unknown-command", "This command is not known here"))),
        };
        match flow {
            Ok(()) => Flow::Continue,
            Err(closing) => {
                let code = closing.code().to_owned();
                Flow::End(closing, DisconnectReason::Server { code })
            }
        }
    }

    /// Ends the session: subscriptions first, then the registry, then the event.
    pub(super) async fn end(self, reason: DisconnectReason) {
        let Some(Live { session, entry, subscriptions }) = self.live else { return };
        drop(subscriptions);
        let last_session = entry.leave();
        tracing::info!(session = %session.id(), ?reason, last_session, "session ended");
        let event = LifecycleEvent::Disconnected { session, reason, last_session };
        announce(self.realtime.listeners(), event).await;
    }

    /// The version that frames are encoded for; before it is agreed, the newest.
    fn version(&self) -> Version {
        self.live.as_ref().map_or(Version::V1_2, |live| live.session.version())
    }

    async fn connect(&mut self, connect: Connect) -> Result<(), Closing> {
        let session = Session::new(self.principal.clone(), connect.version, Arc::clone(&self.outbox));
        let config = self.realtime.config();
        let connected = Connected {
            version: connect.version,
            session: &session.id().to_string(),
            server: &config.server_name,
            heart_beat: config.heart_beat,
            user_name: self.principal.display_name(),
        };
        // In the registry first: a stop that comes after CONNECTED must find the session, and one that came before is
        // seen here, as it is announced before sessions are closed.
        let entry = self.realtime.registry().enter(&session);
        self.waiting = None;
        if self.realtime.is_stopping() {
            return Err(Closing::going_away(RECONNECT_SPREAD));
        }
        self.push(&connected.encode());
        let first_session = entry.is_first_session();
        let subscriptions = Subscriptions::new(config.max_subscriptions);
        tracing::info!(session = %session.id(), version = %connect.version, first_session, "session connected");
        self.live = Some(Live { session: session.clone(), entry, subscriptions });
        announce(self.realtime.listeners(), LifecycleEvent::Connected { session, first_session }).await;
        Ok(())
    }

    async fn send(&mut self, send: Send) -> Result<(), Closing> {
        let Some(live) = &self.live else { return Ok(()) };
        let session = live.session.clone();
        if send.transaction.is_some() {
            return Err(unknown_transaction(send.receipt.as_deref()));
        }
        let named = send.destination.clone();
        let receipt = send.receipt.clone();
        match self.deliver(&session, send).await {
            Ok(()) => {
                self.receipt(receipt.as_deref());
                Ok(())
            }
            Err(rejection) => {
                let refused = Refused { destination: &named, receipt: receipt.as_deref(), is_subscribe: false };
                refused.tell(self.realtime.broker(), &session, &rejection).map_or(Ok(()), Err)
            }
        }
    }

    /// Brings a SEND to where its destination says: a handler, a topic, a user.
    async fn deliver(&self, session: &Session, send: Send) -> Result<(), Rejection> {
        let destination: Destination = send.destination.parse()?;
        let class = self.realtime.broker().prefixes().classify(&destination);
        if matches!(class, Class::App) {
            return self.call_handler(session, destination, send).await;
        }
        let target = match class {
            Class::Topic => SendTarget::Topic(destination.clone()),
            Class::User(UserPath::Own(path)) => SendTarget::OwnUser(path),
            Class::User(UserPath::Named { user, path }) => SendTarget::OtherUser { user: user.parse()?, path },
            Class::Queue => return Err(Rejection::not_supported("Queues are not supported yet; send to a topic.")),
            _ => return Err(Rejection::not_found(&destination)),
        };
        if !self.guarded(self.realtime.rules().may_send(session.principal(), &target).map(Ok)).await? {
            return Err(Rejection::forbidden_send(&destination));
        }
        let publication = Publication::bytes(send.body).with_headers(relayed_headers(&send.headers));
        let publication = match send.content_type {
            Some(content_type) => publication.with_content_type(content_type),
            None => publication,
        };
        let broker = self.realtime.broker();
        match target {
            SendTarget::OwnUser(path) => {
                broker.send_to_owner(&UserDestination { owner: session.owner(), path }, &publication, None);
            }
            SendTarget::OtherUser { user, path } => {
                broker.send_to_owner(&UserDestination { owner: Owner::User(user), path }, &publication, None);
            }
            _ => {
                broker.publish_message(destination, publication).await.map_err(Rejection::internal)?;
            }
        }
        Ok(())
    }

    async fn call_handler(&self, session: &Session, destination: Destination, send: Send) -> Result<(), Rejection> {
        let Some(matched) = self.realtime.routes().message(&destination) else {
            return Err(Rejection::not_found(&destination));
        };
        let span = tracing::debug_span!("message", session = %session.id(), %destination);
        let message = Message::new(destination, relayed_headers(&send.headers), send.content_type, send.body);
        let context = Context::new(session.clone(), self.realtime.broker().clone(), message);
        let outcome = self.guarded(matched.call(context)).instrument(span).await?;
        self.perform(session, outcome).await.map(drop)
    }

    /// Runs code of the application, a handler or a rule: a panic, or the end of the connection's patience, is its failure and nobody else's.
    async fn guarded<T>(&self, handler: impl Future<Output = Result<T, Rejection>>) -> Result<T, Rejection> {
        let mut cancel = self.cancel.clone();
        tokio::select! {
            result = AssertUnwindSafe(handler).catch_unwind() => result.unwrap_or_else(|_| {
                tracing::error!("a handler or rule panicked; its message is refused and the session goes on");
                Err(Rejection::handler_panicked())
            }),
            _ = cancel.wait_for(|cancelled| *cancelled) => Err(Rejection::cancelled()),
        }
    }

    /// Does what a handler's outcome says, in its order; gives back the reply to a subscription, if there is one.
    async fn perform(&self, session: &Session, outcome: Outcome) -> Result<Option<Publication>, Rejection> {
        let broker = self.realtime.broker();
        let mut reply = None;
        for delivery in outcome.into_deliveries() {
            match delivery {
                Delivery::Publish { to, publication } => {
                    broker.publish_message(to, publication).await.map_err(Rejection::internal)?;
                }
                Delivery::ToUser { user, path, publication } => {
                    let (owner, only) = match user {
                        Recipient::Own => (session.owner(), None),
                        Recipient::ThisSession => (session.owner(), Some(session.id())),
                        Recipient::User(user) => (Owner::User(user), None),
                    };
                    broker.send_to_owner(&UserDestination { owner, path }, &publication, only);
                }
                Delivery::Reply(publication) => reply = Some(publication),
            }
        }
        Ok(reply)
    }

    async fn subscribe(&mut self, subscribe: Subscribe) -> Result<(), Closing> {
        let Some(live) = &mut self.live else { return Ok(()) };
        let session = live.session.clone();
        let receipt = subscribe.receipt.as_deref();
        live.subscriptions.check(&subscribe.id).map_err(|fault| Closing::fault(asked(fault, receipt)))?;
        match self.enter(&session, &subscribe).await {
            Ok(active) => {
                let held = Held { destination: subscribe.destination.clone(), _active: active };
                if let Some(live) = &mut self.live {
                    live.subscriptions.insert(subscribe.id.clone(), held).map_err(Closing::fault)?;
                }
                session.subscribed(&subscribe.id, &subscribe.destination);
                self.receipt(subscribe.receipt.as_deref());
                let Subscribe { id, destination, .. } = subscribe;
                announce(self.realtime.listeners(), LifecycleEvent::Subscribed { session, id, destination }).await;
                Ok(())
            }
            Err(rejection) => {
                let refused = Refused {
                    destination: &subscribe.destination,
                    receipt: subscribe.receipt.as_deref(),
                    is_subscribe: true,
                };
                refused.tell(self.realtime.broker(), &session, &rejection).map_or(Ok(()), Err)
            }
        }
    }

    /// Judges a SUBSCRIBE and registers it.
    async fn enter(&self, session: &Session, subscribe: &Subscribe) -> Result<Option<ActiveSubscription>, Rejection> {
        if subscribe.ack != AckMode::Auto {
            return Err(Rejection::not_supported("Only ack:auto is supported yet; leave the ack header out."));
        }
        if subscribe.headers.get("selector").is_some() {
            return Err(Rejection::not_supported("Selectors are not supported; subscribe to a narrower destination."));
        }
        if subscribe.headers.get("resume-from").is_some() {
            // Answering with a RECEIPT would promise that nothing was missed.
            return Err(Rejection::not_supported("Resuming is not supported yet; subscribe without resume-from."));
        }
        if subscribe.destination.contains('*') {
            return self.enter_pattern(session, subscribe).await.map(Some);
        }
        let destination: Destination = subscribe.destination.parse()?;
        let broker = self.realtime.broker();
        let class = broker.prefixes().classify(&destination);
        let address = match class {
            Class::App => None,
            Class::Topic => Some(Address::Topic(destination.clone())),
            Class::User(UserPath::Own(path)) => Some(Address::User(UserDestination { owner: session.owner(), path })),
            Class::User(UserPath::Named { .. }) => return Err(Rejection::forbidden_subscribe(destination.as_str())),
            Class::Queue => {
                return Err(Rejection::not_supported("Queues are not supported yet; subscribe to a topic."));
            }
            _ => return Err(Rejection::not_found(&destination)),
        };
        if let Some(matched) = self.realtime.routes().subscribe(&destination) {
            // Registered first and held back, so that nothing published while the handler runs is missed.
            let active = address.map(|address| broker.subscribe(address, self.subscriber(session, subscribe, true)));
            let span = tracing::debug_span!("subscribe", session = %session.id(), %destination);
            let event = app::Subscribe::new(destination.clone(), subscribe.headers.clone(), subscribe.id.clone());
            let context = Context::new(session.clone(), broker.clone(), event);
            let outcome = self.guarded(matched.call(context)).instrument(span).await?;
            let reply = self.perform(session, outcome).await?;
            match (&active, reply) {
                (Some(active), reply) => active.release(destination.as_str(), reply.as_ref()),
                (None, Some(reply)) => self.reply_once(session, subscribe, &destination, &reply),
                (None, None) => {}
            }
            return Ok(active);
        }
        let Some(address) = address else { return Err(Rejection::not_found(&destination)) };
        if let Address::Topic(_) = &address {
            let pattern = Pattern::from(destination.clone());
            if !self.may_subscribe(session, &pattern).await? {
                return Err(Rejection::forbidden_subscribe(destination.as_str()));
            }
        }
        Ok(Some(broker.subscribe(address, self.subscriber(session, subscribe, false))))
    }

    async fn enter_pattern(&self, session: &Session, subscribe: &Subscribe) -> Result<ActiveSubscription, Rejection> {
        if !self.realtime.config().pattern_subscriptions {
            return Err(Rejection::not_supported(
                "Subscriptions to patterns are switched off here; name one destination.",
            ));
        }
        let pattern: Pattern = subscribe.destination.parse()?;
        let topics = self.realtime.topic_pattern();
        // A handler judges its destinations one by one; a pattern must not go around it.
        let judged = self.realtime.routes().judges_within(&pattern);
        if judged || !topics.includes(&pattern) || !self.may_subscribe(session, &pattern).await? {
            return Err(Rejection::forbidden_subscribe(&subscribe.destination));
        }
        let subscriber = self.subscriber(session, subscribe, false);
        Ok(self.realtime.broker().subscribe_pattern(pattern, subscriber))
    }

    async fn may_subscribe(&self, session: &Session, pattern: &Pattern) -> Result<bool, Rejection> {
        self.guarded(self.realtime.rules().may_subscribe(session.principal(), pattern).map(Ok)).await
    }

    fn subscriber(&self, session: &Session, subscribe: &Subscribe, hold: bool) -> Subscriber {
        let subscription = match &subscribe.id {
            SubscriptionId::Named(id) => Some(Arc::clone(id)),
            SubscriptionId::Unnamed(_) => None,
        };
        let (version, outbox) = (session.version(), Arc::clone(&self.outbox));
        Subscriber { session: session.id(), version, subscription, outbox, hold }
    }

    /// Answers a subscription under the application prefix: one message, and nothing follows.
    fn reply_once(&self, session: &Session, subscribe: &Subscribe, destination: &Destination, reply: &Publication) {
        let subscriber = self.subscriber(session, subscribe, false);
        self.outbox.push(self.realtime.broker().encode_reply(&subscriber, destination, reply));
    }

    async fn unsubscribe(&mut self, unsubscribe: Unsubscribe) -> Result<(), Closing> {
        let Some(live) = &mut self.live else { return Ok(()) };
        let ended = live.subscriptions.remove(&unsubscribe.id);
        let session = live.session.clone();
        let destination = ended.map(|held| held.destination);
        session.unsubscribed(&unsubscribe.id);
        self.receipt(unsubscribe.receipt.as_deref());
        if let Some(destination) = destination {
            let event = LifecycleEvent::Unsubscribed { session, id: unsubscribe.id, destination };
            announce(self.realtime.listeners(), event).await;
        }
        Ok(())
    }

    fn disconnect(&mut self, disconnect: &Disconnect) -> Flow {
        // Before the RECEIPT: no MESSAGE may follow it.
        if let Some(live) = &mut self.live {
            live.subscriptions.drain().for_each(drop);
        }
        self.receipt(disconnect.receipt.as_deref());
        Flow::End(Closing::normal(), DisconnectReason::Client)
    }

    fn receipt(&self, receipt: Option<&str>) {
        if let Some(receipt) = receipt {
            self.push(&encode_receipt(receipt, self.version()));
        }
    }

    fn push(&self, encoded: &Encoded) {
        self.outbox.push(wire(encoded));
    }
}

/// One STOMP frame as one WebSocket message.
pub(super) fn wire(encoded: &Encoded) -> Bytes {
    encode_frame(if encoded.text { Opcode::Text } else { Opcode::Binary }, &encoded.bytes)
}

fn not_supported(message: &'static str, detail: &'static str, receipt: Option<&str>) -> Closing {
    Closing::refused(asked(Fault::new("not-supported", message).with_detail(detail), receipt))
}

fn unknown_transaction(receipt: Option<&str>) -> Closing {
    let fault = Fault::new("unknown-transaction", "No such transaction is open")
        .with_detail("Transactions are not supported yet: send the frames without a transaction header.");
    Closing::fault(asked(fault, receipt))
}

/// The fault with the receipt that was asked for.
fn asked(fault: Fault, receipt: Option<&str>) -> Fault {
    match receipt {
        Some(receipt) => fault.with_receipt(receipt),
        None => fault,
    }
}
