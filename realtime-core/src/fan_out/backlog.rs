//! What a shard was given and has not written yet, and who waits for it to become less.

use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

use crate::outbox::OutboxLimits;

/// Deliveries that may be on their way beyond the least that a shard holds: what a core writes in less than half a second.
const MAX_DELIVERIES: usize = 32_768;

/// An amount of messages, their octets, and the deliveries that they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) messages: usize,
    pub(super) octets: usize,
    pub(super) deliveries: usize,
}

/// How much a shard may hold, by what may wait for one client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// A quarter of that, which a connection is given at a time. A shard holds as much in any case.
    pub(super) portion: Load,
    /// Four times that, as long as it isn't much work. The more a busy shard holds, the more of it goes to the same connections
    /// and is written together.
    most: Load,
}

/// The load of one shard.
#[derive(Debug)]
pub(super) struct Backlog {
    bounds: Bounds,
    messages: AtomicUsize,
    octets: AtomicUsize,
    deliveries: AtomicUsize,
    /// Told once for each of those who wait that there is room for.
    room: Notify,
    /// How many wait.
    waiting: AtomicUsize,
}

/// Somebody who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Load {
    /// No bound.
    pub(super) const MAX: Self = Self { messages: usize::MAX, octets: usize::MAX, deliveries: usize::MAX };

    pub(super) fn add(&mut self, octets: usize, deliveries: usize) {
        self.messages += 1;
        self.octets += octets;
        self.deliveries += deliveries;
    }

    fn half(self) -> Self {
        Self { messages: self.messages / 2, octets: self.octets / 2, deliveries: self.deliveries / 2 }
    }

    pub(super) fn exceeds(self, max: Self) -> bool {
        self.messages > max.messages || self.octets > max.octets || self.deliveries > max.deliveries
    }
}

impl Bounds {
    pub(super) fn new(limits: &OutboxLimits) -> Self {
        let OutboxLimits { max_messages, max_bytes, .. } = *limits;
        let quarter = |of: usize| (of / 4).max(1);
        Self {
            portion: Load { messages: quarter(max_messages), octets: quarter(max_bytes), deliveries: usize::MAX },
            most: Load {
                messages: max_messages.saturating_mul(4),
                octets: max_bytes.saturating_mul(4),
                deliveries: MAX_DELIVERIES,
            },
        }
    }

    fn half(self) -> Self {
        Self { portion: self.portion.half(), most: self.most.half() }
    }

    fn allow(self, load: Load) -> bool {
        self.room(load) > 0
    }

    /// How many may go on, if their messages are small and for few.
    fn room(self, load: Load) -> usize {
        let fitting = [self.most, self.portion].into_iter().find(|bound| !load.exceeds(*bound));
        fitting.map_or(0, |bound| (bound.messages - load.messages).saturating_add(1))
    }
}

impl Backlog {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            messages: AtomicUsize::new(0),
            octets: AtomicUsize::new(0),
            deliveries: AtomicUsize::new(0),
            room: Notify::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    pub(super) fn add(&self, octets: usize, deliveries: usize) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.octets.fetch_add(octets, Ordering::Relaxed);
        self.deliveries.fetch_add(deliveries, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, Load { messages, octets, deliveries }: Load) {
        if messages == 0 {
            return;
        }
        self.octets.fetch_sub(octets, Ordering::AcqRel);
        self.deliveries.fetch_sub(deliveries, Ordering::AcqRel);
        if self.messages.fetch_sub(messages, Ordering::AcqRel) == messages {
            // Whoever was told and has not looked, or does not publish after all, holds up nobody for longer than this.
            self.room.notify_waiters();
        } else {
            // Thousands may wait. If all of them were to look each time, nearly all would do so in vain, and lose their places.
            let told = self.bounds.room(self.load()).min(self.waiting.load(Ordering::Relaxed));
            (0..told).for_each(|_| self.room.notify_one());
        }
    }

    /// Whether somebody who comes now may go on: within the bounds, or half of them where others have waited for longer.
    ///
    /// Not with nothing alone: one who waits may be held up by whoever comes now.
    pub(super) fn has_room(&self) -> bool {
        let others_wait = self.waiting.load(Ordering::Relaxed) > 0;
        let bounds = if others_wait { self.bounds.half() } else { self.bounds };
        bounds.allow(self.load())
    }

    /// Waits for one's turn to go on within the bounds; `revive` has the work go on where nobody is at it.
    pub(super) async fn wait_for_room(&self, revive: impl Fn()) {
        if self.has_room() {
            return;
        }
        let _waiting = Waiting::new(&self.waiting);
        loop {
            let mut room = pin!(self.room.notified());
            room.as_mut().enable();
            revive();
            if self.bounds.half().allow(self.load()) {
                // Nobody may be going to tell.
                return;
            }
            room.await;
            if self.bounds.allow(self.load()) {
                return;
            }
        }
    }

