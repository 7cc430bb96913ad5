//! Clients that come and go: the upgrade with a JWT, CONNECT, one SUBSCRIBE, and away.

use std::error::Error;

use super::{BODY, Scenario, Stage, tokens};
use crate::{
    clock,
    generator::Session,
    sample::{self, Column, Sample},
};

/// Users who come, one after another and again.
const USERS: usize = 1000;

/// Clients that are connecting at any time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connects {
    pub(crate) at_a_time: usize,
}

impl Scenario for Connects {
    fn columns(&self) -> Vec<Column> {
        vec![sample::CONNECTS_PER_CPU_SECOND, sample::CONNECTS_PER_SECOND, sample::GENERATOR_BUSY]
    }

    fn delivers(&self) -> bool {
        false
    }

    fn options(&self) -> Vec<String> {
        tokens::options()
    }

    fn measure(&self, stage: &Stage<'_>) -> Result<Sample, Box<dyn Error>> {
        let mut load = stage.load(BODY)?;
        let tokens = tokens::of_users(USERS)?;
        let session = Session::subscriber(vec![0]);
        let (mut started, mut finished) = (0, 0);
        let (cpu, generator, begun) = (stage.server.cpu_time()?, clock::thread_cpu(), clock::now());
        let end = begun + stage.time;
        while clock::now() < end {
            while started - finished < self.at_a_time {
                load.start(&session, started, Some(tokens[started % USERS].as_str()))?;
                started += 1;
            }
            load.turn(end)?;
            for client in load.take_opened() {
                load.close(client);
                finished += 1;
            }
        }
        let time = clock::seconds(clock::now() - begun);
        let cpu = (stage.server.cpu_time()? - cpu).seconds();
        let mut sample = Sample::default();
        sample.set(sample::CONNECTS_PER_CPU_SECOND, finished as f64 / cpu);
        sample.set(sample::CONNECTS_PER_SECOND, finished as f64 / time);
        sample.set(sample::GENERATOR_BUSY, clock::seconds(clock::thread_cpu() - generator) / time);
        Ok(sample)
    }
}
