//! Where the octets come from: TCP, TLS over it, or what a caller opens.

use std::{future::Future, io, pin::Pin};

use http::Uri;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// A stream of octets both ways. Everything that fits is one.
///
/// ```
/// use parlor_client::Socket;
///
/// fn is_one(_: &impl Socket) {}
///
/// let (stream, _server) = tokio::io::duplex(1024);
/// is_one(&stream);
/// ```
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// The future of [`Connector::connect`].
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Socket>>> + Send + 'a>>;

/// Opens what the WebSocket handshake is sent over. The client's task calls it for the first connection and each one after.
///
/// [`TcpConnector`] is the default. An async function of the address is one too: for proxies, Unix sockets and tests.
///
/// ```
/// use parlor_client::Client;
///
/// let builder = Client::builder("ws://parlor/ws")
///     .connector(|_address| async { tokio::net::TcpStream::connect("127.0.0.1:8080").await });
/// # let _ = builder;
/// ```
pub trait Connector: Send + Sync + 'static {
    /// Opens a stream to the host of `address`.
    fn connect<'a>(&'a self, address: &'a Uri) -> Connecting<'a>;
}

impl<F, O, S> Connector for F
where
    F: Fn(Uri) -> O + Send + Sync + 'static,
    O: Future<Output = io::Result<S>> + Send + 'static,
    S: Socket + 'static,
{
    fn connect<'a>(&'a self, address: &'a Uri) -> Connecting<'a> {
        let opening = self(address.clone());
        Box::pin(async move { Ok(Box::new(opening.await?) as Box<dyn Socket>) })
    }
}

/// TCP without delay, and TLS over it for `wss://` where a feature brings it.
///
/// ```
/// use parlor_client::{Client, TcpConnector};
///
/// let builder = Client::builder("ws://127.0.0.1:8080/ws").connector(TcpConnector::default());
/// # let _ = builder;
/// ```
#[derive(Clone, Debug, Default)]
pub struct TcpConnector {
    #[cfg(feature = "tls")]
    tls: Option<std::sync::Arc<tokio_rustls::rustls::ClientConfig>>,
}

impl TcpConnector {
    /// TLS by a configuration of the caller's, in place of the one that a feature brings.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(config: std::sync::Arc<tokio_rustls::rustls::ClientConfig>) -> Self {
        Self { tls: Some(config) }
    }
}

impl Connector for TcpConnector {
    fn connect<'a>(&'a self, address: &'a Uri) -> Connecting<'a> {
        Box::pin(async move {
            let secure = address.scheme_str() == Some("wss");
            let host = address.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            let port = address.port_u16().unwrap_or(if secure { 443 } else { 80 });
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            if !secure {
                return Ok(Box::new(stream) as Box<dyn Socket>);
            }
            #[cfg(feature = "tls")]
            return crate::tls::secure(self.tls.clone(), host, stream).await;
            #[cfg(not(feature = "tls"))]
            Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "wss:// needs one of the features tls-webpki-roots, tls-native-roots and tls of parlor-client",
            ))
        })
    }
}
