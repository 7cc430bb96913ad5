//! The fold against a model, and the tests against planted bugs.

use proptest::{
    prelude::*,
    test_runner::{TestCaseError, TestRunner},
};

use super::*;

const PLACES: u8 = 2;
const USERS: u8 = 3;
const NODES: u8 = 3;
/// None of those that write here.
const HERE: NodeId = NodeId::new(99);

type Said = u64;
type Change = Update<u8, Said>;

/// What someone who does not know the fold could have got wrong around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// What comes late is taken for new.
    RevisionsAreIgnored,
    /// Nothing is remembered of what has ended.
    NoRetention,
    /// A dead node's entries live on.
    DeathIsNotHeard,
    /// One change in three is not told.
    SilentChanges,
    /// The time of an entry is not looked at.
    NobodyLetsTimePass,
}

fn user(number: u8) -> UserId {
    format!("user-{number}").parse().unwrap()
}

fn entry(owner: u8, revision: u64, place: u8, who: u8, until: Option<u64>) -> Entry<u8, Said> {
    let hold = until.map_or(Hold::WhileOwnerLives, |until| Hold::Until(Moment::from_millis(until)));
    Entry { place, user: user(who), owner: NodeId::new(owner.into()), revision, hold, data: revision }
}

/// What each node wrote, in its order, and when: revisions are the places in that order.
fn history() -> impl Strategy<Value = Vec<Entry<u8, Said>>> {
    let one = (0..NODES, 0..PLACES, 0..USERS, prop::option::weighted(0.4, 0_u64..100));
    prop::collection::vec(one, 1..40).prop_map(|written| {
        let mut revisions = [0; NODES as usize];
        written
            .into_iter()
            .map(|(owner, place, who, until)| {
                let revision = &mut revisions[usize::from(owner)];
                *revision += 1;
                entry(owner, *revision, place, who, until)
            })
            .collect()
    })
}

/// The latest entry of each name.
fn latest(history: &[Entry<u8, Said>]) -> Vec<Entry<u8, Said>> {
    let mut latest: BTreeMap<_, Entry<u8, Said>> = BTreeMap::new();
    for entry in history {
        let known = latest.entry((entry.place, entry.user.clone(), entry.owner)).or_insert_with(|| entry.clone());
        if entry.revision > known.revision {
            *known = entry.clone();
        }
    }
    latest.into_values().collect()
}

type View = BTreeMap<(u8, UserId), Vec<Said>>;

/// What counts at a moment, straight from what was written.
fn model(history: &[Entry<u8, Said>], down: &[(NodeId, Moment)], now: Moment) -> View {
    let mut view = View::new();
    for entry in latest(history) {
        let end = match entry.hold {
            Hold::Until(end) => Some(end),
            Hold::WhileOwnerLives => down.iter().filter(|(node, _)| *node == entry.owner).map(|(_, end)| *end).max(),
        };
        if end.is_none_or(|end| now < end) {
            view.entry((entry.place, entry.user)).or_default().push(entry.data);
        }
    }
    view
}

fn view(fold: &Fold<u8, Said>, now: Moment) -> View {
    let mut view = View::new();
    for place in 0..PLACES {
        for who in fold.users(&place, now) {
            view.insert((place, who.clone()), fold.entries(&place, who, now).copied().collect());
        }
    }
    view
}

/// A history as it might arrive: in some order, some of it twice, nodes that die, a reset at some point.
#[derive(Clone, Debug)]
struct Arrival {
    history: Vec<Entry<u8, Said>>,
    order: Vec<prop::sample::Index>,
    down: Vec<(NodeId, Moment)>,
    reset_at: Option<prop::sample::Index>,
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let down = prop::collection::vec((0..NODES, 0_u64..100), 0..2);
    let order = prop::collection::vec(any::<prop::sample::Index>(), 0..60);
    (history(), order, down, any::<Option<prop::sample::Index>>()).prop_map(|(history, order, down, reset_at)| {
        let down = down.into_iter().map(|(node, at)| (NodeId::new(node.into()), Moment::from_millis(at))).collect();
        Arrival { history, order, down, reset_at }
    })
}

