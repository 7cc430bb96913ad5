//! A WebSocket on a transport: events in through the decoder, frames out through the outbox.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, ReadBuf},
    time::Instant,
};

use crate::{
    clock,
    config::Config,
    connection::{Transport, scratch, transport::Reader},
    limits::{Excess, SocketRates, TokenBucket},
    outbox::{FlushEvent, Outbox},
    websocket::{Opcode, WebSocketDecoder, WebSocketError, WebSocketEvent, encode_frame},
};

/// Octets that a peer may still send once it was told that the connection ends: what may lie in the buffers between. Who sends
/// more is not reading, and what it sends costs time; it may lose the farewell.
const MOST_THROWN_AWAY: usize = 4 * 1024 * 1024;

/// A server-side WebSocket. Pings are answered by it.
///
/// ```
/// use parlor_core::{Config, connection::{Socket, Transport}, websocket::WebSocketEvent};
/// use tokio::io::AsyncWriteExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut client, server) = tokio::io::duplex(1024);
/// let mut socket = Socket::new(Transport::stream(server, bytes::Bytes::new()), &Config::default());
/// client.write_all(b"\x81\x82\0\0\0\0hi").await?;
/// let Some(WebSocketEvent::Data { payload, .. }) = socket.next().await? else { panic!("a message") };
/// assert_eq!(&payload[..], b"hi");
/// # Ok(()) }
/// ```
pub struct Socket {
    reader: Reader,
    /// What was read and is not decoded: less than a frame, most of the time nothing.
    input: BytesMut,
    decoder: WebSocketDecoder,
    outbox: Arc<Outbox>,
    /// Octets that were read and not yet taken into account.
    octets_read: usize,
    /// The last read took all that there was room for, so more is likely to wait.
    is_busy: bool,
    /// The peer's close frame was read: nothing more will come, and after ours the server closes first (section 7.1.1).
    close_received: bool,
    /// What the peer sent was no WebSocket: nothing more of it can be understood.
    is_broken: bool,
    rates: Arc<SocketRates>,
    /// What was used of the rate of octets.
    octets: TokenBucket,
    /// What was used of the rate of units that carry nothing.
    empty_units: TokenBucket,
}

/// Why nothing more of a peer is taken.
///
/// ```
/// use parlor_core::{Config, connection::{Socket, Transport}};
/// use tokio::io::AsyncWriteExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut client, server) = tokio::io::duplex(1024);
/// let mut socket = Socket::new(Transport::stream(server, bytes::Bytes::new()), &Config::default());
/// client.write_all(b"\x81\x02hi").await?; // without a mask, as no client may send it
/// assert_eq!(socket.next().await.unwrap_err().close_code(), 1002);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// It sends more than a rate allows.
    #[error(transparent)]
    Excess(#[from] Excess),
    /// What it sends is no WebSocket.
    #[error(transparent)]
    WebSocket(#[from] WebSocketError),
}

impl SocketError {
    /// The status to close with.
    #[must_use]
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::Excess(_) => 1008,
            Self::WebSocket(error) => error.close_code(),
        }
    }
}

impl Socket {
    /// A WebSocket over an upgraded connection, with the limits and rates of `config` for messages, octets, empty units and
    /// the outbox.
    #[must_use]
    pub fn new(transport: Transport, config: &Config) -> Self {
        Self::with_rates(transport, config, Arc::new(config.socket_rates()))
    }

    /// The same, with rates that were made before.
    pub(crate) fn with_rates(transport: Transport, config: &Config, rates: Arc<SocketRates>) -> Self {
        let now = clock::now();
        let mut octets = TokenBucket::new(now);
        // What the HTTP layer had room for is less than a burst.
        let _ = octets.take(rates.octets, transport.read_ahead.len() as u64, now);
        Self {
            reader: transport.reader,
            input: BytesMut::from(&transport.read_ahead[..]),
            decoder: WebSocketDecoder::new(config.websocket.clone()),
            outbox: Arc::new(Outbox::over(transport.writer, config.outbox)),
            octets_read: transport.read_ahead.len(),
            is_busy: false,
            close_received: false,
            is_broken: false,
            rates,
            octets,
            empty_units: TokenBucket::new(now),
        }
    }

