//! That somebody sent more than a rate allows.

use std::time::Duration;

/// Which rate was exceeded, and when there is room again.
///
/// ```
/// use parlor_core::{
///     Config, Realtime,
///     app::{Rate, Router},
///     auth::Anonymous,
///     limits::RateLimits,
///     testing::TestClient,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let config = Config::default().rates(RateLimits::default().frames(Rate::per_second(1).burst(2)));
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).config(config).build()?;
/// let client = TestClient::connect(&realtime, "ada").deaf_to_refusals().await;
/// client.send_text("/app/one", "").unconfirmed();
/// client.send_text("/app/two", "").unconfirmed();
/// let end = client.expect_closed("rate-limited").await;
/// assert_eq!(end.message.as_deref(), Some("There were more frames than the rate allows"));
/// # Ok(()) }) }
/// ```
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
