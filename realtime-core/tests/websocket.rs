//! RFC 6455 framing judged by another implementation: tungstenite reads what the encoder writes, and says the same as the
//! decoder of any sequence of frames, sound or not.
//!
//! Where the two may differ the frames stay away: tungstenite accepts lengths that are not in the shortest form, refuses
//! close status 1014, and judges a frame when it is whole. Tests beside the decoder cover these.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::io::{self, Cursor, Read, Write};

use bytes::{Bytes, BytesMut};
use parlor_core::websocket::{
    Opcode, WebSocketDecoder, WebSocketError, WebSocketEvent, WebSocketLimits, encode_close, encode_frame,
};
use proptest::{collection::vec, prelude::*, sample::select};
use tungstenite::{
    Error, Message, WebSocket,
    protocol::{Role, WebSocketConfig},
};

/// Octets of a message that both sides accept, small enough for the generated messages to go beyond it.
const LIMIT: usize = 400;

/// What a decoder made of the octets, with the pieces of each message joined.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    /// Refused, with the status to close with. Always the last.
    Fault(u16),
}

/// A frame as a client writes it, which may be wrong in every way that its fields allow.
#[derive(Clone, Debug)]
struct ClientFrame {
    first: u8,
    mask: Option<[u8; 4]>,
    payload: Vec<u8>,
}

impl ClientFrame {
    fn encode(&self) -> Vec<u8> {
        let mut octets = vec![self.first];
        let masked = u8::from(self.mask.is_some()) << 7;
        match u16::try_from(self.payload.len()).unwrap() {
            short @ 0..126 => octets.push(masked | u8::try_from(short).unwrap()),
            long => {
                octets.push(masked | 126);
                octets.extend(long.to_be_bytes());
            }
        }
        let mask = self.mask.unwrap_or_default();
        octets.extend(self.mask.into_iter().flatten());
        octets.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(octet, mask)| octet ^ mask));
        octets
    }
}

/// A stream that holds what the peer sent and takes every answer.
struct Received(Cursor<Vec<u8>>);

impl Read for Received {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Received {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tungstenite_sees(octets: Vec<u8>, role: Role, limit: Option<usize>) -> Vec<Seen> {
    let config = WebSocketConfig::default().max_message_size(limit).max_frame_size(None);
    let mut socket = WebSocket::from_raw_socket(Received(Cursor::new(octets)), role, Some(config));
    let mut seen = Vec::new();
    loop {
        seen.push(match socket.read() {
            Ok(Message::Text(text)) => Seen::Text(text.as_bytes().to_vec()),
            Ok(Message::Binary(octets)) => Seen::Binary(octets.to_vec()),
            Ok(Message::Ping(octets)) => Seen::Ping(octets.to_vec()),
            Ok(Message::Pong(octets)) => Seen::Pong(octets.to_vec()),
            // Its way to refuse a status that may not be sent.
            Ok(Message::Close(Some(close))) if close.reason.as_str() == "Protocol violation" => Seen::Fault(1002),
            Ok(Message::Close(close)) => Seen::Close(close.map(|close| (close.code.into(), close.reason.to_string()))),
            Ok(other @ Message::Frame(_)) => panic!("{other:?} is never read"),
            Err(
                Error::ConnectionClosed
                | Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake),
            ) => {
                return seen;
            }
            Err(Error::Utf8(_)) => Seen::Fault(1007),
            Err(Error::Capacity(_)) => Seen::Fault(1009),
            Err(Error::Protocol(_)) => Seen::Fault(1002),
            Err(other) => panic!("{other:?} has no place in memory"),
        });
        if let Some(Seen::Fault(_) | Seen::Close(_)) = seen.last() {
            return seen;
        }
    }
}

fn decoder_sees<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: WebSocketLimits) -> Vec<Seen> {
    let mut decoder = WebSocketDecoder::new(limits);
    let (mut input, mut seen, mut message) = (BytesMut::new(), Vec::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(None) => break,
                Ok(Some(WebSocketEvent::Data { payload, is_text, end_of_message })) => {
                    message.extend_from_slice(&payload);
                    assert_eq!(decoder.is_mid_message(), !end_of_message);
                    if end_of_message {
                        let whole = std::mem::take(&mut message);
                        seen.push(if is_text { Seen::Text(whole) } else { Seen::Binary(whole) });
                    }
                }
                Ok(Some(WebSocketEvent::Ping(payload))) => seen.push(Seen::Ping(payload.to_vec())),
                Ok(Some(WebSocketEvent::Pong(payload))) => seen.push(Seen::Pong(payload.to_vec())),
                Ok(Some(WebSocketEvent::Close(close))) => {
                    seen.push(Seen::Close(close.map(|close| (close.code, close.reason))));
                }
                Ok(Some(other)) => panic!("{other:?} is not known here"),
                Err(error) => seen.push(Seen::Fault(error.close_code())),
            }
        }
    }
    seen
}

