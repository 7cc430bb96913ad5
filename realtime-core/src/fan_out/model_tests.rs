//! The flusher against a model of it: a list of who is in which lane, that is gone through for each message.
//!
//! Turns are small and sockets take what they like, so that members come, leave and are answered while a round is under way.

use std::{
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use parking_lot::Mutex;
use proptest::{collection::vec, prelude::*};

use super::{
    backlog::Load,
    flusher::Flusher,
    lane::{LaneId, SubscriberKey, Tail},
    shard::{Entry, Joining},
};
use crate::{
    outbox::{Deferred, Moment, Outbox, OutboxLimits, Overflow, WireWriter},
    telemetry::{DestinationMeters, Meters},
};

const OUTBOXES: usize = 4;
const LANES: u64 = 3;

/// Stands for the members of a lane, which the flusher only hands back.
const AUDIENCE: usize = 7;

/// What a connection is given at a time.
const PORTION: Load = Load { messages: 3, octets: 24, deliveries: usize::MAX };

#[derive(Clone, Copy, Debug)]
enum Op {
    /// To the lane of that number.
    Publish(LaneId),
    /// A connection joins a lane with one of two subscription ids.
    Join { outbox: usize, lane: LaneId, id: usize },
    /// The subscription of that number, counted from the oldest, leaves.
    Leave(usize),
    /// Something for one connection alone.
    Push(usize),
    /// A turn of twice that budget.
    Turn(usize),
    /// A socket takes so many octets more.
    Allow { outbox: usize, octets: usize },
    /// A connection's task writes what waits.
    Flush(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..LANES).prop_map(Op::Publish),
        4 => (0..OUTBOXES, 0..LANES, 0..2_usize).prop_map(|(outbox, lane, id)| Op::Join { outbox, lane, id }),
        2 => any::<usize>().prop_map(Op::Leave),
        2 => (0..OUTBOXES).prop_map(Op::Push),
        6 => (1..60_usize).prop_map(Op::Turn),
        3 => (0..OUTBOXES, 0..200_usize).prop_map(|(outbox, octets)| Op::Allow { outbox, octets }),
        2 => (0..OUTBOXES).prop_map(Op::Flush),
    ]
}

/// A socket that takes what it is allowed to.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<(usize, Vec<u8>)>>);

