//! The client's side of WebSocket framing, as much of it as a well-behaved client needs.

use bytes::{Buf, Bytes, BytesMut};

/// Masks need not be random here: they protect proxies, and there is none.
const MASK: [u8; 4] = [0x5A, 0xA5, 0x3C, 0xC3];

pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;

/// Appends a final, masked frame.
#[expect(clippy::cast_possible_truncation, reason = "each arm's range fits")]
pub(super) fn write_frame(opcode: u8, payload: &[u8], out: &mut BytesMut) {
    out.extend_from_slice(&[0x80 | opcode]);
    match payload.len() {
        length @ 0..126 => out.extend_from_slice(&[0x80 | length as u8]),
        length @ 126..65_536 => {
            out.extend_from_slice(&[0x80 | 126]);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.extend_from_slice(&[0x80 | 127]);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(octet, mask)| octet ^ mask));
}

/// Takes the next whole frame of a server: its opcode and payload.
///
/// # Errors
/// What a server may not send: a masked, a fragmented or an extended frame.
pub(super) fn read_frame(input: &mut BytesMut) -> Result<Option<(u8, Bytes)>, &'static str> {
    let [first, second, ..] = input[..] else { return Ok(None) };
    if first & 0xF0 != 0x80 {
        return Err("the server sent a WebSocket frame that is fragmented or has reserved bits");
    }
    let (head, length) = match second {
        0..126 => (2, Some(usize::from(second))),
        126 => (4, input.get(2..4).map(|mut octets| usize::from(octets.get_u16()))),
        127 => (10, input.get(2..10).map(|mut octets| usize::try_from(octets.get_u64()).unwrap_or(usize::MAX))),
        _ => return Err("the server sent a masked WebSocket frame"),
    };
    let Some(length) = length.filter(|length| input.len() - head >= *length) else { return Ok(None) };
    input.advance(head);
    Ok(Some((first & 0x0F, input.split_to(length).freeze())))
}

/// Status and reason of a close frame; 1005 where it has none (RFC 6455 section 7.1.5).
pub(super) fn read_close(mut payload: &[u8]) -> (u16, String) {
    if payload.len() < 2 {
        return (1005, String::new());
    }
    (payload.get_u16(), String::from_utf8_lossy(payload).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::{Opcode, WebSocketDecoder, WebSocketEvent, WebSocketLimits, encode_close, encode_frame};

    #[test]
    fn what_is_written_is_read_by_the_server_at_every_form_of_length() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut wire = BytesMut::new();
            write_frame(TEXT, &payload, &mut wire);
            let mut decoder = WebSocketDecoder::new(WebSocketLimits::default());
            let expected = WebSocketEvent::Data { payload: payload.into(), is_text: true, end_of_message: true };
            assert_eq!(decoder.decode(&mut wire), Ok(Some(expected)), "{length}");
        }
    }

    #[test]
    fn a_servers_frame_is_read_once_it_is_whole() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let wire = encode_frame(Opcode::Binary, &payload);
            let mut input = BytesMut::from(&wire[..wire.len() - 1]);
            assert_eq!(read_frame(&mut input), Ok(None), "{length}");
            input.extend_from_slice(&wire[wire.len() - 1..]);
            assert_eq!(read_frame(&mut input), Ok(Some((BINARY, payload.into()))), "{length}");
            assert!(input.is_empty());
        }
    }

    #[test]
    fn what_a_server_may_not_send_is_an_error() {
        for octets in [[0x01, 0x00], [0xC1, 0x00], [0x81, 0x80]] {
            assert!(read_frame(&mut BytesMut::from(&octets[..])).is_err(), "{octets:?}");
        }
    }

    #[test]
    fn a_close_frame_without_a_status_is_1005() {
        let mut close = BytesMut::from(&encode_close(4401, "token-expired")[..]);
        let (_, payload) = read_frame(&mut close).unwrap().unwrap();
        assert_eq!(read_close(&payload), (4401, "token-expired".to_owned()));
        assert_eq!(read_close(b""), (1005, String::new()));
    }
}
