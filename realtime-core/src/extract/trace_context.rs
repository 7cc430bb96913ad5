//! The trace that the frame belongs to.

use std::convert::Infallible;

use crate::{
    app::{Context, Rejection, Routed},
    extract::{FromContext, OptionalFromContext},
    telemetry::{TRACEPARENT, TraceContext},
};

/// The frame's trace context; refused with `missing-header` where there is none or a malformed one.
impl<S: Sync, K: Routed + Sync> FromContext<S, K> for TraceContext {
    type Rejection = Rejection;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Self, Rejection> {
        Self::from_headers(context.event().headers()).ok_or_else(|| {
            Rejection::new(
                "missing-header",
                format!("The header `{TRACEPARENT}` is missing or malformed. Send one of W3C Trace Context."),
            )
        })
    }
}

/// The frame's trace context, where there is a well-formed one.
impl<S: Sync, K: Routed + Sync> OptionalFromContext<S, K> for TraceContext {
    type Rejection = Infallible;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::from_headers(context.event().headers()))
    }
}
