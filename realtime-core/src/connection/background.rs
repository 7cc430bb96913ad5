//! What a connection does beside the request that it answers: concurrent handlers, and streams of payloads.
//!
//! It is polled by the connection's own task and ends with it. Streams make way: they are polled only while the outbox has
//! room, so a client that reads slowly slows its streams down instead of overflowing.

use std::{
    panic::AssertUnwindSafe,
    sync::Weak,
    task::{Context, Poll},
};

use futures_util::{
    FutureExt, Stream, StreamExt,
    future::BoxFuture,
    stream::{AbortHandle, Abortable, BoxStream, FuturesUnordered, SelectAll},
};

use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;

use crate::{closing::Closing, telemetry};

/// Something to do beside the current request.
pub(super) enum Job {
    /// The rest of a message whose route is `concurrent`.
    Handler(BoxFuture<'static, Done>),
    /// Payloads, each of which is sent when it is polled; an `Err` ends the connection.
    Stream(Abortable<BoxStream<'static, Result<(), Closing>>>),
}

/// The end of a request or of a concurrent handler: whether the connection goes on, and what it does from now on.
pub(super) struct Done {
    pub(super) result: Result<(), Closing>,
    pub(super) jobs: Vec<Job>,
}

/// All jobs of one connection. Most have none, and room for none.
#[derive(Default)]
pub(super) struct Background {
    jobs: Option<Box<Jobs>>,
}

#[derive(Default)]
struct Jobs {
    handlers: FuturesUnordered<BoxFuture<'static, Done>>,
    streams: SelectAll<Abortable<BoxStream<'static, Result<(), Closing>>>>,
}

/// What becomes of a panic that no guard is for: the end of the connection, in order.
fn panicked() -> Closing {
    telemetry::connection_panicked();
    Closing::internal()
}

/// A place among the streams of a session, which the stream has until it ends or is ended.
pub(super) type StreamPlace = Mutex<Option<OwnedSemaphorePermit>>;

/// Ends a stream when it is dropped, and gives its place back at once: the stream itself goes when it is looked at next, which
/// may be after the next request.
pub(super) struct EndOnDrop {
    pub(super) stream: AbortHandle,
    pub(super) place: Weak<StreamPlace>,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.stream.abort();
        if let Some(place) = self.place.upgrade() {
            place.lock().take();
        }
    }
}

impl Job {
    /// A stream, and the handle that ends it.
    pub(super) fn stream(stream: impl Stream<Item = Result<(), Closing>> + Send + 'static) -> (Self, AbortHandle) {
        let (handle, registration) = AbortHandle::new_pair();
        let guarded = AssertUnwindSafe(stream).catch_unwind();
        let guarded = guarded.map(|sent| sent.unwrap_or_else(|_| Err(panicked()))).boxed();
        (Self::Stream(Abortable::new(guarded, registration)), handle)
    }
}

impl Background {
    pub(super) fn add(&mut self, jobs: Vec<Job>) {
        if !jobs.is_empty() {
            self.jobs.get_or_insert_default().add(jobs);
        }
    }

    /// Whether a concurrent handler still runs: what it does must be done before DISCONNECT is answered.
    pub(super) fn is_handling(&self) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| !jobs.handlers.is_empty())
    }

    /// Runs handlers, and streams while there is `room` for what they send. Ready when the connection has to end, or when a
    /// handler is done, as others may wait for that.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, room: impl Fn() -> bool) -> Poll<Result<(), Closing>> {
        let Some(jobs) = &mut self.jobs else { return Poll::Pending };
        let polled = jobs.poll(cx, room);
        if jobs.handlers.is_empty() && jobs.streams.is_empty() {
            self.jobs = None;
        }
        polled
    }

    /// Ends all streams and waits for the handlers.
    pub(super) async fn finish(&mut self) {
        let Some(mut jobs) = self.jobs.take() else { return };
        jobs.streams.clear();
        while let Some(Done { .. }) = jobs.handlers.next().await {}
    }
}

impl Jobs {
    fn add(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            match job {
                Job::Handler(handler) => {
                    let handler = AssertUnwindSafe(handler).catch_unwind();
                    let done =
                        handler.map(|done| done.unwrap_or_else(|_| Done { result: Err(panicked()), jobs: Vec::new() }));
                    self.handlers.push(done.boxed());
                }
                Job::Stream(stream) => {
                    // Those that were ended and not looked at since would pile up behind a client that does not read.
                    if self.streams.iter().any(Abortable::is_aborted) {
                        let streams = std::mem::take(&mut self.streams);
                        self.streams = streams.into_iter().filter(|stream| !stream.is_aborted()).collect();
                    }
                    self.streams.push(stream);
                }
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, room: impl Fn() -> bool) -> Poll<Result<(), Closing>> {
        if let Poll::Ready(Some(Done { result, jobs })) = self.handlers.poll_next_unpin(cx) {
            self.add(jobs);
            return Poll::Ready(result);
        }
        let mut turns = TURNS;
        while !self.streams.is_empty() && room() {
            match self.streams.poll_next_unpin(cx) {
                Poll::Ready(Some(Err(closing))) => return Poll::Ready(Err(closing)),
                Poll::Ready(_) if turns == 0 => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(_) => turns -= 1,
                Poll::Pending => break,
            }
        }
        Poll::Pending
    }
}

/// How many payloads the streams may send before the connection looks at its client again.
const TURNS: usize = 32;
