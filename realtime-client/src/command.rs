//! What handles ask of the task, and what they share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use parking_lot::Mutex;
use parlor_stomp::{Headers, MessageEvent};
use tokio::{
    sync::{Notify, broadcast, mpsc, oneshot, watch},
    time::Duration,
};

use crate::{ConnectionState, Refusal, SendError, registry::Entry};

/// Commands that wait for the task, all handles together; then the callers wait.
pub(crate) const MAX_COMMANDS: usize = 64;

/// Where the outcome of a frame with a receipt goes.
pub(crate) type Answer = oneshot::Sender<Result<(), SendError>>;

/// What the task is asked for.
pub(crate) enum Command {
    Subscribe { key: u64, entry: Entry },
    Send { frame: SendFrame, answer: Option<Answer> },
    Settle { settle: Settle },
    Begin { id: String, answer: Answer, begun: oneshot::Sender<u64> },
    End { id: String, connection: u64, commit: bool, answer: Answer },
}

/// A SEND.
#[derive(Clone)]
pub(crate) struct SendFrame {
    pub(crate) destination: String,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
    /// The connection that it must go over, that of its transaction.
    pub(crate) connection: Option<u64>,
    /// Whether it is sent again after a reconnect when its receipt did not come.
    pub(crate) again: bool,
}

/// An ACK or NACK.
pub(crate) struct Settle {
    pub(crate) message: Arc<MessageEvent>,
    pub(crate) connection: u64,
    pub(crate) positive: bool,
    pub(crate) transaction: Option<String>,
}

/// What was dropped and has to be taken back from the server. At most one for each thing that exists, so it has its bound.
pub(crate) enum Release {
    Subscription(u64),
    Transaction { id: String, connection: u64 },
}

/// What was dropped since the task last looked.
#[derive(Default)]
pub(crate) struct Releases {
    waiting: Mutex<Vec<Release>>,
    notify: Notify,
}

impl Releases {
    pub(crate) fn add(&self, release: Release) {
        self.waiting.lock().push(release);
        self.notify.notify_one();
    }

    pub(crate) fn take(&self) -> Vec<Release> {
        std::mem::take(&mut *self.waiting.lock())
    }

    pub(crate) async fn changed(&self) {
        self.notify.notified().await;
    }
}

/// The number of the connection that is open, 0 where none is.
#[derive(Clone, Default)]
pub(crate) struct ConnectionNumber(Arc<AtomicU64>);

impl ConnectionNumber {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self, number: u64) {
        self.0.store(number, Ordering::Release);
    }
}

/// What all handles of a client share. With the last of them `closing` is dropped, and the task ends.
pub(crate) struct Shared {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) closing: watch::Sender<bool>,
    /// Closed by the task when it is gone: whether the end was confirmed.
    pub(crate) ended: watch::Receiver<Option<bool>>,
    pub(crate) state: watch::Receiver<ConnectionState>,
    pub(crate) refusals: broadcast::Sender<Refusal>,
    pub(crate) releases: Arc<Releases>,
    pub(crate) connection: ConnectionNumber,
    pub(crate) next_key: AtomicU64,
    pub(crate) receipt_timeout: Duration,
    pub(crate) buffer: usize,
}

impl Shared {
    /// A number that no subscription or transaction of this client has.
    pub(crate) fn key(&self) -> u64 {
        self.next_key.fetch_add(1, Ordering::Relaxed)
    }

    /// Hands a command to the task and waits for its answer, within the time for receipts.
    pub(crate) async fn ask(
        &self,
        time: Option<Duration>,
        command: impl FnOnce(Answer) -> Command,
    ) -> Result<(), SendError> {
        let (answer, answered) = oneshot::channel();
        let asking = async {
            self.commands.send(command(answer)).await.map_err(|_| SendError::Closed)?;
            answered.await.unwrap_or(Err(SendError::Unknown))
        };
        tokio::time::timeout(time.unwrap_or(self.receipt_timeout), asking).await.unwrap_or(Err(SendError::TimedOut))
    }
}
