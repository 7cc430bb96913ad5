//! A message on its way to a consumer.

/// A message that is handed to a consumer now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery<M> {
    /// Whom it is for.
    pub(crate) consumer: u64,
    /// The name by which that consumer settles it: counts from 1 for each consumer and is never used again. None where a
    /// message counts as consumed once it is handed over (`ack:auto`).
    pub(crate) ack: Option<u64>,
    /// Its place in the queue: counts from 1, and is the same each time that the message is delivered.
    pub(crate) sequence: u64,
    /// Which delivery of the message this is, to whomever: 1 is the first.
    pub(crate) attempt: u32,
    /// The message.
    pub(crate) message: M,
}

impl<M> Delivery<M> {
    /// Whether somebody was given this message before (`redelivered:true`).
    pub(crate) fn is_redelivered(&self) -> bool {
        self.attempt > 1
    }
}
