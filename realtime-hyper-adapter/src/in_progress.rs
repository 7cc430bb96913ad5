//! Requests of a connection that count as in progress: until their answer is written, and streams until they end.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use pin_project_lite::pin_project;

use crate::activity::{Activity, InProgress};

pin_project! {
    /// The body of an answer. The request is in progress until it is dropped.
    pub(crate) struct ResponseBody<B> {
        #[pin]
        inner: Option<B>,
        _request: InProgress,
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn new(inner: Option<B>, request: InProgress) -> Self {
        Self { inner, _request: request }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().inner.as_pin_mut().map_or(Poll::Ready(None), |inner| inner.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// Spawns what hyper runs beside an HTTP/2 connection: its requests, and the streams that they were upgraded to. Each
/// counts as in progress, so that a connection with nothing but a WebSocket on it does not idle.
#[derive(Clone, Debug)]
pub(crate) struct StreamExecutor {
    pub(crate) activity: Arc<Activity>,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let in_progress = self.activity.begin();
        #[expect(clippy::disallowed_methods, reason = "a stream ends with its connection")]
        tokio::spawn(async move {
            stream.await;
            drop(in_progress);
        });
    }
}
