//! Whether an event stream may go on: told before its token ends, and judged again when its user's rights change.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::Instant;

use crate::{
    clock,
    closing::Closing,
    destination::Pattern,
    endpoint::Endpoint,
    event_stream::opening::guarded,
    outbox::Outbox,
    session::{ExpiryWarning, Identity, seconds_left},
    sse,
};

/// The right of one event stream to its destination.
pub(super) struct Standing {
    identity: Arc<Identity>,
    /// What the rules are asked about; none for one's own user destinations, which need no right.
    pattern: Option<Pattern>,
    warning: ExpiryWarning,
}

impl Standing {
    pub(super) fn new(identity: Arc<Identity>, pattern: Option<Pattern>) -> Self {
        Self { identity, pattern, warning: ExpiryWarning::default() }
    }

    /// When the client is to be told that its time ends.
    pub(super) fn warning_deadline(&self, endpoint: &Endpoint, outbox: &Outbox) -> Option<Instant> {
        self.warning.due(outbox.expires(), endpoint.config.expiry_warning)
    }

    /// Tells the client that its time ends, if it is time.
    pub(super) fn warn(&mut self, endpoint: &Endpoint, outbox: &Outbox, now: Instant) {
        let is_due = self.warning_deadline(endpoint, outbox).is_some_and(|due| due <= now);
        if let Some(expires) = outbox.expires().filter(|_| is_due) {
            outbox.push(sse::expiring(seconds_left(expires, clock::now())).into());
            self.warning.tried(expires, true);
        }
    }

    /// Asks the rules again, where rights may have changed; what is answered is how the stream ends, if it does. What cannot be
    /// told is refused.
    pub(super) fn judge_again(&self, endpoint: &Arc<Endpoint>) -> Option<BoxFuture<'static, Option<Closing>>> {
        if !self.identity.take_to_judge() {
            return None;
        }
        let pattern = self.pattern.clone()?;
        let (principal, endpoint) = (self.identity.principal(), Arc::clone(endpoint));
        let judging = async move {
            let asked = async { Ok(endpoint.rules.may_subscribe(&principal, &pattern).await) };
            match guarded(asked).await {
                Ok(true) => None,
                Ok(false) | Err(_) => Some(Closing::forbidden()),
            }
        };
        Some(judging.boxed())
    }
}
