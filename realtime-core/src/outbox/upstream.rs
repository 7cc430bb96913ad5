//! What stands in front of an outbox: frames that are on their way there and that nothing later may overtake.
//!
//! Fan-out collects what it has for many connections and writes it once in a while. Meanwhile a receipt, an answer or the
//! end of the connection must wait its turn behind that, so it takes the same way.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    closing::Closing,
    outbox::{Outbox, Overflow},
};

/// The way that leads to an outbox beside its own methods.
pub(crate) trait Upstream: Send + Sync {
    /// Whether nothing is on its way, to any outbox.
    fn is_idle(&self) -> bool;

    /// Has `deferred` happen to `outbox` once everything that is on its way there has arrived.
    fn defer(self: Arc<Self>, outbox: Arc<Outbox>, deferred: Deferred);
}

/// What happens to an outbox when its turn comes.
#[derive(Debug)]
pub(crate) enum Deferred {
    /// As [`Outbox::finish`].
    Finish(Vec<Bytes>),
    /// As [`Outbox::forget`].
    Forget(u64),
    /// As [`Outbox::push_pong`].
    Pong(Bytes),
    /// As [`Outbox::push`].
    Push(Bytes),
    /// As [`Outbox::push_for`].
    PushFor { subscription: u64, overflow: Overflow, wire: Bytes },
    /// As [`Outbox::stop`].
    Stop(Closing),
}

/// What waits in front of an outbox: it counts as if it were there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expected {
    pub(super) messages: usize,
    pub(super) octets: usize,
}

impl Deferred {
    /// The octets of a frame; none where it is none that must be taken.
    fn octets(&self) -> Option<usize> {
        match self {
            Self::Pong(wire) | Self::Push(wire) | Self::PushFor { wire, .. } => Some(wire.len()),
            Self::Finish(_) | Self::Forget(_) | Self::Stop(_) => None,
        }
    }

    /// Whether it is a frame, which a connection that ends does not take any more.
    pub(super) fn is_frame(&self) -> bool {
        self.octets().is_some()
    }
}

impl Expected {
    pub(super) fn add(&mut self, deferred: &Deferred) {
        if let Some(octets) = deferred.octets() {
            self.messages += 1;
            self.octets += octets;
        }
    }

    pub(super) fn remove(&mut self, deferred: &Deferred) {
        if let Some(octets) = deferred.octets() {
            self.messages -= 1;
            self.octets -= octets;
        }
    }
}
