//! The outbox against a model of it: a list of frames that is searched from end to end.
//!
//! Beside the comparison, what was written is judged by itself: whole frames in the order of their pushes, and in front of
//! each the number of those that are missing there.

use std::{collections::BTreeMap, time::Duration};

use proptest::{collection::vec, option, prelude::*};
use tokio::runtime::Builder;

use super::{
    tests::{Pipe, flush},
    *,
};

const AGE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
enum Op {
    /// A subscription ends; the next of its number is another.
    End { subscription: u64 },
    /// So many milliseconds pass.
    Pass { millis: u64 },
    /// A frame, of no subscription where none is given.
    Push { subscription: Option<u64>, overflow: Overflow, size: usize },
    /// The socket takes so many octets.
    Read { octets: usize },
}

fn op() -> impl Strategy<Value = Op> {
    let overflow = prop_oneof![Just(Overflow::Disconnect), Just(Overflow::DropOldest), Just(Overflow::LatestOnly)];
    let overflow = (0..6_u8, overflow).prop_map(|(rare, overflow)| match overflow {
        // A queue of frames that must arrive is soon at its end.
        Overflow::Disconnect if rare > 0 => Overflow::DropOldest,
        other => other,
    });
    prop_oneof![
        1 => (0..3_u64).prop_map(|subscription| Op::End { subscription }),
        2 => (0..700_u64).prop_map(|millis| Op::Pass { millis }),
        12 => (option::weighted(0.95, 0..3_u64), overflow, 0..12_usize)
            .prop_map(|(subscription, overflow, size)| Op::Push { subscription, overflow, size }),
        4 => (0..40_usize).prop_map(|octets| Op::Read { octets }),
    ]
}

/// Notes as text in front of a frame.
fn note(wire: &Bytes, name: &str, value: &str) -> Bytes {
    [b"[", name.as_bytes(), b":", value.as_bytes(), b"]", &wire[..]].concat().into()
}

struct Frame {
    id: usize,
    text: String,
    written: usize,
    key: Option<u64>,
    overflow: Overflow,
    dropped: u32,
    since: Instant,
}

impl Frame {
    fn may_drop(&self) -> bool {
        self.written == 0 && self.overflow != Overflow::Disconnect
    }
}

struct Model {
    limits: OutboxLimits,
    queue: Vec<Frame>,
    output: String,
    allowance: usize,
    unsaid: BTreeMap<u64, u32>,
    last_write: Instant,
    stopped: bool,
    lost: Vec<usize>,
    superseded: Vec<usize>,
}

impl Model {
    fn push(&mut self, id: usize, key: Option<u64>, overflow: Overflow, text: String) -> Pushed {
        if self.stopped {
            return Pushed::Refused;
        }
        let mut frame = Frame { id, text, written: 0, key, overflow, dropped: 0, since: clock::now() };
        let unsaid = key.is_some_and(|key| self.unsaid.contains_key(&key));
        if self.queue.is_empty() && !unsaid {
            self.write(&mut frame);
            if frame.written == frame.text.len() {
                return Pushed::Written;
            }
            self.queue.push(frame);
            return Pushed::Queued;
        }
        let kept: Vec<&Frame> = self.queue.iter().filter(|frame| !frame.may_drop()).collect();
        if !fits(&self.limits, &kept, frame.text.len()) {
            if overflow == Overflow::Disconnect {
                self.stop();
                return Pushed::Refused;
            }
            *self.unsaid.entry(key.unwrap()).or_default() += 1;
            self.lost.push(id);
            return Pushed::Dropped;
        }
        let of_same = |other: &Frame| other.may_drop() && other.key == key && other.overflow == overflow;
        if overflow == Overflow::LatestOnly
            && let Some(index) = self.queue.iter().position(of_same)
        {
            let old = self.queue.remove(index);
            self.superseded.push(old.id);
            self.miss(key.unwrap(), old.dropped, index);
        }
        while !fits(&self.limits, &self.queue.iter().collect::<Vec<_>>(), frame.text.len()) {
            let own = self.queue.iter().position(|other| overflow == Overflow::DropOldest && of_same(other));
            let index = own.or_else(|| self.queue.iter().position(Frame::may_drop)).unwrap();
            self.drop(index);
        }
        frame.dropped = key.and_then(|key| self.unsaid.remove(&key)).unwrap_or_default();
        self.queue.push(frame);
        Pushed::Queued
    }

    fn read(&mut self, octets: usize) {
        self.allowance = octets;
        while !self.queue.is_empty() && self.allowance > 0 {
            let mut head = self.queue.remove(0);
            if head.written == 0 && head.dropped > 0 {
                head.text = format!("[dropped:{}]{}", head.dropped, head.text);
                head.dropped = 0;
            }
            self.write(&mut head);
            if head.written < head.text.len() {
                self.queue.insert(0, head);
            }
        }
    }

    fn pass(&mut self) {
        while let Some(head) = self.queue.first()
            && !self.stopped
            && AGE <= clock::now() - if head.written > 0 { head.since.max(self.last_write) } else { head.since }
        {
            if head.may_drop() {
                self.drop(0);
            } else {
                self.stop();
            }
        }
    }

    fn end(&mut self, key: u64) {
        self.unsaid.remove(&key);
        for frame in self.queue.iter_mut().filter(|frame| frame.key == Some(key)) {
            frame.key = None;
        }
    }

    fn write(&mut self, frame: &mut Frame) {
        let count = self.allowance.min(frame.text.len() - frame.written);
        self.allowance -= count;
        self.output += &frame.text[frame.written..frame.written + count];
        frame.written += count;
        if count > 0 {
            self.last_write = clock::now();
        }
    }

