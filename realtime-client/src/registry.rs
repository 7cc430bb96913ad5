//! The live subscriptions: what is asked for again after a reconnect, from which position, and what was seen already.

use std::collections::{BTreeMap, VecDeque};

use parlor_stomp::{AckMode, ClientSession, Headers, MessageEvent};
use tokio::sync::{mpsc, oneshot};

use crate::{Refusal, SubscribeError, SubscriptionEvent, unsettled::Unsettled};

/// Positions of a subscription that are remembered: of what a replay may repeat.
pub(crate) const REMEMBERED_POSITIONS: usize = 256;

/// Who waits for the confirmation, which says where the subscription begins.
pub(crate) type Confirm = oneshot::Sender<Result<Option<String>, SubscribeError>>;

/// A message of the subscription with that key, in a history.
pub(crate) struct Acknowledged {
    key: u64,
    position: String,
}

impl Acknowledged {
    /// None where its destination has no history: it cannot come again.
    pub(crate) fn of(message: &MessageEvent) -> Option<Self> {
        let key = message.subscription()?.parse().ok()?;
        Some(Self { key, position: message.headers.get("position")?.to_owned() })
    }
}

/// One subscription.
pub(crate) struct Entry {
    pub(crate) ack: AckMode,
    pub(crate) sender: mpsc::Sender<SubscriptionEvent>,
    destination: String,
    headers: Headers,
    /// Where to go on: behind the last message, or with acknowledgement the last before which all are settled; else where the
    /// subscription began, or the application began with.
    resume_from: Option<String>,
    /// Whether this connection has moved it already: a RECEIPT behind a message leads nowhere back.
    is_placed: bool,
    seen: VecDeque<String>,
    unsettled: Unsettled,
    /// Who waits for the first confirmation.
    confirm: Option<Confirm>,
    /// Whether the application is still to be told that it resumed.
    resuming: bool,
}

impl Entry {
    pub(crate) fn new(
        destination: String,
        ack: AckMode,
        headers: Headers,
        resume_from: Option<String>,
        sender: mpsc::Sender<SubscriptionEvent>,
        confirm: Confirm,
    ) -> Self {
        let resuming = resume_from.is_some();
        Self {
            ack,
            sender,
            destination,
            headers,
            resume_from,
            is_placed: false,
            seen: VecDeque::new(),
            unsettled: Unsettled::default(),
            confirm: Some(confirm),
            resuming,
        }
    }

    /// Whether nobody waits for it any more, before it was in force.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.confirm.as_ref().is_some_and(oneshot::Sender::is_closed)
    }

    /// Queues its SUBSCRIBE.
    pub(crate) fn subscribe(&self, key: u64, session: &mut ClientSession, receipt: u64) {
        let mut headers: Vec<_> = self.headers.iter().collect();
        headers.extend(self.resume_from.as_deref().map(|position| ("resume-from", position)));
        session.subscribe_with(&key.to_string(), &self.destination, self.ack, &headers, Some(&receipt.to_string()));
    }

    /// Its connection ended.
    fn interrupted(&mut self) {
        self.is_placed = false;
        self.unsettled.interrupted();
        // One that was never in force cannot resume.
        self.resuming |= self.confirm.is_none();
    }

    /// It is in force because a message came. `recovered` is that frame's header.
    pub(crate) fn in_force(&mut self, recovered: Option<&str>) -> Option<SubscriptionEvent> {
        self.confirmed(recovered, None)
    }

    /// It is in force by its RECEIPT, which says where it begins: whoever is cut off before the first message goes on from
    /// there.
    pub(crate) fn begun(&mut self, headers: &Headers) -> Option<SubscriptionEvent> {
        let position = headers.get("position");
        if let Some(position) = position.filter(|_| !self.is_placed) {
            self.resume_from = Some(position.to_owned());
        }
        self.confirmed(headers.get("recovered"), position)
    }

    fn confirmed(&mut self, recovered: Option<&str>, position: Option<&str>) -> Option<SubscriptionEvent> {
        if let Some(confirm) = self.confirm.take() {
            // Whoever does not wait any more has dropped the subscription too.
            let _ = confirm.send(Ok(position.map(str::to_owned)));
        }
        std::mem::take(&mut self.resuming).then(|| SubscriptionEvent::Resumed { recovered: recovered == Some("true") })
    }

    /// Whether a message is new, by its position. In the modes with acknowledgement everything is: what comes again there
    /// has to be acknowledged again.
    pub(crate) fn is_new(&mut self, message: &MessageEvent) -> bool {
        let Some(position) = message.headers.get("position") else { return true };
        if self.ack != AckMode::Auto {
            let passed = self.unsettled.came(position);
            self.go_on_behind(passed);
            return true;
        }
        if self.seen.iter().any(|seen| seen == position) {
            return false;
        }
        if self.seen.len() == REMEMBERED_POSITIONS {
            self.seen.pop_front();
        }
        self.seen.push_back(position.to_owned());
        self.go_on_behind(Some(position.to_owned()));
        true
    }

    /// The application has acknowledged the message at `position`.
    fn acknowledged(&mut self, position: &str) {
        let passed = self.unsettled.acknowledged(position, self.ack == AckMode::Client);
        self.go_on_behind(passed);
    }

    fn go_on_behind(&mut self, position: Option<String>) {
        if position.is_some() {
            self.resume_from = position;
            self.is_placed = true;
        }
    }

    /// The server refused it. What the application is told, where it waits for no confirmation.
    pub(crate) fn refused(mut self, refusal: Refusal) -> Option<(mpsc::Sender<SubscriptionEvent>, SubscriptionEvent)> {
        match self.confirm.take() {
            Some(confirm) => {
                let _ = confirm.send(Err(SubscribeError::Refused(Box::new(refusal))));
                None
            }
            None => Some((self.sender, SubscriptionEvent::Ended(Box::new(refusal)))),
        }
    }
}

/// All subscriptions, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Registry(BTreeMap<u64, Entry>);

impl Registry {
    pub(crate) fn insert(&mut self, key: u64, entry: Entry) {
        self.0.insert(key, entry);
    }

    pub(crate) fn remove(&mut self, key: u64) -> Option<Entry> {
        self.0.remove(&key)
    }

    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut Entry> {
        self.0.get_mut(&key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.0.iter().map(|(key, entry)| (*key, entry))
    }

    /// A message of that subscription is acknowledged.
    pub(crate) fn acknowledged(&mut self, acknowledged: &Acknowledged) {
        // It may have been dropped in the meantime.
        if let Some(entry) = self.0.get_mut(&acknowledged.key) {
            entry.acknowledged(&acknowledged.position);
        }
    }

    /// The connection ended.
    pub(crate) fn interrupted(&mut self) {
        self.0.values_mut().for_each(Entry::interrupted);
    }
}
