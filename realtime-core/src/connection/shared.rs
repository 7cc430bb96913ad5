//! What the two halves of a connection have in common: the driver that reads, and the conversation that answers.

use std::sync::OnceLock;

use super::{acknowledgements::Acknowledgements, cancellation::Cancellation};
use crate::{broker::Broker, session::Session};

/// One for each connection.
#[derive(Debug)]
pub(super) struct Shared {
    /// What ACK and NACK are about, which count as soon as they are read.
    pub(super) acknowledgements: Acknowledgements,
    /// Says when a running handler shall be dropped.
    pub(super) cancellation: Cancellation,
    /// The session, from CONNECTED on.
    pub(super) session: OnceLock<Session>,
}

impl Shared {
    pub(super) fn new(broker: Broker) -> Self {
        Self {
            acknowledgements: Acknowledgements::new(broker),
            cancellation: Cancellation::default(),
            session: OnceLock::new(),
        }
    }
}
