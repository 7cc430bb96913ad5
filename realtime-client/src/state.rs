//! What a client tells of its connection.

use std::time::Duration;

use parlor_stomp::Version;

use crate::ConnectionError;

/// The state of the connection, as [`Client::state`](crate::Client::state) shows it.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_client::{Client, ConnectionState};
///
/// let client = Client::builder("ws://127.0.0.1:8080/ws").connect().await?;
/// let mut state = client.state();
/// while state.changed().await.is_ok() {
///     match &*state.borrow_and_update() {
///         ConnectionState::Reconnecting { attempt, delay, cause } => println!("{attempt} in {delay:?}: {cause}"),
///         now => println!("connected: {}", now.is_connected()),
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The client has ended and does not come back.
    Closed {
        /// Why; none where it was closed.
        cause: Option<ConnectionError>,
    },
    /// A session is open.
    Connected {
        /// The session's id, where the server says it.
        session: Option<String>,
        /// The version of STOMP that was agreed on.
        version: Version,
    },
    /// The connection ended, or an attempt failed, and the next attempt follows.
    Reconnecting {
        /// Its number, counted from 1.
        attempt: u32,
        /// How long the client waits before it.
        delay: Duration,
        /// Why it is needed.
        cause: ConnectionError,
    },
}

impl ConnectionState {
    /// Whether a session is open.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }

    /// Whether the client has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}
