//! A shard: the log that publishers append to, and the task that works it off.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parlor_stomp::Command;
use tokio::runtime::Handle;

use super::{
    backlog::{Backlog, Bounds},
    flusher::{Flusher, TURN},
    lane::{LaneId, SubscriberKey, Tail, Tally},
};
use crate::{
    outbox::{Deferred, Moment, Outbox, Upstream},
    sync::Mutex,
    telemetry::Meters,
};

/// What happens, in the order in which it does.
#[derive(Debug)]
pub(crate) enum Entry {
    Join(Box<Joining>),
    Leave {
        lane: LaneId,
        key: SubscriberKey,
        outbox: Arc<Outbox>,
    },
    /// Something for one connection alone.
    Outbox {
        outbox: Arc<Outbox>,
        deferred: Deferred,
    },
    Publish {
        lane: LaneId,
        tail: Tail,
        /// How many members the lane has.
        audience: usize,
    },
}

/// A subscription that gets what is published from now on.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) lane: LaneId,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) key: SubscriberKey,
    /// How its frames begin.
    pub(crate) head: Arc<[u8]>,
}

/// Connections that are written to by one thread at a time.
pub(crate) struct Shard {
    log: Mutex<Log>,
    /// Neither is anything logged nor is anything left to write.
    is_idle: AtomicBool,
    flusher: Mutex<Flusher>,
    /// Messages that somebody has not been given yet.
    backlog: Backlog,
    meters: Arc<Meters>,
    /// The runtime of the connections. A publisher's own may not run when it is not publishing.
    home: Option<Handle>,
}

#[derive(Debug, Default)]
struct Log {
    entries: Vec<Entry>,
    /// Somebody is at work, or will be.
    is_worked_on: bool,
}

/// Who works on a shard. A runtime that ends in the midst of it leaves the rest to whoever appends next.
struct Worker {
    shard: Arc<Shard>,
    has_finished: bool,
}

impl Shard {
    pub(super) fn new(bounds: Bounds, meters: Arc<Meters>, home: Option<Handle>) -> Self {
        Self {
            log: Mutex::default(),
            is_idle: AtomicBool::new(true),
            flusher: Mutex::new(Flusher::new(bounds.portion)),
            backlog: Backlog::new(bounds),
            meters,
            home,
        }
    }

    /// Appends an entry. It has its place from now on, and takes effect soon.
    pub(crate) fn append(self: &Arc<Self>, entry: Entry) {
        if let Entry::Publish { tail, audience, .. } = &entry {
            self.backlog.add(tail.octets.len(), *audience);
        }
        let mut log = self.log.lock();
        // Before anybody can see what the entry leads to.
        self.is_idle.store(false, Ordering::Release);
        log.entries.push(entry);
        let begins = !std::mem::replace(&mut log.is_worked_on, true);
        drop(log);
        if begins {
            self.begin();
        }
    }

    /// Whether a publisher may go on.
    pub(super) fn has_room(&self) -> bool {
        self.backlog.has_room()
    }

    /// Waits until a publisher may go on: not for any subscriber, but for the work that it made. To do some of it instead of
    /// waiting would be quicker, but would leave connections that only their own tasks can write to no time to do so.
    pub(super) async fn wait_for_room(self: &Arc<Self>) {
        let revive = || {
            if self.claim_abandoned() {
                self.begin();
            }
        };
        self.backlog.wait_for_room(revive).await;
    }

