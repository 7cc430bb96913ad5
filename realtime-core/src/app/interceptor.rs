//! Interceptors: what happens to every frame of a client before anything else looks at it.

use std::future::ready;

use futures_util::future::BoxFuture;
use parlor_stomp::Headers;

use crate::{app::Rejection, message::Message, session::Session};

/// Looks at every SEND and SUBSCRIBE of every session, in the order of the session's frames, before rules, guards and
/// handlers do, so that nothing it changes escapes them.
///
/// Called by the session's driver; the session's later frames wait meanwhile. A panic refuses the frame, as in a handler.
/// What is published to subscribers passes an [`OutboundInterceptor`](crate::broker::OutboundInterceptor) instead.
///
/// ```
/// use futures_util::future::BoxFuture;
/// use parlor_core::{Message, app::{Interceptor, Rejection}, session::Session};
///
/// /// Nobody writes while the site is being moved.
/// struct ReadOnly;
///
/// impl Interceptor for ReadOnly {
///     fn on_send<'a>(&'a self, _: &'a Session, _: Message) -> BoxFuture<'a, Result<Message, Rejection>> {
///         Box::pin(async { Err(Rejection::new("read-only", "The site is being moved. Read on, and write later.")) })
///     }
/// }
/// ```
pub trait Interceptor: Send + Sync + 'static {
    /// Changes a message, or refuses it. Default: leaves it as it is.
    fn on_send<'a>(&'a self, session: &'a Session, message: Message) -> BoxFuture<'a, Result<Message, Rejection>> {
        let _ = session;
        Box::pin(ready(Ok(message)))
    }

    /// Refuses a subscription, by its destination or pattern and the client's headers. Default: refuses none.
    fn on_subscribe<'a>(
        &'a self,
        session: &'a Session,
        destination: &'a str,
        headers: &'a Headers,
    ) -> BoxFuture<'a, Result<(), Rejection>> {
        let _ = (session, destination, headers);
        Box::pin(ready(Ok(())))
    }
}
