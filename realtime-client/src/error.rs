//! What goes wrong: with the connection, a SUBSCRIBE, a SEND, an ACK, the close.

use std::{io, sync::Arc, time::Duration};

use parlor_stomp::ClientError;

use crate::{Refusal, refusal::milliseconds};

/// Why a connection could not be opened, or ended.
///
/// ```
/// use std::time::Duration;
/// use parlor_client::ConnectionError;
///
/// let full = ConnectionError::Closed { status: 1013, reason: "server-stopping; retry-after=3200".to_owned() };
/// assert!(full.may_reconnect());
/// assert_eq!(full.retry_after(), Some(Duration::from_millis(3200)));
/// let logged_out = ConnectionError::Closed { status: 4401, reason: String::new() };
/// assert!(!logged_out.may_reconnect());
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The address, or a header of the handshake, is none. Correct the call of `Client::builder`.
    #[error("{0}")]
    Address(String),
    /// The server closed the WebSocket.
    #[error("the server closed the connection: {status} {reason}")]
    Closed {
        /// The close status; 1006 where the connection broke without one.
        status: u16,
        /// The reason, `retry-after=3200` among others.
        reason: String,
    },
    /// The server answered the WebSocket handshake with another status than 101.
    #[error("the server refused the handshake: {status} {message}")]
    Handshake {
        /// The HTTP status.
        status: u16,
        /// Parlor's code (`docs/codes.md`), where the body has one.
        code: Option<String>,
        /// A sentence for people.
        message: String,
        /// The header `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// Nothing was heard of the server for three heart-beat periods, pings were not answered either.
    #[error("the server fell silent")]
    HeartBeat,
    /// The network failed.
    #[error("the network failed: {0}")]
    Io(#[from] Arc<io::Error>),
    /// The server sent what is not STOMP.
    #[error(transparent)]
    Protocol(#[from] ClientError),
    /// The server sent ERROR.
    #[error("the server ended the session: {refusal}")]
    Refused {
        /// What it said.
        refusal: Box<Refusal>,
        /// The close status behind it, where one came.
        status: Option<u16>,
    },
    /// It was not open within the time for it; see [`connect_timeout`](crate::ClientBuilder::connect_timeout).
    #[error("the connection was not open in time")]
    TimedOut,
    /// The server broke the WebSocket protocol.
    #[error("the server broke the WebSocket protocol: {0}")]
    WebSocket(String),
}

/// The close status of a connection that broke without one (RFC 6455, section 7.1.5).
const ABNORMAL: u16 = 1006;

impl ConnectionError {
    /// The connection broke without a word.
    pub(crate) fn broken() -> Self {
        Self::Closed { status: ABNORMAL, reason: String::new() }
    }

    /// Whether the client tries again by itself: not where the address is wrong, the login was refused (401, 403), or the
    /// server closed with a status from 4400 to 4499.
    #[must_use]
    pub fn may_reconnect(&self) -> bool {
        let refused = |status: u16| (4400..=4499).contains(&status);
        match self {
            Self::Address(_) => false,
            Self::Closed { status, .. } => !refused(*status),
            Self::Handshake { status, .. } => !matches!(status, 401 | 403),
            Self::Refused { status, .. } => !status.is_some_and(refused),
            _ => true,
        }
    }

    /// How long the server asked to stay away: `retry-after` of ERROR, of the close reason, or of the refused handshake.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Closed { reason, .. } => {
                reason.split([' ', ';', ',']).find_map(|part| part.strip_prefix("retry-after=")).and_then(milliseconds)
            }
            Self::Handshake { retry_after, .. } => *retry_after,
            Self::Refused { refusal, .. } => refusal.retry_after,
            _ => None,
        }
    }
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

/// Why a subscription does not exist.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::{Client, SubscribeError};
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// match client.subscribe("/topic/secrets").await {
///     Ok(_subscription) => println!("it is ours to hear"),
///     Err(SubscribeError::Refused(refusal)) => println!("not allowed: {refusal}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The client was closed, or has given up.
    #[error("the client is closed")]
    Closed,
    /// The server does not allow it.
    #[error("the server refused the subscription: {0}")]
    Refused(Box<Refusal>),
    /// The server did not confirm it in time; nothing of it is left.
    #[error("the subscription was not confirmed in time")]
    TimedOut,
}

