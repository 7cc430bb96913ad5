//! All meters of a broker and the endpoints on it.

use std::sync::Arc;

use crate::telemetry::{
    Family, Throttle, connections::ConnectionMeters, destinations::DestinationTable, handlers::HandlerMeters,
    traffic::TrafficMeters,
};

/// Everything that is counted. A broker owns one, and its endpoints count there too.
#[derive(Debug)]
pub(crate) struct Meters {
    pub(crate) connections: ConnectionMeters,
    pub(crate) destinations: DestinationTable,
    pub(crate) handlers: HandlerMeters,
    pub(crate) traffic: TrafficMeters,
    /// Log lines by reason.
    pub(super) logs: Family<Throttle>,
}

impl Meters {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            connections: ConnectionMeters::new(),
            destinations: DestinationTable::new(),
            handlers: HandlerMeters::new(),
            traffic: TrafficMeters::new(),
            logs: Family::new(Throttle::new),
        })
    }
}
