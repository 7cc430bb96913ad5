//! The journal in memory: a ring for each destination, bounded by its [`Retain`](crate::history::Retain), and all of them
//! together.
//!
//! Locks: a destination's own is its order, and the sink, with whatever it locks, is called under it. The table of
//! destinations and the two queues are locked for a moment, alone or under a destination's lock, and nothing is locked under
//! them: no append waits for what another destination delivers, except where it evicts that destination.

mod limits;
mod log;
#[cfg(test)]
mod model_tests;
mod shelf;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod thread_tests;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

use futures_util::future::BoxFuture;
pub use limits::{MemoryLimits, MemoryUsage};
use shelf::{Ages, Recency, Shelf, Usage};
use tokio::time::Instant;

use crate::{
    clock,
    destination::Destination,
    history::{
        Appended, Entry, Epoch, Journal, JournalError, JournalSink, Page, Position, ReadLimit, Retain, Retention,
    },
    sync::{Mutex, RwLock},
};

/// How many destinations are swept when a connection's timer fires: little enough for any task.
const SWEPT_BY_TIMER: usize = 64;

/// How many destinations an append sweeps beside its own. More than one, so that the sweep gains on the appends.
const SWEPT_BY_APPEND: usize = 2;

/// Histories in the memory of this process; they end with it.
///
/// A destination keeps what its [`Retain`] allows, and remembers its place when all of that has grown too old, so that a
/// client that missed nothing can still resume after a quiet night. All destinations are bounded together by
/// [`MemoryLimits`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use parlor_core::{
///     broker::Publication,
///     history::{Entry, Journal, MemoryJournal, MemoryLimits, ReadLimit, Retain, Retention},
/// };
///
/// let retention = Retention::new([("/topic/**".parse()?, Retain::last(100))])?;
/// let journal = MemoryJournal::new(retention, MemoryLimits::default());
/// let news = "/topic/news".parse()?;
///
/// let before = journal.top(&news).await?;
/// let appended = journal.append(&news, Entry::new("m-1", Publication::text("hello"))).await?;
/// let page = journal.read(&news, before, ReadLimit::default()).await?;
/// assert!(page.complete);
/// assert_eq!(page.entries.len(), 1);
/// assert_eq!(page.top, appended.position);
/// # Ok(()) }
/// ```
pub struct MemoryJournal {
    retention: Retention,
    limits: MemoryLimits,
    sink: OnceLock<Arc<dyn JournalSink>>,
    table: RwLock<Table>,
    recency: Recency,
    ages: Ages,
    usage: Usage,
}

/// The destinations that are remembered.
struct Table {
    shelves: HashMap<Destination, Arc<Shelf>>,
    /// The epoch of every destination that is not here, at offset zero. Another one with each eviction, so that a destination
    /// that comes back never continues the epoch in which its entries were lost.
    unseen: Epoch,
}

impl MemoryJournal {
    /// A journal without entries.
    #[must_use]
    pub fn new(retention: Retention, limits: MemoryLimits) -> Self {
        Self {
            retention,
            limits,
            sink: OnceLock::new(),
            table: RwLock::new(Table { shelves: HashMap::new(), unseen: Epoch::random() }),
            recency: Recency::default(),
            ages: Ages::default(),
            usage: Usage::default(),
        }
    }

    /// What the histories take at this moment.
    #[must_use]
    pub fn usage(&self) -> MemoryUsage {
        MemoryUsage { destinations: self.table.read().shelves.len(), octets: self.usage.octets() }
    }

    /// Forgets every entry that is too old. Appends do that for their own destination and for two others each, and the
    /// connections of an endpoint for some more whenever one of their timers fires; without either, call this now and then,
    /// and idle destinations give their memory back.
    pub fn sweep(&self) {
        let now = clock::now();
        while self.ages.sweep_one(now, &self.usage, |state| Some(state.lock())) {}
    }

    fn append_now(&self, destination: &Destination, entry: Entry) -> Result<Appended, JournalError> {
        let entry = Arc::new(entry.into_owned());
        let appended = loop {
            let shelf = self.shelf(destination)?;
            let Some(mut state) = shelf.lock() else {
                self.remove(&shelf);
                continue;
            };
            // Read under the lock, so that the ages of a destination grow in its order.
            let now = clock::now();
            let stamp = self.usage.counted(&mut state.log, |log| log.append(now, Arc::clone(&entry)));
            self.recency.touch(&shelf);
            self.ages.keep(&shelf, &mut state);
            let reached = self.sink.get().map_or(0, |sink| sink.appended(destination, stamp, &entry));
            break Appended::new(stamp.position(), reached);
        };
        self.evict();
        self.sweep_some(clock::now(), SWEPT_BY_APPEND);
        Ok(appended)
    }

    /// Sweeps so many destinations, none of which another thread is busy with: nobody waits for another one's sink.
    fn sweep_some(&self, now: Instant, destinations: usize) {
        for _ in 0..destinations {
            if !self.ages.sweep_one(now, &self.usage, Mutex::try_lock) {
                break;
            }
        }
    }

