//! Many small rooms in which everybody talks.

use std::error::Error;

use super::{BODY, Scenario, Stage};
use crate::{
    generator::{Lane, Pace, Plan, Session},
    sample::{self, Column, Sample},
};

/// How many times as long it takes as other scenarios: a message waits for those of ten thousand others here, which takes a second
/// or two, and what is to be measured is not the first of them.
const LONGER: u64 = 4;

/// Rooms of equal size; each member has one message in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rooms {
    pub(crate) rooms: usize,
    pub(crate) members: usize,
}

impl Scenario for Rooms {
    fn columns(&self) -> Vec<Column> {
        vec![
            sample::PER_CPU_SECOND,
            sample::PER_SECOND,
            sample::P50,
            sample::P99,
            sample::OCTETS_PER_DELIVERY,
            sample::LOST,
            sample::DOUBLED,
            sample::DISORDERED,
        ]
    }

    fn measure(&self, stage: &Stage<'_>) -> Result<Sample, Box<dyn Error>> {
        let mut load = stage.load(BODY)?;
        let rooms = (0..self.rooms * self.members).map(|session| session % self.rooms);
        let sessions: Vec<_> = rooms.map(|room| Session::subscriber(vec![room])).collect();
        let clients = load.connect(&Plan { sessions, tokens: Vec::new(), witness: true })?;
        let streams: Vec<_> = clients
            .iter()
            .enumerate()
            .map(|(place, client)| load.stream(*client, place % self.rooms, self.members))
            .collect();
        // A room says that all are there; others were subscribed before.
        load.settle(streams[streams.len() - 1])?;
        let stage = Stage { time: stage.time * LONGER, ..*stage };
        let (sample, _) = stage.measure(&mut load, || vec![Lane::new(Pace::Closed(1), streams.clone())])?;
        Ok(sample)
    }
}
