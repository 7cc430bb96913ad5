//! What the broker's index is keyed by: a resolved destination.

use crate::destination::{Destination, UserDestination};

/// Where a message goes after its destination was resolved.
///
/// User destinations are typed values here and have no spelling, so no client can name another user's.
///
/// ```
/// use parlor_core::broker::Address;
///
/// fn place(address: &Address) -> String {
///     match address {
///         Address::User(user) => format!("{} of one user", user.path),
///         Address::Queue(destination) | Address::Topic(destination) => destination.to_string(),
///         _ => "elsewhere".to_owned(),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// One consumer of a queue.
    Queue(Destination),
    /// Fan-out to every subscription.
    Topic(Destination),
    /// Fan-out to the sessions of one user, or of one anonymous session.
    User(UserDestination),
}

impl Address {
    /// Its spelling, that of a user's without the user.
    pub(super) fn path(&self) -> &Destination {
        match self {
            Self::Queue(destination) | Self::Topic(destination) => destination,
            Self::User(user) => &user.path,
        }
    }
}
