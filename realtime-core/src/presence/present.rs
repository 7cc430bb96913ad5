//! What an entry of a [`Presence`](super::Presence) says, and what a user's entries of several nodes say together.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    auth::{Principal, UserId},
    presence::{Member, Moment},
    session_id::SessionId,
};

/// A user at a place, through the sessions of one node.
#[derive(Clone, Debug)]
pub(super) struct Present<S> {
    name: Option<String>,
    status: S,
    by_hand: bool,
    /// When the status was set.
    since: Moment,
    /// What sessions said of themselves, in the order in which they first did.
    metas: BTreeMap<u64, (SessionId, Value)>,
}

impl<S: Clone> Present<S> {
    /// Someone who has just come, with the status of whoever does.
    pub(super) fn new(principal: &Principal, status: S, now: Moment) -> Self {
        let name = principal.display_name().map(str::to_owned);
        Self { name, status, by_hand: false, since: now, metas: BTreeMap::new() }
    }

    /// Sets the status by hand: it stays until the user left.
    pub(super) fn set_status(&mut self, status: S, now: Moment) {
        (self.status, self.by_hand, self.since) = (status, true, now);
    }

    pub(super) fn set_meta(&mut self, session: SessionId, meta: Value) {
        if let Some((_, known)) = self.metas.values_mut().find(|(known, _)| *known == session) {
            *known = meta;
            return;
        }
        let next = self.metas.last_key_value().map_or(0, |(place, _)| place + 1);
        self.metas.insert(next, (session, meta));
    }

    /// Forgets what a session said; whether it said anything.
    pub(super) fn forget(&mut self, session: SessionId) -> bool {
        let before = self.metas.len();
        self.metas.retain(|_, (known, _)| *known != session);
        self.metas.len() < before
    }

    /// The user is back within the grace: what the sessions said that are gone is out of date.
    pub(super) fn returns(&mut self) {
        self.metas.clear();
    }

    /// What entries of a user say together, none where there are none: the latest status set by hand, else the latest; all metas.
    pub(super) fn merged<'a>(user: &UserId, entries: impl Iterator<Item = &'a Self>) -> Option<Member<S>>
    where
        S: 'a,
    {
        let entries: Vec<&Self> = entries.collect();
        let decides = entries.iter().max_by_key(|entry| (entry.by_hand, entry.since))?;
        let metas = entries.iter().flat_map(|entry| entry.metas.values().map(|(_, meta)| meta.clone())).collect();
        let (name, status) = (decides.name.clone(), decides.status.clone());
        Some(Member { user: user.clone(), name, status, metas })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    #[test]
    fn a_status_set_by_hand_counts_whatever_another_node_sets_by_itself() {
        let ada: UserId = "ada".parse().unwrap();
        let principal = Principal::user(ada.clone());
        let mut one = Present::new(&principal, "studying", at(0));
        one.set_status("break", at(1));
        let mut two = Present::new(&principal, "studying", at(2));
        assert_eq!(Present::merged(&ada, [&one, &two].into_iter()).unwrap().status, "break");
        two.set_status("away", at(3));
        assert_eq!(Present::merged(&ada, [&one, &two].into_iter()).unwrap().status, "away");
        assert!(Present::<u8>::merged(&ada, [].into_iter()).is_none());
    }

    #[test]
    fn metas_are_in_the_order_of_the_sessions() {
        let ada: UserId = "ada".parse().unwrap();
        let mut present = Present::new(&Principal::user(ada.clone()), 0, at(0));
        let (one, two) = (SessionId::random(), SessionId::random());
        present.set_meta(one, 1.into());
        present.set_meta(two, 2.into());
        present.set_meta(one, 3.into());
        assert_eq!(Present::merged(&ada, [&present].into_iter()).unwrap().metas, [Value::from(3), Value::from(2)]);
        assert!(present.forget(one) && !present.forget(one));
        present.returns();
        assert!(!present.forget(two));
    }
}
