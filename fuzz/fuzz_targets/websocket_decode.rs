//! The decoder of WebSocket frames, on frames of every kind and on octets of none.
//!
//! What it finds does not depend on how the octets are cut; text is UTF-8; no message is larger or has more empty fragments than
//! the limits say; nothing follows an end.

#![no_main]

use arbitrary::Arbitrary;
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use parlor_core::websocket::{WebSocketDecoder, WebSocketError, WebSocketEvent, WebSocketLimits};

const MAX_MESSAGE: usize = 300;
const MAX_EMPTY_FRAGMENTS: usize = 4;

/// What a client writes, and where the octets are cut.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    parts: Vec<Part<'a>>,
    cuts: [u8; 4],
}

#[derive(Arbitrary, Debug)]
enum Part<'a> {
    /// A frame with a good header for its payload.
    Frame {
        is_final: bool,
        kind: Kind,
        mask: [u8; 4],
        payload: &'a [u8],
    },
    /// A frame of text.
    Text {
        is_final: bool,
        is_first: bool,
        mask: [u8; 4],
        text: &'a str,
    },
    Octets(&'a [u8]),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Binary,
    Close,
    Continuation,
    Ping,
    Pong,
}

/// A decoded input: events with the pieces of a message joined, and what ended them.
type Decoded = (Vec<WebSocketEvent>, Option<WebSocketError>);

fuzz_target!(|input: Input<'_>| {
    let mut octets = Vec::new();
    for part in &input.parts {
        write(part, &mut octets);
    }
    let whole = decode([&octets[..]]);
    assert_eq!(whole, decode(octets.chunks(1)), "octet by octet");
    let mut cuts: Vec<usize> = input.cuts.iter().map(|cut| usize::from(*cut).min(octets.len())).collect();
    cuts.extend([0, octets.len()]);
    cuts.sort_unstable();
    assert_eq!(whole, decode(cuts.windows(2).map(|pair| &octets[pair[0]..pair[1]])), "cut at {cuts:?}");
    check(&whole);
});

fn write(part: &Part<'_>, out: &mut Vec<u8>) {
    let (first, mask, payload) = match part {
        Part::Octets(octets) => return out.extend_from_slice(octets),
        Part::Frame { is_final, kind, mask, payload } => {
            let opcode = match kind {
                Kind::Continuation => 0x0,
                Kind::Binary => 0x2,
                Kind::Close => 0x8,
                Kind::Ping => 0x9,
                Kind::Pong => 0xA,
            };
            (u8::from(*is_final) << 7 | opcode, mask, *payload)
        }
        Part::Text { is_final, is_first, mask, text } => {
            (u8::from(*is_final) << 7 | u8::from(*is_first), mask, text.as_bytes())
        }
    };
    out.push(first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..126), _) => out.push(0x80 | length),
        (_, Ok(length)) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(octet, mask)| octet ^ mask));
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let limits = WebSocketLimits::default().max_message_bytes(MAX_MESSAGE).max_empty_fragments(MAX_EMPTY_FRAGMENTS);
    let mut decoder = WebSocketDecoder::new(limits);
    let (mut input, mut events) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(event)) => join(&mut events, event),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.decode(&mut input), Ok(None), "nothing is decoded after an error");
                    drop_unfinished(&mut events);
                    return (events, Some(error));
                }
            }
        }
    }
    drop_unfinished(&mut events);
    (events, None)
}

/// Adds an event; a piece of a message that has begun is added to it, also behind control frames.
fn join(events: &mut Vec<WebSocketEvent>, event: WebSocketEvent) {
    let WebSocketEvent::Data { payload: more, is_text: of_text, end_of_message: ends } = &event else {
        return events.push(event);
    };
    let begun = events.iter_mut().find_map(|event| match event {
        WebSocketEvent::Data { payload, is_text, end_of_message: end @ false } => Some((payload, is_text, end)),
        _ => None,
    });
    match begun {
        Some((payload, is_text, end)) => {
            assert_eq!(is_text, of_text, "a message is of one kind");
            *payload = [&payload[..], &more[..]].concat().into();
            *end = *ends;
        }
        None => events.push(event),
    }
}

/// How much of an unfinished message is handed out depends on the cuts, and may.
fn drop_unfinished(events: &mut Vec<WebSocketEvent>) {
    events.retain(|event| !matches!(event, WebSocketEvent::Data { end_of_message: false, .. }));
}

fn check((events, _): &Decoded) {
    for (index, event) in events.iter().enumerate() {
        match event {
            WebSocketEvent::Close(_) => assert_eq!(index + 1, events.len(), "nothing follows a close"),
            WebSocketEvent::Data { payload, is_text, .. } => {
                assert!(payload.len() <= MAX_MESSAGE);
                assert!(!is_text || std::str::from_utf8(payload).is_ok());
            }
            WebSocketEvent::Ping(payload) | WebSocketEvent::Pong(payload) => assert!(payload.len() <= 125),
            other => panic!("{other:?} is new here"),
        }
    }
}
