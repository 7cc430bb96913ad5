//! One destination as it stands in the journal, and the two queues that find the next one to evict and to sweep.
//!
//! Both queues are lazy: a destination stands in each at most once, under a moment that may be too early by now, and is put
//! back under the right one when it is found. So an append touches a queue only where the destination is not in it, and each
//! correction is paid for by an append or a trimmed entry since.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::time::Instant;

use crate::{
    destination::Destination,
    history::{Epoch, Retain, memory_journal::log::Log},
    sync::{Mutex, MutexGuard},
};

/// One destination with its log.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) destination: Destination,
    state: Mutex<State>,
    /// The number of its latest append among all appends.
    used: AtomicU64,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) log: Log,
    /// Where it stands in [`Ages`].
    due: Option<Due>,
    /// Evicted: whoever still holds it must look again.
    retired: bool,
}

/// A moment, and a number that no other one has.
type Due = (Instant, u64);

/// Locks a destination, or gives up.
type LockState = fn(&Mutex<State>) -> Option<MutexGuard<'_, State>>;

impl Shelf {
    pub(super) fn new(destination: Destination, epoch: Epoch, retain: Retain, used: u64) -> Self {
        let state = State { log: Log::new(epoch, retain), due: None, retired: false };
        Self { destination, state: Mutex::new(state), used: AtomicU64::new(used) }
    }

    /// Locks the destination, unless it was evicted meanwhile.
    pub(super) fn lock(&self) -> Option<MutexGuard<'_, State>> {
        let state = self.state.lock();
        (!state.retired).then_some(state)
    }
}

/// The octets of all logs.
#[derive(Debug, Default)]
pub(super) struct Usage(AtomicUsize);

impl Usage {
    /// Lets `work` change a log, and counts what it has more or less then.
    pub(super) fn counted<T>(&self, log: &mut Log, work: impl FnOnce(&mut Log) -> T) -> T {
        let before = log.octets();
        let done = work(log);
        let after = log.octets();
        if after >= before {
            self.0.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.0.fetch_sub(before - after, Ordering::Relaxed);
        }
        done
    }

    pub(super) fn octets(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Finds the destination that was appended to longest ago.
#[derive(Debug, Default)]
pub(super) struct Recency {
    appends: AtomicU64,
    queue: Mutex<BTreeMap<u64, Arc<Shelf>>>,
}

impl Recency {
    /// A number for an append, greater than those before.
    pub(super) fn next(&self) -> u64 {
        self.appends.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes that `shelf` was appended to.
    pub(super) fn touch(&self, shelf: &Shelf) {
        shelf.used.fetch_max(self.next(), Ordering::Relaxed);
    }

    /// Adds a new destination.
    pub(super) fn insert(&self, shelf: &Arc<Shelf>) {
        self.queue.lock().insert(shelf.used.load(Ordering::Relaxed), Arc::clone(shelf));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.queue.lock().len()
    }

    /// Takes out the destination that was appended to longest ago.
    pub(super) fn pop(&self) -> Option<Arc<Shelf>> {
        let mut queue = self.queue.lock();
        loop {
            let (noted, shelf) = queue.pop_first()?;
            let used = shelf.used.load(Ordering::Relaxed);
            if used == noted {
                return Some(shelf);
            }
            queue.insert(used, shelf);
        }
    }
}

/// Finds destinations whose oldest entry is too old.
#[derive(Debug, Default)]
pub(super) struct Ages {
    next: AtomicU64,
    queue: Mutex<BTreeMap<Due, Arc<Shelf>>>,
}

impl Ages {
    /// Sees to it that `shelf`, whose lock is held, is found when its oldest entry is too old.
    pub(super) fn keep(&self, shelf: &Arc<Shelf>, state: &mut State) {
        if state.due.is_none()
            && let Some(moment) = state.log.due()
        {
            let due = (moment, self.next.fetch_add(1, Ordering::Relaxed));
            state.due = Some(due);
            self.queue.lock().insert(due, Arc::clone(shelf));
        }
    }

    /// Trims the next destination that may have an entry that is too old, where `lock` can lock it; returns whether it did.
    pub(super) fn sweep_one(&self, now: Instant, usage: &Usage, lock: LockState) -> bool {
        let (due, shelf) = {
            let mut queue = self.queue.lock();
            match queue.first_entry() {
                Some(first) if first.key().0 < now => first.remove_entry(),
                _ => return false,
            }
        };
        let Some(mut state) = lock(&shelf.state) else {
            self.queue.lock().insert(due, Arc::clone(&shelf));
            return false;
        };
        // It may have been evicted, or forgotten and noted again, while it was out of the queue.
        if state.due == Some(due) {
            state.due = None;
            usage.counted(&mut state.log, |log| log.trim(now));
            self.keep(&shelf, &mut state);
        }
        true
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.queue.lock().len()
    }

    /// Forgets the entries of a destination.
    pub(super) fn forget(&self, state: &mut State, epoch: Epoch, usage: &Usage) {
        usage.counted(&mut state.log, |log| log.forget(epoch));
        if let Some(due) = state.due.take() {
            self.queue.lock().remove(&due);
        }
    }

    /// Evicts a destination that is out of the queue of eviction: nobody appends to it or reads from it any more.
    pub(super) fn retire(&self, shelf: &Shelf, epoch: Epoch, usage: &Usage) {
        let mut state = shelf.state.lock();
        state.retired = true;
        self.forget(&mut state, epoch, usage);
    }
}
