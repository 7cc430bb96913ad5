//! What a shard was given and has not written yet, and who waits for it to become less.

use std::{
    pin::pin,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

use crate::outbox::OutboxLimits;

/// The part of an outbox's bounds that a shard may hold before publishers wait for it.
const PART: usize = 4;

/// An amount of messages, and their octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) messages: usize,
    pub(super) octets: usize,
}

/// The load of one shard.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    messages: AtomicUsize,
    octets: AtomicUsize,
    /// Told when the load is small again.
    room: Notify,
}

/// How much each shard may hold before publishers wait.
#[derive(Debug, Default)]
pub(super) struct MaxBacklog(OnceLock<Load>);

impl Load {
    pub(super) fn add(&mut self, octets: usize) {
        self.messages += 1;
        self.octets += octets;
    }

    fn exceeds(self, max: Self) -> bool {
        self.messages > max.messages || self.octets > max.octets
    }
}

impl MaxBacklog {
    /// Sets it by the bounds of outboxes; only the first call counts.
    pub(super) fn set(&self, limits: &OutboxLimits) {
        let part = |of: usize| (of / PART).max(1);
        let _ = self.0.set(Load { messages: part(limits.max_messages), octets: part(limits.max_bytes) });
    }

    pub(super) fn get(&self) -> Load {
        if self.0.get().is_none() {
            self.set(&OutboxLimits::default());
        }
        self.0.get().copied().unwrap_or_default()
    }
}

impl Backlog {
    pub(super) fn add(&self, octets: usize) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.octets.fetch_add(octets, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, Load { messages, octets }: Load) {
        if messages > 0 {
            self.messages.fetch_sub(messages, Ordering::AcqRel);
            self.octets.fetch_sub(octets, Ordering::AcqRel);
            self.room.notify_waiters();
        }
    }

    /// Whether there is no more than `max`.
    pub(super) fn has_room(&self, max: Load) -> bool {
        !self.load().exceeds(max)
    }

    /// Waits until there is no more than `max`; `revive` has the work go on where nobody is at it.
    pub(super) async fn wait_for_room(&self, max: Load, revive: impl Fn()) {
        while !self.has_room(max) {
            let mut room = pin!(self.room.notified());
            room.as_mut().enable();
            revive();
            if !self.has_room(max) {
                room.await;
            }
        }
    }

    /// Has those who wait look again.
    pub(super) fn wake(&self) {
        self.room.notify_waiters();
    }

    fn load(&self) -> Load {
        let (messages, octets) = (self.messages.load(Ordering::Acquire), self.octets.load(Ordering::Acquire));
        Load { messages, octets }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_publisher_waits_above_a_quarter_of_what_may_wait_for_a_client_and_not_at_it() {
        let max = MaxBacklog::default();
        max.set(&OutboxLimits::default().max_messages(8).max_bytes(400));
        let backlog = Backlog::default();
        let has_room = || {
            let waits = backlog.wait_for_room(max.get(), || ()).now_or_never().is_none();
            assert_eq!(backlog.has_room(max.get()), !waits);
            !waits
        };
        backlog.add(50);
        backlog.add(50);
        assert!(has_room(), "two of eight messages, 100 of 400 octets");
        backlog.add(0);
        assert!(!has_room(), "three messages");
        backlog.remove(Load { messages: 1, octets: 0 });
        assert!(has_room());
        backlog.remove(Load { messages: 1, octets: 50 });
        backlog.add(51);
        assert!(!has_room(), "101 octets");
    }

    #[test]
    fn who_waits_goes_on_when_there_is_less() {
        let (backlog, max) = (Backlog::default(), Load { messages: 0, octets: 0 });
        backlog.add(1);
        let mut waiting = Box::pin(backlog.wait_for_room(max, || ()));
        assert!(waiting.as_mut().now_or_never().is_none());
        backlog.remove(Load { messages: 1, octets: 1 });
        assert!(waiting.now_or_never().is_some());
    }
}
