//! Since when a WebSocket message or a STOMP frame has begun and is not complete.
//!
//! Complete units are what shows that a client is well, not octets: one octet now and then keeps a unit open for ever.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock;

/// The two clocks of one connection. A STOMP frame may go over several messages, and a message may hold many frames.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    message: Option<Instant>,
    frame: Option<Instant>,
}

impl Assembly {
    /// No WebSocket message is incomplete, or another one than before.
    pub(super) fn message_completed(&mut self) {
        self.message = None;
    }

    /// No STOMP frame is incomplete, or another one than before.
    pub(super) fn frame_completed(&mut self) {
        self.frame = None;
    }

    /// All that was read by `now` is decoded; whether a message and a frame are left incomplete.
    pub(super) fn looked(&mut self, mid_message: bool, mid_frame: bool, now: Instant) {
        let since = |since: Option<Instant>, is_open: bool| is_open.then(|| since.unwrap_or(now));
        self.message = since(self.message, mid_message);
        self.frame = since(self.frame, mid_frame);
    }

    /// The server itself does not read: time begins anew when it does.
    pub(super) fn pause(&mut self) {
        *self = Self::default();
    }

    /// When the older of the two will have taken `limit`.
    pub(super) fn deadline(&self, limit: Duration) -> Option<Instant> {
        [self.message, self.frame].into_iter().flatten().min().map(|since| clock::after(since, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn the_older_of_the_two_counts_from_when_it_began() {
        let start = clock::now();
        let later = start + Duration::from_secs(3);
        let mut assembly = Assembly::default();
        assert_eq!(assembly.deadline(LIMIT), None);
        assembly.looked(true, false, start);
        assembly.looked(true, true, later);
        assert_eq!(assembly.deadline(LIMIT), Some(start + LIMIT));
        assembly.message_completed();
        assembly.looked(true, true, later);
        assert_eq!(assembly.deadline(LIMIT), Some(later + LIMIT));
        assembly.looked(false, false, later);
        assert_eq!(assembly.deadline(LIMIT), None);
    }
}
