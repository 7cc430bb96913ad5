//! How often something may happen: so many units in a period, and so many at once.

use std::{fmt, time::Duration};

/// A rate with its burst, or no limit at all. Its text is that of its default in `docs/limits.md`.
///
/// Kept by a token bucket: in any stretch of time `t` at most `burst + t × rate` units pass, and whatever keeps to that
/// passes.
///
/// ```
/// use parlor_core::limits::Rate;
///
/// assert_eq!(Rate::per_second(50).burst(100).to_string(), "50/s, burst 100");
/// assert_eq!(Rate::per_minute(10).to_string(), "10/min, burst 10");
/// assert_eq!(Rate::unlimited().to_string(), "unlimited");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rate(Option<Limited>);

/// The numbers of a rate that limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limited {
    pub(super) units: u64,
    pub(super) period: Duration,
    pub(super) burst: u64,
}

impl Rate {
    /// So many units in each period, and as many at once.
    #[must_use]
    pub const fn new(units: u64, period: Duration) -> Self {
        Self(Some(Limited { units, period, burst: units }))
    }

    /// So many units a second, and as many at once.
    #[must_use]
    pub const fn per_second(units: u64) -> Self {
        Self::new(units, Duration::from_secs(1))
    }

    /// So many units a minute, and as many at once.
    #[must_use]
    pub const fn per_minute(units: u64) -> Self {
        Self::new(units, Duration::from_secs(60))
    }

    /// No limit.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self(None)
    }

    /// So many units at once after a rest. Without effect on no limit.
    #[must_use]
    pub const fn burst(self, units: u64) -> Self {
        match self.0 {
            Some(limited) => Self(Some(Limited { burst: units, ..limited })),
            None => self,
        }
    }

    /// Whether there is no limit.
    #[must_use]
    pub const fn is_unlimited(&self) -> bool {
        self.0.is_none()
    }

    pub(super) const fn limited(self) -> Option<Limited> {
        self.0
    }

    /// The same with a burst of at least `units`.
    pub(crate) fn with_room_for(self, units: u64) -> Self {
        Self(self.0.map(|limited| Limited { burst: limited.burst.max(units), ..limited }))
    }

    /// The same with at least `units` a second, and a burst of as many.
    pub(crate) fn at_least_per_second(self, units: u64) -> Self {
        match self.0 {
            Some(limited) if u128::from(limited.units) * 1000 < u128::from(units) * limited.period.as_millis() => {
                Self::per_second(units).with_room_for(limited.burst)
            }
            _ => self.with_room_for(units),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(Limited { units, period, burst }) => {
                if period == Duration::from_secs(1) {
                    write!(f, "{units}/s, burst {burst}")
                } else if period == Duration::from_secs(60) {
                    write!(f, "{units}/min, burst {burst}")
                } else {
                    write!(f, "{units}/{period:?}, burst {burst}")
                }
            }
            None => f.write_str("unlimited"),
        }
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_raises_what_is_below_it_and_nothing_else() {
        let rate = Rate::per_second(100).burst(200);
        assert_eq!(rate.at_least_per_second(40), rate);
        assert_eq!(rate.at_least_per_second(4000).to_string(), "4000/s, burst 4000");
        assert_eq!(Rate::per_minute(60).at_least_per_second(1), Rate::per_minute(60));
        assert_eq!(Rate::per_minute(59).at_least_per_second(1).to_string(), "1/s, burst 59");
        assert_eq!(rate.with_room_for(500).to_string(), "100/s, burst 500");
        assert!(Rate::unlimited().at_least_per_second(1).with_room_for(1).burst(0).is_unlimited());
    }
}
