//! How many connections may be open, and what becomes of one more.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use parlor_core::{Config, limits::AdmissionError};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    ServeOptions,
    addresses::{Addresses, Seat},
};

/// What a connection over the cap of all hears, and how long it should wait.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\n\
    content-type: application/json\r\ncontent-length: 86\r\n\r\n\
    {\"code\":\"full\",\"message\":\"The server takes no more connections now. Try again later.\"}";

/// What a connection over the cap of its address hears.
const ADDRESS_FULL: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 5\r\nconnection: close\r\n\
    content-type: application/json\r\ncontent-length: 137\r\n\r\n\
    {\"code\":\"too-many-connections-from-address\",\
    \"message\":\"There are too many connections from your network. Close one, or try again later.\"}";

/// Connections that are being told so at a time. Beyond them a connection is closed without a word.
const MAX_TURNED_AWAY: usize = 64;

/// How long one of these may take to read it.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// The room for connections.
#[derive(Debug)]
pub(crate) struct Slots {
    open: Arc<Semaphore>,
    http: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    turned_away: Arc<Semaphore>,
}

/// Why there is no room for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// Its address has as many as it may.
    Address,
    /// All of them together are as many as may be.
    Full,
}

/// The right to be open; it lives as long as the socket.
#[derive(Debug)]
pub(crate) struct Slot {
    _open: OwnedSemaphorePermit,
}

/// The right to speak HTTP; given back when the connection has become a WebSocket.
#[derive(Debug)]
pub(crate) struct HttpSlot {
    _http: OwnedSemaphorePermit,
    _seat: Seat,
}

impl NoRoom {
    /// The stable code.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Address => AdmissionError::AddressFull.code(),
            Self::Full => AdmissionError::Full.code(),
        }
    }

    const fn answer(self) -> &'static [u8] {
        match self {
            Self::Address => ADDRESS_FULL,
            Self::Full => FULL,
        }
    }
}

impl Slots {
    pub(crate) fn new(options: &ServeOptions, config: &Config) -> Self {
        let room = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            open: room(options.max_connections),
            http: room(options.max_http_connections),
            addresses: Addresses::new(options, config),
            turned_away: room(MAX_TURNED_AWAY),
        }
    }

    /// Room for one more connection.
    pub(crate) fn take(&self, peer: Option<SocketAddr>) -> Result<(Slot, HttpSlot), NoRoom> {
        // Its own bound first: whoever has too much is told so, however full it is.
        let seat = self.addresses.seat(peer).ok_or(NoRoom::Address)?;
        let open = Arc::clone(&self.open).try_acquire_owned().map_err(|_| NoRoom::Full)?;
        let http = Arc::clone(&self.http).try_acquire_owned().map_err(|_| NoRoom::Full)?;
        Ok((Slot { _open: open }, HttpSlot { _http: http, _seat: seat }))
    }

    /// Tells a connection that there is no room for it, in a task that ends within [`TURN_AWAY_TIMEOUT`].
    pub(crate) fn turn_away(&self, io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, why: NoRoom) {
        let Ok(permit) = Arc::clone(&self.turned_away).try_acquire_owned() else { return };
        #[expect(clippy::disallowed_methods, reason = "its time limit ends it")]
        tokio::spawn(async move {
            let _ = timeout(TURN_AWAY_TIMEOUT, say(why.answer(), io)).await;
            drop(permit);
        });
    }
}

/// Reads on to the end: a socket that is closed with unread octets is reset, and the client may lose the answer.
async fn say(answer: &[u8], mut io: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    io.write_all(answer).await?;
    io.shutdown().await?;
    let mut sink = [0; 1024];
    while io.read(&mut sink).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_count_their_bodies_right_and_say_what_a_handshake_is_told() {
        for (why, error) in [(NoRoom::Address, AdmissionError::AddressFull), (NoRoom::Full, AdmissionError::Full)] {
            let text = std::str::from_utf8(why.answer()).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {}\r\n", error.status())), "{head}");
            assert!(head.contains(&format!("retry-after: {}\r\n", error.retry_after().as_secs())), "{head}");
            assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
            assert_eq!(body, format!("{{\"code\":\"{}\",\"message\":\"{error}\"}}", error.code()));
        }
    }

    #[test]
    fn there_is_room_up_to_either_bound_and_again_when_one_is_gone() {
        let options = ServeOptions::default().max_connections(3).max_http_connections(2);
        let slots = Slots::new(&options, &Config::default());
        let first = slots.take(None).unwrap();
        let (second, http) = slots.take(None).unwrap();
        assert!(slots.take(None).is_err(), "two connections speak HTTP");
        drop(http);
        let third = slots.take(None).unwrap();
        assert!(slots.take(None).is_err(), "three connections are open");
        drop(second);
        assert!(slots.take(None).is_err(), "two connections speak HTTP");
        drop((first, third));
        assert!(slots.take(None).is_ok());
    }
}