    /// The next event, or `None` at the end of the stream or when the outbox has stopped. What waits is written meanwhile.
    /// A ping was answered when it is returned.
    ///
    /// May be dropped and called again; nothing is lost.
    ///
    /// # Errors
    /// What is wrong with what the client sends; close with [`SocketError::close_code`].
    pub async fn next(&mut self) -> Result<Option<WebSocketEvent>, SocketError> {
        let outbox = Arc::clone(&self.outbox);
        loop {
            if let Some(event) = self.buffered(clock::now())? {
                return Ok(Some(event));
            }
            tokio::select! {
                event = poll_fn(|cx| outbox.poll_flush(cx)) => {
                    if !matches!(event, FlushEvent::Queued) {
                        tracing::debug!(?event, "the connection ends");
                        return Ok(None);
                    }
                }
                more = poll_fn(|cx| self.poll_read_more(cx)) => {
                    if !more? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// The next event among the octets that were read already.
    pub(crate) fn buffered(&mut self, now: Instant) -> Result<Option<WebSocketEvent>, SocketError> {
        let event = self.decoder.decode(&mut self.input).inspect_err(|_| self.is_broken = true)?;
        if self.input.is_empty() {
            // Even an empty rest holds the memory that it was cut from.
            self.input = BytesMut::new();
        }
        if event.as_ref().is_some_and(carries_nothing) {
            self.charge_empty_units(1, now)?;
        }
        match &event {
            Some(WebSocketEvent::Ping(payload)) => self.outbox.push_pong(encode_frame(Opcode::Pong, payload)),
            Some(WebSocketEvent::Close(_)) => self.close_received = true,
            _ => {}
        }
        Ok(event)
    }

    /// Reads once; `false` at the end of the stream.
    pub(crate) fn poll_read_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, SocketError>> {
        let octets = ready!(self.poll_fill(cx));
        self.octets_read += octets;
        let charged = self.octets.take(self.rates.octets, octets as u64, clock::now()).map_err(Excess::of("octets"));
        Poll::Ready(charged.map(|()| octets > 0).map_err(SocketError::from))
    }

    /// Counts units that carry nothing.
    pub(crate) fn charge_empty_units(&mut self, units: u64, now: Instant) -> Result<(), Excess> {
        let charged = self.empty_units.take(self.rates.empty_units, units, now);
        charged.map_err(Excess::of("heart-beats, pings and empty messages"))
    }

    /// Whether a message or a frame of the WebSocket has begun whose end has not come yet, an incomplete header included.
    pub(crate) fn is_mid_unit(&self) -> bool {
        self.is_mid_message() || self.decoder.is_mid_frame() || !self.input.is_empty()
    }

    /// Whether a message has begun whose end has not come yet.
    pub(crate) fn is_mid_message(&self) -> bool {
        self.decoder.is_mid_message()
    }

    /// How many octets were read since the last call.
    pub(crate) fn take_octets_read(&mut self) -> usize {
        std::mem::take(&mut self.octets_read)
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
            let mut thrown_away = 0;
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
                    // No rate any more: the farewell would be lost to a reset.
                    octets = poll_fn(|cx| self.poll_fill(cx)) => {
                        thrown_away += octets;
                        // Looked at in any case: what a peer goes on sending must not pile up.
                        let closed = self.peer_closed();
                        if octets == 0 || thrown_away > MOST_THROWN_AWAY || (drained && closed) {
                            break;
                        }
                        if self.is_busy {
                            // A flood is thrown away chunk by chunk, with everyone else's turn in between.
                            tokio::task::yield_now().await;
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

    /// Reads once; how many octets, none at the end of the stream.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        scratch::lend(|room| {
            let mut room = ReadBuf::new(room);
            let read = ready!(Pin::new(&mut self.reader).poll_read(cx, &mut room));
            let octets = if read.is_ok() { room.filled() } else { &[] };
            self.input.extend_from_slice(octets);
            self.is_busy = octets.len() == room.capacity();
            Poll::Ready(octets.len())
        })
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
        self.input = BytesMut::new();
        self.close_received
    }
}

/// Whether an event is a control frame, or data without data.
fn carries_nothing(event: &WebSocketEvent) -> bool {
    match event {
        WebSocketEvent::Data { payload, .. } => payload.is_empty(),
        WebSocketEvent::Ping(_) | WebSocketEvent::Pong(_) => true,
        WebSocketEvent::Close(_) => false,
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("outbox", &self.outbox).finish_non_exhaustive()
    }
}
