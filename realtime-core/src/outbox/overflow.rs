//! What an outbox does with the messages of a destination when there is no room for them.

/// What is done with a destination's messages for a client that reads too slowly.
///
/// It decides about frames that wait. A frame that has begun to be written is always finished, whatever its policy, and no
/// policy makes a publisher wait. The bounds are those of [`OutboxLimits`](super::OutboxLimits).
///
/// | | at the bound in octets or messages | at the bound in age |
/// |---|---|---|
/// | `Disconnect` | droppable frames make room, oldest first; without any the connection ends | the connection ends |
/// | `DropOldest` | the subscription's own oldest frames make room, then other droppable ones; without any the new one is dropped | the frame is dropped |
/// | `LatestOnly` | as `Disconnect`, but without any the new one is dropped | the frame is dropped |
///
/// *Droppable* are frames of `DropOldest` and `LatestOnly`, of any subscription, that have not begun to be written. Where
/// dropping all of them would not make room, none is.
///
/// The subscription's first frame after a gap says in `dropped:n` how many are missing there; a gap at the end is told
/// when there is a next frame. What `LatestOnly` replaces is not counted: a later value took its place, so nothing is
/// missing that the application asked for.
///
/// A client whose connection stands still inside a frame is disconnected after
/// [`max_age`](super::OutboxLimits::max_age) under any policy.
///
/// ```
/// use parlor_core::broker::{DeliveryRules, Overflow};
///
/// let rules = DeliveryRules::default()
///     .overflow("/topic/prices/**", Overflow::DropOldest)
///     .overflow("/topic/pages/*/cursors", Overflow::LatestOnly);
/// # let _ = rules;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// The connection ends with `slow-consumer`: nothing is lost unnoticed. The default.
    #[default]
    Disconnect,
    /// The oldest messages are dropped: for streams whose latest part is worth the most.
    DropOldest,
    /// Of each subscription one message waits at most, the latest, at the end of the queue: for values that supersede each
    /// other, such as cursors and typing. A subscription to a pattern has one for each destination.
    LatestOnly,
}
