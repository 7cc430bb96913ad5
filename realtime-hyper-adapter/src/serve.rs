//! The accept loop: what `axum::serve` lacks for a public server, and a stop that loses nothing.

use std::{convert::Infallible, future::Future, io, pin::pin, time::Duration};

use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use parlor_core::Realtime;
use tokio::{net::TcpListener, signal};
use tower_service::Service;

use crate::PeerAddr;

/// How long a request's head may take, from its first octet or from the accept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest request head, in octets; also how much of a body is read at a time.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// How long the loop rests when no connection can be accepted (no file descriptors left, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a stop waits for sessions and requests to end.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);

/// Serves HTTP/1.1 and HTTP/2 requests with `service` until `stop` is ready; then accepts nothing more, closes the sessions
/// of `realtime` (1012 with a spread retry time) and waits up to 30 s for them and for running requests.
///
/// A request's head is read in at most 10 s, 16 KiB and 64 headers. Every request carries a [`PeerAddr`].
///
/// # Errors
/// When the listener has no address any more.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    realtime: Realtime,
    stop: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    tracing::info!(address = %listener.local_addr()?, "accepting connections");
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let service = service.clone();
        let with_peer = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(PeerAddr(peer));
            service.clone().call(request)
        });
        let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), with_peer).into_owned();
        let connection = connections.watch(connection);
        #[expect(clippy::disallowed_methods, reason = "the graceful shutdown below ends and awaits it")]
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
        });
    }
    drop(listener);
    tracing::info!("stopping: no new connections");
    let requests = tokio::time::timeout(DRAIN_PATIENCE, connections.shutdown());
    let (sessions_gone, requests_done) = tokio::join!(realtime.shutdown(DRAIN_PATIENCE), requests);
    if !sessions_gone || requests_done.is_err() {
        tracing::warn!("stopped before all connections had ended");
    }
    Ok(())
}

/// Ready on Ctrl-C, and on SIGTERM where there are signals.
pub async fn stop_signal() {
    let interrupt = async {
        if let Err(error) = signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C cannot be heard");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "SIGTERM cannot be heard");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
