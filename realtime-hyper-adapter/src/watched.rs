//! A stream that tells the [`Activity`] of its connection what passes through it, and holds the connection's [`Slot`].

use std::{
    io,
    io::IoSlice,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{activity::Activity, slots::Slot};

/// A connection's stream, as hyper sees it.
pub(crate) struct Watched<T> {
    io: T,
    activity: Arc<Activity>,
    slot: Slot,
}

impl<T> Watched<T> {
    pub(crate) fn new(io: T, activity: Arc<Activity>, slot: Slot) -> Self {
        Self { io, activity, slot }
    }

    /// The stream, which nobody watches any more. The connection is open until the slot is dropped.
    pub(crate) fn into_parts(self) -> (T, Slot) {
        (self.io, self.slot)
    }

    fn noted<R>(&self, result: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        self.activity.written(result.is_pending());
        result
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.io).poll_read(cx, buf);
        let octets = &buf.filled()[before..];
        if !octets.is_empty() {
            self.activity.received(octets);
        }
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, octets);
        self.noted(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.noted(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
