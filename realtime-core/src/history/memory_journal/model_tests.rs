//! The journal against a model of it: a list of everything that was appended, of which a naive rule says what is kept.

use std::time::Duration;

use parking_lot::Mutex;
use proptest::{collection::vec, prelude::*};
use tokio::time::advance;

use super::*;
use crate::{history::Stamp, publication::Publication};

const DESTINATIONS: [&str; 4] = ["/topic/a", "/topic/b", "/topic/b/x", "/topic/b/y"];

/// Times are whole units, so that ages are often met exactly.
const UNIT: Duration = Duration::from_millis(100);

/// The octets of an entry of size zero, and of each more: bounds are often met exactly.
const STEP: usize = 300;

#[derive(Clone, Debug)]
enum Op {
    Advance { units: u64 },
    Append { on: usize, size: usize },
    Forget { on: usize },
    Read { on: usize, earlier: prop::sample::Index, limit: ReadLimit },
    Top { on: usize },
}

fn op() -> impl Strategy<Value = Op> {
    let on = 0..DESTINATIONS.len();
    let limit = (0..4_usize, 0..5 * STEP).prop_map(|(messages, octets)| ReadLimit::new(messages, octets));
    prop_oneof![
        1 => (1..3_u64).prop_map(|units| Op::Advance { units }),
        6 => (on.clone(), 1..4_usize).prop_map(|(on, size)| Op::Append { on, size }),
        1 => on.clone().prop_map(|on| Op::Forget { on }),
        6 => (on.clone(), any::<prop::sample::Index>(), limit)
            .prop_map(|(on, earlier, limit)| Op::Read { on, earlier, limit }),
        2 => on.prop_map(|on| Op::Top { on }),
    ]
}

/// What is retained by every destination, what all have together, and whether what is too old is swept at once. Without that
/// it leaves when somebody looks, so there is no bound of all then: the model does not say when an octet is given back.
fn setting() -> impl Strategy<Value = (Retain, MemoryLimits, bool)> {
    let retain = (0..6_usize, 0..5_u64, 0..8_usize).prop_map(|(messages, units, steps)| {
        Retain::last(messages).within(UNIT * u32::try_from(units).unwrap()).up_to(steps * STEP)
    });
    let bounded = (0..5_usize, 0..12_usize).prop_map(|(destinations, steps)| {
        (MemoryLimits::default().max_destinations(destinations).max_octets(steps * STEP), true)
    });
    (retain, prop_oneof![bounded, Just((MemoryLimits::default(), false))])
        .prop_map(|(retain, (limits, swept))| (retain, limits, swept))
}

/// A life of a history; the model does not know numbers of epochs.
type Life = usize;

#[derive(Debug)]
struct Appended {
    id: usize,
    at: u64,
    octets: usize,
}

#[derive(Debug)]
struct History {
    life: Life,
    used: usize,
    all: Vec<Appended>,
}

#[derive(Debug)]
struct Model {
    retain: Retain,
    limits: MemoryLimits,
    now: u64,
    lives: Life,
    appends: usize,
    unseen: Life,
    histories: [Option<History>; DESTINATIONS.len()],
}

impl Model {
    fn new(retain: Retain, limits: MemoryLimits) -> Self {
        let retain = retain.up_to(retain.octets().min(limits.max_octets));
        Self { retain, limits, now: 0, lives: 1, appends: 0, unseen: 0, histories: [const { None }; 4] }
    }

    fn new_life(&mut self) -> Life {
        self.lives += 1;
        self.lives - 1
    }

    fn append(&mut self, on: usize, octets: usize) -> usize {
        let id = self.appends;
        self.appends += 1;
        let history = self.histories[on].get_or_insert_with(|| History { life: self.unseen, used: 0, all: Vec::new() });
        history.used = self.appends;
        history.all.push(Appended { id, at: self.now, octets });
        while self.octets() > self.limits.max_octets
            || self.histories.iter().flatten().count() > self.limits.max_destinations
        {
            let oldest = self.histories.iter_mut().filter(|one| one.is_some());
            *oldest.min_by_key(|one| one.as_ref().unwrap().used).unwrap() = None;
            self.unseen = self.new_life();
        }
        id
    }

    fn forget(&mut self, on: usize) {
        let life = self.new_life();
        match &mut self.histories[on] {
            Some(history) => (history.life, history.all) = (life, Vec::new()),
            None => self.unseen = life,
        }
    }

    fn top(&self, on: usize) -> (Life, usize) {
        self.histories[on].as_ref().map_or((self.unseen, 0), |history| (history.life, history.all.len()))
    }

    /// How many of the first ones are gone.
    fn trimmed(&self, history: &History) -> usize {
        let fits = |kept: &[Appended]| {
            kept.len() <= self.retain.messages()
                && kept.iter().map(|one| one.octets).sum::<usize>() <= self.retain.octets()
                && kept.iter().all(|one| UNIT * u32::try_from(self.now - one.at).unwrap() <= self.retain.age())
        };
        (0..=history.all.len()).find(|first| fits(&history.all[*first..])).unwrap()
    }

    fn octets(&self) -> usize {
        let kept = self.histories.iter().flatten().flat_map(|history| &history.all[self.trimmed(history)..]);
        kept.map(|one| one.octets).sum()
    }

