//! Messages that could not be delivered.

use crate::{delivery::Cause, destination::Destination, publication::Publication};

/// A message that nobody acknowledged in as many deliveries as its destination allows.
///
/// ```
/// use parlor_core::broker::DeadLetter;
///
/// fn line(letter: &DeadLetter) -> String {
///     let DeadLetter { destination, message_id, attempts, cause, .. } = letter;
///     format!("{message_id} of {destination} failed {attempts} times, at last {}", cause.as_str())
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Where it was published.
    pub destination: Destination,
    /// The `message-id` of its deliveries.
    pub message_id: String,
    /// Headers, content type and body.
    pub publication: Publication,
    /// How often it was delivered.
    pub attempts: u32,
    /// Why the last delivery failed.
    pub cause: DeadLetterCause,
}

/// Why the last delivery of a [`DeadLetter`] failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadLetterCause {
    /// Its subscription ended before it was acknowledged.
    Gone,
    /// The client sent NACK.
    Nacked,
    /// The client sent neither ACK nor NACK in time.
    TimedOut,
}

impl DeadLetterCause {
    /// The cause as a word, for logs and headers.
    ///
    /// ```
    /// assert_eq!(parlor_core::broker::DeadLetterCause::TimedOut.as_str(), "timed-out");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Nacked => "nacked",
            Self::TimedOut => "timed-out",
        }
    }
}

impl From<Cause> for DeadLetterCause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::ConsumerGone => Self::Gone,
            Cause::Nacked => Self::Nacked,
            Cause::TimedOut => Self::TimedOut,
        }
    }
}

/// Is given every message that could not be delivered, by [`DeliveryRules::on_dead_letter`].
///
/// It is called where the last delivery failed, by whichever task that is, so it must return at once: hand the letter to a
/// channel or a task of its own. A closure is one too.
///
/// [`DeliveryRules::on_dead_letter`]: crate::broker::DeliveryRules::on_dead_letter
///
/// ```
/// use parlor_core::{broker::{Broker, DeadLetter, DeliveryRules}, destination::Prefixes};
///
/// let (letters, mut dead) = tokio::sync::mpsc::channel::<DeadLetter>(64);
/// let rules = DeliveryRules::default().on_dead_letter(move |letter| {
///     if letters.try_send(letter).is_err() {
///         eprintln!("a dead letter finds nobody, or no room");
///     }
/// });
/// let broker = Broker::with_rules(Prefixes::default(), rules).unwrap();
/// # drop(broker);
/// # assert!(dead.try_recv().is_err());
/// ```
pub trait DeadLetters: Send + Sync + 'static {
    /// Takes a message that nothing else keeps any more.
    fn take(&self, letter: DeadLetter);
}

impl<F> DeadLetters for F
where
    F: Fn(DeadLetter) + Send + Sync + 'static,
{
    fn take(&self, letter: DeadLetter) {
        self(letter);
    }
}
