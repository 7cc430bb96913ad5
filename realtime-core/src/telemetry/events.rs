//! What is worth a log line: each is counted, and each reason has a bounded number of lines.
//!
//! Levels: ERROR for faults of the server and its application, WARN for what a client did wrong and for slow clients, INFO for
//! sessions that begin and end, DEBUG for each frame. A line that its reason has no room for goes to DEBUG.

use std::{fmt, io, net::SocketAddr};

use http::{HeaderMap, header};
use parlor_stomp::Version;
use tracing::{Span, field};

use crate::{
    clock,
    session_id::SessionId,
    telemetry::{Meters, Shown, frame},
};

/// Where session lines go: a filter can ask for all of them without asking for every frame (`parlor::session=debug`).
const SESSIONS: &str = "parlor::session";

/// Writes a line at its level while its reason has room, else at DEBUG.
macro_rules! line {
    ($meters:expr, $reason:expr, $level:ident, target: $target:expr, $($rest:tt)+) => {
        match $meters.pass($reason) {
            Some(suppressed) => tracing::event!(target: $target, tracing::Level::$level, suppressed, $($rest)+),
            None => tracing::event!(target: $target, tracing::Level::DEBUG, $($rest)+),
        }
    };
    ($meters:expr, $reason:expr, $level:ident, $($rest:tt)+) => {
        line!($meters, $reason, $level, target: module_path!(), $($rest)+)
    };
}

/// What one connection's outbox went through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OutboxHistory {
    /// The most octets that ever waited.
    pub(crate) peak: usize,
    /// Frames that waited and were thrown away with the connection.
    pub(crate) dropped: usize,
    /// Frames that were dropped by the overflow policy of their destination.
    pub(crate) overflowed: usize,
    /// Frames that waited when a later one took their place (`LatestOnly`).
    pub(crate) superseded: usize,
}

/// The span of a connection, at the level INFO. `session` is filled in once there is one.
pub(crate) fn connection_span(user: Option<&str>, peer: Option<SocketAddr>) -> Span {
    tracing::info_span!(
        "connection",
        session = field::Empty,
        user = user.map(|user| field::display(Shown::text(user))),
        peer = peer.map(shown_peer).map(field::display),
    )
}

/// An address as log lines show it: without the port where that is not known.
fn shown_peer(peer: SocketAddr) -> String {
    if peer.port() == 0 { peer.ip().to_string() } else { peer.to_string() }
}

impl Meters {
    /// CONNECTED was sent. Called in the span of the connection.
    pub(crate) fn session_connected(&self, session: SessionId, version: Version, first_session: bool) {
        Span::current().record("session", field::display(session));
        line!(self, "session-connected", INFO, target: SESSIONS, %session, %version, first_session, "session connected");
    }

    /// A session is over, for that reason and with the server's code where it was the server that ended it.
    pub(crate) fn session_ended(&self, session: SessionId, reason: &str, code: Option<&str>, last_session: bool) {
        self.connections.disconnected(reason);
        line!(self, "session-ended", INFO, target: SESSIONS, %session, reason, code, last_session, "session ended");
    }

    /// A connection is about to end.
    pub(crate) fn connection_ended(&self, history: OutboxHistory) {
        self.connections.outbox_peaked(history.peak as u64);
        self.destinations.dropped_slow.add(history.dropped as u64);
        self.destinations.dropped_overflow.add(history.overflowed as u64);
        self.destinations.dropped_superseded.add(history.superseded as u64);
    }

    /// Nobody acknowledged a message in as many deliveries as its destination allows.
    pub(crate) fn dead_letter(&self, destination: &str, cause: &'static str, attempts: u32) {
        self.destinations.dropped_dead.add(1);
        let destination = Shown::text(destination);
        line!(self, "dead-letter", WARN, %destination, cause, attempts, "a message could not be delivered");
    }

    /// The server sends a close frame.
    pub(crate) fn closed(&self, code: &str, status: u16, reason: &str) {
        self.connections.closed(code);
        match status {
            1002 | 1003 | 1007..=1009 | 1013 => {
                line!(self, code, WARN, code, status, reason = %Shown::text(reason), "a connection is closed");
            }
            _ => tracing::debug!(code, status, "a connection is closed"),
        }
    }

