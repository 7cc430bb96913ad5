//! The frames that wait for one client, oldest first, and what was dropped from among them.
//!
//! Nothing here writes or wakes anybody. A frame whose writing has begun is only ever the first and is never dropped.

use std::{
    collections::VecDeque,
    io::IoSlice,
    ops::{Deref, DerefMut},
};

use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::time::Instant;

use crate::{
    outbox::{Annotate, OutboxLimits, Overflow},
    telemetry::OutboxHistory,
};

/// How many queued frames one vectored write takes at most; more gain nothing, as the kernel copies anyway.
pub(super) const MAX_SLICES: usize = 64;

/// Subscriptions of one session that may miss messages without having heard of it: beyond, it counts as slow. It bounds the
/// memory of a client that does not read; 16 octets each.
pub(super) const MAX_UNSAID: usize = 16_384;

/// The header that says how many messages are missing.
const DROPPED: &str = "dropped";

/// A queue that has its memory from the first frame on that waits: most clients read whatever they are sent.
#[derive(Default)]
pub(super) struct LazyQueue(Option<Box<Queue>>);

#[derive(Default)]
pub(super) struct Queue {
    entries: VecDeque<Queued>,
    /// Octets of the first frame that are written already.
    head_written: usize,
    /// Octets that are not written yet.
    waiting: usize,
    /// The most octets that ever waited.
    peak: usize,
    /// Frames that were thrown away with the connection.
    given_up: usize,
    /// Allocated at the first: few clients miss anything.
    losses: Option<Box<Losses>>,
}

/// What policies took out of a queue.
#[derive(Default)]
struct Losses {
    /// By subscription, messages that were dropped behind its last waiting frame: its next frame will say so.
    unsaid: FxHashMap<u64, u32>,
    overflowed: usize,
    superseded: usize,
}

struct Queued {
    wire: Bytes,
    since: Instant,
    kind: Kind,
    /// Messages of the same subscription that are missing in front of this one.
    dropped: u32,
}

/// What a frame is to the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a subscription that has ended, and may be dropped.
    Ended,
    /// The last word, which is said whatever happens to what waits in front of it.
    Farewell,
    /// What must arrive and belongs to no subscription.
    Plain,
    Pong,
    Subscription {
        key: u64,
        overflow: Overflow,
    },
}

impl Queued {
    fn key(&self) -> Option<u64> {
        match self.kind {
            Kind::Subscription { key, .. } => Some(key),
            Kind::Ended | Kind::Farewell | Kind::Plain | Kind::Pong => None,
        }
    }

    fn is_droppable(&self) -> bool {
        match self.kind {
            Kind::Farewell | Kind::Plain | Kind::Pong | Kind::Subscription { overflow: Overflow::Disconnect, .. } => {
                false
            }
            Kind::Ended | Kind::Subscription { overflow: Overflow::DropOldest | Overflow::LatestOnly, .. } => true,
        }
    }
}

/// What every queue is in which nothing ever waited.
static UNUSED: Queue =
    Queue { entries: VecDeque::new(), head_written: 0, waiting: 0, peak: 0, given_up: 0, losses: None };

impl LazyQueue {
    /// The queue, if anything ever waited in it.
    pub(super) fn used(&mut self) -> Option<&mut Queue> {
        self.0.as_deref_mut()
    }

    /// As [`Queue::is_untroubled`].
    #[inline]
    pub(super) fn is_untroubled(&self) -> bool {
        self.0.as_ref().is_none_or(|queue| queue.is_untroubled())
    }
}

impl Deref for LazyQueue {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        self.0.as_deref().unwrap_or(&UNUSED)
    }
}

impl DerefMut for LazyQueue {
    fn deref_mut(&mut self) -> &mut Queue {
        self.0.get_or_insert_default()
    }
}

impl Queue {
    /// Appends a frame of which that much is written. It takes over what its subscription has not been told yet.
    pub(super) fn append(&mut self, wire: Bytes, already_written: usize, kind: Kind, now: Instant) {
        let dropped = if let Kind::Subscription { key, .. } = kind { self.take_unsaid(key) } else { 0 };
        if self.entries.is_empty() {
            self.head_written = already_written;
        }
        self.waiting += wire.len() - already_written;
        self.peak = self.peak.max(self.waiting);
        self.entries.push_back(Queued { wire, since: now, kind, dropped });
    }

    /// Makes room for a frame of so many octets within `limits`, as its policy has it; false, with nothing changed, where
    /// that cannot be done.
    pub(super) fn make_room(&mut self, limits: &OutboxLimits, kind: Kind, octets: usize) -> bool {
        let has_room = self.has_room(limits, octets);
        if !has_room && !self.could_have_room(limits, octets) {
            return false;
        }
        if let Kind::Subscription { overflow: Overflow::LatestOnly, .. } = kind {
            self.supersede(kind);
        }
        if has_room {
            return true;
        }
        if let Kind::Subscription { overflow: Overflow::DropOldest, .. } = kind {
            self.drop_until_room(limits, octets, |queued| queued.kind == kind);
        }
        self.drop_until_room(limits, octets, Queued::is_droppable);
        true
    }