    fn read_now(&self, destination: &Destination, after: Position, limit: ReadLimit) -> Result<Page, JournalError> {
        self.look(
            destination,
            |shelf| {
                let mut state = shelf.lock()?;
                self.usage.counted(&mut state.log, |log| log.trim(clock::now()));
                Some(state.log.read(after, limit))
            },
            |top| if after == top { Page::complete(Vec::new(), top) } else { Page::incomplete(top) },
        )
    }

    fn top_now(&self, destination: &Destination) -> Result<Position, JournalError> {
        self.look(destination, |shelf| Some(shelf.lock()?.log.top()), |top| top)
    }

    fn forget_now(&self, destination: &Destination) -> Result<(), JournalError> {
        self.retain(destination)?;
        let epoch = Epoch::random();
        loop {
            let shelf = {
                let mut table = self.table.write();
                let Some(shelf) = table.shelves.get(destination) else {
                    table.unseen = epoch;
                    return Ok(());
                };
                Arc::clone(shelf)
            };
            if let Some(mut state) = shelf.lock() {
                self.ages.forget(&mut state, epoch, &self.usage);
                return Ok(());
            }
            self.remove(&shelf);
        }
    }

    /// Asks the destination where it is remembered, and answers for it where it is not, from the place it begins at.
    fn look<T>(
        &self,
        destination: &Destination,
        ask: impl Fn(&Arc<Shelf>) -> Option<T>,
        answer: impl FnOnce(Position) -> T,
    ) -> Result<T, JournalError> {
        loop {
            let shelf = {
                let table = self.table.read();
                let Some(shelf) = table.shelves.get(destination) else {
                    let top = Position { epoch: table.unseen, offset: 0 };
                    drop(table);
                    self.retain(destination)?;
                    return Ok(answer(top));
                };
                Arc::clone(shelf)
            };
            match ask(&shelf) {
                Some(answer) => return Ok(answer),
                None => self.remove(&shelf),
            }
        }
    }

    /// The destination's place in the table, a new one where it has none.
    fn shelf(&self, destination: &Destination) -> Result<Arc<Shelf>, JournalError> {
        if let Some(shelf) = self.table.read().shelves.get(destination) {
            return Ok(Arc::clone(shelf));
        }
        let retain = self.retain(destination)?;
        let mut table = self.table.write();
        if let Some(shelf) = table.shelves.get(destination) {
            return Ok(Arc::clone(shelf));
        }
        let shelf = Arc::new(Shelf::new(destination.clone(), table.unseen, retain, self.recency.next()));
        table.shelves.insert(destination.clone(), Arc::clone(&shelf));
        drop(table);
        self.recency.insert(&shelf);
        Ok(shelf)
    }

    fn retain(&self, destination: &Destination) -> Result<Retain, JournalError> {
        let retain = self.retention.find(destination).ok_or_else(|| JournalError::NotRetained(destination.clone()))?;
        // One destination alone must not exceed what all have.
        Ok(retain.up_to(retain.octets().min(self.limits.max_octets)))
    }

    /// Evicts destinations until all of them are within the limits.
    fn evict(&self) {
        while self.usage.octets() > self.limits.max_octets
            || self.table.read().shelves.len() > self.limits.max_destinations
        {
            let Some(shelf) = self.recency.pop() else { return };
            self.ages.retire(&shelf, Epoch::random(), &self.usage);
            self.remove(&shelf);
        }
    }

    /// Takes a retired destination out of the table. Whoever finds one does it, and then looks again: only when nobody appends
    /// to it any more may another one take its place, or the sink could see both at once.
    fn remove(&self, shelf: &Arc<Shelf>) {
        let epoch = Epoch::random();
        let mut table = self.table.write();
        if table.shelves.get(&shelf.destination).is_some_and(|known| Arc::ptr_eq(known, shelf)) {
            table.shelves.remove(&shelf.destination);
            table.unseen = epoch;
        }
    }
}

impl Journal for MemoryJournal {
    fn attach(&self, sink: Arc<dyn JournalSink>) {
        self.sink.get_or_init(|| sink);
    }

    fn append<'a>(
        &'a self,
        destination: &'a Destination,
        entry: Entry,
    ) -> BoxFuture<'a, Result<Appended, JournalError>> {
        Box::pin(async move { self.append_now(destination, entry) })
    }

    fn read<'a>(
        &'a self,
        destination: &'a Destination,
        after: Position,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Page, JournalError>> {
        Box::pin(async move { self.read_now(destination, after, limit) })
    }

    fn top<'a>(&'a self, destination: &'a Destination) -> BoxFuture<'a, Result<Position, JournalError>> {
        Box::pin(async move { self.top_now(destination) })
    }

    fn forget<'a>(&'a self, destination: &'a Destination) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move { self.forget_now(destination) })
    }

    fn tidy(&self) {
        self.sweep_some(clock::now(), SWEPT_BY_TIMER);
    }
}

impl fmt::Debug for MemoryJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryJournal")
            .field("retention", &self.retention)
            .field("limits", &self.limits)
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}
