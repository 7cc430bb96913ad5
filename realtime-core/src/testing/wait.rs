//! Waiting with two bounds: one in test time, and one in real time for when test time stands still.

use std::{convert::Infallible, fmt, sync::mpsc, thread, time::Duration};

use tokio::sync::oneshot;

/// How long everything in the kit waits unless told otherwise, in test time.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How much later than the bound in test time the bound in real time lies, so that where both clocks run alike the one in
/// test time, which says more, comes first.
const MARGIN: Duration = Duration::from_secs(1);

/// How often tasks that are ready to run get their turn before something counts as not coming: enough for a task that starts
/// a task that publishes, and for the message's way through the connection, some times over.
const TURNS: usize = 32;

/// Which clock ran out.
#[derive(Clone, Copy, Debug)]
pub(super) enum TimedOut {
    /// This much test time has passed.
    TestTime(Duration),
    /// This much real time has passed, and less test time than was asked for.
    RealTime(Duration),
}

/// Waits for `future` for `limit` of test time, and in any case not much longer than that, or [`PATIENCE`], in real time.
pub(super) async fn bounded<F: Future>(limit: Duration, future: F) -> Result<F::Output, TimedOut> {
    bounded_by(limit, limit.max(PATIENCE).saturating_add(MARGIN), future).await
}

async fn bounded_by<F: Future>(limit: Duration, real_limit: Duration, future: F) -> Result<F::Output, TimedOut> {
    let (fired, _stop) = watchdog(real_limit);
    tokio::select! {
        biased;
        output = future => Ok(output),
        () = passed(limit) => Err(TimedOut::TestTime(limit)),
        () = fired => Err(TimedOut::RealTime(real_limit)),
    }
}

/// Ready once `limit` of test time has passed and what is due at that very moment has had its turn.
async fn passed(limit: Duration) {
    tokio::time::sleep(limit).await;
    turns().await;
}

/// Lets tasks that are ready to run have their turns.
pub(super) async fn turns() {
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

/// Ready once `limit` of real time has passed, whatever the runtime's clock says. It ends with the second value.
fn watchdog(limit: Duration) -> (impl Future<Output = ()>, mpsc::Sender<Infallible>) {
    let (stop, stopped) = mpsc::channel();
    let (fire, fired) = oneshot::channel();
    let started = thread::Builder::new().name("parlor-test-watchdog".to_owned()).spawn(move || {
        if stopped.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            // Nobody waits any more if this fails.
            let _ = fire.send(());
        }
    });
    let fired = async move {
        if started.is_err() || fired.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    (fired, stop)
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TestTime(limit) => write!(f, "within {limit:?}"),
            Self::RealTime(limit) => write!(
                f,
                "within {limit:?} of real time, while the test's clock stood still: something works without end, or the \
                 clock is held and has to be advanced"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::testing::TestClock;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test(start_paused = true)]
    async fn test_time_runs_out_first_where_it_runs() {
        let waited = bounded_by(Duration::from_secs(3600), Duration::from_secs(60), pending::<()>()).await;
        assert!(matches!(waited, Err(TimedOut::TestTime(_))), "{waited:?}");
    }

    #[tokio::test]
    async fn a_wait_under_a_held_clock_is_bounded_in_real_time() {
        let _clock = TestClock::hold();
        let waited = bounded_by(SOON, SOON, pending::<()>()).await;
        assert!(waited.unwrap_err().to_string().contains("of real time, while the test's clock stood still"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_bounded_even_where_the_runtime_never_rests() {
        let restless = async {
            loop {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::select! {
            waited = bounded_by(SOON, SOON, pending::<()>()) => waited,
            () = restless => Ok(()),
        };
        assert!(matches!(waited, Err(TimedOut::RealTime(_))), "{waited:?}");
    }
}
