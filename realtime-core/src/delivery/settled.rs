//! How a consumer names a message, and what its word does.

/// How ACK and NACK name a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// By the name of that delivery (STOMP 1.2: the MESSAGE's `ack`).
    Ack(u64),
    /// By the message itself (1.0 and 1.1: its `message-id`): the delivery of it that the consumer has now.
    Sequence(u64),
}

/// What an ACK or NACK did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "the words of the rule: settled, settled already, never given")]
pub(crate) enum Settled {
    /// Nothing: that was settled before, timed out, or was taken back. The client is not at fault (ACK-06).
    AlreadySettled,
    /// Nothing: the consumer was never given that (ACK-06: ERROR, then close).
    NeverGiven,
    /// It settled so many messages, one at least.
    Settled(usize),
}
