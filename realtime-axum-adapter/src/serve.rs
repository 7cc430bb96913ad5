//! Serving an axum router on Parlor's accept loop.

use std::io;

use axum::Router;
use parlor_core::Realtime;
use parlor_hyper::{Listener, Server};

/// Serves `router` until Ctrl-C or SIGTERM, and then drains; a second signal ends it at once.
///
/// It is `Server::new(listener, router, realtime).run()`: see [`Server`] for the stop, and
/// [`ServeOptions`](parlor_hyper::ServeOptions) for the limits and how to change them.
///
/// # What a bare `axum::serve` lacks
///
/// Everything of this crate works on `axum::serve` too: WebSockets over HTTP/1.1 and HTTP/2, extractors, probes. It has no
/// options, however, so that there
///
/// - a client may take for ever to send a request's head or body, and an idle connection stays open for ever;
/// - any number of connections may be open, until no file descriptor is left and nobody can connect;
/// - request heads have hyper's defaults (100 headers, about 400 KiB) and HTTP/2 streams too (200 at a time);
/// - nothing speaks TLS;
/// - the peer's address is missing unless you serve
///   `router.into_make_service_with_connect_info::<SocketAddr>()`;
/// - nobody tells sessions of the stop. With `with_graceful_shutdown`, WebSockets over HTTP/1.1 are not waited for and are
///   cut with the process, so that receipts are lost, and those over HTTP/2 are waited for without end. Put the drain around
///   it:
///
/// ```no_run
/// # async fn run(listener: tokio::net::TcpListener, router: axum::Router, realtime: parlor_core::Realtime)
/// # -> std::io::Result<()> {
/// use std::{net::SocketAddr, time::Duration};
///
/// let (endpoint, service) = (realtime.clone(), router.into_make_service_with_connect_info::<SocketAddr>());
/// let stopping = async move {
///     parlor_hyper::stop_signal().await;
///     endpoint.begin_stop(); // `/readyz` says 503 from here on
///     tokio::spawn(async move { endpoint.shutdown(Duration::from_secs(40)).await });
/// };
/// axum::serve(listener, service).with_graceful_shutdown(stopping).await?;
/// realtime.shutdown(Duration::from_secs(40)).await; // WebSockets over HTTP/1.1 are not axum's to wait for
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the listener has no address any more, or signals cannot be listened to.
pub async fn serve(listener: impl Listener, router: Router, realtime: Realtime) -> io::Result<()> {
    Server::new(listener, router, realtime).run().await
}
