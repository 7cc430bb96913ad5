//! Listening to event streams over HTTP: a connection for each subscription, which comes back from the last position.
//!
//! It asks by HTTP/1.0, so that the stream is the octets of the connection and nothing else.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    time::timeout,
};

use crate::chaos::{
    feed::{Feed, FeedEvent, Listener, Transport},
    scene::{CONNECT_TIMEOUT, Scene},
};

/// Between two attempts.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Periods of silence after which a stream is given up.
const SILENCE: u32 = 3;

/// Event streams.
#[derive(Clone)]
pub(super) struct EventStreams {
    pub(super) scene: Arc<Scene>,
    pub(super) address: SocketAddr,
}

/// All streams of one client.
struct EventStreamListener {
    streams: EventStreams,
    name: String,
}

/// One subscription over all its connections.
struct Subscription {
    streams: EventStreams,
    name: String,
    destination: String,
    position: Option<String>,
    confirmed: bool,
    lines: Option<Lines<BufReader<TcpStream>>>,
}

/// One event.
#[derive(Default)]
struct Block {
    name: Option<String>,
    data: Option<String>,
    position: Option<String>,
}

impl Transport for EventStreams {
    fn connect<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Box<dyn Listener>> {
        let listener = EventStreamListener { streams: self.clone(), name: name.to_owned() };
        async { Box::new(listener) as Box<dyn Listener> }.boxed()
    }
}

impl Listener for EventStreamListener {
    fn subscribe(&self, destination: String, resume_from: Option<String>) -> Feed {
        let subscription = Subscription {
            streams: self.streams.clone(),
            name: self.name.clone(),
            destination,
            position: resume_from,
            confirmed: false,
            lines: None,
        };
        stream::unfold(subscription, |mut subscription| async move { Some((subscription.next().await, subscription)) })
            .boxed()
    }

    /// Each stream counts its own.
    fn count_sessions(&self) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }
}

impl Subscription {
    /// The next thing that happens, however many connections that takes.
    async fn next(&mut self) -> FeedEvent {
        loop {
            let Some(lines) = &mut self.lines else {
                match timeout(CONNECT_TIMEOUT, self.open()).await {
                    Ok(Ok(lines)) => {
                        self.lines = Some(lines);
                        self.streams.scene.count(|tally| tally.sessions += 1);
                    }
                    Ok(Err(_)) | Err(_) => tokio::time::sleep(BACK_OFF).await,
                }
                continue;
            };
            let silence = self.streams.scene.heart_beat * SILENCE;
            let Some(Block { name, data, position }) = block(lines, silence).await else {
                self.lines = None;
                continue;
            };
            if position.is_some() {
                self.position = position;
            }
            // The greeting, which says where the stream begins.
            if name.is_none() && data.is_none() && !std::mem::replace(&mut self.confirmed, true) {
                return FeedEvent::Confirmed { position: self.position.clone() };
            }
            match (name.as_deref(), data) {
                (None, Some(id)) => return FeedEvent::Message { id, position: self.position.clone() },
                (Some("parlor.recovered"), Some(told)) => {
                    return FeedEvent::Resumed { recovered: told == r#"{"recovered":true}"# };
                }
                (Some("parlor.closed"), _) => self.lines = None,
                (Some(name), _) => return FeedEvent::Ended(format!("what this tool does not know happened: {name}")),
                (None, None) => {}
            }
        }
    }

    /// A stream behind its head.
    async fn open(&self) -> io::Result<Lines<BufReader<TcpStream>>> {
        let Self { streams, name, destination, position, .. } = self;
        let mut stream = TcpStream::connect(streams.address).await?;
        let position = position.iter().map(|position| format!("last-event-id: {position}\r\n")).collect::<String>();
        let request = format!(
            "GET /events?destination={destination} HTTP/1.0\r\nhost: {}\r\nauthorization: Bearer {name}\r\n{position}\r\n",
            streams.address
        );
        stream.write_all(request.as_bytes()).await?;
        let mut lines = BufReader::new(stream).lines();
        let status = lines.next_line().await?.unwrap_or_default();
        if status.split(' ').nth(1) != Some("200") {
            return Err(io::Error::other(status));
        }
        while let Some(line) = lines.next_line().await? {
            if line.is_empty() {
                return Ok(lines);
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// The next whole event; none at the end of the connection, or after that long without a line. What was cut off is none.
async fn block(lines: &mut Lines<BufReader<TcpStream>>, silence: Duration) -> Option<Block> {
    let mut block = Block::default();
    loop {
        let line = timeout(silence, lines.next_line()).await.ok()?.ok()??;
        match line.split_once(':').map(|(field, value)| (field, value.trim_start().to_owned())) {
            Some(("event", value)) => block.name = Some(value),
            Some(("data", value)) => block.data = Some(value),
            Some(("id", value)) => block.position = Some(value),
            None if line.is_empty() => return Some(block),
            _ => {}
        }
    }
}
