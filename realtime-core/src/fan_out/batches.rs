//! What is handed to one outbox at a time: frames that many share, or frames that were put together for it alone.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{composed::Composed, lane::Message};
use crate::outbox::{Batch, Overflow};

/// The frames of one lane, from a number on, which other members get as well.
pub(super) struct Common<'a> {
    pub(super) composed: &'a mut Composed,
    pub(super) due: u64,
    pub(super) messages: &'a VecDeque<Message>,
    pub(super) first: u64,
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

impl Batch for Common<'_> {
    fn octets(&self) -> &[u8] {
        self.composed.from(self.due).0
    }

    fn len(&self) -> usize {
        self.composed.from(self.due).1.len()
    }

    fn end_of(&self, frame: usize) -> usize {
        let (_, ends, start) = self.composed.from(self.due);
        ends[frame] - start
    }

    fn subscription_of(&self, frame: usize) -> (u64, Overflow) {
        let index = usize::try_from(self.due - self.first).unwrap_or(usize::MAX).saturating_add(frame);
        let tail = &self.messages[index].tail;
        (self.key ^ tail.salt, tail.overflow)
    }

    fn wire(&mut self, frame: usize) -> Bytes {
        self.composed.keep(self.due, frame)
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
