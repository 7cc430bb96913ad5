//! The journal: where entries get their places and are kept, and from where they are read again.

use std::{error::Error, sync::Arc};

use futures_util::future::BoxFuture;

use crate::{
    destination::Destination,
    history::{Entry, Position, Stamp},
};

/// Keeps the messages of destinations with history, and gives them their order.
///
/// The broker appends and reads; the journal hands every entry to its sink, in the order of the positions of its
/// destination. [`MemoryJournal`](crate::history::MemoryJournal) is the one that needs nothing else.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
/// use futures_util::future::BoxFuture;
/// use parlor_core::{
///     destination::Destination,
///     history::{Appended, Entry, Journal, JournalError, JournalSink, MemoryJournal, Page, Position, ReadLimit},
/// };
///
/// /// Counts what another journal keeps.
/// struct Counted {
///     inner: MemoryJournal,
///     kept: AtomicU64,
/// }
///
/// impl Journal for Counted {
///     fn attach(&self, sink: Arc<dyn JournalSink>) {
///         self.inner.attach(sink);
///     }
///
///     fn append<'a>(&'a self, at: &'a Destination, entry: Entry) -> BoxFuture<'a, Result<Appended, JournalError>> {
///         Box::pin(async move {
///             let appended = self.inner.append(at, entry).await?;
///             if !appended.duplicate {
///                 self.kept.fetch_add(1, Ordering::Relaxed);
///             }
///             Ok(appended)
///         })
///     }
///
///     fn read<'a>(
///         &'a self,
///         at: &'a Destination,
///         after: Position,
///         limit: ReadLimit,
///     ) -> BoxFuture<'a, Result<Page, JournalError>> {
///         self.inner.read(at, after, limit)
///     }
///
///     fn top<'a>(&'a self, at: &'a Destination) -> BoxFuture<'a, Result<Position, JournalError>> {
///         self.inner.top(at)
///     }
///
///     fn forget<'a>(&'a self, at: &'a Destination) -> BoxFuture<'a, Result<(), JournalError>> {
///         self.inner.forget(at)
///     }
/// }
/// ```
pub trait Journal: Send + Sync + 'static {
    /// Takes the sink that every entry is handed to from now on. Called once, before there is an entry; a second sink is
    /// ignored.
    fn attach(&self, sink: Arc<dyn JournalSink>);

    /// Gives `entry` the next place on `destination`, keeps it, and hands it to the sink before it returns.
    ///
    /// Message ids are unique. Where a journal was left in doubt about an append and gets the same id again, it says
    /// [`duplicate`](Appended::duplicate) and hands nothing to the sink.
    fn append<'a>(
        &'a self,
        destination: &'a Destination,
        entry: Entry,
    ) -> BoxFuture<'a, Result<Appended, JournalError>>;

    /// What came after `after`, oldest first and without a gap, as much as `limit` allows; or nothing and
    /// `complete: false`, where that cannot be proved to be all.
    fn read<'a>(
        &'a self,
        destination: &'a Destination,
        after: Position,
        limit: ReadLimit,
    ) -> BoxFuture<'a, Result<Page, JournalError>>;

    /// The place after the last entry, also where there is none yet.
    fn top<'a>(&'a self, destination: &'a Destination) -> BoxFuture<'a, Result<Position, JournalError>>;

    /// Forgets the entries of `destination` and begins a new epoch: no position from before is complete any more.
    fn forget<'a>(&'a self, destination: &'a Destination) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Gives back a little of what is too old, and returns at once. Called when clients come and go and by the timers of their
    /// connections, so that destinations to which nothing is published give their memory back too. Default: nothing.
    fn tidy(&self) {}
}

/// Who is told of every entry: the broker, which delivers it.
///
/// ```
/// use parlor_core::{destination::Destination, history::{Entry, JournalSink, Stamp}};
///
/// /// Writes down what comes, and delivers it to nobody.
/// struct Log;
///
/// impl JournalSink for Log {
///     fn appended(&self, destination: &Destination, stamp: Stamp, entry: &Entry) -> usize {
///         println!("{destination} {}: {} octets", stamp.offset, entry.publication.body.len());
///         0
///     }
/// }
/// ```
pub trait JournalSink: Send + Sync {
    /// Takes an entry and returns how many subscriptions it reached.
    ///
    /// The calls for one destination come one after another, in the order of positions, and none is left out: `stamp.prev`
    /// is the offset of the call before, or the epoch is another one. A journal may hold a lock of the destination
    /// meanwhile, so the sink neither waits nor calls the journal. Its own locks come after the journal's.
    fn appended(&self, destination: &Destination, stamp: Stamp, entry: &Entry) -> usize;
}

