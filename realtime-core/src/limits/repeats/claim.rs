//! What a send with a key is told: that it is the first, or how the first one fared.

use tokio::sync::watch;

use crate::{destination::Owner, limits::MessageKey};

/// What is to be done with a send.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Nothing: it was handled. The answer is the first one's: a receipt.
    Done,
    /// It is the first: handle it, then tell by [`Repeats::done`](super::Repeats::done) or
    /// [`Repeats::failed`](super::Repeats::failed).
    First(First),
    /// The first is being handled: wait for it.
    InFlight(Pending),
}

/// The right and the duty to handle a send. To drop it tells those who wait that it failed.
#[derive(Debug)]
pub(crate) struct First {
    pub(super) owner: Owner,
    pub(super) key: MessageKey,
    pub(super) claim: u64,
    done: watch::Sender<bool>,
}

/// A repeat of a send that is being handled.
#[derive(Debug)]
pub(crate) struct Pending {
    done: watch::Receiver<bool>,
}

impl First {
    pub(super) fn new(owner: Owner, key: MessageKey, claim: u64) -> (Self, watch::Receiver<bool>) {
        let (done, outcome) = watch::channel(false);
        (Self { owner, key, claim, done }, outcome)
    }

    pub(super) fn tell_done(self) {
        self.done.send_replace(true);
    }
}

impl Pending {
    pub(super) fn new(done: watch::Receiver<bool>) -> Self {
        Self { done }
    }

    /// Waits until the first one is handled. False when it failed: then claim again, one of those who wait will be the first.
    #[expect(clippy::wrong_self_convention, reason = "who waits asks once")]
    pub(crate) async fn is_done(mut self) -> bool {
        self.done.wait_for(|&done| done).await.is_ok()
    }
}
