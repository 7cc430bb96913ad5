//! The receipts that are awaited.

use std::collections::BTreeMap;

use crate::{
    Refusal, SendError,
    command::{Answer, SendFrame},
    registry::Acknowledged,
};

/// Receipts that may be awaited at once; then no more commands are taken.
pub(crate) const MAX_AWAITED: usize = 1024;

/// What a receipt confirms.
pub(crate) enum Awaited {
    /// DISCONNECT.
    Disconnect,
    /// SUBSCRIBE of the subscription with that key.
    Subscribe(u64),
    /// Another frame; with a SEND that may be sent again.
    Frame { answer: Answer, again: Option<SendFrame> },
    /// COMMIT of a transaction with these ACKs.
    Commit { answer: Answer, acknowledged: Vec<Acknowledged> },
}

/// The receipts of a client, by their ids, which grow over all its connections.
#[derive(Default)]
pub(crate) struct Receipts {
    awaited: BTreeMap<u64, Awaited>,
    last: u64,
}

impl Receipts {
    /// Awaits one more; its id.
    pub(crate) fn add(&mut self, awaited: Awaited) -> u64 {
        self.last += 1;
        self.awaited.insert(self.last, awaited);
        self.last
    }

    /// What the receipt with that id confirms.
    pub(crate) fn take(&mut self, id: &str) -> Option<Awaited> {
        self.awaited.remove(&id.parse().ok()?)
    }

    /// Whether more can be awaited. Those that nobody waits for any more are forgotten first.
    pub(crate) fn have_room(&mut self) -> bool {
        if self.awaited.len() >= MAX_AWAITED {
            self.awaited.retain(|_, awaited| match awaited {
                Awaited::Frame { answer, .. } => !answer.is_closed(),
                // What it acknowledges counts also where nobody waits.
                Awaited::Commit { .. } | Awaited::Disconnect | Awaited::Subscribe(_) => true,
            });
        }
        self.awaited.len() < MAX_AWAITED
    }

    /// Those that are sent again, in their order.
    pub(crate) fn again(&self) -> impl Iterator<Item = (u64, &SendFrame)> {
        self.awaited.iter().filter_map(|(id, awaited)| match awaited {
            Awaited::Frame { again: Some(frame), .. } => Some((*id, frame)),
            _ => None,
        })
    }

    /// The connection ended: what is not sent again has an unknown outcome.
    pub(crate) fn interrupted(&mut self, sends_again: bool) {
        let keep = |awaited: &Awaited| match awaited {
            Awaited::Frame { answer, again: Some(_) } => sends_again && !answer.is_closed(),
            _ => false,
        };
        let (kept, gone) = std::mem::take(&mut self.awaited).into_iter().partition(|(_, awaited)| keep(awaited));
        self.awaited = kept;
        for awaited in BTreeMap::into_values(gone) {
            awaited.answer(Err(SendError::Unknown));
        }
    }
}

impl Awaited {
    /// Tells whoever waits for a frame.
    pub(crate) fn answer(self, outcome: Result<(), SendError>) {
        if let Self::Frame { answer, .. } | Self::Commit { answer, .. } = self {
            // Whoever does not wait any more does not want to know.
            let _ = answer.send(outcome);
        }
    }

    /// Tells of a refusal.
    pub(crate) fn refuse(self, refusal: Refusal) {
        self.answer(Err(SendError::Refused(Box::new(refusal))));
    }
}
