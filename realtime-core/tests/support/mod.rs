//! A client of a few lines for tests over an in-memory stream: it speaks raw STOMP text, so that tests can also be wrong.

#![allow(dead_code, unreachable_pub, clippy::expect_used, reason = "each test file uses a part")]

use std::{sync::Arc, time::Duration};

use parlor_core::{Realtime, auth::Principal, testing::connect_in_memory};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    task::JoinHandle,
};

/// What the server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// One STOMP frame, without its NUL.
    Frame(String),
    /// A heart-beat.
    Beat,
    /// A WebSocket ping.
    Ping,
    /// A WebSocket pong.
    Pong,
    /// A close frame: status and reason.
    Close(u16, String),
    /// The end of the stream.
    End,
}

/// A connected WebSocket client.
pub struct Client {
    stream: DuplexStream,
    input: Vec<u8>,
    /// Ends when the server has let go of the connection.
    pub server: JoinHandle<()>,
}

impl Client {
    /// Connects as `principal`, with `buffer` octets between the two ends.
    pub fn open_with_buffer(realtime: &Realtime, principal: Principal, buffer: usize) -> Self {
        let (stream, server) = connect_in_memory(realtime, principal, buffer);
        Self { stream, input: Vec::new(), server }
    }

    /// Connects as `principal`.
    pub fn open(realtime: &Realtime, principal: Principal) -> Self {
        Self::open_with_buffer(realtime, principal, 1024 * 1024)
    }

    /// Connects and opens a STOMP 1.2 session.
    pub async fn connect(realtime: &Realtime, principal: Principal) -> Self {
        let mut client = Self::open(realtime, principal);
        client.send("CONNECT\naccept-version:1.2\n\n").await;
        let connected = client.frame().await;
        assert!(connected.starts_with("CONNECTED\n"), "{connected}");
        client
    }

    /// Sends one STOMP frame; the NUL is added.
    pub async fn send(&mut self, frame: &str) {
        let mut octets = frame.as_bytes().to_vec();
        octets.push(0);
        self.send_message(0x1, &octets).await;
    }

    /// Sends one WebSocket frame of any opcode.
    pub async fn send_message(&mut self, opcode: u8, payload: &[u8]) {
        self.stream.write_all(&client_frame(opcode, payload)).await.expect("the server reads");
    }

    /// Sends octets as they are.
    pub async fn send_raw(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.expect("the server reads");
    }

    /// Sends octets until the server has let go of the connection; how many it took.
    pub async fn flood(&mut self, octets: &[u8]) -> usize {
        let mut taken = 0;
        while self.stream.write_all(octets).await.is_ok() {
            taken += octets.len();
        }
        taken
    }

    /// What comes next.
    pub async fn next(&mut self) -> Received {
        loop {
            if let Some((opcode, payload, used)) = server_frame(&self.input) {
                let received = match opcode {
                    0x1 | 0x2 if payload == b"\n" => Received::Beat,
                    0x1 | 0x2 => {
                        let text = String::from_utf8(payload.to_vec()).expect("tests use text");
                        Received::Frame(text.strip_suffix('\0').expect("a frame ends in NUL").to_owned())
                    }
                    0x8 => Received::Close(
                        u16::from_be_bytes([payload[0], payload[1]]),
                        String::from_utf8_lossy(&payload[2..]).into_owned(),
                    ),
                    0x9 => Received::Ping,
                    0xA => Received::Pong,
                    other => panic!("opcode {other}"),
                };
                self.input.drain(..used);
                return received;
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return Received::End,
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// The next frame; anything else but heart-beats fails the test.
    pub async fn frame(&mut self) -> String {
        loop {
            match self.next().await {
                Received::Frame(frame) => return frame,
                Received::Beat | Received::Ping => {}
                other => panic!("a frame was expected, not {other:?}"),
            }
        }
    }

    /// An ERROR, then a close frame; returns the ERROR and the status.
    pub async fn error_and_close(&mut self) -> (String, u16) {
        let error = self.frame().await;
        assert!(error.starts_with("ERROR\n"), "{error}");
        match self.next().await {
            Received::Close(status, _) => (error, status),
            other => panic!("after ERROR comes a close frame, not {other:?}"),
        }
    }

    /// A RECEIPT with that id and nothing else.
    pub async fn receipt(&mut self, id: &str) {
        assert_eq!(self.frame().await, format!("RECEIPT\nreceipt-id:{id}\n\n"));
    }

    /// Subscribes and waits for the receipt, which says more where the destination has a history.
    pub async fn subscribe(&mut self, id: &str, destination: &str) {
        self.send(&format!("SUBSCRIBE\nid:{id}\ndestination:{destination}\nreceipt:sub-{id}\n\n")).await;
        let receipt = self.frame().await;
        assert!(receipt.starts_with(&format!("RECEIPT\nreceipt-id:sub-{id}\n")), "{receipt}");
    }

    /// Breaks the connection without a word and waits until the server has noticed.
    pub async fn vanish(self) {
        drop(self.stream);
        self.server.await.expect("the connection's task does not panic");
    }
}

/// Nothing is on its way, and nothing comes for a (paused) second.
pub async fn assert_silent(client: &mut Client) {
    let next = tokio::time::timeout(Duration::from_secs(1), client.next()).await;
    assert!(next.is_err(), "nothing was expected, not {next:?}");
}

/// The value of a header.
pub fn header<'a>(frame: &'a str, name: &str) -> Option<&'a str> {
    let head = frame.split("\n\n").next()?;
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

/// The body.
pub fn body(frame: &str) -> &str {
    frame.split_once("\n\n").map_or("", |(_, body)| body)
}

/// A user without claims.
pub fn user(name: &str) -> Principal {
    Principal::user(name.parse().expect("a user id"))
}

/// Shared by handlers and the test that looks at what they did.
pub type Log = Arc<std::sync::Mutex<Vec<String>>>;

/// One whole WebSocket frame of a client, masked.
pub fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(octet, mask)| octet ^ mask));
    frame
}

fn server_frame(input: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (opcode, short) = (input.first()? & 0x0F, *input.get(1)?);
    let (start, length) = match short {
        126 => (4, usize::from(u16::from_be_bytes(input.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(input.get(2..10)?.try_into().ok()?) as usize),
        length => (2, usize::from(length)),
    };
    Some((opcode, input.get(start..start + length)?, start + length))
}
