//! The processing half of a connection: takes requests one at a time, in order, and answers them.
//!
//! It runs beside the reading half, so reads and heart-beats go on while a handler is slow. Receipts therefore come in
//! the order of the frames they answer, and a RECEIPT for a SEND says that its handler has finished.

use std::sync::Arc;

use bytes::Bytes;
use parlor_stomp::{
    Command, Connect, Connected, Disconnect, Encoded, Fault, Request, Subscribe, Subscriptions, Transaction,
    Unsubscribe,
};
use tokio::time::Instant;

use crate::{
    app,
    broker::{ActiveSubscription, Consumer},
    clock,
    connection::{
        Closing,
        background::{Done, EndOnDrop, Job},
        dispatch::Dispatch,
        entering::Entered,
        shared::Shared,
        transactions::{TransactionError, Transactions, names_transaction},
    },
    destination::Destination,
    endpoint::{Endpoint, RECONNECT_SPREAD},
    outbox::Outbox,
    session::{self, DisconnectReason, Identity, LifecycleEvent, ListeningEntry, RegistryEntry, Session, Waiting},
    session_id::SessionId,
    websocket::{Opcode, encode_frame},
};

/// What follows a request.
#[derive(Debug)]
pub(super) enum Flow {
    Continue,
    End(Closing, DisconnectReason),
}

impl Flow {
    pub(super) fn end_by_server(closing: Closing) -> Self {
        let reason = DisconnectReason::by_server(&closing);
        Self::End(closing, reason)
    }
}

/// When an ACK or NACK counts; a SEND is processed alike in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settling {
    /// Now: its transaction is committed.
    Now,
    /// It has counted since it was read.
    WasRead,
}

/// The state that requests are answered from.
pub(super) struct Conversation {
    pub(super) endpoint: Arc<Endpoint>,
    identity: Arc<Identity>,
    /// What the driver has in common with the conversation.
    shared: Arc<Shared>,
    outbox: Arc<Outbox>,
    /// The connection's entry in the registry until CONNECT.
    waiting: Option<Waiting>,
    pub(super) live: Option<Live>,
    /// What the connection has to do beside the next requests.
    jobs: Vec<Job>,
    /// Made with the first BEGIN: most clients send none.
    transactions: Option<Box<Transactions>>,
}

/// What exists from CONNECTED on.
pub(super) struct Live {
    pub(super) session: Session,
    pub(super) dispatch: Arc<Dispatch>,
    pub(super) subscriptions: Subscriptions<Held>,
    /// Dropped after the subscriptions.
    entry: RegistryEntry,
}

/// A subscription in force.
pub(super) struct Held {
    destination: Arc<str>,
    /// None where that is a pattern.
    _listening: Option<ListeningEntry>,
    /// What the guards of its route have let in.
    pub(super) asked: Option<Box<app::Subscribe>>,
    /// Neither of these for a subscription that was only a question to a handler (`/app/…`): its reply was all.
    _active: Option<ActiveSubscription>,
    _consumer: Option<Arc<Consumer>>,
    _streams: Vec<EndOnDrop>,
}

