//! The frame that is being answered: its span, and what log lines and publishes below it have to know.
//!
//! It is known to everything that runs while the frame is answered, application code included, because a session's frames are
//! answered one at a time in their connection's own task.

use std::{future::Future, sync::Arc};

use parlor_stomp::{Headers, Request};
use tracing::{Instrument, Span, field};

use crate::{
    session_id::SessionId,
    telemetry::{Meters, Shown, TraceContext},
};

tokio::task_local! {
    static CURRENT: FrameInFlight;
}

/// What is known of the frame that is being answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrameInFlight {
    pub(super) meters: Option<Arc<Meters>>,
    pub(super) session: Option<SessionId>,
    /// As the client wrote it: show it through [`Shown`].
    pub(super) destination: Option<Box<str>>,
    pub(super) trace: Option<TraceContext>,
}

/// A frame with its span, ready to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    frame: FrameInFlight,
    span: Span,
}

impl FrameInFlight {
    /// Something of that session that is no frame with a destination.
    pub(crate) fn of_session(meters: &Arc<Meters>, session: Option<SessionId>) -> Self {
        Self { meters: Some(Arc::clone(meters)), session, ..Self::default() }
    }

    /// The current one, in another trace.
    pub(super) fn of_trace(trace: TraceContext) -> Self {
        Self { trace: Some(trace), ..with_current(|current| current.cloned()).unwrap_or_default() }
    }

    fn with(mut self, destination: &str, headers: &Headers) -> Self {
        self.destination = Some(destination.into());
        self.trace = TraceContext::from_headers(headers);
        self
    }
}

impl Observed {
    /// A frame of that session, if it is open already. SEND and SUBSCRIBE get a span, at the level DEBUG.
    pub(crate) fn new(meters: &Arc<Meters>, request: &Request, session: Option<SessionId>) -> Self {
        macro_rules! span {
            ($name:literal, $frame:expr, $destination:expr) => {
                tracing::debug_span!(
                    $name,
                    destination = %Shown::text($destination),
                    route = field::Empty,
                    code = field::Empty,
                    trace_id = $frame.trace.as_ref().map(|trace| field::display(trace.trace_id())),
                    parent_id = $frame.trace.as_ref().map(|trace| field::display(trace.parent_id())),
                )
            };
        }
        let frame = FrameInFlight::of_session(meters, session);
        match request {
            Request::Send(send) => {
                let frame = frame.with(&send.destination, &send.headers);
                Self { span: span!("send", frame, &send.destination), frame }
            }
            Request::Subscribe(subscribe) => {
                let frame = frame.with(&subscribe.destination, &subscribe.headers);
                Self { span: span!("subscribe", frame, &subscribe.destination), frame }
            }
            _ => Self { frame, span: Span::none() },
        }
    }

    /// The frame that is being answered, for what goes on beside the next ones.
    pub(crate) fn current() -> Self {
        Self { frame: with_current(|current| current.cloned()).unwrap_or_default(), span: Span::current() }
    }

    /// Runs what answers the frame. (An async function would have room for `answer` twice.)
    pub(crate) fn run<F: Future>(self, answer: F) -> impl Future<Output = F::Output> {
        scope(self.frame, answer).instrument(self.span)
    }
}

/// Runs `future` as a part of answering `frame`.
pub(crate) fn scope<F: Future>(frame: FrameInFlight, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(frame, future)
}

/// Looks at the frame that is being answered, if one is.
pub(super) fn with_current<T>(look: impl Fn(Option<&FrameInFlight>) -> T) -> T {
    CURRENT.try_with(|frame| look(Some(frame))).unwrap_or_else(|_| look(None))
}
