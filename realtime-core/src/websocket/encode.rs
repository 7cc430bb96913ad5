//! Server frames: never masked, never fragmented (RFC 6455 section 5).

use bytes::Bytes;

/// The longest reason of a close frame: a control frame has 125 octets, two of them are the status (section 5.5).
const LONGEST_REASON: usize = 123;

/// The longest header of a server's frame (section 5.2: no mask, 64-bit length).
pub(crate) const MAX_HEADER: usize = 10;

/// The kinds of frames a server sends.
///
/// ```
/// use parlor_core::websocket::{Opcode, encode_frame};
///
/// assert_eq!(&encode_frame(Opcode::Text, b"hi")[..], b"\x81\x02hi");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 section 5.2 defines these")]
pub enum Opcode {
    /// A binary message.
    Binary,
    /// The end of the connection.
    Close,
    /// A ping.
    Ping,
    /// A pong.
    Pong,
    /// A text message.
    Text,
}

impl Opcode {
    const fn code(self) -> u8 {
        match self {
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }
}

/// The length of the header in front of a payload of `length` octets.
pub(crate) const fn header_length(length: usize) -> usize {
    match length {
        0..126 => 2,
        126..65_536 => 4,
        _ => MAX_HEADER,
    }
}

/// Appends the header of a final, unmasked frame with a payload of `length` octets.
pub(crate) fn encode_header(opcode: Opcode, length: usize, out: &mut Vec<u8>) {
    let mut room = [0; MAX_HEADER];
    let start = encode_header_before(opcode, length, &mut room);
    out.extend_from_slice(&room[start..]);
}

/// Writes that header to the end of `room`, in front of a payload that is there already; where it begins.
#[expect(clippy::cast_possible_truncation, reason = "each arm's range fits")]
pub(crate) fn encode_header_before(opcode: Opcode, length: usize, room: &mut [u8; MAX_HEADER]) -> usize {
    let first = 0x80 | opcode.code();
    let start = MAX_HEADER - header_length(length);
    match &mut room[start..] {
        header @ [_, _] => header.copy_from_slice(&[first, length as u8]),
        header @ [_, _, _, _] => {
            let [high, low] = (length as u16).to_be_bytes();
            header.copy_from_slice(&[first, 126, high, low]);
        }
        header => {
            header[..2].copy_from_slice(&[first, 127]);
            header[2..].copy_from_slice(&(length as u64).to_be_bytes());
        }
    }
    start
}

/// A whole frame.
///
/// ```
/// use parlor_core::websocket::{Opcode, encode_frame};
///
/// assert_eq!(&encode_frame(Opcode::Ping, b"")[..], b"\x89\x00");
/// ```
#[must_use]
pub fn encode_frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(header_length(payload.len()) + payload.len());
    encode_header(opcode, payload.len(), &mut out);
    out.extend_from_slice(payload);
    out.into()
}

/// A close frame. A status that may not stand in one (section 7.4.1) closes without a status; a reason that is too long is
/// cut between characters.
///
/// ```
/// use parlor_core::websocket::encode_close;
///
/// assert_eq!(&encode_close(1001, "bye")[..], b"\x88\x05\x03\xe9bye");
/// assert_eq!(&encode_close(1006, "")[..], b"\x88\x00"); // 1006 may not be sent
/// ```
#[must_use]
pub fn encode_close(status: u16, reason: &str) -> Bytes {
    if !is_sendable(status) {
        return encode_frame(Opcode::Close, b"");
    }
    let mut payload = status.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(LONGEST_REASON)]);
    encode_frame(Opcode::Close, &payload)
}

/// Whether a status may stand in a close frame (section 7.4 and the IANA registry).
pub(super) const fn is_sendable(status: u16) -> bool {
    matches!(status, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        for (length, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xFF, 0xFF]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            encode_header(Opcode::Text, length, &mut out);
            assert_eq!((header_length(length), out), (header.len(), header));
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let close = encode_close(1000, &"ü".repeat(100));
        assert_eq!(close.len(), 2 + 2 + 122);
        assert!(std::str::from_utf8(&close[4..]).is_ok());
    }

    #[test]
    fn a_status_that_may_not_be_sent_is_left_out() {
        for status in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert_eq!(&encode_close(status, "x")[..], [0x88, 0], "{status}");
        }
    }
}
