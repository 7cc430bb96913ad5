//! Why a connection ends: one table of stable codes, what the client is told, and whether it should come back.
//!
//! A [`Closing`] is both the ERROR frame (where there is one) and the WebSocket close frame. Codes are stable: clients
//! may switch on them. Close statuses follow RFC 6455 section 7.4; 4401 is this project's own for an expired token.

use std::{borrow::Cow, time::Duration};

use parlor_stomp::Fault;

use crate::limits::Excess;

/// The end of a connection, as the server decided it.
///
/// ```
/// use std::time::Duration;
/// use parlor_core::connection::Closing;
///
/// let stop = Closing::going_away(Duration::from_secs(2));
/// assert_eq!((stop.code(), stop.status(), stop.reason()), ("going-away", 1012, "retry-after=2000"));
/// assert!(stop.invites_back() && stop.error().is_none());
///
/// let banned = Closing::application("banned", 4403, "You were banned from this room");
/// assert!(!banned.invites_back(), "statuses 4400 to 4499 do not");
/// assert_eq!(banned.error().unwrap().message, "You were banned from this room");
/// ```
#[derive(Clone, Debug)]
pub struct Closing {
    code: Cow<'static, str>,
    status: u16,
    reason: String,
    /// When to come back, where the server says so without an ERROR.
    retry_after: Option<Duration>,
    error: Option<Box<Fault>>,
}

impl Closing {
    /// A normal end (1000): DISCONNECT was answered.
    #[must_use]
    pub fn normal() -> Self {
        Self::quiet("disconnected", 1000, "")
    }

    /// A protocol fault: ERROR, then close with 1002, or 1009 where something was too large.
    #[must_use]
    pub fn fault(fault: Fault) -> Self {
        let status = if fault.too_large { 1009 } else { 1002 };
        Self::of_fault(fault, status)
    }

    /// A refused frame that ends the connection by rule 11: ERROR, then close with 1008 (policy).
    #[must_use]
    pub fn refused(fault: Fault) -> Self {
        Self::of_fault(fault, 1008)
    }

    /// The client does not read fast enough: ERROR, then close with 1013 (try again later).
    #[must_use]
    pub fn slow_consumer() -> Self {
        Self::told(
            "slow-consumer",
            1013,
            "Messages for this connection were not read in time",
            "The outbound queue reached its bound. Read faster, or subscribe to less; it is safe to reconnect.",
        )
    }

    /// A handler of SUBSCRIBE took so long that more was published meanwhile than may wait for it: ERROR, then close with 1013.
    #[must_use]
    pub(crate) fn slow_handler() -> Self {
        Self::told(
            "slow-handler",
            1013,
            "The server took too long to begin a subscription",
            "Too many messages were published while it was made. It was not the fault of the client; it is safe to reconnect.",
        )
    }

    /// No CONNECT came in time: ERROR, then close with 1008.
    #[must_use]
    pub fn connect_timeout(limit: Duration) -> Self {
        Self::told(
            "connect-timeout",
            1008,
            "No CONNECT frame arrived in time",
            format!("Send a CONNECT frame within {} ms after the WebSocket is open.", limit.as_millis()),
        )
    }

    /// A message or frame was begun and not completed in time: ERROR, then close with 1008.
    #[must_use]
    pub fn frame_timeout(limit: Duration) -> Self {
        Self::told(
            "frame-timeout",
            1008,
            "A message or frame was not completed in time",
            format!("Send a WebSocket message and a STOMP frame whole within {} ms.", limit.as_millis()),
        )
    }

    /// The client sends more than a rate allows: ERROR with `retry-after` in milliseconds, then close with 1008.
    #[must_use]
    pub fn rate_limited(excess: &Excess) -> Self {
        let fault = Fault::new("rate-limited", format!("There were more {} than the rate allows", excess.what))
            .with_detail("Send less in the same time, and wait for retry-after (milliseconds) before you reconnect.")
            .with_retry_after(excess.retry_after);
        Self::of_fault(fault, 1008)
    }