    /// A well-formed SEND or SUBSCRIBE was refused or failed.
    pub(crate) fn refused(&self, session: SessionId, destination: &str, code: &str, heard: bool, closes: bool) {
        self.traffic.refused(code);
        Span::current().record("code", code);
        tracing::debug!(
            %session, destination = %Shown::text(destination), code, heard, closes, "a frame was refused");
    }

    /// An event stream was refused or could not be opened.
    pub(crate) fn stream_refused(&self, code: &str) {
        self.traffic.refused(code);
        tracing::debug!(code, "an event stream was refused");
    }

    /// A handshake was refused before the upgrade.
    pub(crate) fn handshake_refused(&self, code: &'static str, headers: &HeaderMap, peer: Option<SocketAddr>) {
        self.connections.handshake_refused(code);
        let origin = headers.get(header::ORIGIN).map(|origin| String::from_utf8_lossy(origin.as_bytes()));
        let origin = origin.as_deref().map(|origin| field::display(Shown::text(origin)));
        let peer = peer.map(shown_peer).map(field::display);
        match code {
            "origin-not-allowed" | "full" | "unavailable" => {
                line!(self, code, WARN, code, origin, peer, "a handshake was refused");
            }
            _ => line!(self, code, INFO, code, origin, peer, "a handshake was refused"),
        }
    }

    /// An accept loop could not take a connection.
    pub(crate) fn accept_failed(&self, error: &io::Error) {
        line!(self, "accept-failed", WARN, %error, "a connection could not be accepted");
    }

    /// How many lines of that reason were held back since the last one; none where this one is held back too.
    fn pass(&self, reason: &str) -> Option<u64> {
        self.logs.get(reason).pass(clock::now())
    }
}

/// A handler or a rule panicked while it answered the current frame.
pub(crate) fn handler_panicked() {
    fault(
        "handler-panic",
        "a handler or rule panicked; its message is refused and the session goes on",
        None,
        None,
        |meters| {
            meters.handlers.handler_panicked();
        },
    );
}

/// Something panicked that no guard is for.
pub(crate) fn connection_panicked() {
    fault("connection-panic", "a connection's task panicked; the connection ends, and no other", None, None, |_| {});
}

/// The server or its application failed while the current frame was answered.
pub(crate) fn internal_error(error: &dyn fmt::Display) {
    let error = error.to_string();
    fault("internal-error", "a message could not be handled", None, Some(Shown::error(&error)), |_| {});
}

/// The application answered with something that cannot be done, where no client is to be told.
pub(crate) fn application_failed(message: &'static str, error: &dyn fmt::Display) {
    let error = error.to_string();
    fault("application-failure", message, None, Some(Shown::error(&error)), |_| {});
}

/// A lifecycle listener panicked.
pub(crate) fn listener_panicked(event: &'static str) {
    fault("listener-panic", "a lifecycle listener panicked", Some(event), None, |meters| {
        meters.handlers.listener_panicked();
    });
}

/// A part that watches who is where is full: somebody is not counted.
pub(crate) fn presence_full(part: &'static str) {
    fault("presence-full", "there is no room for another member, who is not counted", Some(part), None, |_| {});
}

/// A lifecycle listener took too long.
pub(crate) fn listener_timed_out(event: &'static str) {
    fault("listener-timeout", "a lifecycle listener took too long and was cut off", Some(event), None, |meters| {
        meters.handlers.listener_timed_out();
    });
}

/// Counts and logs a fault of the application with the session and the destination of the frame that is being answered, which
/// spans would show at the level DEBUG alone.
fn fault(
    reason: &'static str,
    message: &'static str,
    event: Option<&'static str>,
    error: Option<Shown<'_>>,
    count: impl Fn(&Meters),
) {
    let error = error.map(field::display);
    frame::with_current(|frame| {
        let session = frame.and_then(|frame| frame.session).map(field::display);
        let destination = frame.and_then(|frame| frame.destination.as_deref());
        let destination = destination.map(|text| field::display(Shown::text(text)));
        match frame.and_then(|frame| frame.meters.as_deref()) {
            Some(meters) => {
                count(meters);
                line!(meters, reason, ERROR, session, destination, event, error, "{message}");
            }
            None => tracing::error!(session, destination, event, error, "{message}"),
        }
    });
}
