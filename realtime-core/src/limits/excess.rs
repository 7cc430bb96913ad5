//! That somebody sent more than a rate allows.

use std::time::Duration;

/// Which rate was exceeded, and when there is room again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more {what} than the rate allows")]
#[non_exhaustive]
pub struct Excess {
    /// What there was too much of, in words.
    pub what: &'static str,
    /// After which time what was too much would have passed.
    pub retry_after: Duration,
}

impl Excess {
    pub(crate) fn of(what: &'static str) -> impl FnOnce(Duration) -> Self {
        move |retry_after| Self { what, retry_after }
    }
}
