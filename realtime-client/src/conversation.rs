//! What the frames of a connection mean: commands become frames, frames become events of subscriptions and answers.
//!
//! It does no I/O. `stalled` is what a subscription has no room for: while it is not empty, no further frame is looked at.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Weak,
};

use parlor_stomp::{AckMode, ClientEvent, ClientSession, Headers, MessageEvent};
use tokio::sync::{broadcast, mpsc};

use crate::{
    Message, Refusal, SendError, SubscriptionEvent,
    command::{Answer, Command, ConnectionNumber, Release, SendFrame, Settle, Shared},
    receipts::{Awaited, Receipts},
    registry::{Acknowledged, Registry},
};

/// The id of the client's own subscription to the error queue. Others have numbers.
const ERRORS: &str = "errors";

/// Everything that outlives a connection.
pub(crate) struct Conversation {
    pub(crate) receipts: Receipts,
    pub(crate) stalled: VecDeque<(mpsc::Sender<SubscriptionEvent>, SubscriptionEvent)>,
    pub(crate) number: ConnectionNumber,
    registry: Registry,
    /// What open transactions acknowledge. The server bounds both.
    in_transactions: BTreeMap<String, Vec<Acknowledged>>,
    shared: Weak<Shared>,
    refusals: broadcast::Sender<Refusal>,
    connections: u64,
    closing: bool,
    disconnected: bool,
    refusal: Option<Refusal>,
}

impl Conversation {
    pub(crate) fn new(number: ConnectionNumber, shared: Weak<Shared>, refusals: broadcast::Sender<Refusal>) -> Self {
        Self {
            receipts: Receipts::default(),
            stalled: VecDeque::new(),
            number,
            registry: Registry::default(),
            in_transactions: BTreeMap::new(),
            shared,
            refusals,
            connections: 0,
            closing: false,
            disconnected: false,
            refusal: None,
        }
    }

    /// A session is open: what there was before is asked for again.
    pub(crate) fn connected(&mut self, session: &mut ClientSession, error_queue: Option<&str>) {
        self.connections += 1;
        self.number.set(self.connections);
        if let Some(destination) = error_queue {
            session.subscribe(ERRORS, destination, AckMode::Auto, None);
        }
        for (key, entry) in self.registry.iter() {
            let receipt = self.receipts.add(Awaited::Subscribe(key));
            entry.subscribe(key, session, receipt);
        }
        for (id, frame) in self.receipts.again() {
            send(session, frame, Some(id));
        }
    }

    /// The connection ended. What may be sent again is kept, but not where the server ended it with an ERROR that may be
    /// because of it.
    pub(crate) fn interrupted(&mut self, refusal: Option<&Refusal>) {
        self.number.set(0);
        self.receipts.interrupted(refusal.is_none_or(Refusal::is_about_time));
        self.registry.interrupted();
        self.in_transactions.clear();
    }

    /// No connection follows.
    pub(crate) fn give_up(&mut self) {
        self.number.set(0);
        self.receipts.interrupted(false);
    }

    /// Whether the server has ended the session with an ERROR.
    pub(crate) fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// That ERROR.
    pub(crate) fn take_refusal(&mut self) -> Option<Refusal> {
        self.refusal.take()
    }

    /// Hands out what had no room, as far as there is room now.
    pub(crate) fn unstall(&mut self) {
        for (sender, event) in std::mem::take(&mut self.stalled) {
            self.deliver(sender, event);
        }
    }

    /// Whether DISCONNECT was confirmed.
    pub(crate) fn is_disconnected(&self) -> bool {
        self.disconnected
    }

    /// Queues DISCONNECT. What has no room from now on is dropped, so that the confirmation is not waited for in vain.
    pub(crate) fn disconnect(&mut self, session: &mut ClientSession) {
        self.closing = true;
        for (sender, event) in std::mem::take(&mut self.stalled) {
            let _ = sender.try_send(event);
        }
        let receipt = self.receipts.add(Awaited::Disconnect);
        session.disconnect(Some(&receipt.to_string()));
    }

    /// Does what a handle asked for.
    pub(crate) fn handle_command(&mut self, session: &mut ClientSession, command: Command) {
        match command {
            // Whoever asked for it gave up before it got here, and it was taken back already.
            Command::Subscribe { entry, .. } if entry.is_abandoned() => {}
            Command::Subscribe { key, entry } => {
                let receipt = self.receipts.add(Awaited::Subscribe(key));
                entry.subscribe(key, session, receipt);
                self.registry.insert(key, entry);
            }
            Command::Send { frame, answer } => self.handle_send(session, &frame, answer),
            Command::Settle { settle } => self.handle_settle(session, &settle),
            Command::Begin { id, answer, begun } => {
                // Nobody receives it where nobody waits for the transaction any more.
                let _ = begun.send(self.connections);
                let receipt = self.receipts.add(Awaited::Frame { answer, again: None });
                session.begin(&id, Some(&receipt.to_string()));
            }
            Command::End { connection, answer, .. } if connection != self.connections => {
                let _ = answer.send(Err(SendError::SessionEnded));
            }
            Command::End { id, commit, answer, .. } => {
                let acknowledged = self.in_transactions.remove(&id).unwrap_or_default();
                if commit {
                    let receipt = self.receipts.add(Awaited::Commit { answer, acknowledged });
                    session.commit(&id, Some(&receipt.to_string()));
                } else {
                    let receipt = self.receipts.add(Awaited::Frame { answer, again: None });
                    session.abort(&id, Some(&receipt.to_string()));
                }
            }
        }
    }

