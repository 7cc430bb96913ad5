//! What subscribers of one place have been told: a version, members, and the diffs between versions. Pure.
//!
//! Invariant: a snapshot, and then every diff with a greater version, in order, is the state. A diff tells the version that it
//! follows on; one that follows on nothing begins with nobody. A diff that a snapshot contains already does no harm either.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::auth::UserId;

/// Who is at a place, as of a version: what [`Presence::snapshot`](super::Presence::snapshot) gives.
///
/// ```
/// use parlor_core::presence::Snapshot;
///
/// fn line(snapshot: &Snapshot<String>) -> String {
///     snapshot.members.iter().map(|member| format!("{} ({})", member.user, member.status)).collect::<Vec<_>>().join(", ")
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Snapshot<S> {
    /// The version that subscribers were told last; what is newer comes as a diff.
    pub version: u64,
    /// The members, in the order of their ids.
    pub members: Vec<Member<S>>,
}

/// A user at a place.
///
/// As JSON: `{"user": "ada", "name": "Ada", "status": …, "metas": […]}`, without a name where there is none to show.
///
/// ```
/// use parlor_core::presence::Member;
///
/// fn has_a_phone(member: &Member<String>) -> bool {
///     member.metas.iter().any(|meta| meta["device"] == "phone")
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Member<S> {
    /// Who.
    pub user: UserId,
    /// The name to show, where the user's principal has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The user's status.
    pub status: S,
    /// What the user's sessions said of themselves, oldest session first; those that said nothing are not there.
    pub metas: Vec<Value>,
}

/// A user who is there no more.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Gone<S> {
    user: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<S>,
}

/// What a client is sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Told<S> {
    Diff { version: u64, previous: u64, joined: Vec<Member<S>>, updated: Vec<Member<S>>, left: Vec<Gone<S>> },
    Snapshot(Snapshot<S>),
}

/// Everyone who was told of, at every place.
#[derive(Debug)]
pub(super) struct Groups<P, S> {
    /// Counts over all places, so that the version of a place never goes back, also when everything of it was forgotten.
    version: u64,
    places: BTreeMap<P, Group<S>>,
}

#[derive(Debug)]
struct Group<S> {
    version: u64,
    members: BTreeMap<UserId, Member<S>>,
}

impl<P: Clone + Ord, S: Clone + PartialEq> Groups<P, S> {
    /// What was told of a place.
    pub(super) fn snapshot(&self, place: &P) -> Snapshot<S> {
        match self.places.get(place) {
            Some(group) => Snapshot { version: group.version, members: group.members.values().cloned().collect() },
            None => Snapshot { version: self.version, members: Vec::new() },
        }
    }

