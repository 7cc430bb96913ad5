//! Fan-out: from one message to the sockets of thousands, at the cost of the system calls.
//!
//! The subscribers of a destination are spread over shards by their connection. A publisher appends a message once for each
//! shard, to the shard's log, and goes on; the shard's task takes the log in its turn and writes. What was published meanwhile
//! is written together: with nothing to wait for there is one write for each message and subscriber, under load one for many
//! messages. Nobody waits for a timer.
//!
//! ```text
//! publishers --append--> log --in order--> lanes (one for each destination and shard) --one write a member--> outboxes
//!    receipts, replies, ends of connections --only while something is on its way--^
//! ```
//!
//! Invariants:
//! - The log is the order (rule 9): messages, joining and leaving, and whatever else goes to a connection while messages are on
//!   their way to it take effect in the order in which they were appended, for each connection, whatever lanes it is in.
//! - A shard is worked on by one thread at a time. A publisher waits for nothing but the log's lock, which is held for as long
//!   as an append takes.
//! - A large lane has its turn in small pieces, so that no other waits for it.
//! - What is not written yet is bounded: publishers that can wait do so, and those who wait go before those who come.
//! - In a turn a connection is given at most a quarter of what its outbox takes in front of what it is answered, and as much with
//!   everyone else, so that one who reads all the time is not taken for slow.
//!
//! Where there is no runtime, whoever appends does the work.

mod backlog;
mod batches;
mod composed;
mod flusher;
mod lane;
#[cfg(test)]
mod model_tests;
mod seats;
mod shapes;
mod shard;
mod shards;

pub(crate) use lane::{LaneId, SubscriberKey, Tail};
pub(crate) use shard::{Entry, Joining, Shard};
pub(crate) use shards::Shards;
