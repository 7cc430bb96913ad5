//! Heart-beats: their header, their negotiation, and the timer that both sides run.
//!
//! See [Heart-beating](https://stomp.github.io/stomp-specification-1.2.html#Heart-beating).

use std::{
    fmt,
    str::FromStr,
    time::{Duration, Instant},
};

/// The longest period that is kept, in milliseconds (about 49 days): longer ones mean the same and could overflow.
const LONGEST_PERIOD_MS: u64 = u32::MAX as u64;

/// A beat is sent this part of the period early, so that it arrives in time: one eighth, at most a second.
const EARLY_PART: u32 = 8;
const EARLY_MOST: Duration = Duration::from_secs(1);

/// Silence of this many half periods draws a ping: a beat is a whole half period late then, and not only a little.
const PING_AFTER_HALVES: u32 = 3;

/// Silence of this many half periods is the end, if a ping was not answered either.
const TIME_OUT_AFTER_HALVES: u32 = 6;

/// What one side offers in heart-beats, in milliseconds; 0 is none.
///
/// ```
/// use parlor_stomp::HeartBeat;
///
/// let offer: HeartBeat = "10000,5000".parse().unwrap();
/// assert_eq!(offer, HeartBeat { can_send_ms: 10_000, wants_ms: 5_000 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the header has two numbers")]
pub struct HeartBeat {
    /// The smallest time between two beats that this side can guarantee.
    pub can_send_ms: u64,
    /// The time between two beats that this side would like to see.
    pub wants_ms: u64,
}

/// Why a text is no `heart-beat` value.
///
/// ```
/// use parlor_stomp::HeartBeat;
///
/// let error = "10 s".parse::<HeartBeat>().unwrap_err();
/// assert!(error.to_string().ends_with("for example 10000,10000"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a heart-beat is two numbers of milliseconds with a comma between them, for example 10000,10000")]
#[non_exhaustive]
pub struct ParseHeartBeatError;

/// What to do about heart-beats now.
///
/// ```
/// use std::time::{Duration, Instant};
/// use parlor_stomp::{HeartBeat, HeartBeatAction};
///
/// # #[expect(clippy::disallowed_methods, reason = "an example")]
/// let start = Instant::now();
/// // The peer promised a beat every ten seconds, and falls silent.
/// let mut timer = HeartBeat { can_send_ms: 0, wants_ms: 10_000 }.timer("10000,0".parse().unwrap(), start);
/// assert_eq!(timer.poll(start + Duration::from_secs(15)), Some(HeartBeatAction::Ping));
/// assert_eq!(timer.poll(start + Duration::from_secs(30)), Some(HeartBeatAction::TimedOut));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever runs the timer must handle every action")]
pub enum HeartBeatAction {
    /// A beat is overdue: ask for a sign of life (a WebSocket ping).
    Ping,
    /// Send an EOL.
    SendBeat,
    /// Nothing was heard for three periods, though a ping was due: the peer is gone.
    TimedOut,
}

/// The timer of one session. Tell it what was sent and received, and ask it at its deadline what to do.
///
/// Silence is answered with a ping after one and a half periods and with the end after three, so that a client whose
/// timers are throttled (a hidden browser tab) but which answers pings lives on. Nobody is given up before a ping had a
/// whole period to be answered, even if the timer itself was asked too late.
///
/// ```
/// use std::time::{Duration, Instant};
/// use parlor_stomp::{HeartBeat, HeartBeatAction};
///
/// # #[expect(clippy::disallowed_methods, reason = "an example")]
/// let start = Instant::now();
/// let server = HeartBeat { can_send_ms: 10_000, wants_ms: 10_000 };
/// let mut timer = server.timer("0,20000".parse().unwrap(), start);
/// let due = timer.deadline().unwrap();
/// assert_eq!(due, start + Duration::from_secs(19));
/// assert_eq!(timer.poll(due), Some(HeartBeatAction::SendBeat));
/// timer.sent(due);
/// assert_eq!(timer.poll(due), None);
/// ```
#[derive(Clone, Debug)]
pub struct HeartBeatTimer {
    /// In milliseconds; 0 where nothing is sent.
    send_every: u32,
    /// In milliseconds; 0 where nothing is expected.
    expect_every: u32,
    last_sent: Instant,
    last_received: Instant,
    /// When the silence drew a ping.
    pinged: Option<Instant>,
}

