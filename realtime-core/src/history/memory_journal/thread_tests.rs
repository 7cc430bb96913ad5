//! The journal under threads: appends, reads, evictions, sweeps and forgetting at once.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use futures_util::FutureExt;
use parking_lot::Mutex;

use super::*;
use crate::{history::Stamp, publication::Publication};

const APPENDERS: usize = 4;
const APPENDS: usize = 1500;

/// What one destination's calls have in common.
#[derive(Default)]
struct Seen {
    last: Option<Stamp>,
    epochs: HashSet<Epoch>,
    ids: HashSet<Arc<str>>,
}

/// Checks the calls of each destination: one after another, each following the one before or beginning an epoch that is new.
struct Order {
    seen: HashMap<Destination, Mutex<Seen>>,
    faults: AtomicUsize,
}

impl JournalSink for Order {
    fn appended(&self, destination: &Destination, stamp: Stamp, entry: &Entry) -> usize {
        // Locked already: two calls at once.
        let Some(mut seen) = self.seen[destination].try_lock() else {
            self.faults.fetch_add(1, Ordering::Relaxed);
            return 0;
        };
        let follows = match seen.last {
            Some(last) if last.epoch == stamp.epoch => stamp.prev == last.offset && stamp.offset > last.offset,
            _ => stamp.prev == 0 && seen.epochs.insert(stamp.epoch),
        };
        let is_new = seen.ids.insert(Arc::clone(&entry.message_id));
        self.faults.fetch_add(usize::from(!follows || !is_new), Ordering::Relaxed);
        seen.last = Some(stamp);
        drop(seen);
        1
    }
}

/// Follows a destination from `after` until told to stop, and returns how many entries it read and how often it was told that
/// it missed some.
fn follow(journal: &MemoryJournal, on: &Destination, mut after: Position, stop: &AtomicBool) -> (usize, usize) {
    let (mut read, mut lost) = (0, 0);
    loop {
        // Asked before the read, so that the last read comes after the last append.
        let last = stop.load(Ordering::Acquire);
        let page = journal.read(on, after, ReadLimit::new(5, 1 << 20)).now_or_never().unwrap().unwrap();
        if !page.complete {
            lost += 1;
            after = page.top;
        }
        for (stamp, _) in &page.entries {
            assert_eq!((stamp.epoch, stamp.prev), (after.epoch, after.offset));
            after = stamp.position();
            read += 1;
        }
        if last && page.complete && page.next().is_none() {
            assert_eq!(after, page.top);
            return (read, lost);
        }
        thread::yield_now();
    }
}

fn run(limits: MemoryLimits, retain: Retain, forgets: bool) -> Vec<(usize, usize)> {
    let destinations = ["/topic/a", "/topic/b", "/topic/c"].map(|text| text.parse::<Destination>().unwrap());
    let retention = Retention::new([("/topic/**".parse().unwrap(), retain)]).unwrap();
    let journal = MemoryJournal::new(retention, limits);
    let sink = Arc::new(Order {
        seen: destinations.iter().map(|one| (one.clone(), Mutex::default())).collect(),
        faults: AtomicUsize::new(0),
    });
    journal.attach(sink.clone());
    let stop = AtomicBool::new(false);
    let read = thread::scope(|scope| {
        let (journal, stop, destinations) = (&journal, &stop, &destinations);
        let readers = destinations.each_ref().map(|on| {
            // Before there is an entry.
            let begin = journal.top(on).now_or_never().unwrap().unwrap();
            scope.spawn(move || follow(journal, on, begin, stop))
        });
        let appenders: [_; APPENDERS] = std::array::from_fn(|appender| {
            scope.spawn(move || {
                let mut before = HashMap::new();
                for index in 0..APPENDS {
                    let on = &destinations[(index * (appender + 1)) % destinations.len()];
                    let entry = Entry::new(format!("{appender}-{index}"), Publication::text("x"));
                    let appended = journal.append(on, entry).now_or_never().unwrap().unwrap();
                    assert_eq!(appended.reached, 1);
                    // Its own appends stand in the order in which it made them.
                    if let Some(before) = before.insert(on, appended.position)
                        && before.epoch == appended.position.epoch
                    {
                        assert!(before.offset < appended.position.offset);
                    }
                    if forgets && index % 100 == 99 {
                        journal.forget(on).now_or_never().unwrap().unwrap();
                        journal.sweep();
                    }
                }
            })
        });
        let appended = appenders.map(thread::ScopedJoinHandle::join);
        // Before a failure goes on: readers would wait for ever.
        stop.store(true, Ordering::Release);
        assert!(appended.iter().all(Result::is_ok));
        readers.map(|reader| reader.join().unwrap()).to_vec()
    });
    assert_eq!(sink.faults.load(Ordering::Relaxed), 0);
    let seen: usize = sink.seen.values().map(|seen| seen.lock().ids.len()).sum();
    assert_eq!(seen, APPENDERS * APPENDS, "every entry once");
    let usage = journal.usage();
    assert!(usage.destinations <= limits.max_destinations && usage.octets <= limits.max_octets, "{usage:?}");
    // Whatever was evicted under other threads' hands has given everything back.
    let mut octets = 0;
    for on in &destinations {
        let top = journal.top(on).now_or_never().unwrap().unwrap();
        let limit = ReadLimit::new(usize::MAX, usize::MAX);
        let kept = (0..=top.offset)
            .map(|offset| journal.read_now(on, Position { offset, ..top }, limit).unwrap())
            .find(|page| page.complete)
            .unwrap();
        octets += kept.entries.iter().map(|(_, entry)| entry.octets()).sum::<usize>();
    }
    assert_eq!(usage.octets, octets);
    read
}

#[test]
fn rule_9_the_sink_sees_the_order_of_positions_and_readers_miss_nothing() {
    let read = run(MemoryLimits::default(), Retain::last(APPENDERS * APPENDS).up_to(1 << 24), false);
    assert!(read.iter().all(|(_, lost)| *lost == 0), "{read:?}");
    assert_eq!(read.iter().map(|(read, _)| read).sum::<usize>(), APPENDERS * APPENDS);
}

#[test]
fn rule_15_under_evictions_and_forgetting_the_order_holds_and_every_loss_is_told() {
    run(MemoryLimits::default().max_destinations(2), Retain::last(20), true);
    run(MemoryLimits::default().max_octets(4000), Retain::last(20), true);
}
