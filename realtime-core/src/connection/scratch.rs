//! Room to read into, one for each thread: what a connection reads is copied out of it, as much as there was.
//!
//! So a connection keeps no room for what it might be sent next, and of thousands that are idle none has a buffer.

use std::cell::Cell;

/// Octets that are read at a time, at most.
pub(super) const OCTETS: usize = 8 * 1024;

thread_local! {
    static ROOM: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Lends the room of this thread. It is taken while it is lent: whoever reads while somebody reads has room of his own.
pub(super) fn lend<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut room = ROOM.take().unwrap_or_else(|| vec![0; OCTETS].into_boxed_slice());
    let result = read(&mut room);
    ROOM.set(Some(room));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_within_a_reader_has_room_of_its_own() {
        let lengths = lend(|room| {
            room[0] = 7;
            let within = lend(|room| (room[0], room.len()));
            (room[0], within)
        });
        assert_eq!(lengths, (7, (0, OCTETS)));
    }
}
