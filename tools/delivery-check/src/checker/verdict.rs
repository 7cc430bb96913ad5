//! What the checker says, in sentences.

use std::fmt;

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// How much was judged.
    pub counts: Counts,
    /// What is wrong; the first of its kind first.
    pub violations: Vec<Violation>,
}

/// How much was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that were sent.
    pub sent: usize,
    /// Of these with a receipt.
    pub receipts: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Messages given to applications.
    pub deliveries: usize,
    /// How often a subscription was told that it missed nothing.
    pub recovered: usize,
    /// How often one was told that it may have missed something.
    pub not_recovered: usize,
}

/// One broken promise, or a log that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// Subscribers of a destination saw orders that no single order explains, though every two of them agree.
    Circle {
        /// Where.
        destination: String,
        /// Each came before the next one at some subscriber, and the last before the first.
        ids: Vec<String>,
    },
    /// A message was given to the application twice.
    Duplicate {
        /// Who got it.
        subscriber: String,
        /// Where.
        destination: String,
        /// What.
        id: String,
    },
    /// The log itself is wrong.
    Log {
        /// Whose log.
        client: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A message that was owed never came.
    Lost {
        /// Who should have got it.
        subscriber: String,
        /// Where.
        destination: String,
        /// Who sent it.
        publisher: String,
        /// What.
        id: String,
    },
    /// Two messages of one publisher came in the other order.
    PublisherOrder {
        /// Who saw it.
        subscriber: String,
        /// Where.
        destination: String,
        /// Who sent them.
        publisher: String,
        /// What was sent first.
        first: String,
        /// What was sent after it and came before it.
        second: String,
    },
    /// What came was never sent, or not there.
    Stray {
        /// Who got it.
        subscriber: String,
        /// Where.
        destination: String,
        /// What.
        id: String,
    },
    /// Two subscribers saw two messages in different orders.
    SubscriberOrder {
        /// Where.
        destination: String,
        /// Who saw `first` before `second`.
        one: String,
        /// Who saw `second` before `first`.
        other: String,
        /// A message.
        first: String,
        /// Another message.
        second: String,
    },
}

impl Verdict {
    /// Whether everything that was promised is proved.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        self.violations.is_empty()
    }

    /// How many violations are of the kind of which `is` says so.
    #[must_use]
    pub fn count(&self, is: impl Fn(&Violation) -> bool) -> usize {
        self.violations.iter().filter(|violation| is(violation)).count()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} messages sent, {} with a receipt, {} deliveries to {} subscriptions, resumed {} times without and {} times with a possible hole",
            self.sent, self.receipts, self.deliveries, self.subscriptions, self.recovered, self.not_recovered
        )
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Circle { destination, ids } => {
                write!(f, "circle: at {destination} no one order explains what subscribers saw of {}", ids.join(", "))
            }
            Self::Duplicate { subscriber, destination, id } => {
                write!(f, "duplicate: {id} reached {subscriber} at {destination} twice")
            }
            Self::Log { client, fault } => write!(f, "log: {client} {fault}"),
            Self::Lost { subscriber, destination, publisher, id } => {
                write!(f, "lost: {id} of {publisher} never reached {subscriber} at {destination}")
            }
            Self::PublisherOrder { subscriber, destination, publisher, first, second } => write!(
                f,
                "publisher's order: {publisher} sent {first} before {second}, and {subscriber} got them at {destination} the other way round"
            ),
            Self::Stray { subscriber, destination, id } => {
                write!(f, "stray: {subscriber} got {id} at {destination}, where nobody had sent it")
            }
            Self::SubscriberOrder { destination, one, other, first, second } => write!(
                f,
                "subscribers' order: at {destination} {one} got {first} before {second}, and {other} the other way round"
            ),
        }
    }
}
