//! The first message of a subscription.

/// What a subscribe handler returns to send `T`, as JSON, to the new subscription alone, before any live message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply<T>(pub T);
