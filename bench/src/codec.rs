//! The codec alone, for tools that count instructions: `scripts/check-hot-path`.

use std::{error::Error, hint::black_box};

use bytes::Bytes;
use clap::ValueEnum;
use parlor_stomp::{Command, Request, ServerConfig, ServerSession, Version, encode_frame};

/// What a codec does.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Direction {
    /// SENDs become requests.
    Decode,
    /// MESSAGEs become octets.
    Encode,
}

/// Takes so many frames with a body of 128 octets in that direction.
pub(crate) fn run(direction: Direction, frames: usize) -> Result<(), Box<dyn Error>> {
    let body = "x".repeat(128);
    match direction {
        Direction::Decode => {
            let mut session = ServerSession::new(ServerConfig::default());
            session.handle_input(Bytes::from_static(b"CONNECT\naccept-version:1.2\nhost:localhost\n\n\0"));
            let Some(Request::Connect(_)) = session.poll_request() else {
                return Err("the CONNECT was not understood".into());
            };
            let send = "SEND\ndestination:/topic/bench\ncontent-type:text/plain\ncontent-length:128\n\n";
            let send = Bytes::from(format!("{send}{body}\0"));
            for _ in 0..frames {
                session.handle_input(send.clone());
                let Some(Request::Send(send)) = session.poll_request() else {
                    return Err("a SEND was not understood".into());
                };
                black_box(send);
            }
        }
        Direction::Encode => {
            let headers = [
                ("subscription", "sub-0"),
                ("message-id", "b7Yt2q-1"),
                ("destination", "/topic/bench"),
                ("content-type", "text/plain"),
            ];
            let headers = headers.into_iter().collect();
            for _ in 0..frames {
                black_box(encode_frame(Command::Message, &headers, body.as_bytes(), Version::V1_2));
            }
        }
    }
    Ok(())
}
