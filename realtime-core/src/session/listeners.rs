//! Who listens to one destination.
//!
//! Very many destinations have one listener (a user's own, a room of one), so the first is apart and a table stands beside it
//! for the others.

use std::collections::HashMap;

use crate::session::Session;

/// Sessions by the keys of their listening.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    first: Option<(u64, Session)>,
    #[expect(clippy::box_collection, reason = "most destinations have none, and then a pointer is all it costs")]
    more: Option<Box<HashMap<u64, Session>>>,
}

impl Listeners {
    pub(super) fn insert(&mut self, key: u64, session: Session) {
        if self.first.is_none() {
            self.first = Some((key, session));
        } else {
            self.more.get_or_insert_default().insert(key, session);
        }
    }

    pub(super) fn remove(&mut self, key: u64) {
        if self.first.as_ref().is_some_and(|(first, _)| *first == key) {
            self.first = None;
        } else if let Some(more) = &mut self.more {
            more.remove(&key);
            if more.is_empty() {
                self.more = None;
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_none()
    }

    /// Those who listen, in no particular order; one more than once where it listens more than once.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &Session> {
        let first = self.first.iter().map(|(_, session)| session);
        first.chain(self.more.iter().flat_map(|more| more.values()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Principal;

    #[test]
    fn listeners_come_and_go_in_any_order() {
        let sessions = [0, 1, 2].map(|_| Session::detached(Principal::anonymous()));
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        for order in orders {
            let mut listeners = Listeners::default();
            for (key, session) in (0..).zip(&sessions) {
                listeners.insert(key, session.clone());
            }
            for (gone, key) in (1..).zip(order) {
                listeners.remove(key);
                listeners.remove(key);
                let mut left: Vec<_> = listeners.sessions().map(Session::id).collect();
                let mut expected: Vec<_> = order[gone..].iter().map(|key| sessions[*key as usize].id()).collect();
                left.sort_unstable();
                expected.sort_unstable();
                assert_eq!((left.is_empty(), left), (listeners.is_empty(), expected));
            }
            listeners.insert(7, sessions[0].clone());
            assert_eq!(listeners.sessions().count(), 1);
        }
    }
}
