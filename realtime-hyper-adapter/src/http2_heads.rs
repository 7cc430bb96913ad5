//! Which request heads of an HTTP/2 connection are under way, told from the headers of its frames alone.
//!
//! ```text
//! | length (24) | type (8) | flags (8) | stream (32) | payload … |      RFC 9113 section 4.1
//! ```
//!
//! A head is a HEADERS frame and the CONTINUATION frames behind it, up to the flag END_HEADERS (section 6.2). Nothing of
//! another stream may stand between them, so there is at most one at a time.

/// Octets of a frame's header.
const FRAME_HEADER: usize = 9;

/// The type of a frame that begins a head.
const HEADERS: u8 = 0x1;

/// The type of a frame that goes on with one.
const CONTINUATION: u8 = 0x9;

/// The flag of a head's last frame.
const END_HEADERS: u8 = 0x4;

/// Reads frame headers and skips payloads.
#[derive(Debug, Default)]
pub(crate) struct Http2Heads {
    header: [u8; FRAME_HEADER],
    header_read: usize,
    payload_left: usize,
    is_open: bool,
    /// The frame whose payload is skipped is a head's last.
    ends: bool,
}

impl Http2Heads {
    /// Takes what came; whether a head ended in it.
    pub(crate) fn feed(&mut self, mut octets: &[u8]) -> bool {
        let mut ended = false;
        while !octets.is_empty() {
            if self.header_read < FRAME_HEADER {
                let count = octets.len().min(FRAME_HEADER - self.header_read);
                self.header[self.header_read..self.header_read + count].copy_from_slice(&octets[..count]);
                self.header_read += count;
                octets = &octets[count..];
                if self.header_read < FRAME_HEADER {
                    break;
                }
                self.begin_frame();
            }
            let skipped = octets.len().min(self.payload_left);
            self.payload_left -= skipped;
            octets = &octets[skipped..];
            if self.payload_left == 0 {
                self.header_read = 0;
                if self.ends {
                    self.ends = false;
                    self.is_open = false;
                    ended = true;
                }
            }
        }
        ended
    }

    /// Whether a head has begun and not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    fn begin_frame(&mut self) {
        let [high, middle, low, kind, flags, ..] = self.header;
        self.payload_left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if matches!(kind, HEADERS | CONTINUATION) {
            self.is_open = true;
            self.ends = flags & END_HEADERS != 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        frame.resize(FRAME_HEADER + usize::from(length), 0xFF);
        frame
    }

    #[test]
    fn a_head_is_open_from_its_first_frame_to_the_end_of_its_last_however_it_is_cut() {
        let settings = frame(4, 0, 6);
        let head = [frame(HEADERS, 0x1, 5), frame(CONTINUATION, 0, 0), frame(CONTINUATION, END_HEADERS, 3)].concat();
        let data = frame(0, 0x1, 200);
        let all = [settings.clone(), head.clone(), data].concat();
        for size in 1..all.len() {
            let mut heads = Http2Heads::default();
            let mut read = 0;
            let mut ends = 0;
            for piece in all.chunks(size) {
                ends += usize::from(heads.feed(piece));
                read += piece.len();
                let within = (settings.len() + FRAME_HEADER..settings.len() + head.len()).contains(&read);
                assert_eq!(heads.is_open(), within, "after {read} octets in pieces of {size}");
            }
            assert_eq!(ends, 1);
        }
    }

    #[test]
    fn a_head_that_ends_and_one_that_begins_in_one_read_are_told_apart() {
        let mut heads = Http2Heads::default();
        assert!(heads.feed(&[frame(HEADERS, END_HEADERS, 2), frame(HEADERS, 0, 2)].concat()));
        assert!(heads.is_open());
        assert!(!heads.feed(&frame(6, 0, 8)));
        assert!(heads.is_open(), "a ping between (which is a fault) does not end it");
    }
}