/// Mostly sound frames; the sequences they form are sound only by chance.
fn client_frame() -> impl Strategy<Value = ClientFrame> {
    let text = prop_oneof![
        8 => "[aü語🦀]{0,20}".prop_map(String::into_bytes),
        // A part of a character: sound where the next fragment goes on with the rest.
        2 => select(vec![&b"\xE8\xAA"[..], b"\x9E", b"\xF0\x9F", b"\xA6\x80"]).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..4),
    ];
    let data = (select(vec![0x01, 0x81, 0x81, 0x00, 0x00, 0x80, 0x80, 0x02, 0x82]), text);
    let long = (select(vec![0x82, 0x02, 0x80, 0x00]), vec(any::<u8>(), 100..LIMIT + 2));
    let control = (select(vec![0x89, 0x8A]), vec(any::<u8>(), 0..127));
    let broken = (any::<u8>(), vec(any::<u8>(), 0..3))
        .prop_filter("a close has its own strategy", |(first, _)| first & 0x0F != 0x08);
    let close = (Just(0x88), close_payload());
    let framed = prop_oneof![24 => data, 3 => long, 4 => control, 1 => broken, 1 => close];
    let mask = prop_oneof![60 => any::<[u8; 4]>().prop_map(Some), 1 => Just(None)];
    (framed, mask).prop_map(|((first, payload), mask)| ClientFrame { first, mask, payload })
}

fn close_payload() -> impl Strategy<Value = Vec<u8>> {
    let close = |status: u16, reason: &[u8]| [&status.to_be_bytes(), reason].concat();
    let sound = (select(vec![1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 3000, 4999]), "[aü語]{0,9}");
    prop_oneof![
        3 => sound.prop_map(move |(status, reason)| close(status, reason.as_bytes())),
        1 => select(vec![0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535]).prop_map(move |status| close(status, b"x")),
        1 => select(vec![vec![], vec![3], close(1000, b"\xFF"), close(1000, "ü".repeat(62).as_bytes())]),
    ]
}

