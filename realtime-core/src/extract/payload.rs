//! A typed body, in and out.

use serde::de::DeserializeOwned;

use crate::{
    app::{Context, Rejection},
    extract::FromContext,
    message::Message,
};

/// A body as JSON: as an argument what the client sent, as a return value what the route's `send_to` publishes.
///
/// A message without a content type is taken for JSON, as clients often send none; one with another type is refused
/// with `unsupported-content-type`, and a body that does not fit `T` with `invalid-payload`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Payload<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromContext<S, Message> for Payload<T> {
    type Rejection = Rejection;

    async fn from_context(context: &Context<Message>, _: &S) -> Result<Self, Rejection> {
        let message = context.event();
        if let Some(content_type) = message.content_type()
            && !is_json(content_type)
        {
            return Err(Rejection::new(
                "unsupported-content-type",
                "This destination takes application/json. Send JSON, or leave content-type out.",
            ));
        }
        match serde_json::from_slice(message.body()) {
            Ok(payload) => Ok(Self(payload)),
            Err(error) => Err(Rejection::new(
                "invalid-payload",
                format!("The body is not the JSON that this destination takes: {error}."),
            )),
        }
    }
}

/// `application/json` or a `+json` type, whatever the parameters (RFC 6839 section 3.1).
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
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
        Payload::from_context(&context, &()).now_or_never().unwrap()
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
