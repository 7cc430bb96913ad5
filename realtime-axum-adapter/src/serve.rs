//! Serving an axum router on Parlor's accept loop.

use std::io;

use axum::Router;
use parlor_core::Realtime;
use tokio::net::TcpListener;

/// Serves `router` until Ctrl-C or SIGTERM, and then drains: see [`parlor_hyper::serve`] for its limits and its stop.
///
/// # Errors
/// When the listener has no address any more.
pub async fn serve(listener: TcpListener, router: Router, realtime: Realtime) -> io::Result<()> {
    parlor_hyper::serve(listener, router, realtime, parlor_hyper::stop_signal()).await
}
