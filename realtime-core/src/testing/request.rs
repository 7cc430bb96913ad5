//! A SEND that is answered: its reply is found among the session's by the correlation id.

use std::{fmt, marker::PhantomData, time::Duration};

use futures_util::future::BoxFuture;
use parlor_stomp::{Command, Frame};
use serde::de::DeserializeOwned;

use crate::testing::{
    Refusal,
    confirmed::Confirmed,
    state::{REPLIES, State},
    wire::Wire,
};

/// A request, not sent yet. From [`TestClient::request`](crate::testing::TestClient::request). `await` it for the reply.
///
/// ```
/// use parlor_core::{
///     Realtime,
///     app::{Route, Router},
///     auth::Anonymous,
///     extract::{Payload, Reply},
///     testing::TestClient,
/// };
///
/// async fn double(Payload(number): Payload<u32>) -> Reply<u32> {
///     Reply(number * 2)
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let routes = Router::new().mount(Route::message("/app/double", double)).with_state(());
/// let realtime = Realtime::builder(routes).authenticate(Anonymous).build()?;
/// let ada = TestClient::connect(&realtime, "ada").await;
/// assert_eq!(ada.request::<u32, _>("/app/double", &21).await, 42);
/// ada.request::<u32, _>("/app/double", "many").refused("invalid-payload").await;
/// # Ok(()) }) }
/// ```
#[must_use = "a request is sent when this is awaited"]
pub struct Requesting<'a, T> {
    wire: &'a Wire,
    /// Where the session's replies come.
    replies: String,
    confirmed: Confirmed,
    reply: PhantomData<fn() -> T>,
}

impl<'a, T> Requesting<'a, T> {
    pub(super) fn new(wire: &'a Wire, replies: String, confirmed: Confirmed) -> Self {
        Self { wire, replies, confirmed, reply: PhantomData }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.confirmed.frame.headers.push(name, value);
        self
    }

    /// Waits this long for the receipt, and then for the reply, in test time. Default 5 s.
    pub fn within(mut self, limit: Duration) -> Self {
        self.confirmed.limit = limit;
        self
    }

    /// Sends it and gives back the refusal that it must meet.
    ///
    /// # Panics
    /// When it is accepted, refused with another code, or not answered in time.
    pub async fn refused(mut self, code: &str) -> Refusal {
        self.prepare();
        self.confirmed.refused(self.wire, code).await
    }

    /// Listens to replies, if this client does not yet, and names the request. Frames are handled in order, so the
    /// subscription is there before the request is.
    fn prepare(&mut self) -> String {
        if self.wire.with(State::begin_replies) {
            let frame = Frame::new(Command::Subscribe).with_header("id", REPLIES);
            self.wire.send(&frame.with_header("destination", &self.replies));
        }
        let correlation = self.wire.with(|state| state.fresh("request"));
        self.confirmed.frame.headers.push("correlation-id", &correlation);
        correlation
    }
}

/// # Panics
/// When it is refused, not handled in time, answered with something that is no `T`, or not answered at all.
impl<'a, T: DeserializeOwned + Send + 'a> IntoFuture for Requesting<'a, T> {
    type Output = T;
    type IntoFuture = BoxFuture<'a, T>;

    fn into_future(mut self) -> BoxFuture<'a, T> {
        Box::pin(async move {
            let correlation = self.prepare();
            let Self { wire, confirmed, .. } = self;
            let (at, limit, name) = (confirmed.at, confirmed.limit, confirmed.name());
            confirmed.accepted(wire).await;
            let reply = wire
                .wait_for(limit, |state| match state.take_reply(&correlation) {
                    Some(reply) => Some(Some(reply)),
                    None => state.closed().map(|_| None),
                })
                .await;
            match reply {
                Ok(Some(reply)) => match reply.parse() {
                    Ok(value) => value,
                    Err(complaint) => wire.fail(at, &format!("the reply to the {name}: {complaint}")),
                },
                Ok(None) => wire.fail(at, &format!("the {name} was not answered before the end")),
                Err(timed_out) => wire.fail(at, &format!("the {name} was handled, but not answered {timed_out}")),
            }
        })
    }
}

impl<T> fmt::Debug for Requesting<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Requesting").field(&self.confirmed.name()).finish()
    }
}
