//! Where a part keeps its [`Roll`], and the one task that watches the clock for it and tells what has changed.
//!
//! Invariants: there is one task for each part at most, and none while there is nothing to wait for; it holds no lock while it
//! waits or tells. Changes of one place are told in order, those of different places at the same time.

use std::{fmt, hash::Hash, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::Notify};

use crate::{
    presence::{
        Directory, DirectorySink, Moment, Update,
        roll::{Bounds, Changes, Roll},
    },
    telemetry,
};

/// How many places' changes are told at the same time. More would only put more work on the application at once.
const MAX_TELLING: usize = 64;

/// What watches over who is where, and tells of it.
pub(super) trait Part: Send + Sync + Sized + 'static {
    type Place: Clone + Eq + Hash + Ord + Send + Sync + 'static;
    type Data: Clone + Send + Sync + 'static;

    fn desk(&self) -> &Desk<Self::Place, Self::Data>;

    /// Tells what has changed about these users at a place. Called again for the same place once this is done.
    fn tell(self: Arc<Self>, place: Self::Place, changes: Changes<Self::Data>) -> impl Future<Output = ()> + Send;
}

/// See the module.
pub(super) struct Desk<P, D> {
    directory: Arc<dyn Directory<P, D>>,
    state: Mutex<State<P, D>>,
    changed: Notify,
}

struct State<P, D> {
    roll: Roll<P, D>,
    /// Whether the task runs.
    working: bool,
}

impl<P, D> Desk<P, D>
where
    P: Clone + Eq + Hash + Ord + 'static,
    D: Clone + 'static,
{
    pub(super) fn new(directory: Arc<dyn Directory<P, D>>, bounds: Bounds, delay: Duration) -> Self {
        let roll = Roll::new(Arc::clone(&directory), bounds, delay);
        Self { directory, state: Mutex::new(State { roll, working: false }), changed: Notify::new() }
    }

    pub(super) fn now(&self) -> Moment {
        self.directory.now()
    }

    /// Asks, after what has ended by now has ended. `ask` runs under the lock.
    pub(super) fn ask<R>(&self, ask: impl FnOnce(&mut Roll<P, D>, Moment) -> R) -> R {
        let mut state = self.state.lock();
        // Under the lock, so that time does not go back from one caller to the next.
        let now = self.now();
        state.roll.pass(now);
        ask(&mut state.roll, now)
    }
}

/// Changes something, and has it told. `change` runs under the lock.
pub(super) fn change<T: Part, R>(part: &Arc<T>, change: impl FnOnce(&mut Roll<T::Place, T::Data>, Moment) -> R) -> R {
    let desk = part.desk();
    let result = desk.ask(change);
    wake(part);
    result
}

/// Hears of other nodes from `directory`, for as long as the part is there.
pub(super) fn attach<T: Part>(part: &Arc<T>) {
    struct Sink<T>(std::sync::Weak<T>);

    impl<T: Part> DirectorySink<T::Place, T::Data> for Sink<T> {
        fn update(&self, update: Update<T::Place, T::Data>) {
            if let Some(part) = self.0.upgrade() {
                change(&part, |roll, now| roll.merge(update, now));
            }
        }
    }

    part.desk().directory.attach(Arc::new(Sink(Arc::downgrade(part))));
}

/// Sees to it that the task runs where there is something to wait for, and looks again.
fn wake<T: Part>(part: &Arc<T>) {
    let desk = part.desk();
    let starts = {
        let mut state = desk.state.lock();
        let waits = state.roll.next_due().is_some() || state.roll.next_end().is_some();
        let starts = waits && !state.working;
        state.working |= starts;
        starts
    };
    if !starts {
        return desk.changed.notify_one();
    }
    let working = Working { part: Arc::clone(part), over: false };
    // It ends by itself when there is nothing to wait for any more; without a runtime nothing is told until somebody comes.
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(work(working))),
        Err(_) => drop(working),
    }
}

/// The task.
async fn work<T: Part>(mut working: Working<T>) {
    let part = Arc::clone(&working.part);
    let desk = part.desk();
    let mut telling = FuturesUnordered::new();
    loop {
        let wait = {
            let mut state = desk.state.lock();
            let now = desk.now();
            state.roll.pass(now);
            while telling.len() < MAX_TELLING
                && let Some((place, changes)) = state.roll.take_due(now)
            {
                let part = Arc::clone(&part);
                telling.push(async move {
                    if AssertUnwindSafe(part.tell(place.clone(), changes)).catch_unwind().await.is_err() {
                        telemetry::listener_panicked("presence");
                    }
                    place
                });
            }
            let due = state.roll.next_due().filter(|_| telling.len() < MAX_TELLING);
            let next = [due, state.roll.next_end()].into_iter().flatten().min();
            if next.is_none() && telling.is_empty() {
                state.working = false;
                working.over = true;
                return;
            }
            next.map(|next| Duration::from_millis(next.as_millis().saturating_sub(now.as_millis()).max(1)))
        };
        tokio::select! {
            biased;
            Some(place) = telling.next() => desk.state.lock().roll.told(&place),
            () = desk.changed.notified() => {}
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
        }
    }
}

/// That the task runs: dropped before its end, with its runtime say, it may be started again.
struct Working<T: Part> {
    part: Arc<T>,
    over: bool,
}

impl<T: Part> Drop for Working<T> {
    fn drop(&mut self) {
        if !self.over {
            self.part.desk().state.lock().working = false;
        }
    }
}

impl<P, D> fmt::Debug for Desk<P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
