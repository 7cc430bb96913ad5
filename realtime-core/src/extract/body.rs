//! The body as it came, and the whole event.

use std::convert::Infallible;

use bytes::Bytes;
use parlor_stomp::Headers;

use crate::{
    app::{Context, FromContext, OptionalFromContext, Rejection, Routed, Subscribe},
    destination::Destination,
    message::Message,
};

/// The body's octets.
impl<S: Sync> FromContext<S, Message> for Bytes {
    type Rejection = Infallible;

    async fn from_context(context: &Context<Message>, _: &S) -> Result<Self, Infallible> {
        Ok(context.event().body().clone())
    }
}

/// The body as text; refused with `invalid-text` where it is not UTF-8.
impl<S: Sync> FromContext<S, Message> for String {
    type Rejection = Rejection;

    async fn from_context(context: &Context<Message>, _: &S) -> Result<Self, Rejection> {
        match std::str::from_utf8(context.event().body()) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(Rejection::new(
                "invalid-text",
                format!("The body is not UTF-8 text (octet {}). Send text.", error.valid_up_to()),
            )),
        }
    }
}

/// The body's octets, unless it is empty.
impl<S: Sync> OptionalFromContext<S, Message> for Bytes {
    type Rejection = Infallible;

    async fn from_context(context: &Context<Message>, _: &S) -> Result<Option<Self>, Infallible> {
        let body = context.event().body();
        Ok((!body.is_empty()).then(|| body.clone()))
    }
}

/// The body as text, unless it is empty.
impl<S: Sync> OptionalFromContext<S, Message> for String {
    type Rejection = Rejection;

    async fn from_context(context: &Context<Message>, state: &S) -> Result<Option<Self>, Rejection> {
        let text = <Self as FromContext<S, Message>>::from_context(context, state).await?;
        Ok((!text.is_empty()).then_some(text))
    }
}

/// The whole message.
impl<S: Sync> FromContext<S, Self> for Message {
    type Rejection = Infallible;

    async fn from_context(context: &Context<Self>, _: &S) -> Result<Self, Infallible> {
        Ok(context.event().clone())
    }
}

/// The whole subscription.
impl<S: Sync> FromContext<S, Self> for Subscribe {
    type Rejection = Infallible;

    async fn from_context(context: &Context<Self>, _: &S) -> Result<Self, Infallible> {
        Ok(context.event().clone())
    }
}

/// The destination that the client named.
impl<S: Sync, K: Routed + Sync> FromContext<S, K> for Destination {
    type Rejection = Infallible;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Self, Infallible> {
        Ok(context.event().destination().clone())
    }
}

/// All of the client's headers.
impl<S: Sync, K: Routed + Sync> FromContext<S, K> for Headers {
    type Rejection = Infallible;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Self, Infallible> {
        Ok(context.event().headers().clone())
    }
}