    /// Waits until everything that was appended before has taken effect.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) async fn settled(&self) {
        while !self.is_idle() {
            tokio::task::yield_now().await;
        }
    }

    /// Has somebody work the log off: a task of the connections' runtime, or whoever is here where there is none.
    fn begin(self: &Arc<Self>) {
        let worker = || Worker { shard: Arc::clone(self), has_finished: false };
        if let Some(home) = &self.home {
            drop(home.spawn(worker().run()));
            // One that has ended drops what it is given, and a worker that is dropped says so.
            if self.claim_abandoned() {
                worker().run_now();
            }
        } else {
            worker().run_now();
        }
    }

    /// Takes over what a worker has left undone; false where nothing was.
    fn claim_abandoned(&self) -> bool {
        let mut log = self.log.lock();
        let is_abandoned = !log.is_worked_on && !self.is_idle();
        log.is_worked_on |= is_abandoned;
        is_abandoned
    }

    /// Does a turn's work; false where there was nothing left to do, and somebody has to begin anew.
    fn turn(&self) -> bool {
        let mut flusher = self.flusher.lock();
        flusher.begin_turn();
        flusher.append(std::mem::take(&mut self.log.lock().entries));
        let moment = Moment::now();
        // At most half of a turn, so that both go on.
        let left = flusher.take_some(TURN / 2, moment);
        flusher.write(TURN / 2 + left, moment);
        self.account(flusher.take_tally());
        flusher.end_turn();
        if !flusher.is_clean() {
            return true;
        }
        let mut log = self.log.lock();
        if !log.entries.is_empty() {
            return true;
        }
        if flusher.is_empty() {
            // Memory of what was is not needed any more.
            flusher.forget();
        } else {
            flusher.rest();
        }
        log.is_worked_on = false;
        self.is_idle.store(true, Ordering::Release);
        false
    }

    fn account(&self, Tally { octets, messages, refused, done }: Tally) {
        // A large lane takes several turns, and its messages are done in the last one.
        if messages > 0 || octets > 0 {
            self.meters.traffic.sent(Command::Message, messages, octets);
        }
        if refused > 0 {
            self.meters.destinations.dropped_closing.add(refused as u64);
        }
        self.backlog.remove(done);
    }
}

impl Worker {
    async fn run(mut self) {
        loop {
            // Whoever is ready to publish does so first: then it is written together.
            tokio::task::yield_now().await;
            if !self.shard.turn() {
                self.has_finished = true;
                return;
            }
        }
    }

    fn run_now(mut self) {
        while self.shard.turn() {}
        self.has_finished = true;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.has_finished {
            self.shard.log.lock().is_worked_on = false;
            // Publishers that wait for it take it over.
            self.shard.backlog.wake();
        }
    }
}

impl Upstream for Shard {
    fn is_idle(&self) -> bool {
        self.is_idle.load(Ordering::Acquire)
    }

    fn defer(self: Arc<Self>, outbox: Arc<Outbox>, deferred: Deferred) {
        self.append(Entry::Outbox { outbox, deferred });
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").field("backlog", &self.backlog).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        task::{self, Poll},
    };

    use bytes::Bytes;

    use super::*;
    use crate::outbox::{OutboxLimits, Overflow, WireWriter};

    /// Publishers wait above four messages.
    fn bounds() -> Bounds {
        Bounds::new(&OutboxLimits::default().max_messages(1))
    }

    fn message(meters: &Meters) -> Tail {
        let (octets, meters) = (Bytes::from_static(b"hello"), Arc::clone(&meters.destinations.user));
        Tail { octets, framing: None, overflow: Overflow::Disconnect, salt: 0, meters }
    }

    /// Keeps what is written; the first time, panics instead where it is told to.
    #[derive(Clone, Default)]
    struct Recorder {
        octets: Arc<Mutex<Vec<u8>>>,
        panics: Arc<AtomicBool>,
    }

    impl WireWriter for Recorder {
        fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
            assert!(!self.panics.swap(false, Ordering::Relaxed), "this is the test's own panic");
            self.octets.lock().extend_from_slice(octets);
            Ok(octets.len())
        }

        fn poll_write(&mut self, _: &mut task::Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
            Poll::Ready(slices.iter().map(|slice| self.try_write(slice)).sum())
        }

