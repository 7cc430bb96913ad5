//! A STOMP client on any stream that is a WebSocket already: over HTTP/2, a Unix socket, or TLS.

use bytes::Bytes;
use parlor_core::stomp::{AckMode, ClientConfig, ClientEvent, ClientSession, MessageEvent};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The end of a connection, as the client saw it.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed {
    pub status: u16,
    pub reason: String,
}

/// One session.
pub struct Client<T> {
    stream: T,
    session: ClientSession,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Client<T> {
    /// Connects over an open WebSocket.
    pub async fn connect(stream: T) -> Self {
        let mut client = Self { stream, session: ClientSession::new(ClientConfig::default()) };
        client.session.connect();
        let answer = client.event().await;
        assert!(matches!(answer, Ok(ClientEvent::Connected(_))), "{answer:?}");
        client
    }

    /// Subscribes; the subscription is in force when this returns.
    pub async fn subscribe(&mut self, destination: &str) {
        self.session.subscribe("0", destination, AckMode::Auto, Some("subscribed"));
        assert!(matches!(self.event().await, Ok(ClientEvent::Receipt(receipt)) if receipt == "subscribed"));
    }

    /// Sends, without a wait.
    pub async fn send(&mut self, destination: &str, body: &str, receipt: Option<&str>) {
        self.session.send(destination, body.as_bytes(), &[], receipt);
        self.flush().await;
    }

    /// The next message; receipts are passed over.
    pub async fn message(&mut self) -> MessageEvent {
        loop {
            match self.event().await.expect("the session is open") {
                ClientEvent::Message(message) => return message,
                ClientEvent::Receipt(_) => {}
                other => panic!("a message was expected, not {other:?}"),
            }
        }
    }

    /// A whole conversation: subscribe, send, hear it, leave with a receipt and a clean close.
    pub async fn converse(mut self, destination: &str) -> T {
        self.subscribe(destination).await;
        for text in ["one".to_owned(), "grüß dich".to_owned(), "x".repeat(20_000)] {
            self.send(destination, &text, Some("sent")).await;
            assert_eq!(self.message().await.body, text.as_bytes());
        }
        self.session.disconnect(Some("bye"));
        loop {
            match self.event().await.expect("a receipt before the close") {
                ClientEvent::Receipt(receipt) if receipt == "bye" => break,
                ClientEvent::Receipt(_) => {}
                other => panic!("a receipt was expected, not {other:?}"),
            }
        }
        assert_eq!(self.event().await, Err(Closed { status: 1000, reason: String::new() }));
        self.stream
    }

    /// The next event, or how the connection was closed (and the close is answered).
    pub async fn event(&mut self) -> Result<ClientEvent, Closed> {
        self.flush().await;
        loop {
            if let Some(event) = self.session.poll_event().expect("the server speaks STOMP") {
                return Ok(event);
            }
            let (opcode, payload) = self.frame().await;
            match opcode {
                0x1 | 0x2 => self.session.handle_input(payload.into()),
                0x8 => {
                    let (status, reason) = payload.split_first_chunk().expect("the server's close has a status");
                    let closed = Closed {
                        status: u16::from_be_bytes(*status),
                        reason: String::from_utf8(reason.to_vec()).expect("a reason is text"),
                    };
                    self.write(0x8, &status[..]).await;
                    return Err(closed);
                }
                _ => {}
            }
        }
    }

    async fn flush(&mut self) {
        while let Some(frame) = self.session.poll_transmit() {
            let bytes: Bytes = frame.bytes;
            self.write(0x1, &bytes).await;
        }
    }

    /// One whole WebSocket frame of a client (RFC 6455 section 5.2), its mask all zeros.
    async fn write(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | u8::try_from(length).expect("it is below 126")),
            length => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(length).expect("tests send less than 64 KiB").to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        // The server may be gone, which the next read will tell.
        let _ = self.stream.write_all(&frame).await;
        let _ = self.stream.flush().await;
    }

    /// One frame of the server, which is never fragmented nor masked.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await.expect("the server closes before it goes");
        let length = match head[1] {
            126 => u64::from(self.stream.read_u16().await.expect("a length")),
            127 => self.stream.read_u64().await.expect("a length"),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).expect("it fits into memory")];
        self.stream.read_exact(&mut payload).await.expect("a whole payload");
        (head[0] & 0xF, payload)
    }
}