    /// Drops a frame of the subscription that never came to wait.
    pub(super) fn drop_new(&mut self, key: u64) {
        self.losses.get_or_insert_default().overflowed += 1;
        self.miss(key, 1, self.entries.len());
    }

    /// Drops the first frame, if it may be dropped and has not begun.
    pub(super) fn drop_head(&mut self) -> bool {
        let may = self.head_written == 0 && self.entries.front().is_some_and(Queued::is_droppable);
        if may {
            self.drop_at(0);
        }
        may
    }

    /// Replaces a pong that has not begun to be written; false where there is none.
    pub(super) fn replace_pong(&mut self, wire: &Bytes) -> bool {
        let Some(index) = self.position_from(self.begun(), |queued| queued.kind == Kind::Pong) else { return false };
        let Some(queued) = self.entries.get_mut(index) else { return false };
        self.waiting = self.waiting - queued.wire.len() + wire.len();
        queued.wire = wire.clone();
        true
    }

    /// Hands what is to be written next to `write`, and takes out what it says was written. Returns `write`'s answer; a
    /// queue that is empty has nothing to write.
    pub(super) fn write_with<R>(
        &mut self,
        annotate: Annotate,
        write: impl FnOnce(&[IoSlice<'_>]) -> R,
        written: impl FnOnce(&R) -> usize,
    ) -> Option<R> {
        let head = self.entries.front()?;
        // Said no earlier than now: until a frame begins, more may be dropped in front of it.
        let noted = (self.head_written == 0 && head.dropped > 0)
            .then(|| annotate(&head.wire, DROPPED, &head.dropped.to_string()));
        let first = noted.as_ref().unwrap_or(&head.wire);
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 1;
        slices[0] = IoSlice::new(&first[self.head_written..]);
        // A frame that has something to say must be the first when it begins.
        let others = self.entries.iter().skip(1).take_while(|queued| queued.dropped == 0);
        for (slot, queued) in slices[1..].iter_mut().zip(others) {
            *slot = IoSlice::new(&queued.wire);
            count += 1;
        }
        let answer = write(&slices[..count]);
        let written = written(&answer);
        if written > 0 {
            if let Some(noted) = noted {
                self.begin_with(noted);
            }
            self.advance(written);
        }
        Some(answer)
    }

    /// Drops all that has not begun because the client was too slow.
    pub(super) fn give_up(&mut self) {
        let begun = self.begun();
        self.given_up += self.entries.len() - begun;
        self.entries.truncate(begun);
        self.waiting = self.head_left();
        self.forget_unsaid();
    }

    /// Drops all that has not begun and is no farewell because its time is over.
    pub(super) fn give_up_but_farewell(&mut self) {
        let (before, begun) = (self.entries.len(), self.begun());
        let mut place = 0;
        self.entries.retain(|queued| {
            place += 1;
            place <= begun || queued.kind == Kind::Farewell
        });
        self.given_up += before - self.entries.len();
        let behind: usize = self.entries.iter().skip(begun).map(|queued| queued.wire.len()).sum();
        self.waiting = behind + if begun > 0 { self.head_left() } else { 0 };
        self.forget_unsaid();
    }

    /// Forgets everything, what has begun included.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.waiting = 0;
        self.head_written = 0;
        self.forget_unsaid();
    }

    /// A subscription has ended: nothing more is to be told to it. What waits still goes out, or makes room.
    pub(super) fn forget(&mut self, key: u64) {
        self.take_unsaid(key);
        for queued in self.entries.iter_mut().filter(|queued| queued.key() == Some(key)) {
            queued.kind = if queued.is_droppable() { Kind::Ended } else { Kind::Plain };
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn history(&self) -> OutboxHistory {
        let (overflowed, superseded) =
            self.losses.as_ref().map_or((0, 0), |losses| (losses.overflowed, losses.superseded));
        OutboxHistory { peak: self.peak, dropped: self.given_up, overflowed, superseded }
    }

    /// Whether the subscription's next frame has to say that some are missing.
    pub(super) fn has_unsaid(&self, key: u64) -> bool {
        self.losses.as_ref().is_some_and(|losses| losses.unsaid.contains_key(&key))
    }

    /// Whether nothing waits, and no subscription's next frame has to say that some are missing.
    fn is_untroubled(&self) -> bool {
        self.entries.is_empty() && self.losses.as_ref().is_none_or(|losses| losses.unsaid.is_empty())
    }

    /// Whether more subscriptions miss messages than may be kept account of.
    pub(super) fn misses_too_many(&self) -> bool {
        self.losses.as_ref().is_some_and(|losses| losses.unsaid.len() > MAX_UNSAID)
    }

    /// Since when the first frame waits. One that has begun to be written waits since its last progress: a large message to
    /// a reader that goes on reading is not late.
    pub(super) fn oldest_since(&self, last_write: Instant) -> Option<Instant> {
        let head = self.entries.front()?;
        Some(if self.head_written > 0 { head.since.max(last_write) } else { head.since })
    }

    /// Whether one more frame of so many octets stays within `limits`. The first frame's own octets do not count.
    fn has_room(&self, limits: &OutboxLimits, octets: usize) -> bool {
        self.has_room_for(limits, 1, octets)
    }

    /// Whether so many frames of so many octets in all stay within `limits`.
    pub(super) fn has_room_for(&self, limits: &OutboxLimits, frames: usize, octets: usize) -> bool {
        let behind_head = self.waiting - self.head_left();
        (self.entries.is_empty() && frames <= 1)
            || (self.entries.len() + frames <= limits.max_messages && behind_head + octets <= limits.max_bytes)
    }

    /// Whether it would if everything that may be dropped were.
    fn could_have_room(&self, limits: &OutboxLimits, octets: usize) -> bool {
        let begun = self.begun();
        let entries = self.entries.iter().enumerate();
        let mut kept = entries.filter(|(index, queued)| *index < begun || !queued.is_droppable());
        if kept.next().is_none() {
            return true;
        }
        let (messages, octets) =
            kept.fold((1, octets), |(messages, octets), (_, queued)| (messages + 1, octets + queued.wire.len()));
        messages < limits.max_messages && octets <= limits.max_bytes
    }

    /// Takes out the frame that a new one of the same `LatestOnly` subscription takes the place of.
    fn supersede(&mut self, kind: Kind) {
        let Some(index) = self.position_from(self.begun(), |queued| queued.kind == kind) else { return };
        let Some(old) = self.take(index) else { return };
        self.losses.get_or_insert_default().superseded += 1;
        if let (Some(key), 1..) = (old.key(), old.dropped) {
            self.miss(key, old.dropped, index);
        }
    }

    /// Drops frames that `may` be, the oldest first, until there is room or none is left.
    fn drop_until_room(&mut self, limits: &OutboxLimits, octets: usize, may: impl Fn(&Queued) -> bool) {
        let mut from = self.begun();
        while !self.has_room(limits, octets)
            && let Some(index) = self.position_from(from, &may)
        {
            self.drop_at(index);
            from = index;
        }
    }

    fn drop_at(&mut self, index: usize) {
        let Some(gone) = self.take(index) else { return };
        self.losses.get_or_insert_default().overflowed += 1;
        if let Some(key) = gone.key() {
            self.miss(key, gone.dropped.saturating_add(1), index);
        }
    }

    /// Notes a gap in front of the entry `from`: the subscription's next frame from there on says it.
    fn miss(&mut self, key: u64, count: u32, from: usize) {
        let next = self.entries.range_mut(from..).find(|queued| queued.key() == Some(key));
        let noted = match next {
            Some(next) => &mut next.dropped,
            None => self.losses.get_or_insert_default().unsaid.entry(key).or_default(),
        };
        *noted = noted.saturating_add(count);
    }

    fn take_unsaid(&mut self, key: u64) -> u32 {
        self.losses.as_mut().and_then(|losses| losses.unsaid.remove(&key)).unwrap_or_default()
    }

    fn forget_unsaid(&mut self) {
        if let Some(losses) = &mut self.losses {
            losses.unsaid = FxHashMap::default();
        }
    }

    /// Takes a frame out that has not begun.
    fn take(&mut self, index: usize) -> Option<Queued> {
        let taken = self.entries.remove(index)?;
        self.waiting -= taken.wire.len();
        Some(taken)
    }

    fn position_from(&self, from: usize, is_it: impl Fn(&Queued) -> bool) -> Option<usize> {
        self.entries.range(from..).position(is_it).map(|index| index + from)
    }

    /// How many frames have begun to be written.
    fn begun(&self) -> usize {
        usize::from(self.head_written > 0)
    }

    /// Octets of the first frame that are not written yet.
    fn head_left(&self) -> usize {
        self.entries.front().map_or(0, |head| head.wire.len() - self.head_written)
    }

    /// The first frame begins, as `wire`.
    fn begin_with(&mut self, wire: Bytes) {
        let Some(head) = self.entries.front_mut() else { return };
        self.waiting = self.waiting - head.wire.len() + wire.len();
        head.wire = wire;
        head.dropped = 0;
    }

    fn advance(&mut self, mut written: usize) {
        self.waiting -= written;
        while let Some(head) = self.entries.front() {
            let left = head.wire.len() - self.head_written;
            if written < left {
                self.head_written += written;
                return;
            }
            written -= left;
            self.head_written = 0;
            self.entries.pop_front();
        }
    }
}
