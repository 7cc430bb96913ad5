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
/// use parlor_core::broker::annotate_message;
///
/// let wire = Bytes::from_static(b"\x81\x16MESSAGE\nsubscription:0\n\n\0");
/// # let wire = Bytes::from([b"\x81", &[wire.len() as u8 - 2][..], &wire[2..]].concat());
/// let noted = annotate_message(&wire, "dropped", "3");
/// assert_eq!(&noted[2..], b"MESSAGE\ndropped:3\nsubscription:0\n\n\0");
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