    /// Takes back what was dropped.
    pub(crate) fn handle_release(&mut self, session: Option<&mut ClientSession>, release: Release) {
        match release {
            Release::Subscription(key) => {
                if self.registry.remove(key).is_some()
                    && let Some(session) = session
                {
                    session.unsubscribe(&key.to_string(), None);
                }
            }
            Release::Transaction { id, connection } => {
                self.in_transactions.remove(&id);
                if connection == self.number.get()
                    && let Some(session) = session
                {
                    session.abort(&id, None);
                }
            }
        }
    }

    /// Does what the server said.
    pub(crate) fn handle_event(&mut self, session: &ClientSession, event: ClientEvent) {
        match event {
            ClientEvent::Message(message) if message.subscription() == Some(ERRORS) => self.handle_refusal(&message),
            ClientEvent::Message(message) => self.handle_message(message),
            ClientEvent::Receipt(id) => match self.receipts.take(&id) {
                Some(Awaited::Disconnect) => self.disconnected = true,
                Some(Awaited::Subscribe(key)) => self.handle_subscribed(key, session.receipt_headers()),
                Some(Awaited::Commit { answer, acknowledged }) => {
                    acknowledged.iter().for_each(|message| self.registry.acknowledged(message));
                    Awaited::Frame { answer, again: None }.answer(Ok(()));
                }
                Some(awaited) => awaited.answer(Ok(())),
                None => tracing::debug!("the server confirmed what nothing waits for"),
            },
            ClientEvent::Error { headers, body } => {
                let refusal = Refusal::new(&headers, &body);
                if let Some(id) = headers.get("receipt-id") {
                    self.refuse(id, refusal.clone());
                }
                self.refusal = Some(refusal);
            }
            // CONNECTED came before this conversation began, and the session lets no second one pass.
            _ => {}
        }
    }

    fn handle_send(&mut self, session: &mut ClientSession, frame: &SendFrame, answer: Option<Answer>) {
        if frame.connection.is_some_and(|connection| connection != self.connections) {
            if let Some(answer) = answer {
                let _ = answer.send(Err(SendError::SessionEnded));
            }
            return;
        }
        let receipt = answer.map(|answer| {
            let again = frame.again.then(|| frame.clone());
            self.receipts.add(Awaited::Frame { answer, again })
        });
        send(session, frame, receipt);
    }

    fn handle_settle(&mut self, session: &mut ClientSession, settle: &Settle) {
        if settle.connection != self.connections {
            return;
        }
        let message: &MessageEvent = &settle.message;
        if settle.positive
            && let Some(acknowledged) = Acknowledged::of(message)
        {
            match &settle.transaction {
                Some(transaction) => self.in_transactions.entry(transaction.clone()).or_default().push(acknowledged),
                None => self.registry.acknowledged(&acknowledged),
            }
        }
        match (settle.positive, settle.transaction.as_deref()) {
            (true, None) => session.ack(message, None),
            (false, None) => session.nack(message, None),
            (true, Some(transaction)) => session.ack_in(transaction, message, None),
            (false, Some(transaction)) => session.nack_in(transaction, message, None),
        }
    }

    fn handle_subscribed(&mut self, key: u64, headers: &Headers) {
        // It may have been dropped in the meantime.
        let Some(entry) = self.registry.get_mut(key) else { return };
        if let Some(resumed) = entry.begun(headers) {
            let sender = entry.sender.clone();
            self.deliver(sender, resumed);
        }
    }

    fn handle_message(&mut self, message: MessageEvent) {
        let key = message.subscription().and_then(|id| id.parse().ok());
        let Some(entry) = key.and_then(|key| self.registry.get_mut(key)) else { return };
        let resumed = entry.in_force(message.headers.get("recovered"));
        let new = entry.is_new(&message);
        let (sender, ack) = (entry.sender.clone(), entry.ack);
        if let Some(resumed) = resumed {
            self.deliver(sender.clone(), resumed);
        }
        if new {
            let message = Message::new(message, Weak::clone(&self.shared), ack, self.connections);
            self.deliver(sender, SubscriptionEvent::Message(message));
        }
    }

    /// A message on the error queue.
    fn handle_refusal(&mut self, message: &MessageEvent) {
        let refusal = Refusal::new(&message.headers, &message.body);
        if let Some(id) = message.headers.get("receipt-id") {
            self.refuse(id, refusal.clone());
        }
        // Nobody has to listen.
        let _ = self.refusals.send(refusal);
    }

    /// What asked for that receipt was refused.
    fn refuse(&mut self, receipt: &str, refusal: Refusal) {
        match self.receipts.take(receipt) {
            Some(Awaited::Subscribe(key)) => {
                let told = self.registry.remove(key).and_then(|entry| entry.refused(refusal));
                if let Some((sender, event)) = told {
                    self.deliver(sender, event);
                }
            }
            Some(awaited) => awaited.refuse(refusal),
            None => {}
        }
    }

    fn deliver(&mut self, sender: mpsc::Sender<SubscriptionEvent>, event: SubscriptionEvent) {
        if !self.stalled.is_empty() {
            // Behind what came before it.
            self.stalled.push_back((sender, event));
            return;
        }
        // A closed one was dropped, and is about to be taken back.
        if let Err(mpsc::error::TrySendError::Full(event)) = sender.try_send(event)
            && !self.closing
        {
            self.stalled.push_back((sender, event));
        }
    }
}

fn send(session: &mut ClientSession, frame: &SendFrame, receipt: Option<u64>) {
    let headers: Vec<_> = frame.headers.iter().collect();
    let receipt = receipt.map(|id| id.to_string());
    session.send(&frame.destination, &frame.body, &headers, receipt.as_deref());
}
