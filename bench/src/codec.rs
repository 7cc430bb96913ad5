//! The codec alone, for tools that count instructions: `scripts/check-hot-path`.

use std::{error::Error, hint::black_box};

use bytes::Bytes;
use clap::ValueEnum;
use parlor_stomp::{Headers, MessageHead, Request, ServerConfig, ServerSession, Version, encode_message_into};

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
            // As the broker does it for a group of subscribers.
            let head = MessageHead {
                subscription: Some("sub-0"),
                message_id: "b7Yt2q-1",
                destination: "/topic/bench",
                content_type: Some("text/plain"),
                ack: None,
                extensions: &[],
                headers: &Headers::default(),
            };
            for _ in 0..frames {
                let mut out = Vec::new();
                encode_message_into(&head, body.as_bytes(), Version::V1_2, &mut out);
                black_box(out);
            }
        }
    }
    Ok(())
}
