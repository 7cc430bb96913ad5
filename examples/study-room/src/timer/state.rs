//! One room's timer as a value: what a command makes of it, and what time does. No clock, no lock.
//!
//! ```text
//! ready --start--> focus --its end--> break --its end--> ready
//!                    pause <-> resume, in either; reset, and an hour of pause, lead back to ready
//! ```
//!
//! A room whose timer is ready has none: whatever is here has a deadline.

use serde::{Deserialize, Serialize};

const MINUTE: i64 = 60_000;

/// How long a timer may stand still before it is forgotten, in milliseconds.
pub(super) const LONGEST_PAUSE: i64 = 60 * MINUTE;

/// What either phase may last, in minutes.
const LENGTHS: std::ops::RangeInclusive<u16> = 1..=120;

/// What somebody in the room wants of its timer.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub(crate) enum Command {
    /// Begins a focus round, unless one is under way.
    Start(#[serde(default)] Lengths),
    /// Stops the time that is left.
    Pause,
    /// Lets it run on.
    Resume,
    /// Ends the round.
    Reset,
}

/// How long the phases of a round are, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Lengths {
    focus: u16,
    #[serde(rename = "break")]
    rest: u16,
}

impl Default for Lengths {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Lengths {
    pub(super) const DEFAULT: Self = Self { focus: 25, rest: 5 };

    pub(super) fn are_sensible(self) -> bool {
        LENGTHS.contains(&self.focus) && LENGTHS.contains(&self.rest)
    }

    fn of(self, phase: Phase) -> i64 {
        MINUTE * i64::from(if phase == Phase::Focus { self.focus } else { self.rest })
    }
}

/// A part of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    Break,
    Focus,
}

/// Whether time passes. All times are the server's, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum Progress {
    Paused {
        /// Of the phase, in milliseconds.
        left: i64,
        #[serde(skip)]
        forgotten_at: i64,
    },
    Running {
        ends_at: i64,
    },
}

/// A round that somebody has started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Timer {
    phase: Phase,
    #[serde(flatten)]
    progress: Progress,
    #[serde(flatten)]
    lengths: Lengths,
    /// Who did what was done last.
    by: String,
}

impl Timer {
    /// What a command of `by` makes of a room's timer. One that changes nothing (a second start, a pause of a timer that stands
    /// still) is no mistake: two people may press the same button at once.
    pub(super) fn after(before: Option<Self>, command: Command, by: &str, now: i64) -> Option<Self> {
        let timer = before.and_then(|timer| timer.at(now));
        let by = by.to_owned();
        match (command, timer) {
            (Command::Start(lengths), None) => {
                let ends_at = now + lengths.of(Phase::Focus);
                Some(Self { phase: Phase::Focus, progress: Progress::Running { ends_at }, lengths, by })
            }
            (Command::Pause, Some(Self { progress: Progress::Running { ends_at }, phase, lengths, .. })) => {
                let progress = Progress::Paused { left: ends_at - now, forgotten_at: now + LONGEST_PAUSE };
                Some(Self { phase, progress, lengths, by })
            }
            (Command::Resume, Some(Self { progress: Progress::Paused { left, .. }, phase, lengths, .. })) => {
                Some(Self { phase, progress: Progress::Running { ends_at: now + left }, lengths, by })
            }
            (Command::Reset, _) => None,
            (_, unchanged) => unchanged,
        }
    }

    /// What the passing of time has made of it: none where it is over. A break begins when its focus ended, not when somebody
    /// noticed.
    pub(super) fn at(mut self, now: i64) -> Option<Self> {
        while now >= self.deadline() {
            let (Progress::Running { ends_at }, Phase::Focus) = (self.progress, self.phase) else { return None };
            self.phase = Phase::Break;
            self.progress = Progress::Running { ends_at: ends_at + self.lengths.of(Phase::Break) };
        }
        Some(self)
    }

