//! What an entry says where only being there counts.

use crate::{auth::Principal, session::Departure};

/// Someone who is there, or was.
#[derive(Clone, Debug)]
pub(super) struct Occupant {
    pub(super) principal: Principal,
    /// Why the last connection went; said of who is there no more.
    departure: Option<Departure>,
}

impl Occupant {
    pub(super) fn new(principal: Principal) -> Self {
        Self { principal, departure: None }
    }

    pub(super) fn departs(&mut self, departure: Departure) {
        self.departure = Some(departure);
    }

    /// Why it went. An entry that ended without its node saying so is that of a node that died.
    pub(super) fn departure(self) -> Departure {
        self.departure.unwrap_or(Departure::Disconnected(crate::session::DisconnectReason::Lost))
    }
}
