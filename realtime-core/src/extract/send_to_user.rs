//! A return value for a user's own sessions.

use serde::Serialize;

use crate::{
    app::{HandlerError, IntoOutcome, Outcome, Publications, Recipient, Rejection, Target},
    auth::UserId,
    broker::Publication,
    destination::{Destination, DestinationError},
};

/// Sends `T`, as JSON, to the sessions of a user that subscribed to `/user` + path. By default to all sessions (tabs,
/// devices) of the user whose event is handled.
///
/// ```
/// use parlor_core::extract::{Payload, SendToUser};
///
/// async fn add(Payload((a, b)): Payload<(i64, i64)>) -> SendToUser<i64> {
///     SendToUser::new("/queue/sums", a + b).to_this_session()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SendToUser<T> {
    recipient: Recipient,
    path: Result<Destination, DestinationError>,
    payload: T,
}

impl<T> SendToUser<T> {
    /// To all sessions of the user whose event is handled; to the one session where it is anonymous.
    ///
    /// A `path` that is not a destination is reported to the log and the client is told of a failure of the server.
    #[must_use]
    pub fn new(path: &str, payload: T) -> Self {
        Self { recipient: Recipient::Own, path: path.parse(), payload }
    }

    /// Only to the session whose event is handled.
    #[must_use]
    pub fn to_this_session(mut self) -> Self {
        self.recipient = Recipient::ThisSession;
        self
    }

    /// To all sessions of another user.
    #[must_use]
    pub fn to_user(mut self, user: UserId) -> Self {
        self.recipient = Recipient::User(user);
        self
    }
}

impl<K, T: Serialize> IntoOutcome<K> for SendToUser<T> {
    fn into_outcome(self) -> Result<Outcome, HandlerError> {
        let path = self.path.map_err(Rejection::internal)?;
        let publication = Publication::json(&self.payload).map_err(Rejection::internal)?;
        Ok(Outcome::nothing().send(Target::User(self.recipient, path), Publications::One(publication)))
    }
}
