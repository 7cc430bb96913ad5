//! A server that does what the test says, over streams in memory, so that time can stand still.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "each test file uses a part, and a test may fail"
)]

use std::{collections::VecDeque, io};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::Uri;
use parlor_client::{Client, ClientBuilder};
use parlor_stomp::{Command, Decoder, Frame, Headers, Limits, Version, encode_frame};
use tokio::{
    io::DuplexStream,
    sync::{mpsc, oneshot},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::CloseFrame,
    },
};

/// Octets that a stream in memory holds.
const STREAM_BYTES: usize = 64 * 1024;

/// Where the client's connections arrive.
pub struct Listener(mpsc::Receiver<oneshot::Sender<io::Result<DuplexStream>>>);

/// The server's end of one connection.
pub struct Peer {
    socket: WebSocketStream<DuplexStream>,
    decoder: Decoder,
    frames: VecDeque<Frame>,
}

/// A client that connects to the listener. It listens to no error queue unless the test says so.
pub fn client() -> (ClientBuilder, Listener) {
    let (attempts, listener) = mpsc::channel::<oneshot::Sender<io::Result<DuplexStream>>>(8);
    let builder = Client::builder("ws://scripted/ws").error_queue(None).connector(move |_: Uri| {
        let attempts = attempts.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            attempts.send(answer).await.map_err(io::Error::other)?;
            answered.await.map_err(io::Error::other)?
        }
    });
    (builder, Listener(listener))
}

/// A client that is connected, and the server's end.
pub async fn connected(builder: ClientBuilder, listener: &mut Listener) -> (Client, Peer) {
    let (client, peer) = tokio::join!(builder.connect(), listener.accept());
    (client.unwrap(), peer)
}

impl Listener {
    /// The next attempt; `None` when the client is gone.
    pub async fn attempt(&mut self) -> Option<oneshot::Sender<io::Result<DuplexStream>>> {
        self.0.recv().await
    }

    /// The next attempt fails.
    pub async fn refuse_network(&mut self) {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        self.attempt().await.unwrap().send(Err(refused)).unwrap();
    }

    /// The next attempt is refused by an HTTP status.
    pub async fn refuse_handshake(&mut self, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let (ours, theirs) = tokio::io::duplex(STREAM_BYTES);
        self.attempt().await.unwrap().send(Ok(theirs)).unwrap();
        #[expect(clippy::result_large_err, reason = "the library's type")]
        let refuse = |_: &Request, _: Response| -> Result<Response, ErrorResponse> {
            let mut response = ErrorResponse::new(Some(body.to_owned()));
            *response.status_mut() = status.try_into().unwrap();
            for (name, value) in headers {
                response.headers_mut().insert(*name, value.parse().unwrap());
            }
            Err(response)
        };
        accept_hdr_async(ours, refuse).await.unwrap_err();
    }

    /// The next connection, after its CONNECT.
    pub async fn accept(&mut self) -> Peer {
        self.accept_with(&[("version", "1.2")]).await
    }

    /// The same, answered by those headers of CONNECTED.
    pub async fn accept_with(&mut self, connected: &[(&str, &str)]) -> Peer {
        let mut peer = self.accept_socket().await;
        assert_eq!(peer.frame().await.command, Command::Connect);
        let version = connected.iter().find(|(name, _)| *name == "version").unwrap().1.parse().unwrap();
        peer.decoder.set_version(version);
        peer.send(Command::Connected, connected, "").await;
        peer
    }

    /// The next connection, before its CONNECT.
    pub async fn accept_socket(&mut self) -> Peer {
        self.accept_bounded(STREAM_BYTES).await
    }

    /// The same over a stream that holds so many octets.
    pub async fn accept_bounded(&mut self, octets: usize) -> Peer {
        let (ours, theirs) = tokio::io::duplex(octets);
        self.attempt().await.unwrap().send(Ok(theirs)).unwrap();
        #[expect(clippy::result_large_err, reason = "the library's type")]
        let choose = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            if request.headers().contains_key("sec-websocket-protocol") {
                response.headers_mut().insert("sec-websocket-protocol", "v12.stomp".parse().unwrap());
            }
            Ok(response)
        };
        let socket = accept_hdr_async(ours, choose).await.unwrap();
        Peer { socket, decoder: Decoder::new(Limits::default()), frames: VecDeque::new() }
    }
}

impl Peer {
    /// The next frame, or nothing when the client is gone.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Some(frame);
            }
            match self.socket.next().await?.ok()? {
                Message::Text(text) => self.decoder.push(text.into()),
                Message::Binary(octets) => self.decoder.push(octets),
                _ => {}
            }
            while let Some(frame) = self.decoder.decode().unwrap() {
                self.frames.push_back(frame);
            }
        }
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Frame {
        self.next().await.expect("the client sends a frame")
    }

    /// The next frame, which has that command; those of its headers' values.
    pub async fn expect<const N: usize>(&mut self, command: Command, names: [&str; N]) -> [String; N] {
        let frame = self.frame().await;
        assert_eq!(frame.command, command, "{frame:?}");
        names.map(|name| frame.headers.get(name).unwrap_or("-").to_owned())
    }

    /// The next WebSocket message as it is.
    pub async fn message(&mut self) -> Option<Message> {
        self.socket.next().await?.ok()
    }

    /// Sends a frame; a client that is gone does not matter.
    pub async fn send(&mut self, command: Command, headers: &[(&str, &str)], body: &str) {
        let _ = self.socket.send(Message::Binary(encoded(command, headers, body))).await;
    }

    /// Sends a RECEIPT with more headers.
    pub async fn receipt(&mut self, id: &str, headers: &[(&str, &str)]) {
        let mut all = vec![("receipt-id", id)];
        all.extend_from_slice(headers);
        self.send(Command::Receipt, &all, "").await;
    }

    /// Sends a MESSAGE whose id is its body.
    pub async fn publish(&mut self, subscription: &str, body: &str, headers: &[(&str, &str)]) {
        let mut all = vec![("subscription", subscription), ("message-id", body), ("destination", "/topic/a")];
        all.extend_from_slice(headers);
        self.send(Command::Message, &all, body).await;
    }

    /// Confirms the SUBSCRIBE that comes; its id.
    pub async fn subscribed(&mut self) -> String {
        let [id, receipt] = self.expect(Command::Subscribe, ["id", "receipt"]).await;
        self.receipt(&receipt, &[]).await;
        id
    }

    /// Closes with a status, and waits until the client has gone.
    pub async fn close(mut self, status: u16, reason: &str) {
        let frame = CloseFrame { code: status.into(), reason: reason.to_owned().into() };
        let _ = self.socket.close(Some(frame)).await;
        while self.message().await.is_some() {}
    }

    /// The stream beneath, to break it.
    pub fn into_stream(self) -> DuplexStream {
        self.socket.into_inner()
    }
}

/// A frame's octets.
pub fn encoded(command: Command, headers: &[(&str, &str)], body: &str) -> Bytes {
    let headers: Headers = headers.iter().copied().collect();
    encode_frame(command, &headers, body.as_bytes(), Version::V1_2).bytes
}
