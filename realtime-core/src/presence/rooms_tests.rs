//! Rooms below the network: tabs are entries of the registry, and time is paused.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    app::Router,
    closing::Closing,
    extract::State,
    session::{DisconnectReason, ListeningEntry, Registry, Session},
    telemetry::Meters,
};

const GRACE_MILLIS: u64 = 10_000;

/// Who joined and left, in order.
type Log = Arc<Mutex<Vec<(UserId, &'static str)>>>;

async fn joined(event: Joined, State(log): State<Log>) {
    log.lock().push((event.user, "joined"));
}

async fn left(event: Left, State(log): State<Log>) {
    log.lock().push((event.user, "left"));
}

/// Tabs of users in one room.
struct House {
    rooms: Rooms,
    registry: Registry,
    log: Log,
    room: Destination,
}

/// An open tab: dropped, it is lost.
struct Tab {
    session: Session,
    _listens: ListeningEntry,
}

impl Tab {
    fn ends_by(self, reason: DisconnectReason) {
        self.session.ends_by(reason);
    }
}

impl House {
    fn new() -> Self {
        let rooms = Rooms::at("/topic/rooms/{room}").settling(Duration::ZERO);
        let log = Log::default();
        let router = Router::new().mount(rooms.on_joined(joined)).mount(rooms.on_left(left));
        let parts = router.with_state(Arc::clone(&log)).parts().to_vec();
        parts.iter().for_each(|part| part.start(&Broker::default(), Duration::from_secs(5)));
        let observers = parts.into_iter().map(|part| part as Arc<dyn Observer>).collect();
        Self {
            rooms,
            registry: Registry::new(Meters::new(), observers, 0),
            log,
            room: "/topic/rooms/7".parse().unwrap(),
        }
    }

    fn open(&self, user: usize) -> Tab {
        let session = Session::detached(Principal::user(format!("user-{user}").parse().unwrap()));
        let _listens = self.registry.listen(&session, self.room.clone());
        Tab { session, _listens }
    }

    async fn heard(&self) -> Vec<(UserId, &'static str)> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        std::mem::take(&mut self.log.lock())
    }
}

/// Tabs of five hundred users are reloaded all the time, each back at any moment of the grace, a second tab here and there.
#[tokio::test(start_paused = true)]
async fn rule_20_ten_thousand_reloads_are_no_leave() {
    const USERS: usize = 500;
    let house = House::new();
    let mut tabs: Vec<Option<Tab>> = (0..USERS).map(|user| Some(house.open(user))).collect();
    assert_eq!(house.heard().await.len(), USERS);
    let mut back: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let (mut now, mut reloads) = (0, 0_u64);
    while reloads < 10_000 {
        now += 20;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let user = usize::try_from(reloads * 7919 % USERS as u64).unwrap();
        if let Some(tab) = tabs[user].take() {
            let reasons = [DisconnectReason::Client, DisconnectReason::ClosedByClient, DisconnectReason::Lost];
            tab.ends_by(reasons[user % 3].clone());
            back.entry(now + reloads * 37 % (GRACE_MILLIS - 40)).or_default().push(user);
            reloads += 1;
        }
        while let Some(entry) = back.first_entry().filter(|entry| *entry.key() <= now) {
            entry.remove().into_iter().for_each(|user| tabs[user] = Some(house.open(user)));
        }
        if reloads % 50 == 0 {
            drop(house.open(user));
        }
    }
    assert_eq!((house.heard().await, house.rooms.count(&house.room)), (Vec::new(), USERS));
    drop(tabs);
    tokio::time::sleep(Duration::from_millis(2 * GRACE_MILLIS)).await;
    assert!(house.heard().await.iter().all(|(_, what)| *what == "left"));
    assert!(house.rooms.is_empty());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Open(usize),
    Close(prop::sample::Index, bool),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..4_usize).prop_map(Step::Open),
        3 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(which, banned)| Step::Close(which, banned)),
        2 => (0..2 * GRACE_MILLIS).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn rule_20_joined_and_left_alternate_and_counts_match(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let house = House::new();
            let mut tabs: Vec<(usize, Tab)> = Vec::new();
            let mut told: BTreeSet<UserId> = BTreeSet::new();
            let mut away: BTreeMap<usize, tokio::time::Instant> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Open(user) => {
                        away.remove(&user);
                        tabs.push((user, house.open(user)));
                    }
                    Step::Close(which, banned) if !tabs.is_empty() => {
                        let (user, tab) = tabs.swap_remove(which.index(tabs.len()));
                        let reason = DisconnectReason::by_server(&Closing::application("banned", 4403, "You were banned."));
                        tab.ends_by(if banned { reason } else { DisconnectReason::Lost });
                        if tabs.iter().all(|(other, _)| *other != user) {
                            let grace = if banned { 0 } else { GRACE_MILLIS };
                            away.insert(user, crate::clock::now() + Duration::from_millis(grace));
                        }
                    }
                    Step::Close(..) => {}
                    Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
                }
                for (user, what) in house.heard().await {
                    let changed = if what == "joined" { told.insert(user) } else { told.remove(&user) };
                    prop_assert!(changed, "{what} twice");
                }
                let now = crate::clock::now();
                // The directory counts whole milliseconds.
                let on_the_edge = |end: &tokio::time::Instant| *end + Duration::from_millis(3) > now && *end <= now;
                if away.values().any(on_the_edge) {
                    continue;
                }
                let here = tabs.iter().map(|(user, _)| *user);
                let model: BTreeSet<usize> =
                    here.chain(away.iter().filter(|(_, end)| **end > now).map(|(user, _)| *user)).collect();
                prop_assert_eq!(told.len(), model.len(), "{:?}", model);
                prop_assert_eq!(house.rooms.count(&house.room), model.len());
            }
            drop(tabs);
            tokio::time::sleep(Duration::from_millis(2 * GRACE_MILLIS)).await;
            for (user, what) in house.heard().await {
                prop_assert!(what == "left" && told.remove(&user));
            }
            prop_assert!(told.is_empty() && house.rooms.is_empty());
            prop_assert!(house.registry.users_at(&house.room).is_empty());
            Ok(())
        })?;
    }
}
