//! Whole frames of one shape, one behind the other, made when the first member needs them.

use bytes::Bytes;

use super::lane::Message;

/// Frames in a row, ready to be written.
#[derive(Debug, Default)]
pub(super) struct Composed {
    octets: Vec<u8>,
    /// The number of the first message.
    from: u64,
    /// Where each frame ends.
    ends: Vec<usize>,
    /// The frames that somebody keeps, made when the first one does; the last one first.
    kept: Vec<Option<Bytes>>,
}

impl Composed {
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Has the frames from the message `due` on, up to the last of `messages`, whose first has the number `first`.
    pub(super) fn go_on(&mut self, head: &[u8], messages: &[Message], first: u64, due: u64) {
        if self.ends.is_empty() || due < self.from {
            // Who was served before was less far behind.
            self.forget_before(u64::MAX);
            self.from = due;
        }
        let have = usize::try_from(self.from - first).unwrap_or(usize::MAX).saturating_add(self.ends.len());
        let missing = messages.get(have..).unwrap_or_default();
        for message in missing {
            message.tail.compose(head, &mut self.octets);
            self.ends.push(self.octets.len());
        }
        if !missing.is_empty() {
            self.kept.clear();
        }
    }

    /// The frames from the message `due` on, where they begin, and those that somebody keeps.
    pub(super) fn from(&mut self, due: u64) -> (&[u8], &[usize], usize, &mut Vec<Option<Bytes>>) {
        let skipped = usize::try_from(due - self.from).unwrap_or(usize::MAX).min(self.ends.len());
        let start = if skipped == 0 { 0 } else { self.ends[skipped - 1] };
        (&self.octets[start..], &self.ends[skipped..], start, &mut self.kept)
    }

    /// Forgets the frames before the message `number`.
    pub(super) fn forget_before(&mut self, number: u64) {
        let gone = usize::try_from(number.saturating_sub(self.from)).unwrap_or(usize::MAX);
        if gone >= self.ends.len() {
            // Most lanes are quiet most of the time.
            *self = Self { from: self.from, ..Self::default() };
        } else if gone > 0 {
            let octets = self.ends[gone - 1];
            self.octets.drain(..octets);
            self.ends.drain(..gone);
            self.ends.iter_mut().for_each(|end| *end -= octets);
            self.kept.truncate(self.ends.len());
        }
        self.from = self.from.max(number);
    }
}
