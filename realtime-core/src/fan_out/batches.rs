//! What is handed to one outbox at a time: frames that many share, or frames that were put together for it alone.

use bytes::Bytes;

use super::{composed::Composed, lane::Message};
use crate::outbox::{Batch, Overflow};

/// The frames of one lane, from a message on, which other members get as well.
pub(super) struct Common<'a> {
    octets: &'a [u8],
    ends: &'a [usize],
    /// Where the octets begin that the ends count from.
    start: usize,
    kept: &'a mut Vec<Option<Bytes>>,
    /// The subscription and the policy of each frame, but for the member's key.
    messages: Vec<(u64, Overflow)>,
    pub(super) key: u64,
}

/// Frames for one outbox, in room that is used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Own {
    octets: Vec<u8>,
    frames: Vec<Part>,
}

/// One frame for one outbox.
#[derive(Debug)]
struct Part {
    end: usize,
    subscription: u64,
    overflow: Overflow,
    origin: Origin,
}

/// Where a frame comes from: the slot of the lane, and the number of the message there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) lane: usize,
    pub(super) number: u64,
}

impl<'a> Common<'a> {
    /// What is composed from the message `due` on, which is the first of `messages`.
    pub(super) fn new(composed: &'a mut Composed, due: u64, messages: &[Message]) -> Self {
        let (octets, ends, start, kept) = composed.from(due);
        let messages = messages.iter().map(|message| (message.tail.salt, message.tail.overflow)).collect();
        Self { octets, ends, start, kept, messages, key: 0 }
    }
}

impl Batch for Common<'_> {
    #[inline]
    fn octets(&self) -> &[u8] {
        self.octets
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn end_of(&self, frame: usize) -> usize {
        self.ends[frame] - self.start
    }

    fn subscription_of(&self, frame: usize) -> (u64, Overflow) {
        let (salt, overflow) = self.messages[frame];
        (self.key ^ salt, overflow)
    }

    /// All who keep a frame share its octets.
    fn wire(&mut self, frame: usize) -> Bytes {
        let start = if frame == 0 { 0 } else { self.end_of(frame - 1) };
        let octets = &self.octets[start..self.end_of(frame)];
        // Counted from the last one, so that it is the same wherever a member begins.
        let from_last = self.ends.len() - 1 - frame;
        if self.kept.len() <= from_last {
            self.kept.resize(from_last + 1, None);
        }
        self.kept[from_last].get_or_insert_with(|| Bytes::copy_from_slice(octets)).clone()
    }
}

impl Own {
    pub(super) fn clear(&mut self) {
        self.octets.clear();
        self.frames.clear();
    }

    /// Appends a message as its member gets it.
    pub(super) fn add(&mut self, head: &[u8], message: &Message, key: u64, origin: Origin) {
        let tail = &message.tail;
        tail.compose(head, &mut self.octets);
        let (end, subscription) = (self.octets.len(), key ^ tail.salt);
        self.frames.push(Part { end, subscription, overflow: tail.overflow, origin });
    }

    pub(super) fn origin(&self, frame: usize) -> Origin {
        self.frames[frame].origin
    }
}

impl Batch for Own {
    fn octets(&self) -> &[u8] {
        &self.octets
    }

    fn len(&self) -> usize {
        self.frames.len()
    }

    fn end_of(&self, frame: usize) -> usize {
        self.frames[frame].end
    }

    fn subscription_of(&self, frame: usize) -> (u64, Overflow) {
        (self.frames[frame].subscription, self.frames[frame].overflow)
    }

    fn wire(&mut self, frame: usize) -> Bytes {
        let start = if frame == 0 { 0 } else { self.frames[frame - 1].end };
        Bytes::copy_from_slice(&self.octets[start..self.frames[frame].end])
    }
}
