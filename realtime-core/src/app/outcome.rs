//! What handlers answer, and what becomes of it.

use std::{convert::Infallible, fmt, future::ready};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};

use crate::{
    app::{HandlerError, Rejection},
    auth::UserId,
    broker::{Broker, Publication},
    destination::{Destination, Owner, UserDestination},
    session::Session,
};

/// What a handler decided: a list of deliveries, done in their order after it returned.
///
/// ```
/// use parlor_core::{app::{Outcome, Rejection}, broker::Publication};
///
/// async fn tell_both(text: String) -> Result<Outcome, Rejection> {
///     Ok(Outcome::nothing()
///         .publish("/topic/news".parse()?, Publication::text(text.clone()))
///         .publish("/topic/archive".parse()?, Publication::text(text)))
/// }
/// ```
#[derive(Debug, Default)]
pub struct Outcome {
    deliveries: Vec<Delivery>,
}

/// Something to send, and where.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) to: Target,
    pub(crate) publications: Publications,
}

/// Where a delivery goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Back to whoever sent the event: the subscription that is being made, or the session's replies.
    Reply,
    /// To every subscription of a destination.
    Topic(Destination),
    /// To a user's sessions, at a path.
    User(Recipient, Destination),
}

/// Which sessions a [`Target::User`] is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// All sessions of the user whose event is being handled.
    Own,
    /// Only the session whose event is being handled.
    ThisSession,
    /// All sessions of this user.
    User(UserId),
}

/// What is sent to one place: nothing, one publication, or one after another.
///
/// A stream is polled by the session's own connection, while its outbox is less than half full, and dropped when the session
/// (or the subscription that it replies to) ends. An error in it is told to the client by rule 11 and ends it.
///
/// ```
/// use parlor_core::{app::{IntoPublications, Publications}, extract::Payload};
///
/// // `None` is nothing, a value is one message.
/// assert!(matches!(None::<Payload<u8>>.into_publications(), Ok(Publications::Nothing)));
/// assert!(matches!(Payload(7).into_publications(), Ok(Publications::One(_))));
/// ```
#[derive(Default)]
#[non_exhaustive]
pub enum Publications {
    /// Nothing.
    #[default]
    Nothing,
    /// One.
    One(Publication),
    /// One after another.
    Stream(BoxStream<'static, Result<Publication, Rejection>>),
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
        self.send(Target::Topic(destination), Publications::One(publication))
    }

    pub(crate) fn send(mut self, to: Target, publications: Publications) -> Self {
        if !matches!(publications, Publications::Nothing) {
            self.deliveries.push(Delivery { to, publications });
        }
        self
    }

    pub(crate) fn into_deliveries(self) -> Vec<Delivery> {
        self.deliveries
    }
}

impl Target {
    /// Sends to the topic or user that this is; `session` is the one whose event it was.
    pub(crate) async fn send(
        self,
        broker: &Broker,
        session: &Session,
        publication: Publication,
    ) -> Result<(), Rejection> {
        match self {
            Self::Reply => {}
            Self::Topic(destination) => {
                broker.publish_message(destination, publication).await?;
            }
            Self::User(recipient, path) => {
                let (owner, only) = match recipient {
                    Recipient::Own => (session.owner(), None),
                    Recipient::ThisSession => (session.owner(), Some(session.id())),
                    Recipient::User(user) => (Owner::User(user), None),
                };
                broker.send_to_owner(&UserDestination { owner, path }, &publication, only).await?;
            }
        }
        Ok(())
    }
}

impl Publications {
    /// A stream of payloads.
    pub(crate) fn stream<St>(items: St) -> Self
    where
        St: futures_util::Stream<Item: IntoPublications> + Send + 'static,
    {
        let one = |item: St::Item| {
            ready(match item.into_publications() {
                Ok(Self::One(publication)) => Some(Ok(publication)),
                Ok(Self::Nothing) => None,
                Ok(Self::Stream(_)) => Some(Err(Rejection::internal("a stream of payloads held another stream"))),
                Err(error) => Some(Err(error.into_rejection())),
            })
        };
        Self::Stream(items.filter_map(one).boxed())
    }
}

impl fmt::Debug for Publications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::One(publication) => f.debug_tuple("One").field(publication).finish(),
            Self::Stream(_) => f.write_str("Stream(..)"),
        }
    }
}