/// Everything has arrived and all graces are over: the view is the model's, and was told of, change by change.
fn converges(arrival: &Arrival, planted: Planted) -> Result<(), TestCaseError> {
    let retention = if planted == Planted::NoRetention { 0 } else { 1000 };
    let mut fold = Fold::new(HERE, Duration::from_millis(retention));
    let mut updates: Vec<Change> = Vec::new();
    let picked = arrival.order.iter().map(|index| index.get(&arrival.history));
    // At random first, some twice; then, backwards, all that may be missing.
    let all = picked.chain(arrival.history.iter().rev());
    updates.extend(all.cloned().map(Update::Entry));
    if planted != Planted::DeathIsNotHeard {
        updates.extend(arrival.down.iter().map(|&(node, until)| Update::NodeDown { node, until }));
    }
    if let Some(at) = arrival.reset_at {
        let revisions = (0..NODES).map(|node| (NodeId::new(node.into()), u64::MAX)).collect();
        let reset = Update::Reset { entries: latest(&arrival.history), revisions, until: Moment::from_millis(100) };
        updates.insert(at.index(updates.len()), reset);
    }
    let steps = updates.len() as u64;
    let mut told = View::new();
    let mut changes = 0;
    for (step, update) in (0..).zip(updates) {
        let now = Moment::from_millis(step * 100 / steps);
        let update = match update {
            Update::Entry(entry) if planted == Planted::RevisionsAreIgnored => {
                Update::Entry(Entry { revision: 1000 + step, ..entry })
            }
            other => other,
        };
        let mut touched = fold.expire(now);
        touched.extend(fold.apply(update, now));
        for Touched { place, user, .. } in touched {
            changes += 1;
            if planted == Planted::SilentChanges && changes % 3 == 0 {
                continue;
            }
            let entries: Vec<_> = fold.entries(&place, &user, now).copied().collect();
            if entries.is_empty() {
                told.remove(&(place, user))
            } else {
                told.insert((place, user), entries)
            };
        }
        prop_assert_eq!(&told, &view(&fold, now), "what was told, at {:?}", now);
    }
    let end = Moment::from_millis(150);
    if planted != Planted::NobodyLetsTimePass {
        for Touched { place, user, .. } in fold.expire(end) {
            let entries: Vec<_> = fold.entries(&place, &user, end).copied().collect();
            if entries.is_empty() {
                told.remove(&(place, user))
            } else {
                told.insert((place, user), entries)
            };
        }
    }
    let model = model(&arrival.history, &arrival.down, end);
    prop_assert_eq!(&view(&fold, end), &model, "the view");
    prop_assert_eq!(&told, &model, "what was told");
    fold.expire(Moment::from_millis(2000));
    prop_assert_eq!(view(&fold, Moment::from_millis(2000)), model);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_order_duplicates_deaths_and_a_reset_converge_to_the_same_view(arrival in arrival()) {
        converges(&arrival, Planted::Nothing)?;
    }

    /// One after another, as from one node: nothing needs to be remembered, and nothing is.
    #[test]
    fn when_all_are_gone_nothing_is_left(history in history()) {
        let mut fold = Fold::new(HERE, Duration::ZERO);
        let mut now = Moment::default();
        for (step, entry) in (0..).zip(history.clone()) {
            now = Moment::from_millis(step);
            fold.expire(now);
            fold.apply(Update::Entry(entry), now);
            prop_assert_eq!(fold.places().count() > 0, !view(&fold, now).is_empty());
        }
        for entry in latest(&history) {
            fold.apply(Update::Entry(Entry { revision: 1000, hold: Hold::Until(now), ..entry }), now);
        }
        prop_assert!(fold.is_empty(), "{:?}", fold);
        prop_assert_eq!(fold.next_deadline(), None);
    }
}

#[test]
fn planted_bugs_are_found() {
    for planted in [
        Planted::RevisionsAreIgnored,
        Planted::NoRetention,
        Planted::DeathIsNotHeard,
        Planted::SilentChanges,
        Planted::NobodyLetsTimePass,
    ] {
        let config =
            ProptestConfig { cases: 2000, failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() };
        let found = TestRunner::new(config).run(&arrival(), |arrival| converges(&arrival, planted));
        assert!(found.is_err(), "{planted:?} was not found");
    }
}

#[test]
fn rule_20_a_user_who_comes_back_within_the_grace_never_left() {
    let mut fold = Fold::new(HERE, Duration::ZERO);
    let at = Moment::from_millis;
    fold.apply(Update::Entry(entry(0, 1, 7, 0, None)), at(0));
    fold.apply(Update::Entry(entry(0, 2, 7, 0, Some(60))), at(50));
    assert_eq!(fold.next_deadline(), Some(at(60)));
    assert_eq!(fold.expire(at(59)), []);
    fold.apply(Update::Entry(entry(0, 3, 7, 0, None)), at(59));
    assert_eq!((fold.expire(at(1000)), fold.next_deadline()), (Vec::new(), None));
    assert!(fold.is_present(&7, &user(0), at(1000)));
}

#[test]
fn rule_22_a_user_who_moves_between_nodes_does_not_leave() {
    let mut fold = Fold::new(HERE, Duration::from_secs(60));
    let at = Moment::from_millis;
    fold.apply(Update::Entry(entry(1, 1, 7, 0, None)), at(0));
    fold.apply(Update::NodeDown { node: NodeId::new(1), until: at(100) }, at(10));
    fold.apply(Update::Entry(entry(2, 1, 7, 0, None)), at(99));
    assert_eq!(fold.expire(at(100)).len(), 1, "an entry has ended");
    assert!(fold.is_present(&7, &user(0), at(100)), "and the user has another");
}
