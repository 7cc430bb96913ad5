//! The subscribers of one destination, and the octets that all of them are written.

use crate::{stamp, websocket};

/// The largest header of a server's frame.
const LARGEST_HEADER: usize = 10;

/// Where the name of a message stands in a stamp: its stream and its number.
const NAME: std::ops::Range<usize> = 5..17;

/// Subscribers, and a frame for them.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) members: Vec<usize>,
    /// The subscription id of whoever came first. It is everyone's here.
    id: Vec<u8>,
    /// The last message; the next one differs only in its stamp.
    frame: Vec<u8>,
    /// What the frame was made for: octets of the body, and of the frame if anyone asked for so many.
    shape: Option<(usize, Option<usize>)>,
    /// Where the message's id and its body stand in the frame.
    id_at: usize,
    body_at: usize,
    /// Frames that wait to be written together.
    collected: Vec<u8>,
}

impl Room {
    pub(super) fn join(&mut self, member: usize, id: &[u8]) {
        if self.members.is_empty() {
            id.clone_into(&mut self.id);
            self.shape = None;
        }
        self.members.push(member);
    }

    pub(super) fn leave(&mut self, member: usize) {
        if let Some(place) = self.members.iter().position(|of| *of == member) {
            self.members.swap_remove(place);
        }
    }

    /// Makes the frame that of a message without a dialect.
    pub(super) fn encode_raw(&mut self, body: &[u8]) {
        if self.shape != Some((body.len(), None)) {
            self.frame.clear();
            websocket::write_frame(websocket::TEXT, body, &mut self.frame);
            self.shape = Some((body.len(), None));
            self.body_at = self.frame.len() - body.len();
        }
        let stamped = body.len().min(stamp::LENGTH);
        self.frame[self.body_at..self.body_at + stamped].copy_from_slice(&body[..stamped]);
    }

    /// Makes the frame that of a MESSAGE, of `size` octets if that is possible.
    pub(super) fn encode_stomp(&mut self, destination: &[u8], body: &[u8], size: Option<usize>) {
        if self.shape != Some((body.len(), size)) {
            self.write_message(destination, body, size);
            self.shape = Some((body.len(), size));
        }
        let stamped = body.len().min(stamp::LENGTH);
        self.frame[self.body_at..self.body_at + stamped].copy_from_slice(&body[..stamped]);
        if let Some(name) = body.get(NAME) {
            self.frame[self.id_at..self.id_at + name.len()].copy_from_slice(name);
        }
    }

    /// Puts the frame to those that are written together; returns whether it is the first one.
    pub(super) fn collect(&mut self) -> bool {
        self.collected.extend_from_slice(&self.frame);
        self.collected.len() == self.frame.len()
    }

    /// What is to be written.
    pub(super) fn octets(&self, coalescing: bool) -> &[u8] {
        if coalescing { &self.collected } else { &self.frame }
    }

    /// All is written.
    pub(super) fn clear(&mut self) {
        self.collected.clear();
    }

    fn write_message(&mut self, destination: &[u8], body: &[u8], size: Option<usize>) {
        let before = b"MESSAGE\nsubscription:";
        let mut head = [&before[..], &self.id, b"\nmessage-id:"].concat();
        let id_at = head.len();
        head.extend_from_slice(&[b'0'; 17 - 5]);
        head.extend_from_slice(b"\ndestination:");
        head.extend_from_slice(destination);
        head.extend_from_slice(format!("\ncontent-length:{}\n", body.len()).as_bytes());
        let natural = head.len() + 1 + body.len() + 1;
        let padding = size.map_or(0, |size| {
            let header = match size {
                ..130 => 2,
                130..65_540 => 4,
                _ => LARGEST_HEADER,
            };
            size.saturating_sub(header).saturating_sub(natural)
        });
        // A header of its own, `p:xxx` and LF; less than that cannot be added.
        if padding >= 3 {
            head.extend_from_slice(b"p:");
            head.resize(head.len() + padding - 3, b'x');
            head.push(b'\n');
        }
        head.push(b'\n');
        let payload = [&head[..], body, b"\0"].concat();
        self.frame.clear();
        websocket::write_frame(websocket::TEXT, &payload, &mut self.frame);
        let start = self.frame.len() - payload.len();
        self.id_at = start + id_at;
        self.body_at = start + head.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;

    fn body(number: u32) -> Vec<u8> {
        let mut body = vec![b'x'; 40];
        Stamp { run: 1, stream: 2, number, sent: 4 }.write(&mut body);
        body
    }

    #[test]
    fn only_the_stamp_of_the_next_message_differs() {
        let mut room = Room::default();
        room.join(1, b"sub-0");
        room.encode_stomp(b"/topic/a", &body(7), None);
        let first = room.octets(false).to_vec();
        room.encode_stomp(b"/topic/a", &body(8), None);
        let second = room.octets(false);
        let text = String::from_utf8_lossy(second);
        assert!(text.contains("\nmessage-id:000020000008\n"), "{text}");
        let differing = first.iter().zip(second).filter(|(one, other)| one != other).count();
        assert_eq!(differing, 2, "the number in the id and in the body");
    }

    #[test]
    fn frames_are_as_large_as_those_they_are_compared_with() {
        for size in [180, 242, 70_000] {
            let mut room = Room::default();
            room.join(1, b"sub-0");
            room.encode_stomp(b"/topic/a", &body(7), Some(size));
            assert_eq!(room.octets(false).len(), size);
        }
    }

    #[test]
    fn what_is_collected_is_written_together() {
        let mut room = Room::default();
        room.join(1, b"");
        room.encode_raw(&body(1));
        assert!(room.collect());
        room.encode_raw(&body(2));
        assert!(!room.collect());
        assert_eq!(room.octets(true).len(), 2 * room.octets(false).len());
        room.clear();
        assert!(room.octets(true).is_empty());
    }
}
