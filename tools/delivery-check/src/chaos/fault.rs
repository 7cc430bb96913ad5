//! What happens to a connection.

use std::time::Duration;

use crate::random::Random;

/// A connection that takes longer to break would hardly break within a run.
const MOST_OCTETS: u64 = 32 * 1024;

/// A connection that carries little is killed by then, in milliseconds; half of it on average.
const LONGEST_LIFE: u64 = 4000;

/// About what the WebSocket handshake and CONNECT take, each way.
const HANDSHAKE_OCTETS: u64 = 512;

/// The way that octets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToBroker,
    ToClient,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By the end of the stream.
    Close,
    /// By a reset: what was on its way is gone.
    Reset,
}

/// How a connection breaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) direction: Direction,
    /// So many octets of that direction pass.
    pub(super) after: u64,
    /// Then nothing passes for this time, and then as many octets again.
    pub(super) stall: Option<Duration>,
    pub(super) end: End,
    /// When it is killed where the octets do not come to that before.
    pub(super) life: Duration,
}

impl Fault {
    /// One of all. A third hits a handshake, the others let some messages pass, few of them as often as many.
    pub(super) fn draw(random: &mut Random, stall: Duration) -> Self {
        let handshake = u64::from(HANDSHAKE_OCTETS.ilog2());
        let scale = 1
            << match random.chance(33) {
                true => random.below(handshake),
                false => handshake + random.below(u64::from(MOST_OCTETS.ilog2()) - handshake),
            };
        Self {
            direction: if random.chance(50) { Direction::ToBroker } else { Direction::ToClient },
            after: scale + random.below(scale),
            stall: random.chance(25).then_some(stall),
            end: if random.chance(50) { End::Close } else { End::Reset },
            life: Duration::from_millis(random.below(LONGEST_LIFE)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_faults_and_all_kinds_are_among_them() {
        let draw = |seed| {
            let mut random = Random::new(seed, 0);
            (0..500).map(|_| Fault::draw(&mut random, Duration::from_secs(5))).collect::<Vec<_>>()
        };
        let faults = draw(1);
        assert_eq!(format!("{faults:?}"), format!("{:?}", draw(1)));
        assert_ne!(format!("{faults:?}"), format!("{:?}", draw(2)));
        for direction in [Direction::ToBroker, Direction::ToClient] {
            for end in [End::Close, End::Reset] {
                let kind = || faults.iter().filter(|fault| (fault.direction, fault.end) == (direction, end));
                assert!(kind().any(|fault| fault.stall.is_some()) && kind().any(|fault| fault.stall.is_none()));
                assert!(kind().any(|fault| fault.after < 10) && kind().any(|fault| fault.after > 10_000));
            }
        }
        assert!(faults.iter().all(|fault| fault.after < MOST_OCTETS));
    }
}