    /// When time changes it next.
    pub(super) fn deadline(&self) -> i64 {
        match self.progress {
            Progress::Paused { forgotten_at, .. } => forgotten_at,
            Progress::Running { ends_at } => ends_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Command = Command::Start(Lengths::DEFAULT);

    fn started() -> Option<Timer> {
        Timer::after(None, START, "Ada", 0)
    }

    fn ends_at(timer: Option<Timer>) -> (Phase, i64) {
        match timer {
            Some(Timer { phase, progress: Progress::Running { ends_at }, .. }) => (phase, ends_at),
            other => panic!("it runs, and is not {other:?}"),
        }
    }

    #[test]
    fn a_round_is_focus_then_break_then_over() {
        let timer = started().unwrap();
        assert_eq!(ends_at(timer.clone().at(25 * MINUTE - 1)), (Phase::Focus, 25 * MINUTE));
        assert_eq!(ends_at(timer.clone().at(25 * MINUTE)), (Phase::Break, 30 * MINUTE));
        assert_eq!(ends_at(timer.clone().at(30 * MINUTE - 1)), (Phase::Break, 30 * MINUTE), "however late one looks");
        assert_eq!(timer.at(30 * MINUTE), None);
    }

    #[test]
    fn a_pause_keeps_what_is_left_and_is_forgotten_after_an_hour() {
        let paused = Timer::after(started(), Command::Pause, "Bob", 10 * MINUTE);
        assert_eq!(paused.as_ref().unwrap().deadline(), 10 * MINUTE + LONGEST_PAUSE);
        let resumed = Timer::after(paused.clone(), Command::Resume, "Cy", 40 * MINUTE);
        assert_eq!(ends_at(resumed), (Phase::Focus, 55 * MINUTE));
        assert_eq!(paused.clone().unwrap().at(10 * MINUTE + LONGEST_PAUSE - 1), paused);
        assert_eq!(paused.unwrap().at(10 * MINUTE + LONGEST_PAUSE), None);
    }

    #[test]
    fn what_two_people_press_at_once_counts_once() {
        let running = started();
        assert_eq!(Timer::after(running.clone(), START, "Bob", MINUTE), running);
        assert_eq!(Timer::after(running.clone(), Command::Resume, "Bob", MINUTE), running);
        let paused = Timer::after(running, Command::Pause, "Bob", MINUTE);
        for command in [Command::Pause, START] {
            assert_eq!(Timer::after(paused.clone(), command, "Cy", 2 * MINUTE), paused);
        }
        assert_eq!(Timer::after(paused, Command::Reset, "Cy", 2 * MINUTE), None);
        for command in [Command::Pause, Command::Resume, Command::Reset] {
            assert_eq!(Timer::after(None, command, "Ada", 0), None);
        }
    }

    #[test]
    fn a_pause_that_comes_after_the_end_pauses_the_break() {
        let paused = Timer::after(started(), Command::Pause, "Bob", 26 * MINUTE).unwrap();
        assert_eq!(paused.phase, Phase::Break);
        assert!(matches!(paused.progress, Progress::Paused { left, .. } if left == 4 * MINUTE));
    }

    /// Whoever looks early, late or in between sees the same, whatever was pressed before; and whatever is there has a deadline
    /// that is to come.
    #[test]
    fn every_way_to_press_and_wait_shows_everyone_the_same() {
        const COMMANDS: [Command; 4] = [START, Command::Pause, Command::Resume, Command::Reset];
        const WAITS: [i64; 5] = [0, 1, 10 * MINUTE, 26 * MINUTE, 61 * MINUTE];
        let mut reached = vec![(None::<Timer>, 0)];
        for _ in 0..4 {
            let mut next = Vec::new();
            for (before, now) in &reached {
                for command in COMMANDS {
                    let timer = Timer::after(before.clone(), command, "Ada", *now);
                    assert!(timer.as_ref().is_none_or(|timer| timer.deadline() > *now), "{timer:?}");
                    for wait in WAITS {
                        let late = timer.clone().and_then(|timer| timer.at(now + wait));
                        let early = timer.clone().and_then(|timer| timer.at(now + wait / 2));
                        assert_eq!(early.and_then(|timer| timer.at(now + wait)), late, "{timer:?} in {wait} ms");
                        next.push((late, now + wait));
                    }
                }
            }
            reached = next;
        }
    }

    #[test]
    fn lengths_are_bounded() {
        for (focus, rest, are_sensible) in
            [(1, 1, true), (120, 120, true), (0, 5, false), (121, 5, false), (25, 121, false)]
        {
            assert_eq!(Lengths { focus, rest }.are_sensible(), are_sensible, "{focus} {rest}");
        }
        let command: Command = serde_json::from_str(r#"{"do":"start"}"#).unwrap();
        assert!(matches!(command, Command::Start(lengths) if lengths == Lengths::default()));
    }
}
