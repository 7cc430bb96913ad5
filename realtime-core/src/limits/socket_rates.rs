//! How much a WebSocket's peer may send, whatever it is.

use crate::limits::Rate;

/// The rates of every connection of an endpoint, which share them.
#[derive(Debug)]
pub(crate) struct SocketRates {
    /// Octets, of whatever kind.
    pub(crate) octets: Rate,
    /// Units that carry nothing: heart-beats, pings, empty messages.
    pub(crate) empty_units: Rate,
}
