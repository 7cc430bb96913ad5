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
///
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response};
/// use http_body_util::BodyExt;
/// use parlor_core::{Realtime, app::Router, auth::Anonymous};
/// use parlor_hyper::{RequestBody, ServeOptions, Server};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// async fn length(request: Request<RequestBody>) -> Result<Response<String>, Infallible> {
///     let text = match request.into_body().collect().await {
///         Ok(body) => format!("{} octets", body.to_bytes().len()),
///         Err(error) => error.to_string(),
///     };
///     Ok(Response::new(text))
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// let server = Server::new(listener, tower::service_fn(length), realtime)
///     .options(ServeOptions::default().max_body_bytes(4));
/// tokio::spawn(server.run_until(std::future::pending()));
///
/// let mut stream = tokio::net::TcpStream::connect(address).await?;
/// // Its length is not told; one that is and is too much is refused with 413 before the service is called.
/// let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
/// stream.write_all(format!("{head}5\r\nhello\r\n0\r\n\r\n").as_bytes()).await?;
/// let mut response = String::new();
/// stream.read_to_string(&mut response).await?;
/// assert!(response.ends_with("length limit exceeded"), "{response}");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct RequestBody {
    inner: Limited<Incoming>,
    timeout: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// A request's body did not come in time.
///
/// ```
/// use std::{convert::Infallible, time::Duration};
/// use http::{Request, Response};
/// use http_body_util::BodyExt;
/// use parlor_core::{Realtime, app::Router, auth::Anonymous};
/// use parlor_hyper::{BodyTimeout, RequestBody, ServeOptions, Server};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// async fn upload(request: Request<RequestBody>) -> Result<Response<String>, Infallible> {
///     let mut response = Response::new(String::new());
///     if let Err(error) = request.into_body().collect().await {
///         *response.status_mut() = if error.is::<BodyTimeout>() { 408.try_into().unwrap() } else { 413.try_into().unwrap() };
///     }
///     Ok(response)
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// let server = Server::new(listener, tower::service_fn(upload), realtime)
///     .options(ServeOptions::default().body_timeout(Duration::from_millis(50)));
/// tokio::spawn(server.run_until(std::future::pending()));
///
/// let mut stream = tokio::net::TcpStream::connect(address).await?;
/// // Five octets are announced, and three come.
/// stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhel").await?;
/// let mut response = String::new();
/// stream.read_to_string(&mut response).await?;
/// assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
/// # Ok(()) }
/// ```
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