impl HeartBeat {
    /// The timer of the side that offered this, facing `peer`.
    #[must_use]
    pub fn timer(self, peer: Self, now: Instant) -> HeartBeatTimer {
        HeartBeatTimer {
            send_every: agreed(self.can_send_ms, peer.wants_ms),
            expect_every: agreed(peer.can_send_ms, self.wants_ms),
            last_sent: now,
            last_received: now,
            pinged: None,
        }
    }
}

/// One direction: none where either side says 0, else the longer of the two periods.
fn agreed(can_send_ms: u64, wants_ms: u64) -> u32 {
    if can_send_ms == 0 || wants_ms == 0 {
        return 0;
    }
    u32::try_from(can_send_ms.max(wants_ms)).unwrap_or(u32::MAX)
}

/// The time between two beats, where there are any.
fn period(ms: u32) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms.into()))
}

impl HeartBeatTimer {
    /// Octets came in: a beat, a frame, a pong.
    pub fn received(&mut self, now: Instant) {
        self.last_received = self.last_received.max(now);
        self.pinged = None;
    }

    /// Octets went out.
    pub fn sent(&mut self, now: Instant) {
        self.last_sent = self.last_sent.max(now);
    }

    /// What is due at `now`; call until `None`, and [`sent`](Self::sent) after a beat.
    pub fn poll(&mut self, now: Instant) -> Option<HeartBeatAction> {
        if let Some(deadline) = self.time_out_at()
            && deadline <= now
        {
            return Some(HeartBeatAction::TimedOut);
        }
        if let Some(deadline) = self.ping_at()
            && deadline <= now
        {
            self.pinged = Some(now);
            return Some(HeartBeatAction::Ping);
        }
        if let Some(deadline) = self.beat_at()
            && deadline <= now
        {
            return Some(HeartBeatAction::SendBeat);
        }
        None
    }

    /// When to call [`poll`](Self::poll) next.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        [self.beat_at(), self.ping_at(), self.time_out_at()].into_iter().flatten().min()
    }

    fn beat_at(&self) -> Option<Instant> {
        period(self.send_every).map(|period| self.last_sent + period - (period / EARLY_PART).min(EARLY_MOST))
    }

    fn ping_at(&self) -> Option<Instant> {
        period(self.expect_every)
            .filter(|_| self.pinged.is_none())
            .map(|period| self.last_received + period * PING_AFTER_HALVES / 2)
    }

    fn time_out_at(&self) -> Option<Instant> {
        let (period, pinged) = (period(self.expect_every)?, self.pinged?);
        Some((self.last_received + period * TIME_OUT_AFTER_HALVES / 2).max(pinged + period))
    }
}

impl FromStr for HeartBeat {
    type Err = ParseHeartBeatError;

    fn from_str(text: &str) -> Result<Self, ParseHeartBeatError> {
        let (can_send, wants) = text.split_once(',').ok_or(ParseHeartBeatError)?;
        Ok(Self { can_send_ms: milliseconds(can_send)?, wants_ms: milliseconds(wants)? })
    }
}

/// A plain decimal number; what is too large to count is the longest period.
fn milliseconds(digits: &str) -> Result<u64, ParseHeartBeatError> {
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(ParseHeartBeatError);
    }
    Ok(digits.parse().unwrap_or(u64::MAX).min(LONGEST_PERIOD_MS))
}

impl fmt::Display for HeartBeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.can_send_ms, self.wants_ms)
    }
}
