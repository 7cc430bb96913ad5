//! What subscriptions to a user's own destination begin with.

use futures_util::future::BoxFuture;

use crate::{app::Rejection, auth::Principal, broker::Publication};

/// Says what each subscription to one of a user's own destinations begins with, over STOMP and in an event stream alike.
///
/// Asked once for each subscription, after it was registered: what is sent to the destination meanwhile waits and comes behind the
/// first messages, so that snapshot and live messages together are complete. A message may stand in both.
///
/// ```
/// use futures_util::future::{BoxFuture, FutureExt};
/// use parlor_core::{
///     Realtime,
///     app::{Rejection, Router, Snapshot},
///     auth::{Anonymous, Principal},
///     broker::Publication,
///     testing::TestClient,
/// };
///
/// struct Greeting;
///
/// impl Snapshot for Greeting {
///     fn messages<'a>(&'a self, user: &'a Principal) -> BoxFuture<'a, Result<Vec<Publication>, Rejection>> {
///         async move { Ok(vec![Publication::text(format!("Hello {user}"))]) }.boxed()
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), parlor_core::BuildError> {
/// let routes = Router::new().with_state(());
/// let realtime = Realtime::builder(routes).authenticate(Anonymous).snapshot("/queue/notes", Greeting).build()?;
/// let notes = TestClient::connect(&realtime, "ada").await.subscribe("/user/queue/notes").await;
/// notes.expect_text("Hello ada").await;
/// # Ok(()) }
/// ```
pub trait Snapshot: Send + Sync + 'static {
    /// The first messages, in their order. They are queued at once: together they must fit into the client's outbox
    /// ([`OutboxLimits`](crate::broker::OutboxLimits)).
    ///
    /// # Errors
    /// Why the client may not subscribe; it is refused then.
    fn messages<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, Result<Vec<Publication>, Rejection>>;
}
