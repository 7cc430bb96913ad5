//! The records of a run, put together: messages with their times, subscriptions with their windows.

use std::collections::HashMap;

use crate::{
    Event, Record,
    checker::{Counts, Violation},
};

/// A run.
#[derive(Default)]
pub(super) struct History<'a> {
    pub(super) messages: Vec<Message<'a>>,
    pub(super) subscriptions: Vec<Subscription<'a>>,
    ids: HashMap<&'a str, usize>,
    places: HashMap<(&'a str, &'a str), usize>,
    counts: Counts,
}

/// A message that was sent. Messages stand in the order of each publisher's SENDs.
pub(super) struct Message<'a> {
    pub(super) id: &'a str,
    pub(super) publisher: &'a str,
    pub(super) destination: &'a str,
    pub(super) sent: u64,
    pub(super) receipt: Option<u64>,
}

/// A client's subscription to a destination.
pub(super) struct Subscription<'a> {
    pub(super) subscriber: &'a str,
    pub(super) destination: &'a str,
    /// At least one.
    pub(super) windows: Vec<Window>,
    /// When the subscriber ended; it listens up to the end of the log otherwise.
    pub(super) ended: Option<u64>,
}

/// A time in which nothing may be missing.
#[derive(Default)]
pub(super) struct Window {
    /// From when on messages are owed. A message may come before the confirmation does.
    pub(super) confirmed: Option<u64>,
    /// Messages by their indices, in the order in which they came.
    pub(super) delivered: Vec<usize>,
}

impl<'a> History<'a> {
    /// With what is wrong with the records themselves.
    pub(super) fn new(records: &'a [Record]) -> (Self, Vec<Violation>) {
        let (mut history, mut violations) = (Self::default(), Vec::new());
        for Record { at, client, event } in records {
            if let Event::Send { destination, id } = event {
                if history.ids.insert(id, history.messages.len()).is_some() {
                    violations.push(fault(client, format!("sends {id}, which was sent before; ids are unique")));
                }
                history.messages.push(Message { id, publisher: client, destination, sent: *at, receipt: None });
            }
        }
        for record in records {
            if let Err(violation) = history.add(record) {
                violations.push(violation);
            }
        }
        history.counts.sent = history.messages.len();
        history.counts.receipts = history.messages.iter().filter(|message| message.receipt.is_some()).count();
        history.counts.subscriptions = history.subscriptions.len();
        (history, violations)
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    fn add(&mut self, Record { at, client, event }: &'a Record) -> Result<(), Violation> {
        match event {
            Event::Send { .. } => {}
            Event::Receipt { id } => {
                let message = self.ids.get(&**id).map(|index| &mut self.messages[*index]);
                let own = message.filter(|message| message.publisher == client);
                let message =
                    own.ok_or_else(|| fault(client, format!("has a receipt of {id}, which it did not send")))?;
                message.receipt = Some(*at);
            }
            Event::Unknown { id } => {
                if !self.ids.contains_key(&**id) {
                    return Err(fault(client, format!("does not know the outcome of {id}, which nobody sent")));
                }
            }
            Event::Subscribed { destination } => {
                self.window(client, destination).confirmed.get_or_insert(*at);
            }
            Event::Resumed { destination, recovered: true } => {
                self.counts.recovered += 1;
                self.window(client, destination);
            }
            Event::Resumed { destination, recovered: false } => {
                self.counts.not_recovered += 1;
                let subscription = self.subscription(client, destination);
                subscription.windows.push(Window { confirmed: Some(*at), delivered: Vec::new() });
            }
            Event::Deliver { destination, id } => {
                self.counts.deliveries += 1;
                let message = self.ids.get(&**id).copied();
                let here = message.filter(|index| self.messages[*index].destination == destination);
                let message = here.ok_or_else(|| Violation::Stray {
                    subscriber: client.clone(),
                    destination: destination.clone(),
                    id: id.clone(),
                })?;
                if self.subscription(client, destination).ended.is_some() {
                    return Err(fault(client, format!("got {id} at {destination} after it had ended there")));
                }
                self.window(client, destination).delivered.push(message);
            }
            Event::Ended { destination } => self.subscription(client, destination).ended = Some(*at),
        }
        Ok(())
    }

    fn subscription(&mut self, client: &'a str, destination: &'a str) -> &mut Subscription<'a> {
        let next = self.subscriptions.len();
        let index = *self.places.entry((client, destination)).or_insert(next);
        if index == next {
            let windows = vec![Window::default()];
            self.subscriptions.push(Subscription { subscriber: client, destination, windows, ended: None });
        }
        &mut self.subscriptions[index]
    }

    /// The present window of a subscription.
    fn window(&mut self, client: &'a str, destination: &'a str) -> &mut Window {
        let windows = &mut self.subscription(client, destination).windows;
        let last = windows.len() - 1;
        &mut windows[last]
    }
}

fn fault(client: &str, fault: String) -> Violation {
    Violation::Log { client: client.to_owned(), fault }
}
