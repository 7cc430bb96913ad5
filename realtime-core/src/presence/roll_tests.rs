//! The roll against a model: tabs that open, close, crash and reload; nodes that hear of each other late, twice and out of order.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;
use crate::presence::DirectorySink;

const GRACE: u64 = 10;
const UNBOUNDED: Bounds = Bounds { members: usize::MAX, per_place: usize::MAX };

/// A directory in the test's hands: its clock, and what was put.
#[derive(Default)]
struct Desk {
    node: u128,
    now: AtomicU64,
    put: Mutex<Vec<Entry<u8, u8>>>,
}

impl Directory<u8, u8> for Desk {
    fn node(&self) -> NodeId {
        NodeId::new(self.node)
    }

    fn now(&self) -> Moment {
        Moment::from_millis(self.now.load(Ordering::Relaxed))
    }

    fn put(&self, entry: &Entry<u8, u8>) {
        self.put.lock().push(entry.clone());
    }

    fn attach(&self, _: Arc<dyn DirectorySink<u8, u8>>) {}
}

fn user(number: u8) -> UserId {
    format!("user-{number}").parse().unwrap()
}

fn roll(node: u128, bounds: Bounds) -> (Roll<u8, u8>, Arc<Desk>) {
    let desk = Arc::new(Desk { node, ..Desk::default() });
    (Roll::new(Arc::clone(&desk) as Arc<dyn Directory<u8, u8>>, bounds, Duration::ZERO), desk)
}

/// A tab: its number tells it from all others.
fn tab(number: u64) -> Connection {
    let id = format!("{number:032x}");
    Connection { session: id.parse().unwrap(), number: 1 }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Open {
        place: u8,
        user: u8,
    },
    /// Some open tab.
    Close {
        which: prop::sample::Index,
        for_good: bool,
    },
    Reload {
        which: prop::sample::Index,
        after: u64,
    },
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = any::<prop::sample::Index>();
    let step = prop_oneof![
        3 => (0..2_u8, 0..3_u8).prop_map(|(place, user)| Step::Open { place, user }),
        3 => (which, prop::bool::weighted(0.2)).prop_map(|(which, for_good)| Step::Close { which, for_good }),
        2 => (any::<prop::sample::Index>(), 0..GRACE).prop_map(|(which, after)| Step::Reload { which, after }),
        2 => (0..2 * GRACE).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..80)
}

type Name = (u8, u8);

/// What is true, in the plainest words.
#[derive(Default)]
struct Model {
    now: u64,
    tabs: Vec<(u64, Name)>,
    away_until: BTreeMap<Name, u64>,
    opened: u64,
}

impl Model {
    fn members(&self) -> BTreeSet<Name> {
        let away = self.away_until.iter().filter(|(_, until)| self.now < **until).map(|(name, _)| *name);
        self.tabs.iter().map(|(_, name)| *name).chain(away).collect()
    }
}

/// The roll with what was told of it: joined and left must alternate.
struct Watched {
    roll: Roll<u8, u8>,
    told: BTreeSet<Name>,
    told_left: usize,
    told_joined: usize,
}

impl Watched {
    fn new(roll: Roll<u8, u8>) -> Self {
        Self { roll, told: BTreeSet::new(), told_left: 0, told_joined: 0 }
    }

    fn tell(&mut self, now: u64) {
        let now = Moment::from_millis(now);
        self.roll.pass(now);
        while let Some((place, changes)) = self.roll.take_due(now) {
            for number in 0..3 {
                if !changes.contains_key(&user(number)) {
                    continue;
                }
                if self.roll.fold().is_present(&place, &user(number), now) {
                    self.told_joined += usize::from(self.told.insert((place, number)));
                } else {
                    self.told_left += usize::from(self.told.remove(&(place, number)));
                }
            }
            self.roll.told(&place);
        }
    }

    fn open(&mut self, model: &mut Model, (place, number): Name) {
        model.opened += 1;
        model.tabs.push((model.opened, (place, number)));
        model.away_until.remove(&(place, number));
        let now = Moment::from_millis(model.now);
        self.roll.open(tab(model.opened), &place, &user(number), || 0, |_| {}, now).unwrap();
    }