    fn drop(&mut self, index: usize) {
        let gone = self.queue.remove(index);
        self.lost.push(gone.id);
        if let Some(key) = gone.key {
            self.miss(key, gone.dropped + 1, index);
        }
    }

    fn miss(&mut self, key: u64, count: u32, from: usize) {
        if let Some(next) = self.queue[from..].iter_mut().find(|frame| frame.key == Some(key)) {
            next.dropped += count;
        } else if count > 0 {
            *self.unsaid.entry(key).or_default() += count;
        }
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.queue.retain(|frame| frame.written > 0);
    }

    fn waiting(&self) -> usize {
        self.queue.iter().map(|frame| frame.text.len() - frame.written).sum()
    }
}

fn fits(limits: &OutboxLimits, queue: &[&Frame], octets: usize) -> bool {
    let behind: usize = queue.iter().skip(1).map(|frame| frame.text.len()).sum();
    queue.is_empty() || (queue.len() < limits.max_messages && behind + octets <= limits.max_bytes)
}

/// Judges what was written by what was pushed: each frame's number is its place, and its key and fate are looked up.
fn judge(output: &str, keys: &[Option<u64>], lost: &[usize], ended: &[u64]) {
    let mut before: BTreeMap<Option<u64>, usize> = BTreeMap::new();
    let mut latest = None;
    for frame in output.split_terminator(';') {
        let (dropped, frame) = match frame.strip_prefix("[dropped:") {
            Some(rest) => rest.split_once(']').map(|(count, frame)| (count.parse().unwrap(), frame)).unwrap(),
            None => (0, frame),
        };
        let id: usize = frame.split_once(':').unwrap().0.parse().unwrap();
        assert!(latest < Some(id), "{id} came after {latest:?}");
        latest = Some(id);
        let key = keys[id];
        let from = before.insert(key, id + 1).unwrap_or_default();
        if key.is_some_and(|key| !ended.contains(&key)) {
            let missing = lost.iter().filter(|lost| (from..id).contains(lost) && keys[**lost] == key).count();
            assert_eq!(dropped, missing, "in front of {id}");
        }
    }
}

/// Runs `ops` against both.
fn run(limits: OutboxLimits, ops: &[Op]) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let pipe = Pipe::default();
        let outbox = pipe.outbox(limits).annotate_with(note);
        let mut model = Model {
            limits,
            queue: Vec::new(),
            output: String::new(),
            allowance: 0,
            unsaid: BTreeMap::new(),
            last_write: clock::now(),
            stopped: false,
            lost: Vec::new(),
            superseded: Vec::new(),
        };
        let mut current = [0, 1, 2];
        let mut ended = Vec::new();
        let mut keys = Vec::new();
        for op in ops {
            match *op {
                Op::End { subscription } => {
                    let key = current[usize::try_from(subscription).unwrap()];
                    outbox.forget(key);
                    model.end(key);
                    ended.push(key);
                    current[usize::try_from(subscription).unwrap()] += 3;
                }
                Op::Pass { millis } => {
                    tokio::time::advance(Duration::from_millis(millis)).await;
                    outbox.check_age(clock::now());
                    model.pass();
                }
                Op::Push { subscription, overflow, size } => {
                    let id = keys.len();
                    let text = format!("{id}:{};", "x".repeat(size));
                    let wire = Bytes::from(text.clone());
                    let key = subscription.map(|number| current[usize::try_from(number).unwrap()]);
                    keys.push(key);
                    let (pushed, overflow) = match key {
                        Some(key) => (outbox.push_for(key, overflow, wire), overflow),
                        None => (outbox.push(wire), Overflow::Disconnect),
                    };
                    assert_eq!(pushed, model.push(id, key, overflow, text), "{op:?}");
                }
                Op::Read { octets } => {
                    pipe.allow(octets);
                    // The first answer may be news alone.
                    while flush(&outbox).is_ready() {}
                    model.read(octets);
                }
            }
            assert_eq!(pipe.taken(), model.output, "{op:?}");
            assert_eq!(outbox.is_open(), !model.stopped, "{op:?}");
            let waiting = {
                let state = outbox.state.lock();
                (state.queue.len(), state.queue.waiting())
            };
            assert_eq!(waiting, (model.queue.len(), model.waiting()), "{op:?}");
            assert!(model.queue.len() <= limits.max_messages, "{op:?}");
            assert!(model.queue.iter().skip(1).map(|frame| frame.text.len()).sum::<usize>() <= limits.max_bytes);
            let history = outbox.history();
            assert_eq!((history.overflowed, history.superseded), (model.lost.len(), model.superseded.len()), "{op:?}");
        }
        pipe.allow(usize::MAX);
        while flush(&outbox).is_ready() {}
        assert_eq!(outbox.waiting_bytes(), 0);
        let output = pipe.taken();
        judge(&output, &keys, &model.lost, &ended);
        if !model.stopped {
            // What was taken is written, lost or superseded.
            let written = output.split_terminator(';').count();
            assert_eq!(written + model.lost.len() + model.superseded.len(), keys.len());
        }
    });
}

proptest! {
    #[test]
    fn rule_16_the_outbox_does_what_its_model_does(
        max_bytes in 4..60_usize,
        max_messages in 1..6_usize,
        ops in vec(op(), 1..120),
    ) {
        let limits = OutboxLimits::default().max_bytes(max_bytes).max_messages(max_messages).max_age(AGE);
        run(limits, &ops);
    }
}
