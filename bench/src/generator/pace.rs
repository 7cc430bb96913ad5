//! How fast messages go, and the loop that keeps that pace.

use std::error::Error;

use crate::{
    clock::{self, SECOND},
    generator::{Lane, Load, Outcome},
};

/// Without a delivery for so long, what is in flight is lost.
const PATIENCE: u64 = 10 * SECOND;

/// Messages of one stream that may be in flight at a fixed rate; a server that is further behind than that is waited for,
/// and its messages grow older.
const MOST_IN_FLIGHT: usize = 4096;

/// The first pause before a probe is repeated; each further one is twice as long.
const FIRST_PROBE: u64 = SECOND / 4;

/// How often a probe is repeated: two minutes in all.
const PROBES: u32 = 9;

/// Segments that Linux acknowledges to one who listens when they arrive, in the sender's time, at the beginning of a connection and
/// after a pause of 200 ms or more (`TCP_MAX_QUICKACKS` of its source).
const QUICK_ACKS: u32 = 16;

/// How messages follow one another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// So many messages of each stream are in flight at any time: the next one goes when one has reached everyone.
    Closed(u32),
    /// So many go in one write; the next ones when all of them have reached everyone.
    Burst(u32),
    /// So many a second, over all streams of the lane in turn, whatever the server does.
    Rate(f64),
}

/// Something else that a load does while it publishes: called after each turn of its loop.
pub(crate) trait Companion {
    /// Does the next bit of it, without waiting.
    fn go_on(&mut self, load: &mut Load<'_>) -> Result<(), Box<dyn Error>>;
}

/// Nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nobody;

impl Companion for Nobody {
    fn go_on(&mut self, _: &mut Load<'_>) -> Result<(), Box<dyn Error>> {
        Ok(())
    }
}

impl Load<'_> {
    /// Publishes until everyone who should has received something: what some servers confirm no subscription by. What was
    /// lost before does not count, for it may have been sent too early. Then it goes on until the kernel acknowledges as it will.
    pub(crate) fn settle(&mut self, stream: usize) -> Result<(), Box<dyn Error>> {
        let faults = self.faults;
        let mut arrived = false;
        for probe in 0..PROBES {
            arrived = self.probe(stream, FIRST_PROBE << probe)?;
            if arrived {
                break;
            }
        }
        for _ in 0..QUICK_ACKS {
            arrived = arrived && self.probe(stream, PATIENCE)?;
        }
        let missing = self.streams[stream].abandon();
        if !arrived {
            return Err(format!("no message reached all subscribers; {missing} deliveries are missing").into());
        }
        let destination = self.streams[stream].destination;
        for client in self.clients.iter_mut().flatten().filter(|client| client.hears(destination)) {
            client.ledger.forgive(u32::try_from(stream)?);
        }
        self.faults = faults;
        Ok(())
    }

    /// Publishes a message; returns whether one reaches everyone in so many nanoseconds.
    fn probe(&mut self, stream: usize, pause: u64) -> Result<bool, Box<dyn Error>> {
        self.completed.clear();
        self.publish(stream, 1, clock::now())?;
        let until = clock::now() + pause;
        while !self.completed.contains(&stream) && clock::now() < until {
            self.completed.clear();
            self.turn(until)?;
        }
        Ok(self.completed.contains(&stream))
    }

    /// Publishes at each lane's pace for so many nanoseconds, and waits for the last deliveries.
    pub(crate) fn run(
        &mut self,
        lanes: Vec<Lane>,
        time: u64,
        companion: &mut dyn Companion,
    ) -> Result<Vec<Outcome>, Box<dyn Error>> {
        for (number, lane) in lanes.iter().enumerate() {
            for stream in &lane.streams {
                self.streams[*stream].lane = number;
            }
        }
        self.lanes = lanes;
        self.completed.clear();
        let begun = clock::now();
        let end = begun + time;
        self.start_lanes(begun)?;
        let mut progress = Progress::new(begun);
        loop {
            let now = clock::now();
            if now >= end {
                break;
            }
            let next = self.publish_due(begun, now)?;
            self.turn(next.min(end).min(progress.deadline()))?;
            self.follow()?;
            if progress.has_stalled(self) {
                self.give_up();
                self.start_lanes(begun)?;
            }
            companion.go_on(self)?;
        }
        while self.in_flight() > 0 {
            self.turn(progress.deadline())?;
            self.completed.clear();
            if progress.has_stalled(self) {
                self.give_up();
            }
        }
        Ok(std::mem::take(&mut self.lanes).into_iter().map(Lane::finish).collect())
    }

