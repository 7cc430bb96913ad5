//! What a session costs that only is there: logged in by a JWT, heart-beats on, one subscription.

use std::error::Error;

use super::{BODY, Scenario, Stage, tokens};
use crate::{
    clock,
    dialect::Variation,
    generator::{Plan, Session},
    sample::{self, Column, Sample},
    subject::available_octets,
};

/// What clients offer in heart-beats, in milliseconds.
const HEART_BEAT: &str = "10000,10000";

/// Sessions that say nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    pub(crate) sessions: usize,
}

impl Scenario for Idle {
    fn columns(&self) -> Vec<Column> {
        vec![sample::OCTETS_PER_SESSION, sample::BASE_OCTETS, sample::KERNEL_PER_SESSION, sample::IDLE_CPU]
    }

    fn variation(&self) -> Variation {
        Variation { heart_beat: Some(HEART_BEAT.to_owned()), ..Variation::default() }
    }

    fn delivers(&self) -> bool {
        false
    }

    fn options(&self) -> Vec<String> {
        tokens::options()
    }

    fn needs_fresh_server(&self) -> bool {
        true
    }

    fn measure(&self, stage: &Stage<'_>) -> Result<Sample, Box<dyn Error>> {
        let mut load = stage.load(BODY)?;
        let tokens = tokens::of_users(self.sessions)?;
        let (base, free) = (stage.server.resident_octets()?, available_octets()?);
        load.connect(&Plan { sessions: vec![Session::subscriber(vec![0]); self.sessions], tokens, witness: false })?;
        let (cpu, begun) = (stage.server.cpu_time()?, clock::now());
        while clock::now() < begun + stage.time {
            load.turn(begun + stage.time)?;
        }
        let cpu = (stage.server.cpu_time()? - cpu).seconds();
        let sessions = self.sessions as f64;
        let resident = stage.server.resident_octets()?.saturating_sub(base) as f64;
        let used = free.saturating_sub(available_octets()?) as f64;
        let mut sample = Sample::default();
        sample.set(sample::OCTETS_PER_SESSION, resident / sessions);
        sample.set(sample::BASE_OCTETS, base as f64);
        sample.set(sample::KERNEL_PER_SESSION, (used - resident).max(0.0) / sessions);
        sample.set(sample::IDLE_CPU, cpu * 1e6 / sessions / clock::seconds(stage.time));
        Ok(sample)
    }
}
