//! Answers to whoever sent the event, and to nobody else.

use futures_util::Stream;
use serde::Serialize;

use crate::{
    app::{HandlerError, IntoOutcome, IntoPublications, Outcome, Publications, Rejection, Subscribe, Target},
    broker::Publication,
    message::Message,
};

/// Sends `T`, as JSON, back to whoever sent the event.
///
/// From a subscribe handler it is the first message of the new subscription, before any live message. From a message handler
/// it goes to the session that sent the message, at `/user/queue/replies`, with the message's own `correlation-id` header,
/// so that a client can tell which of its requests is answered:
///
/// ```
/// use parlor_core::extract::{Payload, Reply};
///
/// // SEND destination:/app/sum correlation-id:17  ->  MESSAGE destination:/user/queue/replies correlation-id:17
/// async fn sum(Payload((a, b)): Payload<(i64, i64)>) -> Reply<i64> { Reply(a + b) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply<T>(pub T);

/// Sends the items of a stream, one after another, to where a [`Reply`] would go, until the stream, the subscription or the
/// session ends. Items are [`Payload`](crate::extract::Payload)s, `String`s, `Bytes`, or `Result`s of them.
///
/// From a subscribe handler, the last message is followed by one with the header `complete:true` and no body; from a message
/// handler too. A session has at most [`max_streams`](crate::Config::max_streams) at a time; one more is refused with
/// `too-many-streams`.
///
/// ```
/// use futures_util::stream;
/// use parlor_core::extract::{Path, Payload, Replies};
///
/// async fn count_down(Path(from): Path<u32>) -> Replies<impl futures_util::Stream<Item = Payload<u32>>> {
///     Replies(stream::iter((0..=from).rev().map(Payload)))
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Replies<St>(pub St);

fn reply<T: Serialize>(value: &T) -> Result<Outcome, HandlerError> {
    let publication = Publication::json(value).map_err(Rejection::internal)?;
    Ok(Outcome::nothing().send(Target::Reply, Publications::One(publication)))
}

macro_rules! answers {
    ($($kind:ty),*) => {$(
        impl<T: Serialize> IntoOutcome<$kind> for Reply<T> {
            fn into_outcome(self) -> Result<Outcome, HandlerError> {
                reply(&self.0)
            }
        }

        impl<St> IntoOutcome<$kind> for Replies<St>
        where
            St: Stream<Item: IntoPublications> + Send + 'static,
        {
            fn into_outcome(self) -> Result<Outcome, HandlerError> {
                Ok(Outcome::nothing().send(Target::Reply, Publications::stream(self.0)))
            }
        }
    )*};
}

answers!(Message, Subscribe);
