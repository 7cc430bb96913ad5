//! What the word of a consumer does.

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
