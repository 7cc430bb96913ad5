//! From nothing to an open session: the stream, the WebSocket handshake, CONNECT and CONNECTED.

use parlor_stomp::{ClientEvent, ClientSession, ConnectedEvent};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::{
    ConnectionError, Refusal,
    options::Options,
    websocket::{Incident, WebSocket},
};

/// Octets of one WebSocket message at least: a server may send several frames in one.
const MIN_MESSAGE_BYTES: usize = 1024 * 1024;

/// An open session.
pub(crate) struct Opened {
    pub(crate) socket: WebSocket,
    pub(crate) session: ClientSession,
    pub(crate) connected: ConnectedEvent,
}

/// Opens a session, within the time for it.
pub(crate) async fn open(options: &Options) -> Result<Opened, ConnectionError> {
    tokio::time::timeout(options.connect_timeout, connect(options)).await.unwrap_or(Err(ConnectionError::TimedOut))
}

async fn connect(options: &Options) -> Result<Opened, ConnectionError> {
    let mut request = options
        .address
        .clone()
        .into_client_request()
        .map_err(|error| ConnectionError::Address(format!("{} is no address: {error}", options.address)))?;
    request.headers_mut().extend(options.headers.clone());
    let stream = options.connector.connect(&options.address).await?;
    let limits = &options.session.limits;
    let bytes = limits.max_body_bytes.saturating_add(limits.max_head_bytes).max(MIN_MESSAGE_BYTES);
    let mut socket = WebSocket::open(request, stream, bytes).await?;
    let mut session = ClientSession::new(options.session.clone());
    session.connect();
    let mut refusal = None;
    loop {
        while let Some(frame) = session.poll_transmit() {
            socket.push(frame);
        }
        match socket.drive(true).await {
            Incident::Octets(octets) => session.handle_input(octets),
            Incident::Alive | Incident::Deaf | Incident::Written => {}
            Incident::Ended(error) => return Err(after(refusal, error)),
        }
        match session.poll_event()? {
            Some(ClientEvent::Connected(connected)) => return Ok(Opened { socket, session, connected }),
            // Its close status follows.
            Some(ClientEvent::Error { headers, body }) => refusal = Some(Refusal::new(&headers, &body)),
            _ => {}
        }
    }
}

/// How a connection ended, where an ERROR may have come before.
pub(crate) fn after(refusal: Option<Refusal>, end: ConnectionError) -> ConnectionError {
    let Some(refusal) = refusal else { return end };
    let status = match end {
        ConnectionError::Closed { status, .. } => Some(status),
        _ => None,
    };
    ConnectionError::Refused { refusal: Box::new(refusal), status }
}
