//! The client's side of WebSocket, as much as a load generator needs: a handshake, masked frames out, whole frames in.

use std::{error::Error, net::SocketAddr};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The longest response head that is waited for.
const LONGEST_HEAD: usize = 8 * 1024;

/// A mask of zeroes is legal, and free.
const MASK: [u8; 4] = [0; 4];

/// A connected WebSocket.
pub(crate) struct WebSocket {
    stream: TcpStream,
    input: BytesMut,
}

impl WebSocket {
    /// Connects to `/ws`.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut input = BytesMut::with_capacity(4096);
        loop {
            if let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") {
                if !input.starts_with(b"HTTP/1.1 101") {
                    return Err("the broker refused the upgrade".into());
                }
                input.advance(end + 4);
                return Ok(Self { stream, input });
            }
            if input.len() > LONGEST_HEAD || stream.read_buf(&mut input).await? == 0 {
                return Err("the broker did not answer the handshake".into());
            }
        }
    }

    /// Sends one text message.
    pub(crate) async fn send(&mut self, payload: &[u8]) -> Result<(), Box<dyn Error>> {
        let mut frame = vec![0x81];
        match u16::try_from(payload.len()) {
            Ok(length @ 0..126) => frame.push(0x80 | length.to_be_bytes()[1]),
            Ok(length) => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&MASK);
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await?;
        Ok(())
    }

    /// The payload of the next data frame; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Box<dyn Error>> {
        loop {
            if let Some((opcode, payload)) = self.take_frame() {
                match opcode {
                    0x1 | 0x2 => return Ok(Some(payload)),
                    0x8 => return Ok(None),
                    _ => continue,
                }
            }
            self.input.reserve(16 * 1024);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// A whole frame, if one has arrived. The server does not mask and does not fragment.
    fn take_frame(&mut self) -> Option<(u8, Bytes)> {
        let (opcode, short) = (self.input.first()? & 0x0F, *self.input.get(1)?);
        let (start, length) = match short {
            126 => (4, usize::from(u16::from_be_bytes(self.input.get(2..4)?.try_into().ok()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(self.input.get(2..10)?.try_into().ok()?)).ok()?),
            short => (2, usize::from(short)),
        };
        if self.input.len() < start + length {
            return None;
        }
        self.input.advance(start);
        Some((opcode, self.input.split_to(length).freeze()))
    }
}
