//! A body as CBOR (RFC 8949), in and out.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    app::{Context, FromContext, HandlerError, IntoPublications, Publications, Rejection},
    broker::Publication,
    extract::payload::payload,
    message::Message,
};

/// Like [`Payload`](crate::extract::Payload), but published as `application/cbor`. As an argument it reads whatever the
/// content type says, JSON included. With the feature `cbor`.
///
/// ```
/// use parlor_core::{app::{Route, Router}, extract::Cbor};
///
/// async fn echo(sample: Cbor<Vec<f32>>) -> Cbor<Vec<f32>> { sample }
///
/// let router: Router<()> = Router::new().mount(Route::message("/app/samples", echo).send_to("/topic/samples"));
/// # let _ = router;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cbor<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromContext<S, Message> for Cbor<T> {
    type Rejection = Rejection;

    async fn from_context(context: &Context<Message>, _: &S) -> Result<Self, Rejection> {
        payload(context.event()).map(Self)
    }
}

impl<T: Serialize> IntoPublications for Cbor<T> {
    fn into_publications(self) -> Result<Publications, HandlerError> {
        let mut body = Vec::new();
        ciborium::into_writer(&self.0, &mut body).map_err(Rejection::internal)?;
        Ok(Publications::One(Publication::bytes(body).with_content_type("application/cbor")))
    }
}