/// `octets` cut at `places`, which are taken modulo its length.
fn cut<'a>(octets: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (octets.len() + 1)).collect();
    places.extend([0, octets.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &octets[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_frames_in_any_pieces_mean_what_they_mean_to_tungstenite(
        frames in vec(client_frame(), 0..12),
        places in vec(any::<usize>(), 0..12),
    ) {
        let octets: Vec<u8> = frames.iter().flat_map(ClientFrame::encode).collect();
        let limits = || WebSocketLimits::default().max_message_bytes(LIMIT);
        let expected = tungstenite_sees(octets.clone(), Role::Server, Some(LIMIT));
        prop_assert_eq!(&decoder_sees([&octets[..]], limits()), &expected);
        prop_assert_eq!(&decoder_sees(cut(&octets, &places), limits()), &expected);
        prop_assert_eq!(&decoder_sees(octets.chunks(1), limits()), &expected);
    }

    /// The frame is announced longer than what comes of it, so that its end plays no part.
    #[test]
    fn text_fails_at_the_first_octet_that_proves_it_wrong(start in "[aü語🦀]{0,6}", octets in vec(any::<u8>(), 0..8)) {
        let text = [start.as_bytes(), &octets].concat();
        let wrong = (1..=text.len())
            .find(|end| std::str::from_utf8(&text[..*end]).is_err_and(|error| error.error_len().is_some()));
        let mut decoder = WebSocketDecoder::new(WebSocketLimits::default());
        let mut input = BytesMut::from(&[0x81, 0x80 | 125, 0, 0, 0, 0][..]);
        prop_assert_eq!(decoder.decode(&mut input), Ok(None));
        for (end, octet) in (1..).zip(&text) {
            input.extend_from_slice(&[*octet]);
            let found = decoder.decode(&mut input);
            if Some(end) == wrong {
                prop_assert_eq!(found, Err(WebSocketError::NotUtf8));
                break;
            }
            prop_assert!(found.is_ok());
        }
    }

    #[test]
    fn tungstenite_reads_what_the_encoder_writes(text in "\\PC{0,200}", octets in vec(any::<u8>(), 0..300), status: u16) {
        let ping = &octets[..octets.len().min(125)];
        let wire = [
            encode_frame(Opcode::Text, text.as_bytes()),
            encode_frame(Opcode::Ping, ping),
            encode_frame(Opcode::Binary, &octets),
            encode_frame(Opcode::Pong, ping),
            encode_close(status, &text),
        ]
        .concat();
        let mut seen = tungstenite_sees(wire, Role::Client, None);
        let close = seen.pop();
        prop_assert_eq!(
            seen,
            [Seen::Text(text.clone().into()), Seen::Ping(ping.to_vec()), Seen::Binary(octets.clone()), Seen::Pong(ping.to_vec())]
        );
        match close {
            Some(Seen::Close(Some((found, reason)))) => {
                prop_assert_eq!(found, status);
                prop_assert!(text.starts_with(&reason) && reason.len() <= 123);
            }
            // Left out because it may not be sent. tungstenite does not know 1014 yet.
            Some(Seen::Close(None)) => prop_assert!(!matches!(status, 1000..=1003 | 1007..=1014 | 3000..=4999)),
            other => prop_assert!(status == 1014, "{other:?}"),
        }
    }
}

#[test]
fn long_frames_of_the_encoder_are_read() {
    for length in [125, 126, 65_535, 65_536, 200_000] {
        let payload = vec![7; length];
        let seen = tungstenite_sees(encode_frame(Opcode::Binary, &payload).to_vec(), Role::Client, None);
        assert_eq!(seen, [Seen::Binary(payload)]);
    }
}

/// What a message costs is what was read of it: no second buffer, no copy.
#[test]
fn a_piece_is_handed_on_where_it_was_read() {
    let frame = ClientFrame { first: 0x82, mask: Some([1, 2, 3, 4]), payload: vec![9; 1000] };
    let mut input = BytesMut::from(Bytes::from(frame.encode()));
    let header = input.as_ptr().addr();
    let mut decoder = WebSocketDecoder::new(WebSocketLimits::default());
    let Some(WebSocketEvent::Data { payload, .. }) = decoder.decode(&mut input).unwrap() else { panic!("a piece") };
    assert_eq!(payload.as_ptr().addr(), header + 8);
}

#[test]
fn a_message_is_in_progress_from_its_first_header_to_its_last_octet() {
    let octets = [(0x01, &b"a"[..]), (0x89, b"ping"), (0x80, b"b")]
        .map(|(first, payload)| ClientFrame { first, mask: Some([5; 4]), payload: payload.to_vec() }.encode())
        .concat();
    let mut decoder = WebSocketDecoder::new(WebSocketLimits::default());
    let mut input = BytesMut::new();
    for (place, octet) in (1..).zip(&octets) {
        input.extend_from_slice(&[*octet]);
        while decoder.decode(&mut input).unwrap().is_some() {}
        assert_eq!(decoder.is_mid_message(), (6..octets.len()).contains(&place), "after octet {place}");
    }
}