impl WireWriter for Taken {
    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let (allowed, taken) = &mut *self.0.lock();
        let count = octets.len().min(*allowed);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        *allowed -= count;
        taken.extend_from_slice(&octets[..count]);
        Ok(count)
    }

    fn poll_write(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        match self.try_write(&all) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            other => Poll::Ready(other),
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A connection, and what it must get: for each message in its order, the frames, in any order.
struct Connection {
    taken: Taken,
    outbox: Arc<Outbox>,
    expected: Vec<Vec<String>>,
}

impl Connection {
    fn new() -> Self {
        let taken = Taken::default();
        let outbox = Arc::new(Outbox::new(Box::new(taken.clone()), OutboxLimits::default().max_bytes(usize::MAX / 4)));
        Self { taken, outbox, expected: Vec::new() }
    }

    fn flush(&self) {
        let _ = self.outbox.poll_flush(&mut Context::from_waker(Waker::noop()));
    }

    /// What it got, in the shape of what it must get.
    fn got(&self) -> Vec<Vec<String>> {
        let text = String::from_utf8(self.taken.0.lock().1.clone()).unwrap();
        let mut frames = text.split_inclusive(';').map(str::to_owned);
        let mut next = |messages: &Vec<String>| {
            let mut some: Vec<String> = frames.by_ref().take(messages.len()).collect();
            some.sort();
            some
        };
        let mut all: Vec<Vec<String>> = self.expected.iter().map(&mut next).collect();
        all.extend(frames.map(|more| vec![more]));
        all
    }
}

struct World {
    flusher: Flusher,
    connections: Vec<Connection>,
    members: Vec<(usize, LaneId, SubscriberKey, usize)>,
    meters: Arc<DestinationMeters>,
    number: u64,
    published: u64,
    handed: u64,
    done: usize,
}

impl World {
    /// A turn, as a shard has it.
    fn turn(&mut self, budget: usize) {
        let moment = Moment::now();
        self.flusher.begin_turn();
        let left = self.flusher.take_some(budget, moment);
        self.flusher.write(budget + left, moment);
        self.flusher.end_turn();
        let done = self.flusher.take_tally().done;
        self.done += done.messages;
        assert_eq!(done.deliveries, done.messages * AUDIENCE);
    }

    fn run(&mut self, op: Op) {
        self.number += 1;
        let number = self.number;
        match op {
            Op::Publish(lane) => {
                let octets = Bytes::from(format!("m{number};"));
                let meters = Arc::clone(&self.meters);
                let tail = Tail { octets, framing: None, overflow: Overflow::Disconnect, salt: 0, meters };
                self.published += 1;
                for (place, connection) in self.connections.iter_mut().enumerate() {
                    let here = self.members.iter().filter(|(outbox, at, ..)| (*outbox, *at) == (place, lane));
                    let mut frames: Vec<String> = here.map(|(.., id)| format!("s{id}:m{number};")).collect();
                    frames.sort();
                    self.handed += frames.len() as u64;
                    connection.expected.extend((!frames.is_empty()).then_some(frames));
                }
                self.flusher.append(vec![Entry::Publish { lane, tail, audience: AUDIENCE }]);
            }
            Op::Join { outbox, lane, id } => {
                self.members.push((outbox, lane, number, id));
                let outbox = Arc::clone(&self.connections[outbox].outbox);
                let head = format!("s{id}:").into_bytes().into();
                self.flusher.append(vec![Entry::Join(Box::new(Joining { lane, outbox, key: number, head }))]);
            }
            Op::Leave(place) if !self.members.is_empty() => {
                let (outbox, lane, key, _) = self.members.remove(place % self.members.len());
                let outbox = Arc::clone(&self.connections[outbox].outbox);
                self.flusher.append(vec![Entry::Leave { lane, key, outbox }]);
            }
            Op::Leave(_) => {}
            Op::Push(place) => {
                let wire = format!("alone{number};");
                self.connections[place].expected.push(vec![wire.clone()]);
                let outbox = Arc::clone(&self.connections[place].outbox);
                outbox.expect(&Deferred::Push(wire.clone().into()));
                self.flusher.append(vec![Entry::Outbox { outbox, deferred: Deferred::Push(wire.into()) }]);
            }
            Op::Turn(budget) => self.turn(budget),
            Op::Allow { outbox, octets } => self.connections[outbox].taken.0.lock().0 += octets,
            Op::Flush(place) => self.connections[place].flush(),
        }
    }
}

impl World {
    fn finish(&mut self) {
        while !self.flusher.is_clean() {
            self.turn(100);
        }
    }

    fn new(meters: &Meters) -> Self {
        Self {
            flusher: Flusher::new(PORTION),
            connections: (0..OUTBOXES).map(|_| Connection::new()).collect(),
            members: Vec::new(),
            meters: Arc::clone(&meters.destinations.user),
            number: 0,
            published: 0,
            handed: 0,
            done: 0,
        }
    }
}

/// However much there is: what does not go into its socket is to have time to go out before more is queued.
#[test]
fn a_connection_is_given_a_portion_at_a_time() {
    let lanes: [&[LaneId]; 2] = [&[0], &[0, 1]];
    for lanes in lanes {
        let mut world = World::new(&Meters::new());
        for lane in lanes {
            world.run(Op::Join { outbox: 0, lane: *lane, id: 0 });
        }
        let waits = |world: &World| world.connections[0].outbox.waiting_bytes();
        (0..7).for_each(|number| world.run(Op::Publish(lanes[number % lanes.len()])));
        let mut most = 0;
        // With everyone else alone: nothing is answered.
        while !world.flusher.is_clean() {
            let before = waits(&world);
            world.turn(1000);
            most = most.max(waits(&world) - before);
        }
        let frame = "s0:m3;".len();
        assert_eq!((most, waits(&world)), (3 * frame, 7 * frame), "in {} lanes", lanes.len());
    }
}

/// Answers, however many: in a turn what is in front of them is a portion in all, and then one with everyone else.
#[test]
fn what_is_in_front_of_answers_is_given_in_portions_too() {
    let mut world = World::new(&Meters::new());
    world.run(Op::Join { outbox: 0, lane: 0, id: 0 });
    world.run(Op::Allow { outbox: 0, octets: usize::MAX });
    for _ in 0..20 {
        world.run(Op::Publish(0));
        world.run(Op::Push(0));
    }
    let messages = |world: &World| world.connections[0].taken.0.lock().1.iter().filter(|octet| **octet == b'm').count();
    let mut seen = vec![0];
    while !world.flusher.is_clean() {
        world.turn(1000);
        seen.push(messages(&world));
    }
    assert_eq!(seen.last(), Some(&20));
    assert!(seen.is_sorted_by(|before, after| after - before <= 3 + 3), "{seen:?}");
}

/// One that is behind everywhere does not hold up those who share a lane with it.
#[test]
fn who_is_behind_holds_up_nobody() {
    let mut world = World::new(&Meters::new());
    for (outbox, lane) in [(0, 0), (0, 1), (1, 0)] {
        world.run(Op::Join { outbox, lane, id: 0 });
    }
    (0..40).for_each(|_| world.run(Op::Publish(1)));
    for number in 0..4 {
        world.run(Op::Publish(0));
        world.turn(100);
        let seen = world.connections[1].outbox.waiting_bytes();
        assert!(seen > number * "s0:m3;".len(), "message {number}");
    }
}

proptest! {
    #[test]
    fn rule_9_every_connection_gets_what_its_lanes_were_given_in_the_order_of_the_log(ops in vec(op(), 1..120)) {
        let meters = Meters::new();
        let mut world = World::new(&meters);
        for op in ops {
            world.run(op);
        }
        world.finish();
        for connection in &world.connections {
            connection.taken.0.lock().0 = usize::MAX;
            connection.flush();
            prop_assert_eq!(connection.got(), connection.expected.clone());
        }
        prop_assert_eq!(world.done as u64, world.published, "nothing is kept that everyone has");
        prop_assert_eq!(meters.destinations.user.delivered.value(), world.handed);
        while !world.members.is_empty() {
            world.run(Op::Leave(0));
        }
        world.finish();
        prop_assert!(world.flusher.is_empty(), "who has left everything is forgotten");
    }
}
