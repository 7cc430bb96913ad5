//! The end of a connection's patience with the handlers that still run for it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Said once by the driver, heard by everything that runs for its connection.
#[derive(Debug, Default)]
pub(super) struct Cancellation {
    is_cancelled: AtomicBool,
    heard: Notify,
}

impl Cancellation {
    /// Has running handlers dropped, and later ones as soon as they have to wait.
    pub(super) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Release);
        self.heard.notify_waiters();
    }

    /// Ready once it is said.
    pub(super) async fn cancelled(&self) {
        // Made before the look: a word that is said between the two is heard.
        let heard = self.heard.notified();
        if !self.is_cancelled.load(Ordering::Acquire) {
            heard.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_waits_and_who_comes_later_hears_it() {
        let cancellation = Cancellation::default();
        let mut waiting = Box::pin(cancellation.cancelled());
        assert!(waiting.as_mut().now_or_never().is_none());
        cancellation.cancel();
        assert!(waiting.now_or_never().is_some());
        assert!(cancellation.cancelled().now_or_never().is_some());
    }
}
