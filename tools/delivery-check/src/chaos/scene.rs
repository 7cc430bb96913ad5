//! What everyone in a run shares: the log, what there is, what was counted.

use std::{net::SocketAddr, time::Duration};

use parlor_client::{Client, ClientBuilder, ConnectionState, ReconnectPolicy};
use tokio::sync::watch;

use crate::{Event, chaos::broker::heart_beat, log::Recorder};

/// Longer than anything should take, outages included; whoever waits longer gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Faster than the clients' defaults, so that a run has many reconnects.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// How long a connection may take; the longer ones were stalled.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The message of each destination behind which nothing follows.
pub(super) const LAST: &str = "last";

/// A run.
pub(super) struct Scene {
    pub(super) recorder: Recorder,
    pub(super) destinations: Vec<String>,
    pub(super) heart_beat: Duration,
    /// Whether publishers send again what has an unknown outcome.
    pub(super) sends_again: bool,
    /// In percent, how often a subscriber begins anew with another client after a reconnect.
    pub(super) renewals: u64,
    pub(super) tally: watch::Sender<Tally>,
    /// Whether publishers stop.
    pub(super) stop: watch::Sender<bool>,
}

/// What was counted so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Sessions that were opened, those of clients that began anew among them.
    pub(super) sessions: u64,
    /// Receipts of each destination.
    pub(super) receipts: Vec<u64>,
    /// Of each subscription.
    pub(super) subscriptions: Vec<Subscribed>,
    /// Receipts that did not come.
    pub(super) unknown: u64,
    /// Messages that the broker refused.
    pub(super) refused: u64,
    /// Clients of subscribers that were thrown away for another one.
    pub(super) renewed: u64,
}

/// What a subscription was told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subscribed {
    pub(super) confirmed: bool,
    pub(super) delivered: u64,
    pub(super) recovered: u64,
    pub(super) not_recovered: u64,
    /// Messages since the last time that it resumed or began.
    pub(super) fresh: u64,
}

impl Scene {
    pub(super) fn record(&self, client: &str, event: Event) {
        self.recorder.record(client, event);
    }

    /// Counts, and wakes whoever waits for a count.
    pub(super) fn count(&self, count: impl FnOnce(&mut Tally)) {
        self.tally.send_modify(count);
    }

    /// Whether publishers are to stop.
    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// A client that comes back soon.
    pub(super) fn client(&self, name: &str, address: SocketAddr) -> ClientBuilder {
        Client::builder(format!("ws://{address}/ws"))
            .bearer(name)
            .heart_beat(heart_beat(self.heart_beat))
            .connect_timeout(CONNECT_TIMEOUT)
            .receipt_timeout(PATIENCE)
            .reconnect(ReconnectPolicy::default().base(BACK_OFF.0).max(BACK_OFF.1))
    }

    /// Connects, however often that takes.
    pub(super) async fn connect(&self, name: &str, address: SocketAddr) -> Client {
        loop {
            match self.client(name, address).connect().await {
                Ok(client) => {
                    self.count(|tally| tally.sessions += 1);
                    return client;
                }
                Err(_) => tokio::time::sleep(BACK_OFF.0).await,
            }
        }
    }

    /// Counts the sessions that follow the first one, until the client ends.
    pub(super) async fn count_sessions(&self, mut state: watch::Receiver<ConnectionState>) {
        state.mark_unchanged();
        while state.changed().await.is_ok() {
            if state.borrow_and_update().is_connected() {
                self.count(|tally| tally.sessions += 1);
            }
        }
    }
}
