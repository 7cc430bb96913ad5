//! Outbound interceptors: what happens to every message before it is delivered.

use crate::broker::{Address, Publication};

/// Looks at every message that is published, to a topic or a user, once and not for each subscriber, before it has a place in
/// its destination's order.
///
/// Called by whoever publishes, without a lock held; it must return at once. Replies of subscribe handlers do not pass it.
///
/// ```
/// use parlor_core::{Realtime, app::Router, broker::{Address, OutboundInterceptor, Publication}};
///
/// /// Tells subscribers which machine they hear.
/// struct Stamp;
///
/// impl OutboundInterceptor for Stamp {
///     fn on_publish(&self, _: &Address, publication: Publication) -> Option<Publication> {
///         Some(publication.with_header("x-node", "one"))
///     }
/// }
///
/// let builder = Realtime::builder(Router::new().with_state(())).intercept_outbound(Stamp);
/// # let _ = builder;
/// ```
pub trait OutboundInterceptor: Send + Sync + 'static {
    /// The message as it is delivered; `None` delivers nothing.
    fn on_publish(&self, to: &Address, publication: Publication) -> Option<Publication>;
}
