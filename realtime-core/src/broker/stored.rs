//! A message that is kept for later: until a subscription goes live, or until it is acknowledged.

use std::sync::Arc;

use crate::{
    broker::encoding::{Encoding, Head},
    history::Position,
    publication::Publication,
};

/// What a stored message takes beside its octets, rounded up.
const OVERHEAD: usize = 256;

/// A message with its names, ready to be encoded for whoever gets it.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) message_id: Arc<str>,
    pub(super) destination: Arc<str>,
    pub(super) publication: Publication,
    /// Its place in the history of its destination, where that has one, and the token of it.
    pub(super) place: Option<(Position, Arc<str>)>,
}

impl Stored {
    /// What it counts as against bounds: body, headers and names, and 256 octets for itself, so that empty ones count too.
    pub(super) fn octets(&self) -> usize {
        let Publication { headers, body, .. } = &self.publication;
        let headers: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        OVERHEAD + self.destination.len() + headers + body.len()
    }

    pub(super) fn encode(&self, encoding: &Encoding, ack: Option<(&str, bool)>) -> bytes::Bytes {
        let position = self.place.as_ref().map(|(_, token)| &**token);
        let head = Head { message_id: &self.message_id, destination: &self.destination, position, ack };
        encoding.encode(&head, &self.publication)
    }
}
