//! Whole frames of one shape, one behind the other, made when the first member needs them.

use std::collections::VecDeque;

use bytes::Bytes;

use super::lane::Message;

/// Octets of room that are kept for the next messages; what was grown beyond is given back.
const KEPT: usize = 4 * 1024;

/// Frames in a row, ready to be written.
#[derive(Debug, Default)]
pub(super) struct Composed {
    octets: Vec<u8>,
    /// The number of the first message.
    from: u64,
    /// Where each frame ends.
    ends: Vec<usize>,
    /// The frames that somebody keeps, made when the first one does.
    kept: Vec<Option<Bytes>>,
}

impl Composed {
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Goes on to the last of `messages`, whose first has the number `first`.
    pub(super) fn go_on(&mut self, head: &[u8], messages: &VecDeque<Message>, first: u64) {
        if self.ends.is_empty() {
            self.from = first;
        }
        let have = usize::try_from(self.from - first).unwrap_or(usize::MAX).saturating_add(self.ends.len());
        if have >= messages.len() {
            return;
        }
        for message in messages.range(have..) {
            message.tail.compose(head, &mut self.octets);
            self.ends.push(self.octets.len());
        }
    }

    /// The frames from the message `number` on.
    pub(super) fn from(&self, number: u64) -> (&[u8], &[usize], usize) {
        let skipped = usize::try_from(number - self.from).unwrap_or(usize::MAX).min(self.ends.len());
        let start = if skipped == 0 { 0 } else { self.ends[skipped - 1] };
        (&self.octets[start..], &self.ends[skipped..], start)
    }

    /// A frame, counted from the message `number`, to be kept: all who keep it share its octets.
    pub(super) fn keep(&mut self, number: u64, frame: usize) -> Bytes {
        let index = usize::try_from(number - self.from).unwrap_or(usize::MAX).saturating_add(frame);
        self.kept.resize(self.ends.len(), None);
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        let octets = &self.octets[start..self.ends[index]];
        self.kept[index].get_or_insert_with(|| Bytes::copy_from_slice(octets)).clone()
    }

    /// Forgets the frames before the message `number`.
    pub(super) fn forget_before(&mut self, number: u64) {
        let gone = usize::try_from(number.saturating_sub(self.from)).unwrap_or(usize::MAX);
        if gone >= self.ends.len() {
            self.octets.clear();
            self.octets.shrink_to(KEPT);
            self.ends.clear();
            self.kept.clear();
        } else if gone > 0 {
            let octets = self.ends[gone - 1];
            self.octets.drain(..octets);
            self.ends.drain(..gone);
            self.ends.iter_mut().for_each(|end| *end -= octets);
            self.kept.drain(..gone.min(self.kept.len()));
        }
        self.from = number;
    }
}
