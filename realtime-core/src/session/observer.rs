//! Who watches sessions, event streams and what they listen to, from below the application: members of rooms and presence.

use crate::{
    destination::Destination,
    session::{Departure, DisconnectReason, Session},
};

/// Hears of everyone who comes and goes. Each call returns at once, and for each that came in there is exactly one that goes, by
/// a drop guard, whatever panicked. Called without a lock.
pub(crate) trait Observer: Send + Sync {
    /// A session is connected, or an event stream is open.
    fn came(&self, session: &Session) {
        let _ = session;
    }

    /// It ended. It listens to nothing any more.
    fn went(&self, session: &Session, reason: &DisconnectReason) {
        let _ = (session, reason);
    }

    /// It listens to a destination.
    fn listens(&self, listening: &Listening) {
        let _ = listening;
    }

    /// It does so no more.
    fn stopped(&self, listening: &Listening, departure: &Departure) {
        let _ = (listening, departure);
    }
}

/// A session or event stream that listens to a destination.
#[derive(Clone, Debug)]
pub(crate) struct Listening {
    /// Tells it from every other one of this process.
    pub(crate) key: u64,
    pub(crate) session: Session,
    /// As the client named it.
    pub(crate) destination: Destination,
}
