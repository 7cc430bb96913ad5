//! The ring of one destination: entries with their places, within what the destination retains.
//!
//! Offsets are dense here, so an entry's place in the ring follows from its offset. Whatever leaves the ring was the oldest
//! one, so what is missing is always a beginning.

use std::{collections::VecDeque, sync::Arc};

use tokio::time::Instant;

use crate::{
    clock,
    history::{Entry, Epoch, Page, Position, ReadLimit, Retain, Stamp},
};

#[derive(Debug)]
pub(super) struct Log {
    epoch: Epoch,
    /// The offset of the last entry, zero before the first.
    last: u64,
    /// The entries with the offsets up to `last`.
    ring: VecDeque<Kept>,
    /// The octets of all of them.
    octets: usize,
    retain: Retain,
}

#[derive(Debug)]
struct Kept {
    stored_at: Instant,
    octets: usize,
    entry: Arc<Entry>,
}

impl Log {
    pub(super) const fn new(epoch: Epoch, retain: Retain) -> Self {
        Self { epoch, last: 0, ring: VecDeque::new(), octets: 0, retain }
    }

    /// Gives `entry` the next place and keeps it, if it fits.
    pub(super) fn append(&mut self, now: Instant, entry: Arc<Entry>) -> Stamp {
        let prev = self.last;
        self.last += 1;
        let octets = entry.octets();
        self.octets += octets;
        self.ring.push_back(Kept { stored_at: now, octets, entry });
        self.trim(now);
        Stamp { epoch: self.epoch, offset: self.last, prev }
    }

    /// What came after `after`, as much as `limit` allows. [`trim`](Self::trim) before it, or what is too old is read too.
    pub(super) fn read(&self, after: Position, limit: ReadLimit) -> Page {
        let top = self.top();
        let Some(first) = after.offset.checked_sub(self.trimmed()) else { return Page::incomplete(top) };
        if after.epoch != self.epoch || after.offset > self.last {
            return Page::incomplete(top);
        }
        // At most the length of the ring, which is a `usize`.
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let mut entries = Vec::new();
        let mut octets = 0_usize;
        for (kept, offset) in self.ring.range(first..).zip(after.offset + 1..) {
            octets = octets.saturating_add(kept.octets);
            if !entries.is_empty() && (entries.len() >= limit.messages || octets > limit.octets) {
                break;
            }
            entries.push((Stamp { epoch: self.epoch, offset, prev: offset - 1 }, Arc::clone(&kept.entry)));
        }
        Page::complete(entries, top)
    }

    /// Forgets what exceeds what is retained.
    pub(super) fn trim(&mut self, now: Instant) {
        while let Some(oldest) = self.ring.front()
            && (self.ring.len() > self.retain.messages()
                || self.octets > self.retain.octets()
                || clock::after(oldest.stored_at, self.retain.age()) < now)
        {
            self.octets -= oldest.octets;
            self.ring.pop_front();
        }
        // A quarter, and half of it left as room: a ring that grows and shrinks by one does not move each time.
        if self.ring.len() < self.ring.capacity() / 4 {
            self.ring.shrink_to(self.ring.len() * 2);
        }
    }

    /// Forgets everything, and begins a new epoch.
    pub(super) fn forget(&mut self, epoch: Epoch) {
        *self = Self::new(epoch, self.retain);
    }

    /// The place after the last entry.
    pub(super) const fn top(&self) -> Position {
        Position { epoch: self.epoch, offset: self.last }
    }

    /// The moment after which the oldest entry is too old.
    pub(super) fn due(&self) -> Option<Instant> {
        self.ring.front().map(|oldest| clock::after(oldest.stored_at, self.retain.age()))
    }

    pub(super) const fn octets(&self) -> usize {
        self.octets
    }

    /// The offset of the last entry that is forgotten.
    fn trimmed(&self) -> u64 {
        self.last - self.ring.len() as u64
    }
}
