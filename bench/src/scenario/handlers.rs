//! A typed handler that answers whoever asked, one question of each client at a time.

use std::error::Error;

use super::{BODY, Scenario, Stage};
use crate::{
    dialect::Variation,
    generator::{Lane, Pace, Plan, Session},
    sample::{self, Column, Sample},
};

/// Clients that ask, each as soon as it has its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handlers {
    pub(crate) clients: usize,
}

impl Scenario for Handlers {
    fn columns(&self) -> Vec<Column> {
        vec![
            sample::PER_CPU_SECOND,
            sample::PER_SECOND,
            sample::P50,
            sample::P99,
            sample::OCTETS_PER_DELIVERY,
            sample::LOST,
            sample::DOUBLED,
        ]
    }

    fn variation(&self) -> Variation {
        Variation { echo: true, ..Variation::default() }
    }

    fn measure(&self, stage: &Stage<'_>) -> Result<Sample, Box<dyn Error>> {
        let mut load = stage.load(BODY)?;
        // What one client says, only it hears: a destination of its own, as far as the load is concerned.
        let sessions = (0..self.clients).map(|client| Session::subscriber(vec![client])).collect();
        let clients = load.connect(&Plan { sessions, tokens: Vec::new(), witness: true })?;
        let streams: Vec<_> =
            clients.iter().enumerate().map(|(place, client)| load.stream(*client, place, 1)).collect();
        let (sample, _) = stage.measure(&mut load, || vec![Lane::new(Pace::Closed(1), streams.clone())])?;
        Ok(sample)
    }
}
