//! One client: its connection, how far its opening is, and what it has received.

use std::collections::VecDeque;

use crate::{
    dialect::{Step, Witness},
    ledger::Ledger,
    socket::Socket,
};

/// How much of the last payload without a stamp is kept, to be shown when the server hangs up.
const LAST_WORDS: usize = 160;

/// A connection of the load.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: Socket,
    pub(super) phase: Phase,
    event_stream: bool,
    destinations: Box<[usize]>,
    pub(super) ledger: Ledger,
    pub(super) witness: Option<Box<Witness>>,
    /// Payloads without a stamp.
    pub(super) heard: u64,
    words: Box<[u8]>,
}

/// How far a client is.
#[derive(Debug)]
pub(super) enum Phase {
    /// The answer to its request has not come; these steps follow.
    Upgrading(VecDeque<Step>),
    /// The first step waits for the server.
    Opening(VecDeque<Step>),
    /// It is subscribed.
    Open,
}

impl Client {
    pub(super) fn new(socket: Socket, event_stream: bool, destinations: &[usize], steps: Vec<Step>) -> Self {
        Self {
            socket,
            phase: Phase::Upgrading(steps.into()),
            event_stream,
            destinations: destinations.into(),
            ledger: Ledger::default(),
            witness: None,
            heard: 0,
            words: Box::default(),
        }
    }

    /// A payload without a stamp has come.
    pub(super) fn heard(&mut self, payload: &[u8]) {
        self.heard += 1;
        if payload.len() > 1 {
            self.words = payload[..payload.len().min(LAST_WORDS)].into();
        }
    }

    pub(super) fn hears(&self, destination: usize) -> bool {
        self.destinations.contains(&destination)
    }

    pub(super) fn is_upgrading(&self) -> bool {
        matches!(self.phase, Phase::Upgrading(_))
    }

    pub(super) fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Opening(_))
    }

    pub(super) fn is_event_stream(&self) -> bool {
        self.event_stream
    }

    /// What the server said last, for an error.
    pub(super) fn last_words(&self) -> String {
        if self.words.is_empty() {
            return String::new();
        }
        format!("; before that it said {:?}", String::from_utf8_lossy(&self.words))
    }
}
