//! The subscribers of one destination, by key.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use crate::{broker::member::Member, fan_out::SubscriberKey};

/// Subscribers that are looked for one by one; where there are more, by a table.
const FEW: usize = 8;

/// All subscribers of a destination, in no order. Most destinations have one or two.
#[derive(Debug, Default)]
pub(super) struct Members {
    members: Vec<(SubscriberKey, Member)>,
    places: Option<Box<FxHashMap<SubscriberKey, usize>>>,
}

/// A subscriber, and where it was found last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) key: SubscriberKey,
    place: usize,
}

impl Spot {
    /// Of a subscriber that was not looked for yet.
    pub(super) fn of(key: SubscriberKey) -> Self {
        Self { key, place: usize::MAX }
    }
}

impl Members {
    pub(super) fn insert(&mut self, key: SubscriberKey, member: Member) {
        if self.members.is_empty() {
            self.members.reserve_exact(1);
        }
        self.members.push((key, member));
        if let Some(places) = &mut self.places {
            places.insert(key, self.members.len() - 1);
        } else if self.members.len() > FEW {
            let all = self.members.iter().enumerate().map(|(place, (key, _))| (*key, place));
            self.places = Some(Box::new(all.collect()));
        }
    }

    pub(super) fn remove(&mut self, key: SubscriberKey) -> Option<Member> {
        let place = self.place(key)?;
        let (_, removed) = self.members.swap_remove(place);
        if let Some(places) = &mut self.places {
            places.remove(&key);
            if let Some((moved, _)) = self.members.get(place)
                && let Entry::Occupied(mut moved) = places.entry(*moved)
            {
                moved.insert(place);
            }
        }
        if self.members.len() < FEW / 2 {
            self.places = None;
        }
        if self.members.capacity() > self.members.len() * 4 {
            self.members.shrink_to(self.members.len() * 2);
        }
        Some(removed)
    }

    pub(super) fn get_mut(&mut self, key: SubscriberKey) -> Option<&mut Member> {
        let place = self.place(key)?;
        self.members.get_mut(place).map(|(_, member)| member)
    }

    /// As [`get_mut`](Self::get_mut), and by the table only where it has moved since it was last found.
    pub(super) fn at(&mut self, spot: &mut Spot) -> Option<&mut Member> {
        if self.members.get(spot.place).is_none_or(|(key, _)| *key != spot.key) {
            spot.place = self.place(spot.key)?;
        }
        self.members.get_mut(spot.place).map(|(_, member)| member)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (SubscriberKey, &mut Member)> {
        self.members.iter_mut().map(|(key, member)| (*key, member))
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    fn place(&self, key: SubscriberKey) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&key).copied(),
            None => self.members.iter().position(|(other, _)| *other == key),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        broker::{Encoding, model_tests::Kept},
        outbox::{Outbox, OutboxLimits},
        session_id::SessionId,
    };

    /// Each is known by its session.
    fn members(count: u64) -> (Members, Vec<SessionId>) {
        let sessions: Vec<_> = (0..count).map(|_| SessionId::random()).collect();
        let mut members = Members::default();
        for (key, &session) in (0..).zip(&sessions) {
            let outbox = Arc::new(Outbox::new(Box::new(Kept::default()), OutboxLimits::default()));
            members.insert(key, Member { session, outbox, encoding: Encoding::Event, queue: None, special: None });
        }
        (members, sessions)
    }

    #[test]
    fn a_subscriber_is_found_where_it_was_where_it_went_and_not_once_it_is_gone() {
        for count in [3, 20] {
            let (mut members, sessions) = members(count);
            let mut spots: Vec<_> = (0..count).map(Spot::of).collect();
            let mut found = |members: &mut Members| -> Vec<_> {
                spots.iter_mut().map(|spot| members.at(spot).map(|member| member.session)).collect()
            };
            let mut expected: Vec<_> = sessions.iter().copied().map(Some).collect();
            assert_eq!((found(&mut members), found(&mut members)), (expected.clone(), expected.clone()));
            // The last one goes to its place.
            members.remove(0);
            expected[0] = None;
            assert_eq!(found(&mut members), expected, "{count}");
        }
    }
}
