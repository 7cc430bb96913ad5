//! Messages that came back from a consumer.

/// What came back from consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Returned<M> {
    /// How many messages wait again, each at its old place.
    pub(crate) waiting: usize,
    /// The messages that had their last attempt, in the order of their deliveries. The queue keeps nothing of them.
    pub(crate) dead: Vec<Dead<M>>,
}

/// A message that could not be delivered in as many attempts as there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dead<M> {
    /// Its place in the queue.
    pub(crate) sequence: u64,
    /// How often it was delivered.
    pub(crate) attempts: u32,
    /// Whose attempt was the last.
    pub(crate) consumer: u64,
    /// Why that one failed.
    pub(crate) cause: Cause,
    /// The message.
    pub(crate) message: M,
}

/// Why a message came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The consumer is gone.
    ConsumerGone,
    /// The consumer refused it.
    Nacked,
    /// The consumer said nothing in time.
    TimedOut,
}

impl<M> Default for Returned<M> {
    fn default() -> Self {
        Self { waiting: 0, dead: Vec::new() }
    }
}
