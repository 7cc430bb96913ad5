//! The clock of a test: tokio's, paused, and moved by hand.

use std::{
    convert::Infallible,
    fmt,
    future::poll_fn,
    sync::mpsc,
    task::Poll,
    time::{Duration, SystemTime},
};

use tokio::task::JoinHandle;

use crate::clock;

/// How far [`TestClock::settle`] moves the clock: one tick of tokio's timers.
const TICK: Duration = Duration::from_millis(1);

/// Time in a test's hands. Everything in Parlor that looks at time follows it: heart-beats, deadlines, graces, and the
/// expiry of tokens, which is wall-clock time.
///
/// Two ways to have it, both on the runtime of `#[tokio::test]` (`current_thread`):
///
/// * [`pause`](Self::pause), the same as `#[tokio::test(start_paused = true)]`: whenever nothing in the runtime can run, the
///   clock jumps to the next timer. A test never waits, and a handler that sleeps is done at once. For applications that work
///   inside of the runtime only: a database on a thread of its own looks like nothing to do, and time-outs fire.
/// * [`hold`](Self::hold): the clock stands still and moves only by [`advance`](Self::advance), however long something else
///   takes. For applications with a database.
///
/// ```
/// use std::time::Duration;
/// use parlor_core::{Realtime, app::Router, auth::{Anonymous, Principal}, testing::{TestClient, TestClock}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let mut clock = TestClock::hold();
/// let in_an_hour = clock.wall() + Duration::from_secs(3600);
/// let ada = TestClient::connect(&realtime, Principal::user("ada".parse()?).with_expiry(in_an_hour)).await;
/// clock.advance(Duration::from_secs(3599)).await;
/// assert!(ada.is_open());
/// clock.advance(Duration::from_secs(1)).await;
/// ada.expect_closed("token-expired").await;
/// # Ok(()) }) }
/// ```
pub struct TestClock {
    hold: Option<Hold>,
    holds: bool,
}

/// A blocking task that does nothing: while one runs, tokio does not move its paused clock by itself. Dropped, it ends.
struct Hold {
    until_dropped: mpsc::Sender<Infallible>,
    task: JoinHandle<()>,
}

impl TestClock {
    /// Pauses time, if it is not paused, and lets it jump whenever nothing in the runtime can run.
    ///
    /// # Panics
    /// Outside of tokio's `current_thread` runtime.
    #[must_use]
    #[track_caller]
    pub fn pause() -> Self {
        pause_if_running();
        Self { hold: None, holds: false }
    }

    /// Pauses time, if it is not paused, and holds it until it is [advanced](Self::advance), or this clock is dropped; then
    /// it is [paused](Self::pause).
    ///
    /// # Panics
    /// Outside of tokio's `current_thread` runtime.
    #[must_use]
    #[track_caller]
    pub fn hold() -> Self {
        pause_if_running();
        Self { hold: Some(Hold::new()), holds: true }
    }

    /// Moves the clock by `time`, from timer to timer: whatever is due on the way runs at its moment and to where it waits
    /// again, before the clock moves on. What is due at the end has run as well.
    ///
    /// What a timer starts outside of the runtime (a query) is not waited for on the way.
    pub async fn advance(&mut self, time: Duration) {
        self.pass(time).await;
        self.settle().await;
    }

    /// Lets everything in the runtime run until it waits for time, or for something outside. The clock moves by one
    /// millisecond, which is how it is known: tokio's paused clock moves only when nothing can run.
    pub async fn settle(&mut self) {
        self.pass(TICK).await;
        if self.holds {
            self.hold = Some(Hold::new());
        }
    }

    /// The wall clock, as Parlor reads it under this clock: where time was paused, plus how far it was moved.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        clock::wall()
    }

    /// Lets the clock jump from timer to timer for that long, and leaves it not held.
    async fn pass(&mut self, time: Duration) {
        let sleep = tokio::time::sleep(time);
        tokio::pin!(sleep);
        // Armed before the hold ends, so that the clock can't jump past it.
        let armed = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await;
        if let Some(Hold { until_dropped, task }) = self.hold.take() {
            drop(until_dropped);
            // It does nothing that can fail.
            let _ = task.await;
        }
        if armed.is_pending() {
            sleep.await;
        }
    }
}

impl Hold {
    fn new() -> Self {
        let (until_dropped, dropped) = mpsc::channel::<Infallible>();
        let task = tokio::task::spawn_blocking(move || {
            // Nothing can come but the end.
            let _ = dropped.recv();
        });
        Self { until_dropped, task }
    }
}

/// Tokio's clock cannot be asked whether it is paused, but one that is does not move while the standard one does.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "two clocks are compared")]
fn pause_if_running() {
    let before = tokio::time::Instant::now();
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_micros(2) {
        std::hint::spin_loop();
    }
    if tokio::time::Instant::now() != before {
        tokio::time::pause();
    }
}

impl fmt::Debug for TestClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClock").field("wall", &self.wall()).field("holds", &self.holds).finish_non_exhaustive()
    }
}
