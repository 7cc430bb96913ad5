//! Delivery that is acknowledged (rule 12): a store of messages in order, and consumers that compete for them.
//!
//! One [`Queue`] serves a destination of the queue prefix with all of its consumers, or one acknowledging subscription to a
//! topic, which is its only consumer. It does no I/O, has no lock and reads no clock.
//!
//! ```text
//!          publish                next                    ack
//! message ---------> waiting -------------> in flight -----------> gone
//!                       ^                       |
//!                       +----- nack, expire, ---+---> dead, after so many attempts
//!                              remove
//! ```

mod consumer;
mod dead;
mod handed;
#[cfg(test)]
mod model;
#[cfg(test)]
mod model_tests;
mod queue;
mod settled;
mod small_map;
#[cfg(test)]
mod tests;

pub(crate) use dead::{Cause, Dead, Returned};
pub(crate) use handed::Delivery;
#[cfg(test)]
pub(crate) use model::{Model, Reference};
pub(crate) use queue::{Queue, QueueFull};
pub(crate) use settled::Settled;
pub(crate) use small_map::SmallMap;
