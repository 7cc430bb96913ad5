//! How many log lines one reason gets: the first few at once, then one in a while, so that a flood fills no disk.
//!
//! What is held back still goes to the level DEBUG, and the next line of that reason says how many there were.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::telemetry::{Counter, catalog};

/// Lines of one reason that are written at once.
pub(super) const BURST: u32 = 4;

/// After them one more line is written in each such time.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);

/// The lines of one reason.
#[derive(Debug)]
pub(crate) struct Throttle {
    state: Mutex<State>,
    suppressed: Counter,
}

#[derive(Debug, Default)]
struct State {
    /// Lines that were written and not yet earned back.
    spent: u32,
    /// Since when lines are earned back.
    since: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    pub(crate) fn new(reason: &str) -> Self {
        let suppressed = Counter::new(&catalog::LOG_LINES_SUPPRESSED, &[("reason", reason)]);
        Self { state: Mutex::default(), suppressed }
    }

    /// Whether a line may be written now: how many were held back since the last one, or none where this one is held back too.
    pub(crate) fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        let since = *state.since.get_or_insert(now);
        let earned = now.saturating_duration_since(since).as_nanos() / INTERVAL.as_nanos();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        if earned >= state.spent {
            (state.spent, state.since) = (0, Some(now));
        } else {
            state.spent -= earned;
            state.since = Some(since + INTERVAL * earned);
        }
        if state.spent >= BURST {
            state.suppressed += 1;
            self.suppressed.add(1);
            return None;
        }
        state.spent += 1;
        Some(std::mem::take(&mut state.suppressed))
    }

    /// How many lines were held back in all.
    pub(crate) fn suppressed(&self) -> u64 {
        self.suppressed.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[tokio::test(start_paused = true)]
    async fn a_flood_gets_the_first_lines_and_then_one_in_each_interval() {
        let throttle = Throttle::new("flood");
        let mut written = Vec::new();
        for _ in 0..100_000 {
            // 100,000 lines in 100 seconds.
            tokio::time::advance(Duration::from_millis(1)).await;
            written.extend(throttle.pass(clock::now()));
        }
        assert_eq!(written.len(), BURST as usize + 9, "{written:?}");
        assert_eq!(written.iter().sum::<u64>() + written.len() as u64 + throttle.state.lock().suppressed, 100_000);
        assert_eq!(throttle.suppressed(), 100_000 - written.len() as u64);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_quiet_time_the_first_lines_are_written_again() {
        let throttle = Throttle::new("quiet");
        let burst = || (0..10).filter(|_| throttle.pass(clock::now()).is_some()).count();
        assert_eq!(burst(), BURST as usize);
        tokio::time::advance(INTERVAL * BURST).await;
        assert_eq!(burst(), BURST as usize);
        tokio::time::advance(INTERVAL).await;
        assert_eq!(burst(), 1);
    }
}
