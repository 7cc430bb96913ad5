//! The octet stream under a WebSocket, split into the half the driver reads and the half the outbox owns.

use std::{
    fmt, io,
    io::IoSlice,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, WriteHalf},
    net::{TcpStream, tcp::OwnedReadHalf},
};

use crate::outbox::{WireWriter, Writer};

/// An upgraded connection, ready for WebSocket frames.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bytes::Bytes;
/// use parlor_core::{
///     Realtime,
///     app::Router,
///     auth::{Anonymous, Handshake},
///     connection::Transport,
/// };
///
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// # let (stream, client) = tokio::io::duplex(1024);
/// # drop(client);
/// # let (headers, uri) = (http::HeaderMap::new(), http::Uri::from_static("/ws"));
/// // An adapter has answered the handshake of `stream`; what it read behind the request is none here.
/// let applicant = realtime.admit(None)?;
/// let principal = applicant.authenticate(Handshake::new(&headers, &uri, None)).await?;
/// let admission = applicant.for_principal(&principal)?;
/// realtime.serve(Transport::stream(stream, Bytes::new()), principal, admission).await;
/// # Ok(()) }
/// ```
pub struct Transport {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    pub(crate) read_ahead: Bytes,
    pub(crate) peer: Option<SocketAddr>,
}

impl Transport {
    /// A plain TCP stream: publishers write straight to it.
    ///
    /// `read_ahead` are octets that the HTTP layer has read behind the upgrade request.
    #[must_use]
    pub fn tcp(stream: TcpStream, read_ahead: Bytes) -> Self {
        let peer = stream.peer_addr().ok();
        let (reader, writer) = stream.into_split();
        Self { reader: Reader::Tcp(reader), writer: Writer::tcp(writer), read_ahead, peer }
    }

    /// Any other stream (TLS, HTTP/2, a pipe in memory): the connection's task does all writing.
    #[must_use]
    pub fn stream(stream: impl AsyncRead + AsyncWrite + Send + 'static, read_ahead: Bytes) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let (reader, writer) = (Reader::Any(Box::new(reader)), Writer::Any(Box::new(TaskWriter(writer))));
        Self { reader, writer, read_ahead, peer: None }
    }

    /// Sets the address that log lines name as the other end: the client's own where a proxy stands between, then with port
    /// 0 where nobody tells its port.
    #[must_use]
    pub fn with_peer(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("read_ahead", &self.read_ahead.len()).finish_non_exhaustive()
    }
}

/// The read half of a transport, as near to the socket as [`Writer`] is.
pub(crate) enum Reader {
    /// A plain TCP stream.
    Tcp(OwnedReadHalf),
    /// Anything else.
    Any(Box<dyn AsyncRead + Send + Unpin>),
}

impl AsyncRead for Reader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(reader) => Pin::new(reader).poll_read(cx, room),
            Self::Any(reader) => Pin::new(reader).poll_read(cx, room),
        }
    }
}

struct TaskWriter<T>(WriteHalf<T>);

impl<T: AsyncWrite + Send + 'static> WireWriter for TaskWriter<T> {
    fn try_write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