    /// Has those who wait look again.
    pub(super) fn wake(&self) {
        self.room.notify_waiters();
    }

    fn load(&self) -> Load {
        let [messages, octets, deliveries] =
            [&self.messages, &self.octets, &self.deliveries].map(|part| part.load(Ordering::Acquire));
        Load { messages, octets, deliveries }
    }
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, atomic::AtomicBool},
        task::{Context, Wake},
    };

    use futures_util::FutureExt;

    use super::*;

    /// Whether somebody was woken.
    #[derive(Default)]
    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Publishers wait above 32 messages of 1,600 octets in all, and above two of 100 octets that are much work.
    fn backlog() -> Backlog {
        Backlog::new(Bounds::new(&OutboxLimits::default().max_messages(8).max_bytes(400)))
    }

    fn has_room(backlog: &Backlog) -> bool {
        let waits = backlog.wait_for_room(|| ()).now_or_never().is_none();
        assert_eq!(backlog.has_room(), !waits);
        !waits
    }

    fn finish(backlog: &Backlog, messages: usize, octets: usize) {
        backlog.remove(Load { messages, octets, deliveries: 0 });
    }

    #[test]
    fn a_publisher_waits_above_four_times_what_may_wait_for_a_client_and_not_at_it() {
        let backlog = backlog();
        (0..32).for_each(|_| backlog.add(50, 1));
        assert!(has_room(&backlog), "32 messages, 1,600 octets");
        backlog.add(0, 1);
        assert!(!has_room(&backlog), "33 messages");
        finish(&backlog, 2, 50);
        backlog.add(51, 1);
        assert!(!has_room(&backlog), "1,601 octets");
    }

    #[test]
    fn a_publisher_waits_above_a_quarter_of_what_may_wait_for_a_client_where_that_is_much_work_and_not_at_it() {
        let backlog = backlog();
        backlog.add(50, MAX_DELIVERIES);
        backlog.add(50, 1);
        assert!(has_room(&backlog), "two of eight messages, 100 of 400 octets");
        backlog.add(0, 0);
        assert!(!has_room(&backlog), "three messages");
        finish(&backlog, 1, 0);
        assert!(has_room(&backlog));
        finish(&backlog, 1, 50);
        backlog.add(51, 0);
        assert!(!has_room(&backlog), "101 octets");
        backlog.remove(Load { messages: 1, octets: 0, deliveries: 1 });
        assert!(has_room(&backlog), "it is as much work as may be");
    }

    #[test]
    fn what_is_not_bounded_has_room() {
        let limits = OutboxLimits::default().max_messages(usize::MAX).max_bytes(usize::MAX);
        assert!(has_room(&Backlog::new(Bounds::new(&limits))));
    }

    #[test]
    fn who_comes_while_others_wait_goes_on_below_half_of_the_bounds_alone() {
        let backlog = backlog();
        (0..33).for_each(|_| backlog.add(1, 1));
        let mut waiting = Box::pin(backlog.wait_for_room(|| ()));
        assert!(waiting.as_mut().now_or_never().is_none());
        finish(&backlog, 16, 16);
        assert!(!has_room(&backlog), "17 messages");
        finish(&backlog, 1, 1);
        assert!(has_room(&backlog), "16 messages");
        finish(&backlog, 8, 8);
        drop(waiting);
        (0..16).for_each(|_| backlog.add(1, 1));
        assert!(has_room(&backlog), "24 messages, and nobody waits any more");
    }

    #[test]
    fn as_many_look_again_as_may_go_on_and_everyone_when_nothing_is_left() {
        const WAITING: usize = 10;
        let backlog = backlog();
        (0..33).for_each(|_| backlog.add(1, 1));
        let mut waits: Vec<_> =
            (0..WAITING).map(|_| (Arc::new(Flag::default()), Box::pin(backlog.wait_for_room(|| ())))).collect();
        for (flag, wait) in &mut waits {
            assert!(wait.as_mut().poll(&mut Context::from_waker(&Arc::clone(flag).into())).is_pending());
        }
        let mut go_on = |finished| {
            finish(&backlog, finished, finished);
            let woken = waits.extract_if(.., |(flag, _)| flag.0.load(Ordering::Relaxed));
            woken.map(|(_, wait)| assert!(wait.now_or_never().is_some())).count()
        };
        assert_eq!(go_on(0), 0);
        assert_eq!(go_on(1), 1, "32 are left");
        assert_eq!(go_on(2), 3, "as none of them has published");
        assert_eq!(go_on(30), 6, "nothing is left");
    }
}
