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

/// Some of the frames.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    pub(super) octets: &'a [u8],
    pub(super) ends: &'a [usize],
    /// Where the octets begin that the ends count from.
    start: usize,
    /// How many frames there are behind these.
    behind: usize,
    kept: &'a mut Vec<Option<Bytes>>,
}

impl Frames<'_> {
    /// Where one of them ends.
    pub(super) fn end_of(&self, frame: usize) -> usize {
        self.ends[frame] - self.start
    }

    /// One of them, to be kept: all who do so share its octets.
    pub(super) fn keep(&mut self, frame: usize) -> Bytes {
        let start = if frame == 0 { 0 } else { self.end_of(frame - 1) };
        let octets = &self.octets[start..self.end_of(frame)];
        // Counted from the last one of all, so that it is the same wherever a member begins and ends.
        let from_last = self.behind + self.ends.len() - 1 - frame;
        if self.kept.len() <= from_last {
            self.kept.resize(from_last + 1, None);
        }
        self.kept[from_last].get_or_insert_with(|| Bytes::copy_from_slice(octets)).clone()
    }
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

    /// So many frames from that of the message `due` on.
    pub(super) fn frames(&mut self, due: u64, count: usize) -> Frames<'_> {
        let skipped = usize::try_from(due - self.from).unwrap_or(usize::MAX).min(self.ends.len());
        let last = skipped.saturating_add(count).min(self.ends.len());
        let end_of = |frames: usize| if frames == 0 { 0 } else { self.ends[frames - 1] };
        let start = end_of(skipped);
        Frames {
            octets: &self.octets[start..end_of(last)],
            ends: &self.ends[skipped..last],
            start,
            behind: self.ends.len() - last,
            kept: &mut self.kept,
        }
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
