//! The one reader of the clock: tokio's, so that a test that moves it moves the client.

use std::time::Instant;

/// Now.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the client's one reader of the clock")]
    tokio::time::Instant::now().into_std()
}
