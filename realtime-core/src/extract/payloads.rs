//! A stream of payloads for a route's `send_to`.

use futures_util::Stream;

use crate::app::{HandlerError, IntoPublications, Publications};

/// What a handler returns to publish the items of a stream, one after another, where its route's `send_to` or `send_to_user`
/// says. Items are [`Payload`](crate::extract::Payload)s, `String`s, `Bytes`, or `Result`s of them.
///
/// The stream is polled by the connection of the session whose event it was, and dropped when that session ends. The receipt
/// of the message is sent when the handler has returned, not when the stream has ended.
///
/// ```
/// use futures_util::{Stream, stream};
/// use parlor_core::{app::{Route, Router}, extract::{Payload, Payloads}};
///
/// async fn pages(Payload(text): Payload<String>) -> Payloads<impl Stream<Item = Payload<String>>> {
///     let pages: Vec<_> = text.split("\n\n").map(|page| Payload(page.to_owned())).collect();
///     Payloads(stream::iter(pages))
/// }
///
/// let router: Router<()> = Router::new().mount(Route::message("/app/print", pages).send_to("/topic/pages"));
/// # let _ = router;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Payloads<St>(pub St);

impl<St> IntoPublications for Payloads<St>
where
    St: Stream<Item: IntoPublications> + Send + 'static,
{
    fn into_publications(self) -> Result<Publications, HandlerError> {
        Ok(Publications::stream(self.0))
    }
}
