//! The accept loop in one line.

use std::{convert::Infallible, future::Future, io};

use http::{Request, Response};
use parlor_core::Realtime;
use tower_service::Service;

use crate::{Listener, RequestBody, Server};

/// Serves HTTP/1.1 and HTTP/2 requests with `service`, within the limits of [`ServeOptions`](crate::ServeOptions), until
/// `stop` is ready; then drains: `Server::new(listener, service, realtime).run_until(stop)`.
///
/// # Errors
/// When the listener has no address any more.
pub async fn serve<L, S, B>(
    listener: L,
    service: S,
    realtime: Realtime,
    stop: impl Future<Output = ()>,
) -> io::Result<()>
where
    L: Listener,
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    Server::new(listener, service, realtime).run_until(stop).await
}