        fn poll_flush(&mut self, _: &mut task::Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Longer than it takes, or until a turn panics.
    fn turns(home: &tokio::runtime::Runtime) {
        home.block_on(async {
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Nobody but the connection that a turn panicked at misses or doubles anything.
    #[test]
    fn after_a_turn_that_panicked_everyone_else_has_every_message_once() {
        let meters = Meters::new();
        let home = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let shard = Arc::new(Shard::new(bounds(), Arc::clone(&meters), Some(home.handle().clone())));
        let recorders: [Recorder; 3] = std::array::from_fn(|_| Recorder::default());
        for (key, recorder) in (0..).zip(&recorders) {
            let outbox = Arc::new(Outbox::new(Box::new(recorder.clone()), OutboxLimits::default()));
            let head = Arc::from(&b"to you: "[..]);
            shard.append(Entry::Join(Box::new(Joining { lane: 1, outbox, key, head })));
        }
        recorders[1].panics.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            shard.append(Entry::Publish { lane: 1, tail: message(&meters), audience: 1 });
            turns(&home);
        }
        assert!(shard.is_idle(), "the next one has taken it over");
        for whole in [0, 2] {
            assert_eq!(*recorders[whole].octets.lock(), b"to you: hello".repeat(3), "connection {whole}");
        }
    }

    #[test]
    fn who_leaves_has_left_even_if_another_one_panicked_meanwhile() {
        let meters = Meters::new();
        let home = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let shard = Arc::new(Shard::new(bounds(), Arc::clone(&meters), Some(home.handle().clone())));
        let recorders: [Recorder; 2] = std::array::from_fn(|_| Recorder::default());
        let outboxes =
            recorders.clone().map(|recorder| Arc::new(Outbox::new(Box::new(recorder), OutboxLimits::default())));
        for (key, outbox) in (0..).zip(&outboxes) {
            shard.append(Entry::Join(Box::new(Joining {
                lane: 1,
                outbox: Arc::clone(outbox),
                key,
                head: Arc::default(),
            })));
        }
        let publish = || shard.append(Entry::Publish { lane: 1, tail: message(&meters), audience: 2 });
        publish();
        // The last one, who takes the other's place, is served before.
        recorders[1].panics.store(true, Ordering::Relaxed);
        shard.append(Entry::Leave { lane: 1, key: 0, outbox: Arc::clone(&outboxes[0]) });
        turns(&home);
        publish();
        home.block_on(shard.settled());
        assert_eq!(*recorders[0].octets.lock(), b"hello", "what came before it left");
    }

    #[test]
    fn octets_count_in_whichever_turn_they_are_written() {
        const MEMBERS: u64 = 300;
        let meters = Meters::new();
        let home = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let shard = Arc::new(Shard::new(bounds(), Arc::clone(&meters), Some(home.handle().clone())));
        for key in 0..MEMBERS {
            let outbox = Arc::new(Outbox::new(Box::new(Recorder::default()), OutboxLimits::default()));
            shard.append(Entry::Join(Box::new(Joining { lane: 1, outbox, key, head: Arc::default() })));
        }
        shard.append(Entry::Publish { lane: 1, tail: message(&meters), audience: 300 });
        home.block_on(shard.settled());
        assert_eq!(meters.traffic.stats().octets_sent, MEMBERS * 5);
    }

    /// A runtime that ends takes its tasks with it: whoever publishes elsewhere goes on, and so does what was on its way.
    #[test]
    fn what_a_runtime_that_ended_left_undone_is_taken_over_by_who_waits_for_it() {
        let meters = Meters::new();
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let home = runtime();
        let shard = Arc::new(Shard::new(bounds(), Arc::clone(&meters), Some(home.handle().clone())));
        for _ in 0..5 {
            shard.append(Entry::Publish { lane: 1, tail: message(&meters), audience: 1 });
        }
        assert!(!shard.is_idle(), "nobody runs the runtime");
        drop(home);
        runtime().block_on(shard.wait_for_room());
        assert!(shard.is_idle());
        shard.append(Entry::Publish { lane: 1, tail: message(&meters), audience: 1 });
        assert!(shard.is_idle(), "whoever appends does the work now");
    }
}
