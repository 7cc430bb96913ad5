//! What is mounted beside routes and watches sessions: members of rooms, presence, who is online.

use std::time::Duration;

use crate::{
    broker::{Broker, Publication},
    destination::Destination,
    session::Observer,
};

/// A part of an endpoint that hears of everyone who comes and goes, and may have the first word in a subscription.
pub(crate) trait Part: Observer + 'static {
    /// Called when the endpoint is built, before there is a session. Listeners may take `limit` each.
    fn start(&self, broker: &Broker, limit: Duration);

    /// The patterns of what it watches and publishes, as they were written, with what each is in an error.
    fn watched(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Whether it has something to say first to a subscription of `destination`, which rules have allowed.
    fn greets(&self, destination: &Destination) -> bool {
        let _ = destination;
        false
    }

    /// What it says first. The subscription is registered already and held back.
    fn greeting(&self, destination: &Destination) -> Option<Publication> {
        let _ = destination;
        None
    }
}
