//! The broker in HTTP handlers.

use std::convert::Infallible;

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use parlor_core::{Realtime, broker::Broker};

/// Where to publish from an HTTP handler.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an extractor is taken apart by its users")]
pub struct BrokerHandle(pub Broker);

impl<S: Sync> FromRequestParts<S> for BrokerHandle
where
    Realtime: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Realtime::from_ref(state).broker().clone()))
    }
}
