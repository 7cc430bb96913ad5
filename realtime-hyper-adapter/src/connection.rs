//! One accepted connection: TLS where it is spoken, then HTTP within its limits until it ends, is upgraded, or is overdue.

use std::{convert::Infallible, future::poll_fn, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use http::{Request, Response, StatusCode, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};
use tower_service::Service;

#[cfg(feature = "tls")]
use crate::transport::bound_send_buffer;
use crate::{
    PeerAddr, RequestBody, ServeOptions,
    activity::Activity,
    in_progress::{ResponseBody, StreamExecutor},
    slots::{HttpSlot, Slot},
    watched::Watched,
};

/// The least that hyper takes as the bound of a request head, in octets.
const LEAST_HEAD_BYTES: usize = 8 * 1024;

/// How often a peer of HTTP/2 is asked whether it lives.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);

/// How long it may take to answer.
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Streams that a peer has reset and that are not yet forgotten; more end the connection (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;

/// Streams of one connection that may be reset because of what their peer did wrong; more end it (RUSTSEC-2024-0003).
const MAX_LOCAL_RESETS: usize = 128;

/// Octets of a request's body that may come before the service reads them: HTTP/2's own default, for one stream.
const STREAM_WINDOW: u32 = 65_535;

/// The same for all streams of a connection together.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Octets that may wait to be written to one stream.
const MAX_SEND_BUFFER: usize = 64 * 1024;

/// What is the same for all connections of a server.
pub(crate) struct Connection<S> {
    pub(crate) service: S,
    pub(crate) options: Arc<ServeOptions>,
    pub(crate) peer: Option<SocketAddr>,
    /// Of a connection that may carry WebSockets besides others (HTTP/2 over TLS).
    #[cfg(feature = "tls")]
    pub(crate) send_buffer_bytes: usize,
    pub(crate) drain: watch::Receiver<bool>,
}

impl<S, B> Connection<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    /// Speaks TLS first. A handshake that is not done when the server stops is given up.
    #[cfg(feature = "tls")]
    pub(crate) async fn serve_tls<Io>(mut self, io: Io, tls: tokio_rustls::TlsAcceptor, slot: Slot, http: HttpSlot)
    where
        Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let handshake = tokio::time::timeout(self.options.tls_handshake_timeout, tls.accept(io));
        let accepted = tokio::select! {
            accepted = handshake => accepted,
            _ = self.drain.changed() => return,
        };
        match accepted {
            Ok(Ok(stream)) => {
                let (io, session) = stream.get_ref();
                // WebSockets may come to share it. One of HTTP/1.1 is bounded when it is upgraded.
                if session.alpn_protocol() == Some(b"h2") {
                    bound_send_buffer(io, self.send_buffer_bytes);
                }
                self.serve(stream, slot, http).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake was not done in time"),
        }
    }

    /// Serves requests until the connection ends, is upgraded, is overdue, or the server stops and the last one is
    /// answered.
    pub(crate) async fn serve<Io>(self, io: Io, slot: Slot, _http: HttpSlot)
    where
        Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self { service, options, peer, mut drain, .. } = self;
        let activity = Activity::new(&options);
        let http = builder(&options, &activity);
        let io = TokioIo::new(Watched::new(io, Arc::clone(&activity), slot));
        let requests = Arc::clone(&activity);
        let answer = service_fn(move |request| {
            let in_progress = requests.begin();
            let (mut service, options) = (service.clone(), Arc::clone(&options));
            async move {
                let request = match within_limits(request, &options, peer) {
                    Ok(request) => request,
                    Err(refusal) => return Ok(refusal.map(|()| ResponseBody::new(None, in_progress))),
                };
                poll_fn(|cx| service.poll_ready(cx)).await?;
                let response = service.call(request).await?;
                Ok::<_, Infallible>(response.map(|body| ResponseBody::new(Some(body), in_progress)))
            }
        });
        let mut connection = pin!(http.serve_connection_with_upgrades(io, answer));
        let mut draining = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended badly");
                    }
                    return;
                }
                why = activity.overdue() => {
                    tracing::debug!(?why, "a connection is overdue");
                    return;
                }
                _ = drain.wait_for(|drains| *drains), if !draining => {
                    connection.as_mut().graceful_shutdown();
                    draining = true;
                }
            }
        }
    }
}

fn builder(options: &ServeOptions, activity: &Arc<Activity>) -> auto::Builder<StreamExecutor> {
    let mut http = auto::Builder::new(StreamExecutor { activity: Arc::clone(activity) });
    // The activity keeps the time, for both versions alike.
    http.http1()
        .header_read_timeout(None)
        .max_buf_size(options.max_head_bytes.max(LEAST_HEAD_BYTES))
        .max_headers(options.max_headers);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING_INTERVAL)
        .keep_alive_timeout(HTTP2_PING_TIMEOUT)
        .max_concurrent_streams(options.max_streams)
        .max_header_list_size(u32::try_from(options.max_head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_LOCAL_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(MAX_SEND_BUFFER)
        // RFC 8441: a WebSocket may be opened over HTTP/2.
        .enable_connect_protocol();
    http
}

/// The request as services see it, or the answer that it gets instead.
fn within_limits(
    request: Request<Incoming>,
    options: &ServeOptions,
    peer: Option<SocketAddr>,
) -> Result<Request<RequestBody>, Response<()>> {
    let refused = |status| {
        let mut response = Response::new(());
        *response.status_mut() = status;
        response
    };
    // hyper counts the headers of HTTP/1.1 only.
    if request.headers().len() > options.max_headers {
        return Err(refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > options.max_body_bytes as u64) {
        return Err(refused(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let mut request = request.map(|body| RequestBody::new(body, options));
    if let Some(peer) = peer {
        request.extensions_mut().insert(PeerAddr(peer));
    }
    Ok(request)
}

/// Whether an accept failed for the connection that was to be accepted, and not for the listener.
pub(crate) fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
