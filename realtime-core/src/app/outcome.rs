//! What handlers answer, and what becomes of it.

use std::convert::Infallible;

use bytes::Bytes;
use serde::Serialize;

use crate::{
    app::{Rejection, Subscribe},
    auth::UserId,
    broker::Publication,
    destination::Destination,
    extract::{Payload, Reply, SendToUser},
};

/// What a handler decided: a list of deliveries, done in their order after it returned.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    deliveries: Vec<Delivery>,
}

/// One thing to send.
#[derive(Clone, Debug)]
pub(crate) enum Delivery {
    /// To every subscription of a destination.
    Publish { to: Destination, publication: Publication },
    /// As the first message of the subscription that is being made.
    Reply(Publication),
    /// To a user's sessions.
    ToUser { user: Recipient, path: Destination, publication: Publication },
}

/// Which sessions a [`Delivery::ToUser`] is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// All sessions of the user whose event is being handled.
    Own,
    /// Only the session whose event is being handled.
    ThisSession,
    /// All sessions of this user.
    User(UserId),
}

impl Outcome {
    /// Nothing is sent.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds a publish to `destination`.
    #[must_use]
    pub fn publish(self, destination: Destination, publication: Publication) -> Self {
        self.and(Delivery::Publish { to: destination, publication })
    }

    pub(crate) fn and(mut self, delivery: Delivery) -> Self {
        self.deliveries.push(delivery);
        self
    }

    pub(crate) fn into_deliveries(self) -> Vec<Delivery> {
        self.deliveries
    }
}

/// What a handler for events of kind `K` may return.
///
/// Called once, after the handler returned. An `Err` is told to the client by rule 11.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say where it goes",
    label = "this handler's return value goes nowhere",
    note = "add `.send_to(\"/topic/…\")` to the route of a handler that returns a `Payload`, \
            or return `()`, `SendToUser<T>`, `Reply<T>` (from a subscribe handler), a tuple, `Option` or `Result` of them"
)]
pub trait IntoOutcome<K> {
    /// The outcome.
    ///
    /// # Errors
    /// What the client is told instead.
    fn into_outcome(self) -> Result<Outcome, Rejection>;
}

/// A return value that a route's `send_to` can publish.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be published by `send_to`",
    label = "not a payload",
    note = "return `Payload<T>`, `String`, `Bytes` or `Publication`, or an `Option` or `Result` of one of them"
)]
pub trait IntoPublication {
    /// What is published; nothing for `None`.
    ///
    /// # Errors
    /// What the client is told instead.
    fn into_publication(self) -> Result<Option<Publication>, Rejection>;
}

impl<K> IntoOutcome<K> for Outcome {
    fn into_outcome(self) -> Result<Outcome, Rejection> {
        Ok(self)
    }
}

impl<K> IntoOutcome<K> for () {
    fn into_outcome(self) -> Result<Outcome, Rejection> {
        Ok(Outcome::nothing())
    }
}

impl<K, O: IntoOutcome<K>> IntoOutcome<K> for Option<O> {
    fn into_outcome(self) -> Result<Outcome, Rejection> {
        self.map_or_else(|| Ok(Outcome::nothing()), O::into_outcome)
    }
}

impl<K, O: IntoOutcome<K>, E: Into<Rejection>> IntoOutcome<K> for Result<O, E> {
    fn into_outcome(self) -> Result<Outcome, Rejection> {
        self.map_err(Into::into)?.into_outcome()
    }
}

impl<K, T: Serialize> IntoOutcome<K> for SendToUser<T> {
    fn into_outcome(self) -> Result<Outcome, Rejection> {
        let (user, path, payload) = self.into_parts();
        let path = path.map_err(Rejection::internal)?;
        let publication = Publication::json(&payload).map_err(Rejection::internal)?;
        Ok(Outcome::nothing().and(Delivery::ToUser { user, path, publication }))
    }
}

impl<T: Serialize> IntoOutcome<Subscribe> for Reply<T> {
    fn into_outcome(self) -> Result<Outcome, Rejection> {
        let publication = Publication::json(&self.0).map_err(Rejection::internal)?;
        Ok(Outcome::nothing().and(Delivery::Reply(publication)))
    }
}

macro_rules! outcome_tuple {
    ($($part:ident),*) => {
        impl<K, $($part: IntoOutcome<K>),*> IntoOutcome<K> for ($($part,)*) {
            #[expect(non_snake_case, reason = "the type parameters name the parts")]
            fn into_outcome(self) -> Result<Outcome, Rejection> {
                let ($($part,)*) = self;
                let mut all = Outcome::nothing();
                $(all.deliveries.extend($part.into_outcome()?.deliveries);)*
                Ok(all)
            }
        }
    };
}

outcome_tuple!(A, B);
outcome_tuple!(A, B, C);
outcome_tuple!(A, B, C, D);

impl IntoPublication for Publication {
    fn into_publication(self) -> Result<Option<Publication>, Rejection> {
        Ok(Some(self))
    }
}

impl<T: Serialize> IntoPublication for Payload<T> {
    fn into_publication(self) -> Result<Option<Publication>, Rejection> {
        Publication::json(&self.0).map(Some).map_err(Rejection::internal)
    }
}

impl IntoPublication for String {
    fn into_publication(self) -> Result<Option<Publication>, Rejection> {
        Ok(Some(Publication::text(self)))
    }
}

impl IntoPublication for Bytes {
    fn into_publication(self) -> Result<Option<Publication>, Rejection> {
        Ok(Some(Publication::bytes(self)))
    }
}

impl<P: IntoPublication> IntoPublication for Option<P> {
    fn into_publication(self) -> Result<Option<Publication>, Rejection> {
        self.map_or(Ok(None), P::into_publication)
    }
}

impl<P: IntoPublication, E: Into<Rejection>> IntoPublication for Result<P, E> {
    fn into_publication(self) -> Result<Option<Publication>, Rejection> {
        self.map_err(Into::into)?.into_publication()
    }
}

impl From<Infallible> for Rejection {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn outcome<O: IntoOutcome<Subscribe>>(returned: O) -> Result<Vec<Delivery>, Rejection> {
        returned.into_outcome().map(Outcome::into_deliveries)
    }

    #[test]
    fn a_tuple_keeps_its_order() {
        let both = outcome((Reply(1), SendToUser::new("/queue/notes", 2))).unwrap();
        assert!(matches!(&both[..], [Delivery::Reply(_), Delivery::ToUser { user: Recipient::Own, .. }]));
    }

    #[test]
    fn none_sends_nothing_and_err_is_a_rejection() {
        assert!(outcome(None::<Reply<u8>>).unwrap().is_empty());
        let refused = outcome(Err::<Reply<u8>, _>(Rejection::new("full", "This room is full."))).unwrap_err();
        assert_eq!(refused.code(), "full");
    }

    #[test]
    fn a_bad_path_in_send_to_user_is_the_servers_fault() {
        let refused = IntoOutcome::<Message>::into_outcome(SendToUser::new("no-slash", 1)).unwrap_err();
        assert_eq!(refused.code(), "internal");
    }
}
