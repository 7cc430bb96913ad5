//! The body of an answer to a request for events.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use parlor_core::event_stream::EventStream;

/// An event stream, or the octets of a refusal.
///
/// ```
/// use http_body_util::BodyExt;
/// use parlor_core::{Realtime, app::{Router, Rules}, auth::Anonymous};
/// use parlor_hyper::EventsService;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rules = Rules::deny_all().allow_subscribe("/topic/news");
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).authorize(rules).build()?;
/// let request = http::Request::get("/events?destination=/topic/news").body(())?;
/// let mut body = EventsService::new(&realtime).oneshot(request).await?.into_body();
/// realtime.broker().publish("/topic/news", "hello").await?;
/// let mut text = String::new();
/// while !text.contains("data: \"hello\"") {
///     let octets = body.frame().await.ok_or("the stream has ended")??.into_data().unwrap_or_default();
///     text.push_str(std::str::from_utf8(&octets)?);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct EventsBody(Kind);

#[derive(Debug)]
enum Kind {
    Events(EventStream),
    Refusal(Bytes),
}

impl From<EventStream> for EventsBody {
    fn from(events: EventStream) -> Self {
        Self(Kind::Events(events))
    }
}

impl From<Bytes> for EventsBody {
    fn from(refusal: Bytes) -> Self {
        Self(Kind::Refusal(refusal))
    }
}

impl Body for EventsBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let octets = match &mut self.0 {
            Kind::Events(events) => std::task::ready!(Pin::new(events).poll_next(cx)),
            Kind::Refusal(octets) => Some(std::mem::take(octets)).filter(|octets| !octets.is_empty()),
        };
        Poll::Ready(octets.map(|octets| Ok(Frame::data(octets))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Refusal(octets) if octets.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Events(_) => SizeHint::default(),
            Kind::Refusal(octets) => SizeHint::with_exact(octets.len() as u64),
        }
    }
}
