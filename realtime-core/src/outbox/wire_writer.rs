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
///
/// ```
/// use std::{io, io::IoSlice, sync::{Arc, Mutex}, task::{Context, Poll}};
/// use bytes::Bytes;
/// use parlor_core::broker::{Outbox, OutboxLimits, WireWriter};
///
/// /// Takes everything at once, for a test that looks at the octets of a connection.
/// #[derive(Clone, Default)]
/// struct Recorder(Arc<Mutex<Vec<u8>>>);
///
/// impl WireWriter for Recorder {
///     fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
///         self.0.lock().unwrap().extend_from_slice(octets);
///         Ok(octets.len())
///     }
///
///     fn poll_write(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
///         Poll::Ready(slices.iter().map(|slice| self.try_write(slice)).sum())
///     }
///
///     fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
///         Poll::Ready(Ok(()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let wire = Recorder::default();
/// let outbox = Outbox::new(Box::new(wire.clone()), OutboxLimits::default());
/// outbox.push(Bytes::from_static(b"one"));
/// outbox.push(Bytes::from_static(b"two"));
/// assert_eq!(*wire.0.lock().unwrap(), b"onetwo");
/// # }
/// ```
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
