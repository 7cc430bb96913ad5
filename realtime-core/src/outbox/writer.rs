//! What an outbox writes to: nearly always a plain socket.

use std::{
    io,
    io::IoSlice,
    pin::Pin,
    task::{Context, Poll},
};

#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::net::SendFlags;
use tokio::{io::AsyncWrite, net::tcp::OwnedWriteHalf};

use crate::outbox::WireWriter;

/// The write half of a transport. What many connections are written to one after another lies cold in memory: each pointer on
/// the way to the socket is a wait for it.
pub(crate) enum Writer {
    /// A plain TCP stream.
    Tcp(TcpWriter),
    /// Anything else.
    Any(Box<dyn WireWriter>),
}

impl Writer {
    /// To a plain TCP stream.
    pub(crate) fn tcp(half: OwnedWriteHalf) -> Self {
        Self::Tcp(TcpWriter(half))
    }

    /// As [`WireWriter::try_write`].
    #[inline]
    pub(super) fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(writer) => writer.try_write(octets),
            Self::Any(writer) => writer.try_write(octets),
        }
    }

    /// Otherwise than for [`try_write`](Self::try_write) it makes no difference what it is.
    pub(super) fn any(&mut self) -> &mut dyn WireWriter {
        match self {
            Self::Tcp(writer) => writer,
            Self::Any(writer) => &mut **writer,
        }
    }
}

/// The write half of a plain TCP stream.
pub(crate) struct TcpWriter(OwnedWriteHalf);

impl WireWriter for TcpWriter {
    /// The system call itself, where rustix makes it without the C library: there it is a point where threads may be cancelled,
    /// which costs as much as all that is ours. The runtime isn't asked whether there is room: the socket knows best, and what the
    /// runtime keeps for each is one cold line of memory more. Where there is none, `poll_write` finds that out once again, and has
    /// the runtime wait.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(self.0.as_ref(), octets, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.try_write(octets)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
