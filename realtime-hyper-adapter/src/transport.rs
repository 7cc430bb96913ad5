//! The way from an upgraded request to a transport.

use std::any::Any;

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::{rt::TokioIo, server::conn::auto};
use parlor_core::{Config, connection::Transport};
use socket2::SockRef;
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;

use crate::{slots::Slot, watched::Watched};

/// The transport of an upgraded connection: the TCP stream itself where hyper has nothing around it, so that publishers
/// write straight to it. On our own accept loop the connection counts as open until the [`Slot`] is dropped.
pub(crate) fn transport(upgraded: Upgraded, config: &Config) -> (Transport, Option<Slot>) {
    // Our own accept loop.
    let upgraded = match auto::upgrade::downcast::<TokioIo<Watched<TcpStream>>>(upgraded) {
        Ok(parts) => {
            let (stream, slot) = parts.io.into_inner().into_parts();
            return (tcp(stream, parts.read_buf, config), Some(slot));
        }
        Err(upgraded) => upgraded,
    };
    #[cfg(feature = "tls")]
    let upgraded = match auto::upgrade::downcast::<TokioIo<Watched<TlsStream<TcpStream>>>>(upgraded) {
        Ok(parts) => {
            let (stream, slot) = parts.io.into_inner().into_parts();
            bound_send_buffer(stream.get_ref().0, config.send_buffer_bytes);
            return (Transport::stream(stream, parts.read_buf), Some(slot));
        }
        Err(upgraded) => upgraded,
    };
    // Those of axum and others: a connection of hyper-util's `auto` wraps the stream once more than one of hyper's own.
    let upgraded = match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => return (tcp(parts.io.into_inner(), parts.read_buf, config), None),
        Err(upgraded) => upgraded,
    };
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => (tcp(parts.io.into_inner(), parts.read_buf, config), None),
        // A stream of HTTP/2, a Unix socket, somebody else's TLS: whatever its connection holds ends with it.
        Err(upgraded) => (Transport::stream(TokioIo::new(upgraded), Bytes::new()), None),
    }
}

fn tcp(stream: TcpStream, read_ahead: Bytes, config: &Config) -> Transport {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set; small messages may wait for others");
    }
    bound_send_buffer(&stream, config.send_buffer_bytes);
    Transport::tcp(stream, read_ahead)
}

/// Bounds what the system holds back for the client behind `io`, where that is TCP; 0 leaves it to the system.
pub(crate) fn bound_send_buffer(io: &dyn Any, octets: usize) {
    let Some(stream) = io.downcast_ref::<TcpStream>().filter(|_| octets > 0) else { return };
    if let Err(error) = SockRef::from(stream).set_send_buffer_size(octets) {
        tracing::debug!(%error, "SO_SNDBUF could not be set; the system may hold back more than it should");
    }
}