    fn close(&mut self, model: &mut Model, which: Option<prop::sample::Index>, grace: u64) -> Option<Name> {
        if model.tabs.is_empty() {
            return None;
        }
        let (closed, (place, number)) = model.tabs.remove(which.map_or(0, |which| which.index(model.tabs.len())));
        if !model.tabs.iter().any(|(_, name)| *name == (place, number)) {
            model.away_until.insert((place, number), model.now + grace);
        }
        let now = Moment::from_millis(model.now);
        self.roll.close(tab(closed), &place, &user(number), Duration::from_millis(grace), |_, _| false, now);
        // Closed twice is closed once.
        self.roll.close(tab(closed), &place, &user(number), Duration::ZERO, |_, _| true, now);
        Some((place, number))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn rule_20_members_are_the_models_and_joined_and_left_alternate(steps in steps()) {
        let mut watched = Watched::new(roll(1, UNBOUNDED).0);
        let mut model = Model::default();
        for step in steps {
            let left_before = watched.told_left;
            match step {
                Step::Open { place, user } => watched.open(&mut model, (place, user)),
                Step::Close { which, for_good } => {
                    watched.close(&mut model, Some(which), if for_good { 0 } else { GRACE });
                }
                Step::Reload { which, after } => {
                    if let Some(name) = watched.close(&mut model, Some(which), GRACE) {
                        model.now += after;
                        // Others may have left meanwhile.
                        watched.tell(model.now);
                        prop_assert!(watched.told.contains(&name), "a reload is no leave");
                        watched.open(&mut model, name);
                    }
                }
                Step::Wait(time) => model.now += time,
            }
            watched.tell(model.now);
            prop_assert_eq!(&watched.told, &model.members(), "after {:?} at {}", step, model.now);
            prop_assert_eq!(watched.told_joined - watched.told_left, watched.told.len());
            prop_assert!(watched.told_left - left_before <= 6);
        }
        while !model.tabs.is_empty() {
            watched.close(&mut model, None, GRACE);
        }
        model.now += GRACE;
        watched.tell(model.now);
        prop_assert!(watched.told.is_empty() && watched.roll.is_empty());
        prop_assert_eq!((watched.roll.next_end(), watched.roll.next_due()), (None, None));
        prop_assert_eq!(watched.told_joined, watched.told_left);
    }

    /// Three nodes; what one writes reaches the others in any order, and some of it twice.
    #[test]
    fn rule_22_nodes_come_to_the_same_view(
        writes in prop::collection::vec((0..3_usize, 0..2_u8, 0..3_u8, any::<bool>()), 1..40),
        order in prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize), 0..100),
    ) {
        let (mut rolls, desks): (Vec<_>, Vec<_>) = (1..=3).map(|node| roll(node, UNBOUNDED)).unzip();
        let mut open = BTreeSet::new();
        for (at, (node, place, number, closes)) in (0..).zip(writes) {
            let (now, name) = (Moment::from_millis(at), (node, place, number));
            let connection = tab(u64::from(place) * 10 + u64::from(number));
            if closes && open.remove(&name) {
                let grace = Duration::from_millis(GRACE);
                rolls[node].close(connection, &place, &user(number), grace, |_, _| false, now);
            } else {
                rolls[node].open(connection, &place, &user(number), || 0, |_| {}, now).unwrap();
                open.insert(name);
            }
        }
        let put: Vec<_> = desks.iter().flat_map(|desk| desk.put.lock().clone()).collect();
        let now = Moment::from_millis(40);
        for (index, node) in order {
            rolls[node].merge(Update::Entry(index.get(&put).clone()), now);
        }
        for roll in &mut rolls {
            put.iter().rev().for_each(|entry| roll.merge(Update::Entry(entry.clone()), now));
        }
        let end = Moment::from_millis(1000);
        let model: BTreeSet<Name> = open.into_iter().map(|(_, place, number)| (place, number)).collect();
        for roll in &mut rolls {
            roll.pass(end);
            let names = (0..2_u8).flat_map(|place| (0..3_u8).map(move |number| (place, number)));
            let view: BTreeSet<Name> =
                names.filter(|(place, number)| roll.fold().is_present(place, &user(*number), end)).collect();
            prop_assert_eq!(&view, &model);
        }
    }
}

#[test]
fn members_are_bounded_at_the_limit_and_graces_make_room() {
    let (mut roll, _) = roll(1, Bounds { members: 2, per_place: 2 });
    let now = Moment::from_millis(0);
    let grace = Duration::from_secs(10);
    let open =
        |roll: &mut Roll<u8, u8>, place: u8, who: u8| roll.open(tab(who.into()), &place, &user(who), || 0, |_| {}, now);
    assert_eq!([open(&mut roll, 0, 0), open(&mut roll, 1, 1), open(&mut roll, 1, 2)], [Ok(()), Ok(()), Err(Full)]);
    roll.close(tab(0), &0, &user(0), grace, |_, _| false, now);
    assert!(roll.fold().is_present(&0, &user(0), now), "the grace is running");
    assert_eq!(open(&mut roll, 1, 2), Ok(()));
    assert!(!roll.fold().is_present(&0, &user(0), now), "it made room");
    roll.set_bounds(Bounds { members: 10, per_place: 2 });
    assert_eq!(open(&mut roll, 1, 3), Err(Full), "the place is full");
    roll.close(tab(2), &1, &user(2), grace, |_, _| false, now);
    assert_eq!(open(&mut roll, 1, 3), Ok(()));
}

#[test]
fn a_second_tab_writes_nothing_and_a_change_does() {
    let (mut roll, desk) = roll(1, UNBOUNDED);
    let now = Moment::from_millis(0);
    for number in 0..3 {
        roll.open(tab(number), &0, &user(0), || 0, |_| {}, now).unwrap();
    }
    roll.close(tab(0), &0, &user(0), Duration::ZERO, |_, left| left.len() != 2, now);
    assert_eq!(desk.put.lock().len(), 1);
    assert!(roll.change(&0, &user(0), |says| *says = 7, now));
    assert_eq!(desk.put.lock().last().map(|entry| (entry.data, entry.revision)), Some((7, 2)));
    assert!(!roll.change(&0, &user(1), |says| *says = 7, now), "nobody is there");
    assert!(!roll.let_go(&0, &user(0), |_| {}, now), "no grace is running");
}

#[test]
fn changes_of_a_place_wait_until_earlier_ones_are_told() {
    let (mut roll, _) = roll(1, UNBOUNDED);
    let now = Moment::from_millis(0);
    roll.open(tab(0), &0, &user(0), || 0, |_| {}, now).unwrap();
    let (place, changes) = roll.take_due(now).unwrap();
    assert_eq!((place, changes.len()), (0, 1));
    roll.open(tab(1), &0, &user(1), || 0, |_| {}, now).unwrap();
    assert!(roll.take_due(now).is_none());
    roll.told(&0);
    assert!(roll.take_due(now).unwrap().1.contains_key(&user(1)));
}
