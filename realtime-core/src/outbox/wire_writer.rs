//! What an outbox asks of a transport's write half.

use std::{
    io,
    io::IoSlice,
    task::{Context, Poll},
};

/// The write half of a transport.
///
/// The outbox calls it under its own lock, so both methods must return at once. A transport that cannot write without a
/// task (TLS, HTTP/2) answers [`io::ErrorKind::WouldBlock`] to `try_write`; the connection's driver then writes through
/// `poll_write`.
pub trait WireWriter: Send + 'static {
    /// Writes what the socket takes right now.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing now; anything else ends the connection.
    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize>;

    /// Writes some of `slices`, or registers the task to be woken when writing is possible again.
    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Pushes what the transport itself holds back (TLS records) towards the peer.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Tells the peer that nothing more will come: FIN, TLS's close_notify, HTTP/2's END_STREAM. Without it a peer cannot
    /// tell a whole conversation from one that was cut off. Default: there is nothing to tell.
    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
