//! What is handed to one outbox at a time: frames that many share, or frames that were put together for it alone.

use bytes::Bytes;

use super::{
    composed::{Composed, Frames},
    lane::Message,
};
use crate::outbox::{Batch, Overflow};

/// Frames of one lane, which other members get as well.
pub(super) struct Common<'a> {
    frames: Frames<'a>,
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
    /// What is composed of `messages`, the first of which has the number `due`.
    pub(super) fn new(composed: &'a mut Composed, due: u64, messages: &[Message]) -> Self {
        let frames = composed.frames(due, messages.len());
        let messages = messages.iter().map(|message| (message.tail.salt, message.tail.overflow)).collect();
        Self { frames, messages, key: 0 }
    }
}

impl Batch for Common<'_> {
    #[inline]
    fn octets(&self) -> &[u8] {
        self.frames.octets
    }

    fn len(&self) -> usize {
        self.frames.ends.len()
    }

    fn end_of(&self, frame: usize) -> usize {
        self.frames.end_of(frame)
    }

    fn subscription_of(&self, frame: usize) -> (u64, Overflow) {
        let (salt, overflow) = self.messages[frame];
        (self.key ^ salt, overflow)
    }

    fn wire(&mut self, frame: usize) -> Bytes {
        self.frames.keep(frame)
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
