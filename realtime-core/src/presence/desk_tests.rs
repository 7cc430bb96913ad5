//! Two nodes that meet in a directory, with paused time.

use std::sync::OnceLock;

use tokio::time::Instant;

use super::*;
use crate::{
    auth::UserId,
    presence::{Entry, NodeId, roll::Connection},
    session_id::SessionId,
};

const GRACE: Duration = Duration::from_secs(10);

type Carried = Entry<u8, ()>;

/// What is on its way between nodes.
#[derive(Default)]
struct Hub {
    sinks: Mutex<Vec<(NodeId, Arc<dyn DirectorySink<u8, ()>>)>>,
    carried: Mutex<Vec<Carried>>,
    beginning: OnceLock<Instant>,
}

impl Hub {
    /// Brings everything to everyone, the last first, twice.
    fn deliver(&self) {
        let carried = std::mem::take(&mut *self.carried.lock());
        for entry in carried.iter().rev().chain(&carried) {
            self.tell(&Update::Entry(entry.clone()));
        }
    }

    fn tell(&self, update: &Update<u8, ()>) {
        self.sinks.lock().iter().for_each(|(_, sink)| sink.update(update.clone()));
    }
}

/// A node's end of it.
struct Wire {
    node: NodeId,
    hub: Arc<Hub>,
}

impl Directory<u8, ()> for Wire {
    fn node(&self) -> NodeId {
        self.node
    }

    fn now(&self) -> Moment {
        let now = crate::clock::now();
        Moment::default().after(now - *self.hub.beginning.get_or_init(|| now))
    }

    fn put(&self, entry: &Carried) {
        self.hub.carried.lock().push(entry.clone());
    }

    fn attach(&self, sink: Arc<dyn DirectorySink<u8, ()>>) {
        self.hub.sinks.lock().push((self.node, sink));
    }
}

/// Hears who joined and left.
struct Recorder {
    desk: Desk<u8, ()>,
    heard: Mutex<Vec<String>>,
    members: Mutex<std::collections::BTreeSet<UserId>>,
}

impl Recorder {
    fn new(hub: &Arc<Hub>, node: u128) -> Arc<Self> {
        let wire = Wire { node: NodeId::new(node), hub: Arc::clone(hub) };
        let bounds = Bounds { members: 100, per_place: 100 };
        let desk = Desk::new(Arc::new(wire), bounds, Duration::ZERO);
        let part = Arc::new(Self { desk, heard: Mutex::default(), members: Mutex::default() });
        attach(&part);
        part
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock())
    }
}

impl Part for Recorder {
    type Place = u8;
    type Data = ();

    fn desk(&self) -> &Desk<u8, ()> {
        &self.desk
    }

    async fn tell(self: Arc<Self>, place: u8, changes: Changes<()>) {
        self.desk.ask(|roll, now| {
            let mut members = self.members.lock();
            for user in changes.into_keys() {
                if roll.fold().is_present(&place, &user, now) {
                    if members.insert(user.clone()) {
                        self.heard.lock().push(format!("{user} joined"));
                    }
                } else if members.remove(&user) {
                    self.heard.lock().push(format!("{user} left"));
                }
            }
        });
        assert!(self.heard.lock().iter().all(|heard| !heard.starts_with("panic")), "this is the test's own panic");
    }
}

fn open(part: &Arc<Recorder>, user: &str) -> Connection {
    let connection = Connection { session: SessionId::random(), number: 1 };
    let user = user.parse().unwrap();
    change(part, |roll, now| roll.open(connection, &7, &user, || (), |()| (), now)).unwrap();
    connection
}

fn close(part: &Arc<Recorder>, user: &str, connection: Connection) {
    let user = user.parse().unwrap();
    change(part, |roll, now| roll.close(connection, &7, &user, GRACE, |(), _| false, now));
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_22_a_user_who_moves_between_nodes_leaves_neither() {
    let hub = Arc::default();
    let (one, two) = (Recorder::new(&hub, 1), Recorder::new(&hub, 2));
    let first = open(&one, "ada");
    settle().await;
    assert_eq!((one.heard(), two.heard()), (vec!["ada joined".to_owned()], vec![]));
    hub.deliver();
    settle().await;
    assert_eq!(two.heard(), ["ada joined"]);
    close(&one, "ada", first);
    hub.deliver();
    tokio::time::sleep(GRACE / 2).await;
    let second = open(&two, "ada");
    hub.deliver();
    tokio::time::sleep(2 * GRACE).await;
    assert_eq!((one.heard(), two.heard()), (vec![], vec![]));
    close(&two, "ada", second);
    hub.deliver();
    tokio::time::sleep(2 * GRACE).await;
    assert_eq!((one.heard(), two.heard()), (vec!["ada left".to_owned()], vec!["ada left".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn rule_22_members_of_a_dead_node_leave_after_the_grace() {
    let hub: Arc<Hub> = Arc::default();
    let (one, two) = (Recorder::new(&hub, 1), Recorder::new(&hub, 2));
    open(&one, "ada");
    hub.deliver();
    settle().await;
    two.heard();
    let until = two.desk.now().after(GRACE);
    hub.tell(&Update::NodeDown { node: NodeId::new(1), until });
    tokio::time::sleep(GRACE - Duration::from_millis(100)).await;
    assert!(two.heard().is_empty());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((one.heard(), two.heard()), (vec!["ada joined".to_owned()], vec!["ada left".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn there_is_no_task_while_there_is_nothing_to_wait_for() {
    let part = Recorder::new(&Arc::default(), 1);
    let works = || part.desk.state.lock().working;
    let connection = open(&part, "ada");
    assert!(works());
    settle().await;
    assert!(!works(), "she is there, and that is all");
    close(&part, "ada", connection);
    settle().await;
    assert!(works(), "the grace is running");
    tokio::time::sleep(GRACE).await;
    assert!(!works());
    assert_eq!(part.heard(), ["ada joined", "ada left"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_telling_stops_nothing() {
    let part = Recorder::new(&Arc::default(), 1);
    part.heard.lock().push("panic".to_owned());
    open(&part, "ada");
    settle().await;
    assert_eq!(part.heard(), ["panic", "ada joined"]);
    open(&part, "bob");
    settle().await;
    assert_eq!(part.heard(), ["bob joined"]);
}
