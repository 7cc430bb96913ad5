//! A typed body, in and out.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    app::{Context, FromContext, HandlerError, IntoPublications, OptionalFromContext, Publications, Rejection},
    broker::Publication,
    extract::codec::{Undecoded, decode},
    message::Message,
};

/// A typed body: as an argument what the client sent, as a return value what the route's `send_to` publishes, as JSON.
///
/// What the client sent is read by its content type: `application/json` and `+json` types, which is also what a message
/// without a content type is taken for, as clients often send none; `text/plain` where `T` is made of a string; and, with
/// the feature `cbor`, `application/cbor` and `+cbor` types. Another type is refused with `unsupported-content-type`, and a
/// body that does not fit `T` with `invalid-payload`. `Option<Payload<T>>` is `None` where the body is empty.
///
/// To publish something else than JSON, return `String` (text), `Bytes`, a [`Publication`], or with the feature `cbor` a
/// `Cbor<T>`.
///
/// ```
/// use parlor_core::extract::Payload;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize)]
/// struct Draft { text: String }
///
/// #[derive(Serialize)]
/// struct Line { text: String, length: usize }
///
/// async fn say(Payload(draft): Payload<Draft>) -> Payload<Line> {
///     Payload(Line { length: draft.text.len(), text: draft.text })
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Payload<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromContext<S, Message> for Payload<T> {
    type Rejection = Rejection;

    async fn from_context(context: &Context<Message>, _: &S) -> Result<Self, Rejection> {
        payload(context.event()).map(Self)
    }
}

impl<S: Sync, T: DeserializeOwned> OptionalFromContext<S, Message> for Payload<T> {
    type Rejection = Rejection;

    async fn from_context(context: &Context<Message>, _: &S) -> Result<Option<Self>, Rejection> {
        let message = context.event();
        if message.body().is_empty() {
            return Ok(None);
        }
        payload(message).map(|payload| Some(Self(payload)))
    }
}

impl<T: Serialize> IntoPublications for Payload<T> {
    fn into_publications(self) -> Result<Publications, HandlerError> {
        let publication = Publication::json(&self.0).map_err(Rejection::internal)?;
        Ok(Publications::One(publication))
    }
}

/// The body of a message as a `T`.
pub(super) fn payload<T: DeserializeOwned>(message: &Message) -> Result<T, Rejection> {
    decode(message.content_type(), message.body()).map_err(|undecoded| match undecoded {
        Undecoded::ContentType { known } => Rejection::new(
            "unsupported-content-type",
            format!("This destination takes {known}. Send that, or leave content-type out and send JSON."),
        ),
        Undecoded::Body { format, error } => Rejection::new(
            "invalid-payload",
            format!("The body is not the {format} that this destination takes: {error}."),
        ),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt;
    use parlor_stomp::Headers;

    use super::*;
    use crate::{auth::Principal, broker::Broker, session::Session};

    fn extract(content_type: Option<&str>, body: &'static str) -> Result<Payload<Vec<u32>>, Rejection> {
        let destination = "/app/a".parse().unwrap();
        let message = Message::new(
            destination,
            Headers::default(),
            content_type.map(str::to_owned),
            Bytes::from_static(body.as_bytes()),
        );
        let context = Context::new(Session::detached(Principal::anonymous()), Broker::default(), message);
        <Payload<_> as FromContext<_, _>>::from_context(&context, &()).now_or_never().unwrap()
    }

    #[test]
    fn json_is_taken_with_and_without_a_content_type() {
        for content_type in
            [None, Some("application/json"), Some("Application/JSON; charset=utf-8"), Some("application/x+json")]
        {
            assert_eq!(extract(content_type, "[1,2]"), Ok(Payload(vec![1, 2])), "{content_type:?}");
        }
    }

    #[test]
    fn another_content_type_is_refused() {
        assert_eq!(extract(Some("text/plain"), "[1]").unwrap_err().code(), "unsupported-content-type");
    }

    #[test]
    fn a_body_that_does_not_fit_is_refused_with_the_place() {
        let refused = extract(None, "[1,\"x\"]").unwrap_err();
        assert_eq!(refused.code(), "invalid-payload");
        assert!(refused.message().contains("column"), "{refused}");
    }
}
