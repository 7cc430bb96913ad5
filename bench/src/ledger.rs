//! What one subscriber has received of each stream, so that a loss, a double and a message out of order are told apart.

use std::collections::BTreeSet;

/// The most numbers that are remembered as missing. What is lost beyond them and comes after all counts as a double.
const MOST_MISSING: usize = 65_536;

/// How a delivery stands to those before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// The next one, or a later one: what lies between is missing so far.
    InOrder,
    /// It was missing, and comes after a later one.
    OutOfOrder,
    /// It came before.
    Doubled,
    /// It is older than what was forgiven, and is not judged.
    Forgiven,
}

/// What one subscriber has received. It holds few streams, and the next delivery is most often of the last one's.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    last: usize,
}

#[derive(Debug)]
struct Entry {
    stream: u32,
    /// One more than the highest number that came.
    next: u32,
    /// Lower ones that did not.
    missing: BTreeSet<u32>,
    /// Lower ones are not judged.
    floor: u32,
}

impl Ledger {
    /// Judges one delivery.
    pub(crate) fn judge(&mut self, stream: u32, number: u32) -> Verdict {
        let entry = self.entry(stream);
        if number < entry.floor {
            Verdict::Forgiven
        } else if number >= entry.next {
            let room = MOST_MISSING - entry.missing.len();
            entry.missing.extend((entry.next..number).take(room));
            entry.next = number + 1;
            Verdict::InOrder
        } else if entry.missing.remove(&number) {
            Verdict::OutOfOrder
        } else {
            Verdict::Doubled
        }
    }

    /// Judges nothing any more of a stream that is older than the highest number that came.
    pub(crate) fn forgive(&mut self, stream: u32) {
        let entry = self.entry(stream);
        entry.missing.clear();
        entry.floor = entry.next;
    }

    fn entry(&mut self, stream: u32) -> &mut Entry {
        let is_last = self.entries.get(self.last).is_some_and(|entry| entry.stream == stream);
        if !is_last {
            self.last = self.entries.iter().position(|entry| entry.stream == stream).unwrap_or_else(|| {
                self.entries.push(Entry { stream, next: 0, missing: BTreeSet::new(), floor: 0 });
                self.entries.len() - 1
            });
        }
        &mut self.entries[self.last]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_loss_a_double_and_a_late_message_are_told_apart() {
        let mut ledger = Ledger::default();
        let verdicts = [0, 1, 3, 2, 2, 4].map(|number| ledger.judge(7, number));
        use Verdict::{Doubled, InOrder, OutOfOrder};
        assert_eq!(verdicts, [InOrder, InOrder, InOrder, OutOfOrder, Doubled, InOrder]);
    }

    #[test]
    fn streams_have_numbers_of_their_own() {
        let mut ledger = Ledger::default();
        for number in 0..3 {
            assert_eq!(ledger.judge(1, number), Verdict::InOrder);
            assert_eq!(ledger.judge(2, number), Verdict::InOrder);
        }
        assert_eq!(ledger.judge(1, 2), Verdict::Doubled);
    }

    #[test]
    fn what_was_forgiven_is_not_judged() {
        let mut ledger = Ledger::default();
        ledger.judge(1, 5);
        ledger.forgive(1);
        assert_eq!(ledger.judge(1, 3), Verdict::Forgiven);
        assert_eq!(ledger.judge(1, 5), Verdict::Forgiven);
        assert_eq!(ledger.judge(1, 6), Verdict::InOrder);
    }

    proptest! {
        #[test]
        fn each_number_is_new_once(deliveries in proptest::collection::vec((0_u32..4, 0_u32..50), 0..300)) {
            let mut ledger = Ledger::default();
            let mut seen = HashSet::new();
            for (stream, number) in deliveries {
                let highest = seen.iter().filter(|(of, _)| *of == stream).map(|(_, number)| *number).max();
                let expected = if seen.contains(&(stream, number)) {
                    Verdict::Doubled
                } else if highest.is_some_and(|highest| number < highest) {
                    Verdict::OutOfOrder
                } else {
                    Verdict::InOrder
                };
                prop_assert_eq!(ledger.judge(stream, number), expected);
                seen.insert((stream, number));
            }
        }
    }
}