impl Conversation {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        identity: Arc<Identity>,
        shared: Arc<Shared>,
        outbox: Arc<Outbox>,
    ) -> Self {
        let waiting = Some(endpoint.registry.wait(Arc::clone(&identity), Arc::clone(&outbox)));
        let (live, jobs, transactions) = (None, Vec::new(), None);
        Self { endpoint, identity, shared, outbox, waiting, live, jobs, transactions }
    }

    /// When a transaction has been open for too long.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.transactions.as_ref()?.next_deadline()
    }

    /// Aborts transactions that have been open for too long.
    pub(super) fn expire(&mut self, now: Instant) {
        if let Some(transactions) = &mut self.transactions {
            transactions.expire(now);
        }
    }

    /// The session, once CONNECTED was sent.
    pub(super) fn session_id(&self) -> Option<SessionId> {
        self.live.as_ref().map(|live| live.session.id())
    }

    /// Answers one request. What seldom comes is boxed: the future of a SEND is moved as a whole, with room for the largest.
    pub(super) async fn handle(&mut self, request: Box<Request>) -> Flow {
        if matches!(*request, Request::Send(_) | Request::Ack(_) | Request::Nack(_)) {
            let answered = match self.hold(request) {
                Ok(Some(request)) => self.process(request, Settling::WasRead).await,
                Ok(None) => Ok(()),
                Err(closing) => Err(closing),
            };
            return answered.map_or_else(Flow::end_by_server, |()| Flow::Continue);
        }
        let flow = match *request {
            Request::Connect(connect) => Box::pin(self.connect(connect)).await,
            Request::Subscribe(subscribe) => Box::pin(self.subscribe(subscribe)).await,
            Request::Unsubscribe(unsubscribe) => Box::pin(self.unsubscribe(unsubscribe)).await,
            Request::Begin(begin) => self.begin(&begin),
            Request::Commit(commit) => Box::pin(self.commit(&commit)).await,
            Request::Abort(abort) => self.abort(&abort),
            Request::Disconnect(disconnect) => return self.disconnect(&disconnect),
            Request::Fault(fault) => Err(Closing::fault(fault)),
            _ => Err(Closing::fault(Fault::new("unknown-command", "This command is not known here"))),
        };
        match flow {
            Ok(()) => Flow::Continue,
            Err(closing) => Flow::end_by_server(closing),
        }
    }

    /// What the requests so far left to do beside the next ones.
    pub(super) fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    /// Ends the session: subscriptions first, then the registry, then the event.
    pub(super) async fn end(self, reason: DisconnectReason) {
        let Some(Live { session, entry, subscriptions, dispatch }) = self.live else { return };
        drop(dispatch);
        self.shared.acknowledgements.pause();
        // Before anything of it goes: whoever sees it go is told why. A DISCONNECT that was answered has said so already.
        let reason = session.ends_by(reason).clone();
        drop(subscriptions);
        let last_session = entry.leave();
        self.endpoint.meters().session_ended(session.id(), reason.as_str(), reason.code(), last_session);
        session.ended();
        self.endpoint.broker.tidy_histories();
        let event = LifecycleEvent::Disconnected(session::Disconnected { reason, last_session });
        self.endpoint.announce(&session, event).await;
    }

    async fn connect(&mut self, connect: Connect) -> Result<(), Closing> {
        let session = Session::new(Arc::clone(&self.identity), connect.version, Arc::clone(&self.outbox));
        let principal = session.principal();
        let config = &self.endpoint.config;
        let connected = Connected {
            version: connect.version,
            session: &session.id().to_string(),
            server: &config.server_name,
            heart_beat: config.heart_beat,
            user_name: principal.display_name(),
        };
        // In the registry first: a stop that comes after CONNECTED must find the session, and one that came before is
        // seen here, as it is announced before sessions are closed.
        let entry = self.endpoint.registry.enter(&session);
        self.waiting = None;
        if self.endpoint.is_stopping() {
            return Err(Closing::going_away(RECONNECT_SPREAD));
        }
        self.push(Command::Connected, &connected.encode());
        let first_session = entry.is_first_session();
        let subscriptions = Subscriptions::new(config.max_subscriptions);
        self.endpoint.meters().session_connected(session.id(), session.version(), first_session);
        let dispatch = Dispatch::new(
            Arc::clone(&self.endpoint),
            session.clone(),
            Arc::clone(&self.outbox),
            Arc::clone(&self.shared),
        );
        // There is one CONNECT: the second would have been a fault.
        let _ = self.shared.session.set(session.clone());
        self.live = Some(Live { session: session.clone(), dispatch, entry, subscriptions });
        let event = LifecycleEvent::Connected(session::Connected { first_session });
        self.endpoint.announce(&session, event).await;
        Ok(())
    }

    /// Keeps a frame for the COMMIT of its transaction, or gives it back to be processed.
    fn hold(&mut self, request: Box<Request>) -> Result<Option<Box<Request>>, Closing> {
        if self.transactions.is_none() && !names_transaction(&request) {
            return Ok(Some(request));
        }
        let receipt = request.receipt().map(str::to_owned);
        let held = self.transactions().hold(*request, clock::now());
        held.map(|request| request.map(Box::new)).map_err(|error| transaction_fault(&error, receipt.as_deref()))
    }

    async fn process(&mut self, request: Box<Request>, settling: Settling) -> Result<(), Closing> {
        let Some(live) = &self.live else { return Ok(()) };
        let (settle, accepted) = match *request {
            Request::Send(send) => {
                let Done { result, jobs } = live.dispatch.send(send).await;
                self.jobs.extend(jobs);
                return result;
            }
            Request::Ack(settle) => (settle, true),
            Request::Nack(settle) => (settle, false),
            _ => return Ok(()),
        };
        if settling == Settling::Now {
            let version = live.session.version();
            self.shared.acknowledgements.settle(&settle, version, accepted).map_err(Closing::fault)?;
        }
        live.dispatch.receipt(settle.receipt.as_deref());
        Ok(())
    }

    fn begin(&mut self, begin: &Transaction) -> Result<(), Closing> {
        let begun = self.transactions().begin(&begin.id, clock::now());
        self.answer_transaction(begun, begin.receipt.as_deref())
    }

    /// Processes what a transaction holds, in its order; what is refused undoes nothing (rule 13).
    async fn commit(&mut self, commit: &Transaction) -> Result<(), Closing> {
        let receipt = commit.receipt.as_deref();
        let held = self.transactions().commit(&commit.id, clock::now());
        for request in held.map_err(|error| transaction_fault(&error, receipt))? {
            self.process(Box::new(request), Settling::Now).await?;
        }
        self.answer_transaction(Ok(()), receipt)
    }

    fn abort(&mut self, abort: &Transaction) -> Result<(), Closing> {
        let aborted = self.transactions().abort(&abort.id, clock::now());
        self.answer_transaction(aborted.map(drop), abort.receipt.as_deref())
    }

    fn transactions(&mut self) -> &mut Transactions {
        let limits = self.endpoint.config.transactions;
        self.transactions.get_or_insert_with(|| Box::new(Transactions::new(limits)))
    }

    fn answer_transaction(&self, result: Result<(), TransactionError>, receipt: Option<&str>) -> Result<(), Closing> {
        result.map_err(|error| transaction_fault(&error, receipt))?;
        if let Some(live) = &self.live {
            live.dispatch.receipt(receipt);
        }
        Ok(())
    }

    async fn subscribe(&mut self, subscribe: Subscribe) -> Result<(), Closing> {
        let Some(live) = &mut self.live else { return Ok(()) };
        let receipt = subscribe.receipt.as_deref();
        live.subscriptions.check(&subscribe.id).map_err(|fault| Closing::fault(asked(fault, receipt)))?;
        let Some(entered) = live.dispatch.subscribe(&subscribe).await? else { return Ok(()) };
        let Entered { active, consumer, recovered, position, asked, streams, jobs } = entered;
        self.jobs.extend(jobs);
        let begins = consumer.clone();
        // One text for all that keep it.
        let named = active.as_ref().and_then(ActiveSubscription::destination).cloned();
        let named = named.or_else(|| subscribe.destination.parse().ok());
        let destination = named.as_ref().map_or_else(|| subscribe.destination.as_str().into(), Destination::shared);
        let listening = named.map(|named| self.endpoint.registry.listen(&live.session, named));
        live.session.subscribed(&subscribe.id, Arc::clone(&destination));
        let held =
            Held { destination, _listening: listening, asked, _active: active, _consumer: consumer, _streams: streams };
        live.subscriptions.insert(subscribe.id.clone(), held).map_err(Closing::fault)?;
        live.dispatch.receipt_of_subscribe(receipt, recovered, position.as_deref());
        if let Some(consumer) = begins {
            // Entered first, so that nothing can be acknowledged that is not known.
            self.shared.acknowledgements.enter(&subscribe.id, &consumer);
            consumer.begin();
        }
        let Subscribe { id, destination, .. } = subscribe;
        let event = LifecycleEvent::Subscribed(session::Subscribed { id, destination });
        self.endpoint.announce(&live.session, event).await;
        Ok(())
    }

    async fn unsubscribe(&mut self, unsubscribe: Unsubscribe) -> Result<(), Closing> {
        let Some(live) = &mut self.live else { return Ok(()) };
        // Before the subscription ends: whoever looks for listeners must not find one that gets nothing.
        live.session.unsubscribed(&unsubscribe.id);
        let ended = live.subscriptions.remove(&unsubscribe.id);
        let destination = ended.map(|held| held.destination.to_string());
        live.dispatch.receipt(unsubscribe.receipt.as_deref());
        if let Some(destination) = destination {
            let event = LifecycleEvent::Unsubscribed(session::Unsubscribed { id: unsubscribe.id, destination });
            self.endpoint.announce(&live.session, event).await;
        }
        Ok(())
    }

    fn disconnect(&mut self, disconnect: &Disconnect) -> Flow {
        // Before the RECEIPT: no MESSAGE may follow it.
        if let Some(live) = &mut self.live {
            self.shared.acknowledgements.pause();
            live.session.ends_by(DisconnectReason::Client);
            live.subscriptions.drain().for_each(drop);
            live.dispatch.receipt(disconnect.receipt.as_deref());
        }
        Flow::End(Closing::normal(), DisconnectReason::Client)
    }

    fn push(&self, command: Command, encoded: &Encoded) {
        let wire = wire(encoded);
        self.endpoint.meters().traffic.sent(command, 1, wire.len());
        self.outbox.push(wire);
    }
}

/// One STOMP frame as one WebSocket message.
pub(super) fn wire(encoded: &Encoded) -> Bytes {
    encode_frame(if encoded.text { Opcode::Text } else { Opcode::Binary }, &encoded.bytes)
}

fn transaction_fault(error: &TransactionError, receipt: Option<&str>) -> Closing {
    let fault = Fault::new(error.code(), "The transaction cannot do that").with_detail(format!("{error}."));
    Closing::fault(asked(fault, receipt))
}

/// The fault with the receipt that was asked for.
fn asked(fault: Fault, receipt: Option<&str>) -> Fault {
    match receipt {
        Some(receipt) => fault.with_receipt(receipt),
        None => fault,
    }
}
