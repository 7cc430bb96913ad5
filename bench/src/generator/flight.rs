//! One publisher's messages to one destination, and which of them have not reached everyone yet.

use std::collections::VecDeque;

/// A stream of messages.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) publisher: usize,
    pub(super) destination: usize,
    /// Subscribers of the destination.
    audience: u32,
    /// Whose figures its deliveries belong to.
    pub(super) lane: usize,
    /// How many subscribers each message in flight still has to reach, from number `first` on.
    waiting: VecDeque<u32>,
    first: u32,
}

impl Stream {
    pub(super) fn new(publisher: usize, destination: usize, audience: usize) -> Self {
        let audience = u32::try_from(audience).unwrap_or(u32::MAX);
        Self { publisher, destination, audience, lane: usize::MAX, waiting: VecDeque::new(), first: 0 }
    }

    /// One more message; returns its number.
    pub(super) fn depart(&mut self) -> u32 {
        self.waiting.push_back(self.audience);
        self.first + self.waiting.len() as u32 - 1
    }

    /// A message has reached one more subscriber, for the first time; returns whether that was the last one.
    pub(super) fn arrive(&mut self, number: u32) -> bool {
        // What was given up may come late.
        let Some(place) = number.checked_sub(self.first) else { return false };
        let Some(left) = self.waiting.get_mut(place as usize) else { return false };
        *left = left.saturating_sub(1);
        let complete = *left == 0;
        while self.waiting.front() == Some(&0) {
            self.waiting.pop_front();
            self.first += 1;
        }
        complete
    }

    /// Messages that have not reached everyone.
    pub(super) fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn audience(&self) -> u32 {
        self.audience
    }

    /// Gives up what is in flight; returns how many deliveries are missing.
    pub(super) fn abandon(&mut self) -> u64 {
        self.first += self.waiting.len() as u32;
        self.waiting.drain(..).map(u64::from).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_complete_when_everyone_has_it() {
        let mut stream = Stream::new(0, 0, 2);
        assert_eq!([stream.depart(), stream.depart()], [0, 1]);
        assert!(!stream.arrive(1));
        assert!(stream.arrive(1), "the second one overtakes");
        assert_eq!(stream.in_flight(), 2, "numbers are given back in order");
        assert!(!stream.arrive(0));
        assert!(stream.arrive(0));
        assert_eq!(stream.in_flight(), 0);
    }

    #[test]
    fn what_was_given_up_is_lost_and_may_come_late() {
        let mut stream = Stream::new(0, 0, 3);
        stream.depart();
        stream.arrive(0);
        assert_eq!(stream.abandon(), 2);
        assert!(!stream.arrive(0));
        assert_eq!(stream.depart(), 1);
    }
}
