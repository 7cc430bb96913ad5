//! History: what a destination keeps of its messages, and the positions that clients resume from.
//!
//! ```text
//! publish -> Journal::append      the entry gets its Stamp and is kept within its Retain
//!              -> JournalSink     the broker delivers it, still under the destination's order
//! resume  -> PositionCodec        a client's token becomes a Position, or an error
//!              -> Journal::read   everything after it, or `complete: false`; never a part of it
//! ```
//!
//! The journal assigns positions and nobody else does, so that one algorithm serves a ring in memory and a log that several
//! nodes share. [`MemoryJournal`] is the first; its entries end with the process.

mod entry;
mod journal;
mod memory_journal;
mod position;
mod position_codec;
mod retain;
mod retention;

pub use entry::Entry;
pub use journal::{Appended, Journal, JournalError, JournalSink, Page, ReadLimit};
pub use memory_journal::{MemoryJournal, MemoryLimits, MemoryUsage};
pub use position::{Epoch, Position, Stamp};
pub use position_codec::{PositionCodec, PositionError};
pub use retain::Retain;
pub use retention::{Retention, RetentionError};
