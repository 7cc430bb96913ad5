//! Wherever the connection is cut, the application sees every message once and in order, and what it sends with a key is
//! handled once.
//!
//! The server keeps a history and the keys that it has handled. It cuts each connection after a number of octets that the
//! test chooses, in the middle of frames too, and repeats some of its history after a resume.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test may fail, and its runtime ends its tasks"
)]

mod support;

use std::{
    collections::HashSet,
    future::IntoFuture,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use parlor_client::{Client, ReconnectPolicy};
use parlor_stomp::{Command, Decoder, Frame, Limits, Version};
use proptest::prelude::*;
use support::encoded;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};

/// Messages of a run: fewer than the client remembers positions.
const MESSAGES: usize = 20;

/// Paused time: a run that takes longer has come to a stand.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the server knows over all connections.
#[derive(Default)]
struct World {
    /// How many messages the destination has had; the position of each is its number.
    published: usize,
    handled: HashSet<String>,
    order: Vec<String>,
}

/// A client's end that breaks after so many octets each way.
struct Fragile {
    stream: DuplexStream,
    reads: usize,
    writes: usize,
}

impl AsyncRead for Fragile {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.reads == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let mut octets = vec![0; self.reads.min(buffer.remaining())];
        let mut part = ReadBuf::new(&mut octets);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut part);
        self.reads -= part.filled().len();
        buffer.put_slice(part.filled());
        read
    }
}

impl AsyncWrite for Fragile {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if self.writes == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let most = octets.len().min(self.writes);
        let written = Pin::new(&mut self.stream).poll_write(cx, &octets[..most]);
        if let Poll::Ready(Ok(count)) = written {
            self.writes -= count;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Serves one connection until it breaks. `overlap` messages before the asked position are repeated.
async fn serve(stream: DuplexStream, world: Arc<Mutex<World>>, overlap: usize) -> Option<()> {
    #[expect(clippy::result_large_err, reason = "the library's type")]
    let choose = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        response.headers_mut().insert("sec-websocket-protocol", "v12.stomp".parse().unwrap());
        Ok(response)
    };
    let mut socket = accept_hdr_async(stream, choose).await.ok()?;
    let mut decoder = Decoder::new(Limits::default());
    let mut subscriber: Option<(String, usize)> = None;
    loop {
        // One message at a time, so that frames of both directions mix.
        if let Some((id, next)) = &mut subscriber
            && *next < MESSAGES
        {
            let position = next.to_string();
            *next += 1;
            {
                let mut world = world.lock().unwrap();
                world.published = world.published.max(*next);
            }
            let headers = [("subscription", &**id), ("message-id", &position), ("position", &position)];
            let message = Message::Binary(encoded(Command::Message, &headers, &position));
            send(&mut socket, message).await?;
        }
        let wait = Duration::from_millis(10);
        let octets = match timeout(wait, socket.next()).await {
            Ok(Some(Ok(message))) => message.into_data(),
            Ok(_) => return None,
            Err(_) => continue,
        };
        decoder.push(octets);
        while let Some(frame) = decoder.decode().ok()? {
            for answer in answer(&frame, &mut decoder, &world, &mut subscriber, overlap) {
                send(&mut socket, Message::Binary(answer)).await?;
            }
        }
    }
}

async fn send(socket: &mut WebSocketStream<DuplexStream>, message: Message) -> Option<()> {
    socket.send(message).await.ok()
}

fn answer(
    frame: &Frame,
    decoder: &mut Decoder,
    world: &Mutex<World>,
    subscriber: &mut Option<(String, usize)>,
    overlap: usize,
) -> Vec<bytes::Bytes> {
    let header = |name| frame.headers.get(name).map(str::to_owned);
    let mut receipt = vec![("receipt-id", header("receipt").unwrap_or_default())];
    match frame.command {
        Command::Connect => {
            decoder.set_version(Version::V1_2);
            return vec![encoded(Command::Connected, &[("version", "1.2")], "")];
        }
        Command::Subscribe => {
            let from = header("resume-from").map(|position| position.parse::<usize>().unwrap() + 1);
            *subscriber = Some((header("id").unwrap(), from.unwrap_or(0).saturating_sub(overlap)));
            receipt.push(("recovered", from.is_some().to_string()));
        }
        Command::Send => {
            let key = header("message-key").unwrap();
            let mut world = world.lock().unwrap();
            if world.handled.insert(key.clone()) {
                world.order.push(key);
            }
        }
        _ => {}
    }
    let headers: Vec<_> = receipt.iter().map(|(name, value)| (*name, &**value)).collect();
    vec![encoded(Command::Receipt, &headers, "")]
}

/// Runs a client against a server whose connections break after so many octets, and then never again.
async fn run(cuts: Vec<(usize, usize)>, overlap: usize) {
    let world = Arc::new(Mutex::new(World::default()));
    let (server, cuts) = (Arc::clone(&world), Mutex::new(cuts.into_iter()));
    let client = Client::builder("ws://scripted/ws")
        .error_queue(None)
        .receipt_timeout(PATIENCE)
        .connect_timeout(Duration::from_secs(1))
        .reconnect(ReconnectPolicy::default().max(Duration::from_secs(1)))
        .subscription_buffer(3)
        .connector(move |_| {
            let (ours, stream) = tokio::io::duplex(2048);
            let (reads, writes) = cuts.lock().unwrap().next().unwrap_or((usize::MAX, usize::MAX));
            tokio::spawn(serve(ours, Arc::clone(&server), overlap));
            async move { Ok(Fragile { stream, reads, writes }) }
        })
        .connect()
        .await
        .unwrap();
    let receiving = async {
        let mut subscription = client.subscribe("/topic/a").into_future().await.unwrap();
        for expected in 0..MESSAGES {
            assert_eq!(subscription.recv().await.unwrap().text(), Some(&*expected.to_string()));
        }
        // Nothing more: a repeated message would come now.
        timeout(Duration::from_secs(1), subscription.recv()).await.unwrap_err();
    };
    let sending = async {
        for number in 0..MESSAGES {
            client.send("/app/a").resend_with_key(&number.to_string()).receipt().await.unwrap();
        }
    };
    timeout(PATIENCE, async { tokio::join!(receiving, sending) }).await.expect("it comes to its end");
    let world = world.lock().unwrap();
    assert_eq!(world.published, MESSAGES);
    assert_eq!(world.order, (0..MESSAGES).map(|number| number.to_string()).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn cuts_lose_nothing_and_double_nothing(
        // The first connection has to open: a handshake and CONNECTED take less than that.
        first in (400_usize..3000, 500_usize..3000),
        more in prop::collection::vec((0_usize..2000, 0_usize..2000), 0..8),
        overlap in 0_usize..5,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let mut cuts = vec![first];
        cuts.extend(more);
        runtime.block_on(run(cuts, overlap));
    }
}
