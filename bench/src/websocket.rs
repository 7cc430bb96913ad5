//! WebSocket (RFC 6455), as much as a load generator and its limit reference need: frames in place, both ways, and the
//! upgrade without its proof, for both ends trust each other.

use std::fmt::Write;

/// A mask like any client's; servers take it off once for each message that is published.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A continuation of a message.
pub(crate) const CONTINUATION: u8 = 0x0;
/// Text.
pub(crate) const TEXT: u8 = 0x1;
/// Octets.
pub(crate) const BINARY: u8 = 0x2;
/// The end.
pub(crate) const CLOSE: u8 = 0x8;
/// A question whether somebody is there.
pub(crate) const PING: u8 = 0x9;
/// The answer.
pub(crate) const PONG: u8 = 0xA;

/// The header of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) opcode: u8,
    /// Octets of the header, the mask included.
    pub(crate) length: usize,
    /// Octets of the payload.
    pub(crate) payload: usize,
    pub(crate) mask: Option<[u8; 4]>,
}

impl Header {
    /// The header that `octets` begin with, if it has come whole.
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let (opcode, second) = (octets.first()? & 0x0F, *octets.get(1)?);
        let (mut length, payload) = match second & 0x7F {
            126 => (4, usize::from(u16::from_be_bytes(octets.get(2..4)?.try_into().ok()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(octets.get(2..10)?.try_into().ok()?)).ok()?),
            short => (2, usize::from(short)),
        };
        let mask = if second & 0x80 == 0 {
            None
        } else {
            length += 4;
            Some(octets.get(length - 4..length)?.try_into().ok()?)
        };
        Some(Self { opcode, length, payload, mask })
    }

    /// Octets of the whole frame.
    pub(crate) fn frame(&self) -> usize {
        self.length.saturating_add(self.payload)
    }
}

/// Appends a server's frame.
pub(crate) fn write_frame(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    write_header(opcode, payload.len(), 0, out);
    out.extend_from_slice(payload);
}

/// Appends a client's frame.
pub(crate) fn write_masked_frame(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    write_header(opcode, payload.len(), 0x80, out);
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    unmask(&mut out[start..], MASK);
}

/// Takes a mask off, or puts it on.
pub(crate) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    for (octet, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *octet ^= mask;
    }
}

fn write_header(opcode: u8, payload: usize, masked: u8, out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match u16::try_from(payload) {
        // Below 126, so that it fits.
        Ok(0..126) => out.push(masked | payload as u8),
        Ok(length) => {
            out.push(masked | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            out.push(masked | 127);
            out.extend_from_slice(&(payload as u64).to_be_bytes());
        }
    }
}

/// A client's request to upgrade.
pub(crate) fn upgrade(host: &str, target: &str, headers: &[(String, String)]) -> String {
    let mut request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    );
    for (name, value) in headers {
        // Writing to a string cannot fail.
        let _ = write!(request, "{name}: {value}\r\n");
    }
    request.push_str("\r\n");
    request
}

/// The answer to [`upgrade`] as the limit reference gives it: the proof belongs to the one key that is ever sent.
pub(crate) const UPGRADED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_each_size_are_read_as_they_were_written() {
        for size in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![b'p'; size];
            let mut server = Vec::new();
            write_frame(TEXT, &payload, &mut server);
            let header = Header::read(&server).expect("it is whole");
            assert_eq!((header.opcode, header.payload, header.mask), (TEXT, size, None));
            assert_eq!(header.frame(), server.len());
            assert_eq!(&server[header.length..], &payload);

            let mut client = Vec::new();
            write_masked_frame(BINARY, &payload, &mut client);
            let header = Header::read(&client).expect("it is whole");
            assert_eq!((header.opcode, header.payload, header.frame()), (BINARY, size, client.len()));
            unmask(&mut client[header.length..], header.mask.expect("clients mask"));
            assert_eq!(&client[header.length..], &payload);
        }
    }

    #[test]
    fn a_header_that_is_cut_off_is_waited_for() {
        for size in [5, 200, 70_000] {
            let mut frame = Vec::new();
            write_masked_frame(TEXT, &vec![0; size], &mut frame);
            let whole = Header::read(&frame).expect("it is whole").length;
            for cut in 0..whole {
                assert_eq!(Header::read(&frame[..cut]), None);
            }
        }
    }
}