/// What a handler for events of kind `K` may return.
///
/// Called once, after the handler returned. An `Err` is given to the error handler for its type, else told to the client by
/// rule 11.
///
/// ```
/// use parlor_core::{
///     Message,
///     app::{HandlerError, IntoOutcome, Outcome, Route, Router},
///     broker::Publication,
/// };
///
/// /// What every handler of this application returns.
/// struct Said(String);
///
/// impl IntoOutcome<Message> for Said {
///     fn into_outcome(self) -> Result<Outcome, HandlerError> {
///         let everyone = "/topic/said".parse().map_err(HandlerError::new)?;
///         Ok(Outcome::nothing().publish(everyone, Publication::text(self.0)))
///     }
/// }
///
/// async fn say(text: String) -> Said { Said(text) }
///
/// let router: Router<()> = Router::new().mount(Route::message("/app/say", say));
/// # let _ = router;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say where it goes",
    label = "this handler's return value goes nowhere",
    note = "add `.send_to(\"/topic/…\")` to the route of a handler that returns a `Payload`, \
            or return `()`, `SendToUser<T>`, `Reply<T>`, a tuple, `Option` or `Result` of them"
)]
pub trait IntoOutcome<K> {
    /// The outcome.
    ///
    /// # Errors
    /// What the client is told instead.
    fn into_outcome(self) -> Result<Outcome, HandlerError>;
}

/// A return value that a route's `send_to` can publish.
///
/// ```
/// use parlor_core::{
///     app::{HandlerError, IntoPublications, Publications, Route, Router},
///     broker::Publication,
/// };
///
/// struct Shout(String);
///
/// impl IntoPublications for Shout {
///     fn into_publications(self) -> Result<Publications, HandlerError> {
///         Ok(Publications::One(Publication::text(self.0.to_uppercase())))
///     }
/// }
///
/// async fn shout(text: String) -> Shout { Shout(text) }
///
/// let router: Router<()> = Router::new().mount(Route::message("/app/shout", shout).send_to("/topic/shouts"));
/// # let _ = router;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be published by `send_to`",
    label = "not a payload",
    note = "return `Payload<T>`, `Payloads<St>`, `String`, `Bytes` or `Publication`, or an `Option` or `Result` of one of them"
)]
pub trait IntoPublications {
    /// What is published; nothing for `None`.
    ///
    /// # Errors
    /// What the client is told instead.
    fn into_publications(self) -> Result<Publications, HandlerError>;
}

impl<K> IntoOutcome<K> for Outcome {
    fn into_outcome(self) -> Result<Outcome, HandlerError> {
        Ok(self)
    }
}

impl<K> IntoOutcome<K> for () {
    fn into_outcome(self) -> Result<Outcome, HandlerError> {
        Ok(Outcome::nothing())
    }
}

impl<K, O: IntoOutcome<K>> IntoOutcome<K> for Option<O> {
    fn into_outcome(self) -> Result<Outcome, HandlerError> {
        self.map_or_else(|| Ok(Outcome::nothing()), O::into_outcome)
    }
}

impl<K, O: IntoOutcome<K>, E: Into<Rejection> + Send + Sync + 'static> IntoOutcome<K> for Result<O, E> {
    fn into_outcome(self) -> Result<Outcome, HandlerError> {
        self.map_err(HandlerError::new)?.into_outcome()
    }
}

macro_rules! outcome_tuple {
    ($($part:ident),*) => {
        impl<K, $($part: IntoOutcome<K>),*> IntoOutcome<K> for ($($part,)*) {
            #[expect(non_snake_case, reason = "the type parameters name the parts")]
            fn into_outcome(self) -> Result<Outcome, HandlerError> {
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

impl IntoPublications for Publication {
    fn into_publications(self) -> Result<Publications, HandlerError> {
        Ok(Publications::One(self))
    }
}

impl IntoPublications for String {
    fn into_publications(self) -> Result<Publications, HandlerError> {
        Ok(Publications::One(Publication::text(self)))
    }
}

impl IntoPublications for Bytes {
    fn into_publications(self) -> Result<Publications, HandlerError> {
        Ok(Publications::One(Publication::bytes(self)))
    }
}

impl<P: IntoPublications> IntoPublications for Option<P> {
    fn into_publications(self) -> Result<Publications, HandlerError> {
        self.map_or_else(|| Ok(Publications::Nothing), P::into_publications)
    }
}

impl<P: IntoPublications, E: Into<Rejection> + Send + Sync + 'static> IntoPublications for Result<P, E> {
    fn into_publications(self) -> Result<Publications, HandlerError> {
        self.map_err(HandlerError::new)?.into_publications()
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
    use crate::{
        app::Subscribe,
        extract::{Reply, SendToUser},
        message::Message,
    };

    fn outcome<O: IntoOutcome<Subscribe>>(returned: O) -> Result<Vec<Target>, Rejection> {
        let outcome = returned.into_outcome().map_err(HandlerError::into_rejection)?;
        Ok(outcome.into_deliveries().into_iter().map(|delivery| delivery.to).collect())
    }

    #[test]
    fn a_tuple_keeps_its_order() {
        let both = outcome((Reply(1), SendToUser::new("/queue/notes", 2))).unwrap();
        assert_eq!(both, [Target::Reply, Target::User(Recipient::Own, "/queue/notes".parse().unwrap())]);
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
        assert_eq!(refused.into_rejection().code(), "internal");
    }
}
