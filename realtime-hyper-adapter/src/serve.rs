//! The accept loop: what `axum::serve` lacks for a public server, and a stop that loses nothing.

use std::{
    convert::Infallible,
    future::{Future, pending},
    io,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use parlor_core::Realtime;
use tokio::{net::TcpListener, signal, sync::Notify, time::timeout};
use tower_service::Service;

use crate::PeerAddr;

/// How long a client may take from the accept to its first whole request head, and from one answer to the next head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest request head, in octets; also how much of a body is read at a time.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// How long the loop rests when no connection can be accepted (no file descriptors left, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How much longer a stop waits than sessions may take, so that the last of them is gone before it.
const DRAIN_MARGIN: Duration = Duration::from_secs(5);

/// Serves HTTP/1.1 and HTTP/2 requests with `service` until `stop` is ready; then accepts nothing more, closes the sessions
/// of `realtime` (1012 with a spread retry time) and waits for them and for
/// running requests, 5 s longer than the settings `finish_timeout` and `close_linger` allow: 40 s by default.
///
/// What it bounds: the first request head must be there 10 s after the accept, whatever the client sends meanwhile; later
/// ones of HTTP/1.1 10 s after the answer before them; a head of HTTP/1.1 has at most 16 KiB and 64 headers (431). What it
/// does not bound: the number of connections that are not upgraded, the time for a request's body, and how long an
/// HTTP/2 connection idles after its first request. Put a proxy in front where those matter. Every request carries a
/// [`PeerAddr`].
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
                Err(error) if is_of_one_connection(&error) => continue,
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
        let first_request = Arc::new(Notify::new());
        let notify = Arc::clone(&first_request);
        let with_peer = service_fn(move |mut request: Request<Incoming>| {
            notify.notify_one();
            request.extensions_mut().insert(PeerAddr(peer));
            service.clone().call(request)
        });
        let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), with_peer).into_owned();
        let connection = connections.watch(connection);
        #[expect(clippy::disallowed_methods, reason = "the graceful shutdown below ends and awaits it")]
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended badly");
                },
                () = no_request_in_time(&first_request) => tracing::debug!("a connection brought no request in time"),
            }
        });
    }
    drop(listener);
    tracing::info!("stopping: no new connections");
    let config = realtime.config();
    let patience = config.finish_timeout.saturating_add(config.close_linger).saturating_add(DRAIN_MARGIN);
    let requests = timeout(patience, connections.shutdown());
    let (sessions_gone, requests_done) = tokio::join!(realtime.shutdown(patience), requests);
    if !sessions_gone || requests_done.is_err() {
        tracing::warn!("stopped before all connections had ended");
    }
    Ok(())
}

/// Ready when the first request is overdue; never once there was one.
///
/// hyper's own time limit begins only when the HTTP version is known, and not at all for HTTP/2: a client that says nothing
/// would stay for ever.
async fn no_request_in_time(first_request: &Notify) {
    if timeout(HEAD_TIMEOUT, first_request.notified()).await.is_ok() {
        pending::<()>().await;
    }
}

/// Whether an accept failed for the connection that was to be accepted, and not for the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Ready on Ctrl-C, and on SIGTERM where there are signals.
pub async fn stop_signal() {
    let interrupt = async {
        if let Err(error) = signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C cannot be heard");
            pending::<()>().await;
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
                pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminate = pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
