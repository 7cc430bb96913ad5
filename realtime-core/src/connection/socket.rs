//! A WebSocket on a transport: events in through the decoder, frames out through the outbox.

use std::{fmt, future::poll_fn, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{
    broker::{FlushEvent, Outbox, OutboxLimits},
    connection::Transport,
    websocket::{Opcode, WebSocketDecoder, WebSocketError, WebSocketEvent, WebSocketLimits, encode_frame},
};

/// Octets read at a time by a connection that has been quiet: a heart-beat or a small message. Every idle connection keeps
/// this much.
const QUIET_CHUNK: usize = 512;

/// Octets read at a time once a read has filled its chunk.
const BUSY_CHUNK: usize = 8 * 1024;

/// A server-side WebSocket. Pings are answered by it.
pub struct Socket {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    input: BytesMut,
    decoder: WebSocketDecoder,
    outbox: Arc<Outbox>,
    /// The last read took all that it had room for, so more is likely to wait.
    is_busy: bool,
    /// The peer's close frame was read: nothing more will come, and after ours the server closes first (section 7.1.1).
    close_received: bool,
    /// What the peer sent was no WebSocket: nothing more of it can be understood.
    is_broken: bool,
}

impl Socket {
    /// A WebSocket over an upgraded connection.
    #[must_use]
    pub fn new(transport: Transport, limits: WebSocketLimits, outbox: OutboxLimits) -> Self {
        Self {
            reader: transport.reader,
            input: BytesMut::from(&transport.read_ahead[..]),
            decoder: WebSocketDecoder::new(limits),
            outbox: Arc::new(Outbox::new(transport.writer, outbox)),
            is_busy: false,
            close_received: false,
            is_broken: false,
        }
    }

    /// The next event, or `None` at the end of the stream or when the outbox has stopped. What waits is written meanwhile.
    /// A ping was answered when it is returned.
    ///
    /// May be dropped and called again; nothing is lost.
    ///
    /// # Errors
    /// What is wrong with the client's octets; close with [`WebSocketError::close_code`].
    pub async fn next(&mut self) -> Result<Option<WebSocketEvent>, WebSocketError> {
        let outbox = Arc::clone(&self.outbox);
        loop {
            if let Some(event) = self.buffered()? {
                return Ok(Some(event));
            }
            tokio::select! {
                event = poll_fn(|cx| outbox.poll_flush(cx)) => {
                    if !matches!(event, FlushEvent::Queued) {
                        tracing::debug!(?event, "the connection ends");
                        return Ok(None);
                    }
                }
                more = self.read_more() => {
                    if !more {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// The next event among the octets that were read already.
    pub(crate) fn buffered(&mut self) -> Result<Option<WebSocketEvent>, WebSocketError> {
        let event = self.decoder.decode(&mut self.input).inspect_err(|_| self.is_broken = true)?;
        match &event {
            Some(WebSocketEvent::Ping(payload)) => self.outbox.push_pong(encode_frame(Opcode::Pong, payload)),
            Some(WebSocketEvent::Close(_)) => self.close_received = true,
            _ => {}
        }
        Ok(event)
    }

    /// Reads once; `false` at the end of the stream.
    pub(crate) async fn read_more(&mut self) -> bool {
        self.input.reserve(if self.is_busy { BUSY_CHUNK } else { QUIET_CHUNK });
        let room = self.input.capacity() - self.input.len();
        let octets = self.reader.read_buf(&mut self.input).await.unwrap_or_default();
        self.is_busy = octets == room;
        octets > 0
    }

    /// Sends a text or binary message, a ping, or any other single frame.
    pub fn send(&self, opcode: Opcode, payload: &[u8]) {
        self.outbox.push(encode_frame(opcode, payload));
    }

    /// The outbox, which owns the write half.
    #[must_use]
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// Writes `farewell` as the last frame, waits until the peer closes too (or `linger` is over), and lets go.
    ///
    /// Reading on matters: a socket that is closed with unread octets is reset, and the peer loses the farewell.
    pub async fn finish(mut self, farewell: Bytes, linger: Duration) {
        self.outbox.finish([farewell]);
        let outbox = Arc::clone(&self.outbox);
        let all = async {
            let mut drained = false;
            let mut half_closed = false;
            loop {
                // The close frame of a peer that broke the protocol cannot be read; the end of our half makes it end its own.
                let half_closes = drained && self.is_broken && !half_closed;
                tokio::select! {
                    event = poll_fn(|cx| outbox.poll_flush(cx)), if !drained => match event {
                        FlushEvent::Drained if self.peer_closed() => break,
                        FlushEvent::Drained => drained = true,
                        FlushEvent::Failed(error) => {
                            tracing::debug!(%error, "the farewell could not be written");
                            return;
                        }
                        FlushEvent::Draining(_) | FlushEvent::Queued | FlushEvent::Stopped(_) => {}
                    },
                    ended = poll_fn(|cx| outbox.poll_shutdown(cx)), if half_closes => {
                        if ended.is_err() {
                            return;
                        }
                        half_closed = true;
                    }
                    more = self.read_more() => {
                        // Looked at in any case: what a peer goes on sending must not pile up.
                        let closed = self.peer_closed();
                        if !more || (drained && closed) {
                            break;
                        }
                    }
                }
            }
            // The peer, too, learns that this was the end and not a cut.
            if let Err(error) = poll_fn(|cx| outbox.poll_shutdown(cx)).await {
                tracing::debug!(%error, "the stream could not be ended in order");
            }
        };
        let _ = tokio::time::timeout(linger, all).await;
        outbox.release();
    }

    /// Whether the peer's close frame was read, now or before. Everything else is thrown away.
    fn peer_closed(&mut self) -> bool {
        while !self.close_received && !self.is_broken {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(WebSocketEvent::Close(_))) => self.close_received = true,
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(_) => self.is_broken = true,
            }
        }
        self.input.clear();
        self.close_received
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("outbox", &self.outbox).finish_non_exhaustive()
    }
}
