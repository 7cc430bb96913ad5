//! One connected STOMP session on the client's state machine.

use std::{error::Error, net::SocketAddr};

use parlor_stomp::{ClientConfig, ClientEvent, ClientSession};

use crate::websocket::WebSocket;

/// A session and its connection.
pub(crate) struct Subscriber {
    websocket: WebSocket,
    pub(crate) session: ClientSession,
}

impl Subscriber {
    /// Connects and waits for CONNECTED.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let mut session = ClientSession::new(ClientConfig::default());
        session.connect();
        let mut subscriber = Self { websocket: WebSocket::connect(address).await?, session };
        match subscriber.next().await? {
            ClientEvent::Connected(_) => Ok(subscriber),
            other => Err(format!("instead of CONNECTED came {other:?}").into()),
        }
    }

    /// Sends what is queued.
    pub(crate) async fn flush(&mut self) -> Result<(), Box<dyn Error>> {
        while let Some(frame) = self.session.poll_transmit() {
            self.websocket.send(&frame.bytes).await?;
        }
        Ok(())
    }

    /// The next event, after sending what is queued.
    pub(crate) async fn next(&mut self) -> Result<ClientEvent, Box<dyn Error>> {
        self.flush().await?;
        loop {
            if let Some(event) = self.session.poll_event()? {
                return Ok(event);
            }
            let octets = self.websocket.next().await?.ok_or("the broker closed the connection")?;
            self.session.handle_input(octets);
        }
    }

    /// Waits for a receipt; nothing else may come before it.
    pub(crate) async fn receipt(&mut self) -> Result<(), Box<dyn Error>> {
        match self.next().await? {
            ClientEvent::Receipt(_) => Ok(()),
            other => Err(format!("instead of a RECEIPT came {other:?}").into()),
        }
    }
}