    /// Takes what users are now, none for those who are not there; what is to be told of it, if anything. Those who are gone are
    /// shown with `gone`.
    pub(super) fn advance(
        &mut self,
        place: &P,
        users: impl IntoIterator<Item = (UserId, Option<Member<S>>)>,
        gone: Option<&S>,
    ) -> Option<Told<S>> {
        let group = self.places.entry(place.clone()).or_insert_with(|| Group { version: 0, members: BTreeMap::new() });
        let (mut joined, mut updated, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for (user, now) in users {
            match now {
                Some(member) => match group.members.insert(user, member.clone()) {
                    Some(before) if before == member => {}
                    Some(_) => updated.push(member),
                    None => joined.push(member),
                },
                None if group.members.remove(&user).is_some() => left.push(Gone { user, status: gone.cloned() }),
                None => {}
            }
        }
        let previous = group.version;
        let told = !(joined.is_empty() && updated.is_empty() && left.is_empty());
        if told {
            self.version += 1;
            group.version = self.version;
        }
        if group.members.is_empty() {
            self.places.remove(place);
        }
        told.then_some(Told::Diff { version: self.version, previous, joined, updated, left })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

impl<P: Ord, S> Default for Groups<P, S> {
    fn default() -> Self {
        Self { version: 0, places: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a page keeps: it knows nothing but what it was sent.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Page {
        version: u64,
        members: BTreeMap<String, Value>,
        has_gap: bool,
    }

    impl Page {
        fn take(&mut self, told: &Value) {
            let members = |name: &str| told[name].as_array().cloned().unwrap_or_default();
            let user = |member: &Value| member["user"].as_str().unwrap().to_owned();
            let previous = told["previous"].as_u64().unwrap_or(0);
            if previous == 0 {
                self.members.clear();
            } else if previous > self.version {
                self.has_gap = true;
            }
            for member in ["members", "joined", "updated"].into_iter().flat_map(members) {
                self.members.insert(user(&member), member);
            }
            for member in members("left") {
                self.members.remove(&user(&member));
            }
            self.version = told["version"].as_u64().unwrap();
        }
    }

    fn member(user: &UserId, status: u8) -> Member<u8> {
        Member { user: user.clone(), name: None, status, metas: Vec::new() }
    }

    /// At each step, users of one of two places change.
    fn steps() -> impl Strategy<Value = Vec<(u8, Vec<(u8, Option<u8>)>)>> {
        let user = (0..4_u8, prop::option::weighted(0.6, 0..3_u8));
        prop::collection::vec((0..2_u8, prop::collection::vec(user, 0..4)), 1..40)
    }

    /// Of every page that comes at any time: nothing is missing, and what it was sent twice does no harm. `loses` says which diff
    /// a page never gets; then it must notice.
    fn pages_agree(steps: Vec<(u8, Vec<(u8, Option<u8>)>)>, loses: Option<usize>) -> Result<(), TestCaseError> {
        let mut groups: Groups<u8, u8> = Groups::default();
        let mut pages: Vec<Page> = Vec::new();
        let mut held: Option<Value> = None;
        for (step, (place, users)) in steps.into_iter().enumerate() {
            let users: BTreeMap<UserId, Option<Member<u8>>> = users
                .into_iter()
                .map(|(user, status)| {
                    let user: UserId = format!("u{user}").parse().unwrap();
                    (user.clone(), status.map(|status| member(&user, status)))
                })
                .collect();
            let told = groups.advance(&place, users, Some(&9)).map(|told| serde_json::to_value(told).unwrap());
            if place != 0 {
                continue;
            }
            if let Some(told) = &told {
                pages.iter_mut().filter(|_| loses != Some(step)).for_each(|page| page.take(told));
                held = Some(told.clone());
            }
            let snapshot = serde_json::to_value(Told::Snapshot(groups.snapshot(&0))).unwrap();
            let mut page = Page::default();
            page.take(&snapshot);
            let fresh = page.clone();
            // Registered before the snapshot was made: the last diff may come after it, though it is in it.
            if let Some(held) = held.as_ref().filter(|held| held["version"] == snapshot["version"]) {
                page.take(held);
                prop_assert_eq!(&page.members, &fresh.members);
            }
            pages.push(fresh.clone());
            for page in pages.iter().filter(|page| !page.has_gap) {
                prop_assert_eq!(&page.members, &fresh.members);
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn rule_21_a_snapshot_and_later_diffs_are_the_state(steps in steps()) {
            pages_agree(steps, None)?;
        }
    }

    #[test]
    fn a_diff_that_changes_nothing_is_not_told() {
        let mut groups: Groups<u8, u8> = Groups::default();
        let ada: UserId = "ada".parse().unwrap();
        let now = |status| [(ada.clone(), Some(member(&ada, status)))];
        assert!(groups.advance(&0, now(1), None).is_some());
        assert_eq!(groups.advance(&0, now(1), None), None);
        let updated = serde_json::to_value(groups.advance(&0, now(2), None)).unwrap();
        assert_eq!((&updated["version"], &updated["previous"]), (&2.into(), &1.into()));
        let left = serde_json::to_value(groups.advance(&0, [(ada, None)], Some(&9))).unwrap();
        assert_eq!(left["left"], serde_json::json!([{ "user": "ada", "status": 9 }]));
        assert!(groups.is_empty());
        assert_eq!(groups.snapshot(&0).version, 3, "a version never goes back");
    }

    #[test]
    fn a_page_notices_that_it_lost_a_diff() {
        let mut groups: Groups<u8, u8> = Groups::default();
        let users: Vec<UserId> = ["ada", "bob", "cy"].map(|name| name.parse().unwrap()).into();
        let mut page = Page::default();
        for (step, user) in users.iter().enumerate() {
            let told = groups.advance(&0, [(user.clone(), Some(member(user, 1)))], None);
            if step != 1 {
                page.take(&serde_json::to_value(told).unwrap());
            }
        }
        assert!(page.has_gap);
    }
}