/// Why a frame was not handled, or is not known to be.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::{Client, SendError};
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// match client.send("/app/rooms/7/say").json("hello").receipt().await {
///     Ok(()) => println!("the handler has finished"),
///     Err(SendError::Refused(refusal)) => println!("{refusal}"),
///     Err(error) if error.is_unknown() => println!("it may have been said: look before it is said again"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The client was closed, or has given up, before the frame was sent.
    #[error("the client is closed")]
    Closed,
    /// The value cannot be written as JSON.
    #[error("the body cannot be written as JSON: {0}")]
    Json(Arc<serde_json::Error>),
    /// The server refused it, or its handler failed.
    #[error("the server refused the message: {0}")]
    Refused(Box<Refusal>),
    /// The transaction, or the message to be acknowledged, belongs to a connection that has ended: nothing was sent.
    #[error("the connection that it belongs to has ended")]
    SessionEnded,
    /// No answer came in time: the message may or may not have been handled.
    #[error("no answer came in time: the message may or may not have been handled")]
    TimedOut,
    /// The connection ended before the answer: the message may or may not have been handled.
    #[error("the connection ended before the answer: the message may or may not have been handled")]
    Unknown,
}

impl SendError {
    /// Whether the message may have been handled all the same. Repeat it with the same message key then.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Unknown)
    }
}

/// Why a message cannot be acknowledged.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::{AckError, AckMode, Client};
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// let mut jobs = client.subscribe("/queue/jobs").ack(AckMode::ClientIndividual).await?;
/// while let Some(job) = jobs.recv().await {
///     match job.ack().await {
///         Ok(()) => {}
///         Err(AckError::SessionEnded) => println!("{} will come again", job.message_id()),
///         Err(error) => return Err(error.into()),
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// Its subscription acknowledges by itself; subscribe with another [`AckMode`](crate::AckMode).
    #[error("the subscription's mode is auto: there is nothing to acknowledge")]
    Auto,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// The connection that brought it has ended: the server delivers it again.
    #[error("the connection that brought the message has ended; it will be delivered again")]
    SessionEnded,
}

/// Why a close was not clean.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::{Client, CloseError};
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// match client.close().await {
///     Err(CloseError::Unconfirmed) => println!("what was sent last may be lost"),
///     closed => closed?,
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The client had ended before.
    #[error("the client had ended before: {0}")]
    Ended(ConnectionError),
    /// The server did not confirm DISCONNECT in time, or there was no connection: what was sent last may be lost.
    #[error("the server did not confirm the end; what was sent last may not have been handled")]
    Unconfirmed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(status: u16, reason: &str) -> ConnectionError {
        ConnectionError::Closed { status, reason: reason.to_owned() }
    }

    fn handshake(status: u16) -> ConnectionError {
        ConnectionError::Handshake { status, code: None, message: String::new(), retry_after: None }
    }

    #[test]
    fn a_client_stays_away_by_the_statuses_that_say_so_and_by_no_other() {
        for (status, again) in [(1000, true), (1006, true), (1012, true), (4399, true), (4400, false), (4401, false)] {
            assert_eq!(closed(status, "").may_reconnect(), again, "{status}");
        }
        for (status, again) in [(4499, false), (4500, true)] {
            assert_eq!(closed(status, "").may_reconnect(), again, "{status}");
        }
        for (status, again) in [(401, false), (403, false), (404, true), (429, true), (503, true)] {
            assert_eq!(handshake(status).may_reconnect(), again, "{status}");
        }
    }

    #[test]
    fn the_time_to_come_back_stands_in_the_close_reason() {
        assert_eq!(closed(1012, "retry-after=3200").retry_after(), Some(Duration::from_millis(3200)));
        assert_eq!(closed(1012, "stopping; retry-after=5").retry_after(), Some(Duration::from_millis(5)));
        for reason in ["", "retry-after=", "retry-after=soon", "later"] {
            assert_eq!(closed(1012, reason).retry_after(), None, "{reason}");
        }
    }
}
