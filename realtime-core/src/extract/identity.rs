//! Who, through which session, and where to publish: extracted from every kind of event.

use std::convert::Infallible;

use crate::{app::Context, auth::Principal, broker::Broker, extract::FromContext, session::Session};

impl<S: Sync, K: Sync> FromContext<S, K> for Principal {
    type Rejection = Infallible;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Self, Infallible> {
        Ok(context.session().principal().clone())
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
