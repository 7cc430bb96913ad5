//! How many connections may be open, and what becomes of one more.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::ServeOptions;

/// What a connection over the cap hears, and how long it should wait.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\n\
    content-type: application/json\r\ncontent-length: 86\r\n\r\n\
    {\"code\":\"full\",\"message\":\"The server takes no more connections now. Try again later.\"}";

/// Connections that are being told so at a time. Beyond them a connection is closed without a word.
const MAX_TURNED_AWAY: usize = 64;

/// How long one of these may take to read it.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// The room for connections.
#[derive(Debug)]
pub(crate) struct Slots {
    open: Arc<Semaphore>,
    http: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
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
}

impl Slots {
    pub(crate) fn new(options: &ServeOptions) -> Self {
        let room = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            open: room(options.max_connections),
            http: room(options.max_http_connections),
            turned_away: room(MAX_TURNED_AWAY),
        }
    }

    /// Room for one more connection, where there is any.
    pub(crate) fn take(&self) -> Option<(Slot, HttpSlot)> {
        let open = Arc::clone(&self.open).try_acquire_owned().ok()?;
        let http = Arc::clone(&self.http).try_acquire_owned().ok()?;
        Some((Slot { _open: open }, HttpSlot { _http: http }))
    }

    /// Tells a connection that there is no room for it, in a task that ends within [`TURN_AWAY_TIMEOUT`].
    pub(crate) fn turn_away(&self, io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let Ok(permit) = Arc::clone(&self.turned_away).try_acquire_owned() else { return };
        #[expect(clippy::disallowed_methods, reason = "its time limit ends it")]
        tokio::spawn(async move {
            let _ = timeout(TURN_AWAY_TIMEOUT, say_full(io)).await;
            drop(permit);
        });
    }
}

/// Reads on to the end: a socket that is closed with unread octets is reset, and the client may lose the answer.
async fn say_full(mut io: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    io.write_all(FULL).await?;
    io.shutdown().await?;
    let mut sink = [0; 1024];
    while io.read(&mut sink).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_counts_its_body_right() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
    }

    #[test]
    fn there_is_room_up_to_either_bound_and_again_when_one_is_gone() {
        let options = ServeOptions::default().max_connections(3).max_http_connections(2);
        let slots = Slots::new(&options);
        let first = slots.take().unwrap();
        let (second, http) = slots.take().unwrap();
        assert!(slots.take().is_none(), "two connections speak HTTP");
        drop(http);
        let third = slots.take().unwrap();
        assert!(slots.take().is_none(), "three connections are open");
        drop(second);
        assert!(slots.take().is_none(), "two connections speak HTTP");
        drop((first, third));
        assert!(slots.take().is_some());
    }
}
