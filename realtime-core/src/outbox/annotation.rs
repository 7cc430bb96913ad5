//! One more header in a frame that is encoded already.
//!
//! Subscribers share a frame's octets, so what is true for one of them alone (that it missed messages, that this is a
//! redelivery) is put into a copy.

use bytes::Bytes;

use crate::websocket::{Opcode, encode_header};

/// Adds a note, such as `dropped:3`, to the octets of one whole frame.
///
/// Each encoding has its own: [`annotate_message`] for STOMP over WebSocket; an event in front, say, for an event stream.
/// It is called under the outbox's lock, so it must return at once.
pub type Annotate = fn(wire: &Bytes, name: &str, value: &str) -> Bytes;

/// The longest header of a server's WebSocket frame.
const MAX_WEBSOCKET_HEADER: usize = 10;

/// Inserts a header right after the command line of a MESSAGE in one whole, unmasked WebSocket frame.
///
/// There it is the first of its name and so the one that counts (STOMP 1.2, "Repeated Header Entries"). Neither `name` nor
/// `value` may need escaping in any version of STOMP: no CR, LF, NUL, colon or backslash. Octets that are no such frame are
/// returned as they are.
///
/// ```
/// use bytes::Bytes;
/// use parlor_core::{broker::annotate_message, websocket::{Opcode, encode_frame}};
///
/// let wire = encode_frame(Opcode::Text, b"MESSAGE\nsubscription:0\n\n\0");
/// let noted = annotate_message(&wire, "dropped", "3");
/// assert_eq!(noted, encode_frame(Opcode::Text, b"MESSAGE\ndropped:3\nsubscription:0\n\n\0"));
/// ```
#[must_use]
pub fn annotate_message(wire: &Bytes, name: &str, value: &str) -> Bytes {
    debug_assert!(!needs_escaping(name) && !needs_escaping(value), "{name}:{value} cannot stand in a header");
    let Some((opcode, payload)) = split(wire) else { return wire.clone() };
    let Some(line) = payload.iter().position(|octet| *octet == b'\n') else { return wire.clone() };
    let (command, rest) = payload.split_at(line + 1);
    let length = payload.len() + name.len() + value.len() + 2;
    let mut noted = Vec::with_capacity(MAX_WEBSOCKET_HEADER + length);
    encode_header(opcode, length, &mut noted);
    noted.extend_from_slice(command);
    noted.extend_from_slice(name.as_bytes());
    noted.push(b':');
    noted.extend_from_slice(value.as_bytes());
    noted.push(b'\n');
    noted.extend_from_slice(rest);
    noted.into()
}

/// Kind and payload of a server's data frame.
fn split(wire: &[u8]) -> Option<(Opcode, &[u8])> {
    let opcode = match wire.first()? {
        0x81 => Opcode::Text,
        0x82 => Opcode::Binary,
        _ => return None,
    };
    let header = match wire.get(1)? {
        0..126 => 2,
        126 => 4,
        127 => MAX_WEBSOCKET_HEADER,
        // Masked: not a server's.
        _ => return None,
    };
    Some((opcode, wire.get(header..)?))
}

fn needs_escaping(text: &str) -> bool {
    text.contains(['\r', '\n', '\0', ':', '\\'])
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use parlor_stomp::{Decoder, Frame, Limits, MessageHead, Version, encode_message_into};
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::websocket::{WebSocketDecoder, WebSocketEvent, WebSocketLimits, encode_frame};

    fn message(version: Version, subscription: &str, headers: &[(String, String)], body: &[u8]) -> Bytes {
        let mut others = parlor_stomp::Headers::default();
        for (name, value) in headers {
            others.push(name, value);
        }
        let head = MessageHead {
            subscription: Some(subscription),
            message_id: "7",
            destination: "/topic/a",
            content_type: None,
            ack: None,
            extensions: &[],
            headers: &others,
        };
        let mut payload = Vec::new();
        let is_text = encode_message_into(&head, body, version, &mut payload);
        encode_frame(if is_text { Opcode::Text } else { Opcode::Binary }, &payload)
    }

    /// Reads one whole frame as a client would, masked by zeros so that a server's decoder takes it.
    fn read(wire: &Bytes, version: Version) -> (bool, Frame) {
        let header = match wire[1] {
            0..126 => 2,
            126 => 4,
            _ => 10,
        };
        let mut input = BytesMut::from(&wire[..header]);
        input[1] |= 0x80;
        input.extend_from_slice(&[0; 4]);
        input.extend_from_slice(&wire[header..]);
        let mut stomp = Decoder::new(Limits::default().max_body_bytes(1 << 20));
        stomp.set_version(version);
        let mut websocket = WebSocketDecoder::new(WebSocketLimits::default());
        let Ok(Some(WebSocketEvent::Data { payload, is_text, end_of_message: true })) = websocket.decode(&mut input)
        else {
            panic!("one whole message")
        };
        assert!(input.is_empty());
        stomp.push(payload);
        (is_text, stomp.decode().unwrap().unwrap())
    }

    fn assert_inserted(wire: &Bytes, version: Version, name: &str, value: &str) {
        let (is_text, mut frame) = read(wire, version);
        let mut headers = parlor_stomp::Headers::default();
        headers.push(name, value);
        for (name, value) in frame.headers.iter() {
            headers.push(name, value);
        }
        frame.headers = headers;
        assert_eq!(read(&annotate_message(wire, name, value), version), (is_text, frame));
    }

    #[test]
    fn every_form_of_the_length_is_written_as_it_is_needed() {
        let empty = message(Version::V1_2, "0", &[], b"").len() - 2;
        // Lengths on both sides of each bound, before and after.
        for length in (100..140).chain(65_510..65_550) {
            let body = "x".repeat(length - empty);
            assert_inserted(&message(Version::V1_2, "0", &[], body.as_bytes()), Version::V1_2, "dropped", "12");
        }
    }

    #[test]
    fn what_is_no_message_of_the_server_stays_as_it_is() {
        let cases: [&[u8]; 6] =
            [b"", b"\x81", b"\x81\x7e\x01", b"\x88\x02\x03\xe8", b"\x81\x81\0\0\0\0\n", b"\x81\x01x"];
        for wire in cases {
            let wire = Bytes::from_static(wire);
            assert_eq!(annotate_message(&wire, "dropped", "1"), wire);
        }
    }

    proptest! {
        #[test]
        fn the_same_frame_and_one_more_header_arrive(
            version in prop_oneof![Just(Version::V1_0), Just(Version::V1_1), Just(Version::V1_2)],
            headers in vec(("[a-z]{1,8}", "[ -~\\n]{0,12}"), 0..5),
            body in prop_oneof![vec(any::<u8>(), 0..300), vec(any::<u8>(), 65_300..65_600)],
            name in "[a-z-]{1,12}",
            value in "[a-zA-Z0-9_-]{1,40}",
        ) {
            assert_inserted(&message(version, "sub-0", &headers, &body), version, &name, &value);
        }
    }
}
