//! What a connection does beside the request that it answers: concurrent handlers, and streams of payloads.
//!
//! It is polled by the connection's own task and ends with it. Streams make way: they are polled only while the outbox has
//! room, so a client that reads slowly slows its streams down instead of overflowing.

use std::task::{Context, Poll};

use futures_util::{
    StreamExt,
    future::BoxFuture,
    stream::{AbortHandle, BoxStream, FuturesUnordered, SelectAll},
};

use crate::closing::Closing;

/// Something to do beside the current request.
pub(super) enum Job {
    /// The rest of a message whose route is `concurrent`.
    Handler(BoxFuture<'static, Done>),
    /// Payloads, each of which is sent when it is polled; an `Err` ends the connection.
    Stream(BoxStream<'static, Result<(), Closing>>),
}

/// The end of a request or of a concurrent handler: whether the connection goes on, and what it does from now on.
pub(super) struct Done {
    pub(super) result: Result<(), Closing>,
    pub(super) jobs: Vec<Job>,
}

/// All jobs of one connection.
#[derive(Default)]
pub(super) struct Background {
    handlers: FuturesUnordered<BoxFuture<'static, Done>>,
    streams: SelectAll<BoxStream<'static, Result<(), Closing>>>,
}

/// Ends a stream when it is dropped.
pub(super) struct EndOnDrop(pub(super) AbortHandle);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Background {
    pub(super) fn add(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            match job {
                Job::Handler(handler) => self.handlers.push(handler),
                Job::Stream(stream) => self.streams.push(stream),
            }
        }
    }

    /// Whether a concurrent handler still runs: what it does must be done before DISCONNECT is answered.
    pub(super) fn is_handling(&self) -> bool {
        !self.handlers.is_empty()
    }

    /// Runs handlers, and streams while there is `room` for what they send. Ready when the connection has to end, or when a
    /// handler is done, as others may wait for that.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, room: impl Fn() -> bool) -> Poll<Result<(), Closing>> {
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

    /// Ends all streams and waits for the handlers.
    pub(super) async fn finish(&mut self) {
        self.streams.clear();
        while let Some(Done { .. }) = self.handlers.next().await {}
    }
}

/// How many payloads the streams may send before the connection looks at its client again.
const TURNS: usize = 32;