/// What became of an append.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use parlor_core::{broker::Publication, history::{MemoryLimits, Retain, Retention}};
/// # let retention = Retention::new([("/topic/chat".parse()?, Retain::last(10))])?;
/// use parlor_core::{destination::Destination, history::{Entry, Journal, MemoryJournal}};
///
/// let journal = MemoryJournal::new(retention, MemoryLimits::default());
/// let chat: Destination = "/topic/chat".parse()?;
/// let first = journal.append(&chat, Entry::new("1", Publication::text("hello"))).await?;
/// let second = journal.append(&chat, Entry::new("2", Publication::text("there"))).await?;
/// assert!(second.position.offset > first.position.offset && !second.duplicate);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// The place right after the entry.
    pub position: Position,
    /// The entry was there already, at that position.
    pub duplicate: bool,
    /// What the sink returned: the subscriptions on this node that it reached.
    pub reached: usize,
}

impl Appended {
    /// A new entry at `position` that reached so many subscriptions.
    #[must_use]
    pub const fn new(position: Position, reached: usize) -> Self {
        Self { position, duplicate: false, reached }
    }

    /// An entry that was at `position` already.
    #[must_use]
    pub const fn duplicate(position: Position) -> Self {
        Self { position, duplicate: true, reached: 0 }
    }
}

/// How much one read returns at most. It always returns one entry where there is one.
///
/// ```
/// use parlor_core::history::ReadLimit;
///
/// assert_eq!(ReadLimit::default(), ReadLimit::new(1000, 1 << 20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadLimit {
    /// Entries. Default 1,000.
    pub messages: usize,
    /// Octets, counted as [`Entry::octets`] says. Default 1 MiB.
    pub octets: usize,
}

impl ReadLimit {
    /// At most so many entries within so many octets.
    #[must_use]
    pub const fn new(messages: usize, octets: usize) -> Self {
        Self { messages, octets }
    }
}

impl Default for ReadLimit {
    fn default() -> Self {
        Self::new(1000, 1 << 20)
    }
}

/// What a read found.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use parlor_core::{broker::Publication, history::{MemoryLimits, Retain, Retention}};
/// # let retention = Retention::new([("/topic/chat".parse()?, Retain::last(10))])?;
/// use parlor_core::{destination::Destination, history::{Entry, Journal, MemoryJournal, ReadLimit}};
///
/// let journal = MemoryJournal::new(retention, MemoryLimits::default());
/// let chat: Destination = "/topic/chat".parse()?;
/// let mut from = journal.top(&chat).await?;
/// for id in ["1", "2", "3"] {
///     journal.append(&chat, Entry::new(id, Publication::text("hello"))).await?;
/// }
/// let mut seen = Vec::new();
/// loop {
///     let page = journal.read(&chat, from, ReadLimit::new(2, 1 << 20)).await?;
///     assert!(page.complete);
///     seen.extend(page.entries.iter().map(|(_, entry)| entry.message_id.to_string()));
///     let Some(next) = page.next() else { break };
///     from = next;
/// }
/// assert_eq!(seen, ["1", "2", "3"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// Entries in their order; none where the page is not complete.
    pub entries: Vec<(Stamp, Arc<Entry>)>,
    /// The place after the destination's last entry at the time of the read. Where the last of `entries` lies before it,
    /// there is more: read on from there.
    pub top: Position,
    /// Nothing is missing between the position that was asked for and the first of `entries`. False where entries were
    /// forgotten meanwhile, or the position is of another epoch or beyond the top.
    pub complete: bool,
}

impl Page {
    /// Everything after a position, or its beginning.
    #[must_use]
    pub const fn complete(entries: Vec<(Stamp, Arc<Entry>)>, top: Position) -> Self {
        Self { entries, top, complete: true }
    }

    /// Nothing can be proved to be all.
    #[must_use]
    pub const fn incomplete(top: Position) -> Self {
        Self { entries: Vec::new(), top, complete: false }
    }

    /// Where to read on, if there is more than the limit of the read allowed.
    #[must_use]
    pub fn next(&self) -> Option<Position> {
        self.entries.last().map(|(stamp, _)| stamp.position()).filter(|last| *last != self.top)
    }
}

/// Why a journal did not do what was asked.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use parlor_core::{broker::Publication, history::{MemoryLimits, Retain, Retention}};
/// # let retention = Retention::new([("/topic/chat".parse()?, Retain::last(10))])?;
/// use parlor_core::history::{Entry, Journal, JournalError, MemoryJournal};
///
/// let journal = MemoryJournal::new(retention, MemoryLimits::default());
/// let error = journal.append(&"/topic/news".parse()?, Entry::new("1", Publication::text("hello"))).await;
/// assert!(matches!(error, Err(JournalError::NotRetained(_))));
/// # Ok(()) }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The destination has no history.
    #[error("{0} has no history; declare one for it, or publish without")]
    NotRetained(Destination),
    /// The store behind the journal failed; nothing is known to be kept.
    #[error("the journal's store failed: {0}; try again with the same message id")]
    Store(#[source] Box<dyn Error + Send + Sync>),
}