    /// The first messages of the lanes that wait for their deliveries.
    fn start_lanes(&mut self, now: u64) -> Result<(), Box<dyn Error>> {
        for lane in 0..self.lanes.len() {
            let (first, together) = match self.lanes[lane].pace {
                Pace::Closed(window) => (window, 1),
                Pace::Burst(messages) => (1, messages),
                Pace::Rate(_) => continue,
            };
            for place in 0..self.lanes[lane].streams.len() {
                let stream = self.lanes[lane].streams[place];
                for _ in 0..first {
                    self.publish_in(lane, stream, together, now.max(clock::now()))?;
                }
                // Thousands of publishers are not to fill the sockets before anybody reads.
                if place % 64 == 63 {
                    self.turn(0)?;
                }
            }
        }
        Ok(())
    }

    /// What a fixed rate demands by now; returns when the next message is due.
    fn publish_due(&mut self, begun: u64, now: u64) -> Result<u64, Box<dyn Error>> {
        let mut next = u64::MAX;
        for lane in 0..self.lanes.len() {
            let Pace::Rate(rate) = self.lanes[lane].pace else { continue };
            loop {
                let published = self.lanes[lane].published;
                let due = begun + (published as f64 / rate * SECOND as f64) as u64;
                if due > now {
                    next = next.min(due);
                    break;
                }
                let streams = &self.lanes[lane].streams;
                let stream = streams[usize::try_from(published)? % streams.len()];
                if self.streams[stream].in_flight() >= MOST_IN_FLIGHT {
                    break;
                }
                self.publish_in(lane, stream, 1, due)?;
            }
        }
        Ok(next)
    }

    /// Lets messages follow those that have reached everyone.
    fn follow(&mut self) -> Result<(), Box<dyn Error>> {
        let completed = std::mem::take(&mut self.completed);
        for stream in &completed {
            let lane = self.streams[*stream].lane;
            match self.lanes.get(lane).map(|lane| lane.pace) {
                Some(Pace::Closed(_)) => self.publish_in(lane, *stream, 1, clock::now())?,
                Some(Pace::Burst(messages)) if self.streams[*stream].in_flight() == 0 => {
                    self.publish_in(lane, *stream, messages, clock::now())?;
                }
                _ => {}
            }
        }
        // The allocation is used again; what came meanwhile, by writing alone, is nothing.
        self.completed = completed;
        self.completed.clear();
        Ok(())
    }

    fn publish_in(&mut self, lane: usize, stream: usize, messages: u32, sent: u64) -> Result<(), Box<dyn Error>> {
        self.publish(stream, messages, sent)?;
        let deliveries = u64::from(self.streams[stream].audience()) * u64::from(messages);
        let lane = &mut self.lanes[lane];
        lane.published += u64::from(messages);
        lane.expected += deliveries;
        Ok(())
    }

    fn in_flight(&self) -> usize {
        self.lanes.iter().flat_map(|lane| &lane.streams).map(|stream| self.streams[*stream].in_flight()).sum()
    }

    /// What is in flight has been lost.
    fn give_up(&mut self) {
        for stream in self.lanes.iter().flat_map(|lane| &lane.streams) {
            self.streams[*stream].abandon();
        }
        self.completed.clear();
    }
}

/// Whether deliveries still come.
struct Progress {
    delivered: u64,
    since: u64,
}

impl Progress {
    fn new(now: u64) -> Self {
        Self { delivered: 0, since: now }
    }

    fn deadline(&self) -> u64 {
        self.since + PATIENCE
    }

    /// Whether nothing has come for too long although something should.
    fn has_stalled(&mut self, load: &Load<'_>) -> bool {
        let now = clock::now();
        if load.effort.frames != self.delivered {
            self.delivered = load.effort.frames;
            self.since = now;
            return false;
        }
        if now < self.deadline() {
            return false;
        }
        self.since = now;
        load.in_flight() > 0
    }
}
