//! The way from an outbox, which pushes, to an HTTP body, which is asked for more: a bounded run of octets.

use std::{
    fmt, io,
    io::IoSlice,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use parking_lot::Mutex;

use crate::outbox::WireWriter;

/// Octets that the outbox has written and the body has not been asked for. What waits behind them is the outbox's, with its
/// bounds.
const MAX_OCTETS: usize = 8 * 1024;

/// The octets of an event stream, for the body of an HTTP response. It ends when the server ends the stream; dropping it ends
/// the subscription.
///
/// ```
/// use futures_util::StreamExt;
/// use parlor_core::event_stream::EventStream;
///
/// /// What an adapter does with one, whatever its body type is.
/// async fn copy(mut stream: EventStream, mut write: impl FnMut(&[u8])) {
///     while let Some(octets) = stream.next().await {
///         write(&octets);
///     }
/// }
/// ```
pub struct EventStream {
    pipe: Arc<Mutex<Pipe>>,
}

/// The end that the outbox owns.
pub(super) struct PipeWriter {
    pipe: Arc<Mutex<Pipe>>,
}

#[derive(Default)]
struct Pipe {
    octets: BytesMut,
    /// Who waits for octets.
    reader: Option<Waker>,
    /// Who waits for room.
    writer: Option<Waker>,
    /// The writer is gone or has said its last.
    ended: bool,
    /// The reader is gone.
    abandoned: bool,
}

/// Both ends of a pipe.
pub(super) fn pipe() -> (PipeWriter, EventStream) {
    let pipe = Arc::<Mutex<Pipe>>::default();
    (PipeWriter { pipe: Arc::clone(&pipe) }, EventStream { pipe })
}

impl Pipe {
    /// Takes as much as there is room for; nothing where there is none.
    fn take(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.abandoned || self.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = octets.len().min(MAX_OCTETS - self.octets.len());
        self.octets.extend_from_slice(&octets[..taken]);
        if taken > 0 {
            wake(&mut self.reader);
        }
        Ok(taken)
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl WireWriter for PipeWriter {
    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self.pipe.lock().take(octets)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            taken => Ok(taken),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut pipe = self.pipe.lock();
        let mut written = 0;
        for slice in slices {
            let taken = pipe.take(slice)?;
            written += taken;
            if taken < slice.len() {
                break;
            }
        }
        if written > 0 {
            return Poll::Ready(Ok(written));
        }
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ready once the reader has everything.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.pipe.lock();
        pipe.ended = true;
        wake(&mut pipe.reader);
        if pipe.octets.is_empty() || pipe.abandoned {
            return Poll::Ready(Ok(()));
        }
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        let mut pipe = self.pipe.lock();
        pipe.ended = true;
        wake(&mut pipe.reader);
    }
}

impl EventStream {
    /// Ready when the stream was dropped.
    pub(super) fn abandonment(&self) -> Abandonment {
        Abandonment { pipe: Arc::clone(&self.pipe) }
    }
}

impl Stream for EventStream {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut pipe = self.pipe.lock();
        if !pipe.octets.is_empty() {
            wake(&mut pipe.writer);
            return Poll::Ready(Some(std::mem::take(&mut pipe.octets).freeze()));
        }
        if pipe.ended {
            return Poll::Ready(None);
        }
        pipe.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let mut pipe = self.pipe.lock();
        pipe.abandoned = true;
        pipe.octets = BytesMut::new();
        wake(&mut pipe.writer);
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("waiting", &self.pipe.lock().octets.len()).finish_non_exhaustive()
    }
}

/// Tells the task of a stream that its client is gone.
pub(super) struct Abandonment {
    pipe: Arc<Mutex<Pipe>>,
}

impl Abandonment {
    /// Ready once the stream was dropped. Polled by the same task as the writer: there is one waker for both.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut pipe = self.pipe.lock();
        if pipe.abandoned {
            return Poll::Ready(());
        }
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, task::noop_waker};

    use super::*;

    #[test]
    fn octets_are_bounded_at_the_limit_and_not_one_beyond() {
        let (mut writer, mut stream) = pipe();
        assert_eq!(writer.try_write(&[b'a'; MAX_OCTETS - 1]).unwrap(), MAX_OCTETS - 1);
        assert_eq!(writer.try_write(b"bc").unwrap(), 1);
        assert_eq!(writer.try_write(b"c").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        assert!(writer.poll_write(&mut cx, &[IoSlice::new(b"c")]).is_pending());
        assert_eq!(stream.next().now_or_never().unwrap().unwrap().len(), MAX_OCTETS);
        assert!(matches!(writer.poll_write(&mut cx, &[IoSlice::new(b"c")]), Poll::Ready(Ok(1))));
    }

    #[test]
    fn what_was_written_is_read_before_the_end() {
        let (mut writer, mut stream) = pipe();
        writer.try_write(b"last").unwrap();
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        assert!(writer.poll_shutdown(&mut cx).is_pending(), "nobody has read it");
        assert_eq!(stream.next().now_or_never().unwrap().unwrap(), "last");
        assert!(writer.poll_shutdown(&mut cx).is_ready());
        assert!(stream.next().now_or_never().unwrap().is_none());
    }

    #[test]
    fn a_reader_that_is_gone_breaks_the_writer_and_wakes_its_task() {
        let (mut writer, stream) = pipe();
        let abandonment = stream.abandonment();
        drop(stream);
        assert_eq!(writer.try_write(b"a").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let waker = noop_waker();
        assert!(abandonment.poll(&mut Context::from_waker(&waker)).is_ready());
    }
}
