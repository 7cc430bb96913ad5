//! A request's body with a bound and a deadline.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Limited;
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use crate::ServeOptions;

/// What a [`Server`](crate::Server)'s service gets as the body of a request: hyper's own body, which fails with
/// `http_body_util::LengthLimitError` when it gets longer than [`max_body_bytes`](ServeOptions::max_body_bytes), and with
/// [`BodyTimeout`] after [`body_timeout`](ServeOptions::body_timeout).
#[derive(Debug)]
pub struct RequestBody {
    inner: Limited<Incoming>,
    timeout: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// A request's body did not come in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body of the request did not come in time")]
#[non_exhaustive]
pub struct BodyTimeout;

impl RequestBody {
    pub(crate) fn new(body: Incoming, options: &ServeOptions) -> Self {
        let inner = Limited::new(body, options.max_body_bytes);
        Self { inner, timeout: options.body_timeout, deadline: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let timeout = self.timeout;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(timeout)));
        deadline.as_mut().poll(cx).map(|()| Some(Err(BodyTimeout.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
