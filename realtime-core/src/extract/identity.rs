//! Who, through which session, and where to publish: extracted from every kind of event; and the events of a session's life.

use std::convert::Infallible;

use crate::{
    app::{Context, FromContext},
    auth::Principal,
    broker::Broker,
    session::{Connected, DisconnectReason, Disconnected, Session, Subscribed, Unsubscribed},
};

impl<S: Sync, K: Sync> FromContext<S, K> for Principal {
    type Rejection = Infallible;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Self, Infallible> {
        Ok(context.session().principal())
    }
}

impl<S: Sync, K: Sync> FromContext<S, K> for Session {
    type Rejection = Infallible;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Self, Infallible> {
        Ok(context.session().clone())
    }
}

impl<S: Sync, K: Sync> FromContext<S, K> for Broker {
    type Rejection = Infallible;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Self, Infallible> {
        Ok(context.broker().clone())
    }
}

/// Why the session ended.
impl<S: Sync> FromContext<S, Disconnected> for DisconnectReason {
    type Rejection = Infallible;

    async fn from_context(context: &Context<Disconnected>, _: &S) -> Result<Self, Infallible> {
        Ok(context.event().reason.clone())
    }
}

macro_rules! whole_event {
    ($($kind:ty),*) => {$(
        impl<S: Sync> FromContext<S, Self> for $kind {
            type Rejection = Infallible;

            async fn from_context(context: &Context<Self>, _: &S) -> Result<Self, Infallible> {
                Ok(context.event().clone())
            }
        }
    )*};
}

whole_event!(Connected, Subscribed, Unsubscribed, Disconnected);
