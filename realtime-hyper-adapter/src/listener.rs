//! What the accept loop takes connections from.

use std::{future::Future, io, net::SocketAddr};

#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

/// A source of connections: a TCP or Unix listener, or one of your own.
///
/// The accept loop calls [`accept`](Self::accept) again after an error, so an implementation need not repair anything.
///
/// ```
/// use std::{io, net::SocketAddr};
/// use parlor_core::{Realtime, app::Router, auth::Anonymous};
/// use parlor_hyper::{Listener, LiveService, Server};
/// use tokio::{io::{AsyncReadExt, AsyncWriteExt, DuplexStream}, sync::mpsc};
///
/// /// Connections in memory, for a test without a network.
/// struct InMemory(mpsc::Receiver<DuplexStream>);
///
/// impl Listener for InMemory {
///     type Io = DuplexStream;
///
///     async fn accept(&mut self) -> io::Result<(DuplexStream, Option<SocketAddr>)> {
///         match self.0.recv().await {
///             Some(stream) => Ok((stream, None)),
///             None => std::future::pending().await,
///         }
///     }
///
///     fn address(&self) -> io::Result<String> {
///         Ok("memory".to_owned())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let (connect, accepted) = mpsc::channel(1);
/// tokio::spawn(Server::new(InMemory(accepted), LiveService::new(), realtime).run_until(std::future::pending()));
///
/// let (mut client, server) = tokio::io::duplex(1024);
/// connect.send(server).await?;
/// client.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
/// let mut response = String::new();
/// client.read_to_string(&mut response).await?;
/// assert!(response.ends_with("alive\n"), "{response}");
/// # Ok(()) }
/// ```
pub trait Listener: Send + 'static {
    /// The stream of one connection.
    type Io: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next connection, and the address of its other end where it has one. May be dropped and called again.
    ///
    /// # Errors
    /// Why there is none now. `ConnectionAborted`, `ConnectionRefused` and `ConnectionReset` belong to that connection
    /// alone; after anything else the loop rests for 100 ms.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Option<SocketAddr>)>> + Send;

    /// Where it listens, for logs.
    ///
    /// # Errors
    /// When the listener has no address any more.
    fn address(&self) -> io::Result<String>;
}

impl Listener for TcpListener {
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, peer) = Self::accept(self).await?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        Ok((stream, Some(peer)))
    }

    fn address(&self) -> io::Result<String> {
        Ok(self.local_addr()?.to_string())
    }
}

/// For a proxy on the same machine. Its connections carry no [`PeerAddr`](crate::PeerAddr), and the socket's file stays when
/// the server stops: remove it before the next bind.
#[cfg(unix)]
impl Listener for UnixListener {
    type Io = UnixStream;

    async fn accept(&mut self) -> io::Result<(UnixStream, Option<SocketAddr>)> {
        let (stream, _) = Self::accept(self).await?;
        Ok((stream, None))
    }

    fn address(&self) -> io::Result<String> {
        let address = self.local_addr()?;
        Ok(address.as_pathname().map_or_else(|| "a Unix socket".to_owned(), |path| path.display().to_string()))
    }
}