    /// The ids after a place, `None` where they cannot be known.
    fn read(&self, on: usize, (life, offset): (Life, usize)) -> Option<Vec<usize>> {
        let Some(history) = &self.histories[on] else { return (self.unseen == life).then(Vec::new) };
        let is_known = history.life == life && offset >= self.trimmed(history);
        is_known.then(|| history.all[offset..].iter().map(|one| one.id).collect())
    }
}

/// Keeps what it was given, and checks that each stamp follows the one before.
#[derive(Default)]
struct Chain(Mutex<HashMap<Destination, Vec<(Stamp, String)>>>);

impl JournalSink for Chain {
    fn appended(&self, destination: &Destination, stamp: Stamp, entry: &Entry) -> usize {
        let mut chains = self.0.lock();
        let chain = chains.entry(destination.clone()).or_default();
        match chain.last() {
            Some((before, _)) if before.epoch == stamp.epoch => assert_eq!(stamp.prev, before.offset),
            _ => assert_eq!(stamp.prev, 0),
        }
        chain.push((stamp, entry.message_id.to_string()));
        7
    }
}

struct Run {
    journal: MemoryJournal,
    sink: Arc<Chain>,
    model: Model,
    swept: bool,
    /// Every place that was ever returned, on its destination: in the journal's words and in the model's.
    places: [Vec<(Position, (Life, usize))>; DESTINATIONS.len()],
    epochs: HashMap<Epoch, Life>,
    sent: [Vec<String>; DESTINATIONS.len()],
}

impl Run {
    async fn step(&mut self, op: Op) {
        match op {
            Op::Advance { units } => {
                advance(UNIT * u32::try_from(units).unwrap()).await;
                self.model.now += units;
                if self.swept {
                    self.journal.sweep();
                }
            }
            Op::Append { on, size } => {
                let id = self.model.append(on, size * STEP);
                let body = vec![b'x'; size * STEP - Entry::new(id.to_string(), Publication::default()).octets()];
                let entry = Entry::new(id.to_string(), Publication::bytes(body));
                let appended = self.journal.append(&destination(on), entry).await.unwrap();
                assert_eq!((appended.reached, appended.duplicate), (7, false));
                self.sent[on].push(id.to_string());
                // Where it was evicted at once, the place that it had is one of a life that has ended.
                if self.model.histories[on].is_some() {
                    self.found(on, appended.position);
                }
            }
            Op::Forget { on } => {
                self.journal.forget(&destination(on)).await.unwrap();
                self.model.forget(on);
            }
            Op::Read { on, earlier, limit } if !self.places[on].is_empty() => {
                let (position, place) = *earlier.get(&self.places[on]);
                assert_eq!(self.read(on, position, limit).await, self.model.read(on, place), "after {place:?}");
            }
            Op::Read { .. } => {}
            Op::Top { on } => {
                let top = self.journal.top(&destination(on)).await.unwrap();
                self.found(on, top);
            }
        }
        if self.swept {
            let usage = self.journal.usage();
            assert_eq!(usage.octets, self.model.octets());
            assert_eq!(usage.destinations, self.model.histories.iter().flatten().count());
        }
    }

    /// Notes a place that is the top, and checks that it is the model's.
    fn found(&mut self, on: usize, position: Position) {
        let place = self.model.top(on);
        assert_eq!(position.offset, place.1 as u64);
        assert_eq!(*self.epochs.entry(position.epoch).or_insert(place.0), place.0, "an epoch is one life");
        self.places[on].push((position, place));
    }

    /// Everything after `after`, page by page.
    async fn read(&mut self, on: usize, mut after: Position, limit: ReadLimit) -> Option<Vec<usize>> {
        let mut ids = Vec::new();
        loop {
            let page = self.journal.read(&destination(on), after, limit).await.unwrap();
            self.found(on, page.top);
            if !page.complete {
                assert!(page.entries.is_empty());
                return None;
            }
            let octets: usize = page.entries.iter().map(|(_, entry)| entry.octets()).sum();
            assert!(page.entries.len() <= 1 || (page.entries.len() <= limit.messages && octets <= limit.octets));
            for (stamp, entry) in &page.entries {
                assert_eq!((stamp.epoch, stamp.prev), (after.epoch, after.offset));
                after = stamp.position();
                ids.push(entry.message_id.parse().unwrap());
            }
            let Some(next) = page.next() else { return Some(ids) };
            assert_eq!(next, after);
        }
    }
}

fn destination(on: usize) -> Destination {
    DESTINATIONS[on].parse().unwrap()
}

proptest! {
    /// Rules 14, 15: after any place that was ever returned, exactly what came after it, or the word that this is not known;
    /// never a hole, never an entry twice.
    #[test]
    fn rule_15_a_read_is_the_models_suffix_or_incomplete((retain, limits, swept) in setting(), ops in vec(op(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let retention = Retention::new([("/topic/**".parse().unwrap(), retain)]).unwrap();
            let mut run = Run {
                journal: MemoryJournal::new(retention, limits),
                sink: Arc::default(),
                model: Model::new(retain, limits),
                swept,
                places: Default::default(),
                epochs: HashMap::new(),
                sent: Default::default(),
            };
            run.journal.attach(run.sink.clone());
            for op in ops {
                run.step(op).await;
            }
            for (on, sent) in run.sent.iter().enumerate() {
                let chains = run.sink.0.lock();
                let seen = chains.get(&destination(on)).into_iter().flatten().map(|(_, id)| id);
                assert!(seen.eq(sent), "the sink saw every entry once, in order");
            }
        });
    }
}
