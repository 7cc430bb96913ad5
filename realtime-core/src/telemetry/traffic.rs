//! Frames and octets in both directions, and what was refused.

use std::collections::BTreeMap;

use parlor_stomp::{Command, Request};
use serde::Serialize;

use crate::telemetry::{Counter, Family, catalog, connections::seen};

/// The label of what is no frame of a client: unknown, malformed, or not allowed in its place.
const INVALID: &str = "invalid";

/// The label of heart-beats.
const HEART_BEAT: &str = "heart-beat";

/// The meters of traffic.
#[derive(Debug)]
pub(crate) struct TrafficMeters {
    /// By [`Command`], in its order.
    received: Box<[Counter]>,
    invalid: Counter,
    /// By [`Command`], in its order.
    sent: Box<[Counter]>,
    beats_sent: Counter,
    octets_received: Counter,
    octets_sent: Counter,
    refusals: Family<Counter>,
}

/// Frames and octets.
///
/// ```
/// # use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous, testing::TestClient};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// # let rules = Rules::deny_all().allow_subscribe("/topic/news");
/// # let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// let ada = TestClient::connect(&realtime, "ada").deaf_to_refusals().await;
/// let news = ada.subscribe("/topic/news").await;
/// realtime.broker().publish("/topic/news", "hello").await?;
/// realtime.broker().settled().await;
/// let traffic = realtime.stats().traffic;
/// assert_eq!((traffic.frames_received["CONNECT"], traffic.frames_received["SUBSCRIBE"]), (1, 1));
/// assert_eq!((traffic.frames_sent["RECEIPT"], traffic.frames_sent["MESSAGE"]), (1, 1));
/// assert!(traffic.refusals.is_empty());
/// # drop(news);
/// # Ok(()) }) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TrafficStats {
    /// Frames from clients by command, `invalid` ones too; those that never came are left out.
    pub frames_received: BTreeMap<String, u64>,
    /// Frames handed to connections by command, and `heart-beat`; those that were never sent are left out.
    pub frames_sent: BTreeMap<String, u64>,
    /// Octets of WebSocket frames from clients.
    pub octets_received: u64,
    /// Octets of WebSocket frames handed to connections.
    pub octets_sent: u64,
    /// SENDs and SUBSCRIBEs that were refused or failed, by code.
    pub refusals: BTreeMap<String, u64>,
}

impl TrafficMeters {
    pub(super) fn new() -> Self {
        let received = |command| Counter::new(&catalog::FRAMES_RECEIVED, &[("command", command)]);
        let sent = |command| Counter::new(&catalog::FRAMES_SENT, &[("command", command)]);
        Self {
            received: Command::ALL.iter().map(|command| received(command.as_str())).collect(),
            invalid: received(INVALID),
            sent: Command::ALL.iter().map(|command| sent(command.as_str())).collect(),
            beats_sent: sent(HEART_BEAT),
            octets_received: Counter::new(&catalog::OCTETS_RECEIVED, &[]),
            octets_sent: Counter::new(&catalog::OCTETS_SENT, &[]),
            refusals: Family::new(|code| Counter::new(&catalog::REFUSALS, &[("code", code)])),
        }
    }

    pub(crate) fn received(&self, request: &Request) {
        match command(request) {
            Some(command) => self.received[command as usize].add(1),
            None => self.invalid.add(1),
        }
    }

    pub(crate) fn octets_received(&self, octets: usize) {
        self.octets_received.add(octets as u64);
    }

    /// `count` frames of that command, of so many octets in all.
    pub(crate) fn sent(&self, command: Command, count: usize, octets: usize) {
        self.sent[command as usize].add(count as u64);
        self.octets_sent.add(octets as u64);
    }

    pub(crate) fn beat_sent(&self, octets: usize) {
        self.beats_sent.add(1);
        self.octets_sent.add(octets as u64);
    }

    pub(super) fn refused(&self, code: &str) {
        self.refusals.get(code).add(1);
    }

    pub(crate) fn stats(&self) -> TrafficStats {
        let by_command = |counters: &[Counter], name: &str, more: &Counter| {
            let named = Command::ALL.iter().map(|command| command.as_str()).zip(counters).chain([(name, more)]);
            let counted = named.map(|(name, counter)| (name.to_owned(), counter.value()));
            counted.filter(|(_, count)| *count > 0).collect()
        };
        TrafficStats {
            frames_received: by_command(&self.received, INVALID, &self.invalid),
            frames_sent: by_command(&self.sent, HEART_BEAT, &self.beats_sent),
            octets_received: self.octets_received.value(),
            octets_sent: self.octets_sent.value(),
            refusals: seen(&self.refusals),
        }
    }
}

/// The command of a request; none where it is no frame that the client may send.
fn command(request: &Request) -> Option<Command> {
    Some(match request {
        Request::Abort(_) => Command::Abort,
        Request::Ack(_) => Command::Ack,
        Request::Begin(_) => Command::Begin,
        Request::Commit(_) => Command::Commit,
        Request::Connect(_) => Command::Connect,
        Request::Disconnect(_) => Command::Disconnect,
        Request::Nack(_) => Command::Nack,
        Request::Send(_) => Command::Send,
        Request::Subscribe(_) => Command::Subscribe,
        Request::Unsubscribe(_) => Command::Unsubscribe,
        _ => return None,
    })
}
