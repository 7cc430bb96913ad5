//! The accept loop in one line.

use std::{convert::Infallible, future::Future, io};

use http::{Request, Response};
use parlor_core::Realtime;
use tower_service::Service;

use crate::{Listener, RequestBody, Server};

/// Serves HTTP/1.1 and HTTP/2 requests with `service`, within the limits of [`ServeOptions`](crate::ServeOptions), until
/// `stop` is ready; then drains: `Server::new(listener, service, realtime).run_until(stop)`.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::Anonymous};
/// use parlor_hyper::{WebSocketService, serve};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// // A stop that is ready at once: nobody is connected, so that there is nothing to drain.
/// serve(listener, WebSocketService::new(&realtime), realtime, async {}).await?;
/// # Ok(()) }
/// ```
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