    /// The client fell silent although it agreed to send heart-beats: ERROR, then close with 1002.
    #[must_use]
    pub fn heart_beat_timeout() -> Self {
        Self::told(
            "heart-beat-timeout",
            1002,
            "No heart-beat arrived in time",
            "Nothing was heard for three agreed heart-beat periods, and a WebSocket ping was not answered.",
        )
    }

    /// The token that authenticated the session ended: ERROR, then close with 4401.
    #[must_use]
    pub fn token_expired() -> Self {
        Self::told(
            "token-expired",
            4401,
            "The session's token has expired",
            "Log in again, or renew the token, and reconnect.",
        )
    }

    /// Nothing more will come, and no reconnect changes that: ERROR, then close with 4410.
    #[must_use]
    pub fn ended() -> Self {
        Self::told("ended", 4410, "Nothing more will come here", "It is over; there is no reason to reconnect.")
    }

    /// The user's rights have changed, and what an event stream carries is not among them any more: its last event says so. By
    /// the status, a client should not come back by itself.
    #[must_use]
    pub(crate) fn forbidden() -> Self {
        Self::quiet("forbidden", 4403, "forbidden")
    }

    /// The server itself failed while it served the connection: ERROR, then close with 1011.
    #[must_use]
    pub(crate) fn internal() -> Self {
        Self::told(
            "internal",
            1011,
            "The server failed while it served this connection",
            "It was not the fault of what was sent; it is safe to reconnect.",
        )
    }

    /// The server stops: close with 1012 and the time after which to come back.
    #[must_use]
    pub fn going_away(retry_after: Duration) -> Self {
        let reason = format!("retry-after={}", retry_after.as_millis());
        Self { retry_after: Some(retry_after), ..Self::quiet("going-away", 1012, &reason) }
    }

    /// The client closed first: its close frame is answered with its own status.
    #[must_use]
    pub(crate) fn echo(status: Option<u16>) -> Self {
        Self::quiet("closed-by-client", status.unwrap_or(1000), "")
    }

    /// A broken WebSocket: close with the status of RFC 6455 for it.
    #[must_use]
    pub(crate) fn websocket(status: u16, reason: &str) -> Self {
        Self::quiet("websocket-error", status, reason)
    }

    /// An end of the application's own: ERROR with `code` and `message`, then close with `status`.
    ///
    /// Use a status of 4000 to 4999 (RFC 6455 section 7.4.2). By convention 4400 to 4499 tells clients not to reconnect.
    #[must_use]
    pub fn application(code: &'static str, status: u16, message: impl Into<Cow<'static, str>>) -> Self {
        Self::told(code, status, message, "")
    }

    /// Names the receipt that the frame asked for which the connection ends for.
    #[must_use]
    pub(crate) fn with_receipt(mut self, receipt: Option<&str>) -> Self {
        if let (Some(error), Some(receipt)) = (&mut self.error, receipt) {
            error.receipt = Some(receipt.to_owned());
        }
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The WebSocket close status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The WebSocket close reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// When the client may come back, where the server says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after.or_else(|| self.error.as_ref()?.retry_after)
    }

    /// Whether a client may come back by itself: not with the statuses 4400 to 4499.
    #[must_use]
    pub fn invites_back(&self) -> bool {
        !(4400..4500).contains(&self.status)
    }

    /// What the ERROR frame says, where one is sent before the close.
    #[must_use]
    pub fn error(&self) -> Option<&Fault> {
        self.error.as_deref()
    }

    fn quiet(code: &'static str, status: u16, reason: &str) -> Self {
        Self { code: code.into(), status, reason: reason.to_owned(), retry_after: None, error: None }
    }

    fn told(
        code: &'static str,
        status: u16,
        message: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::of_fault(Fault::new(code, message).with_detail(detail), status)
    }

    fn of_fault(fault: Fault, status: u16) -> Self {
        let (code, reason) = (fault.code.clone(), fault.code.to_string());
        Self { code, status, reason, retry_after: None, error: Some(Box::new(fault)) }
    }
}
