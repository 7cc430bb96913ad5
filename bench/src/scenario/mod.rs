//! What is measured: each scenario connects clients, loads a server for a while, and gives one [`Sample`].

mod beside;
mod connects;
mod fan_out;
mod handlers;
mod idle;
mod rooms;
mod tokens;

use std::error::Error;

use crate::{
    clock,
    dialect::{Dialect, Variation},
    generator::{Companion, Effort, Faults, Lane, Load, Nobody, Outcome, Plan, Reception},
    sample::{self, Column, Sample},
    subject::{CpuTime, Server},
};

pub(crate) use beside::{Neighbours, TopicChurn};
pub(crate) use connects::Connects;
pub(crate) use fan_out::{FanOut, Way};
pub(crate) use handlers::Handlers;
pub(crate) use idle::Idle;
pub(crate) use rooms::Rooms;

/// Octets of a body where a scenario says nothing else.
pub(crate) const BODY: usize = 128;

/// One way to load a server.
pub(crate) trait Scenario {
    /// What it shows, the figure that counts first.
    fn columns(&self) -> Vec<Column>;

    /// How the dialect is spoken.
    fn variation(&self) -> Variation {
        Variation::default()
    }

    /// Octets of a message's body.
    fn body(&self) -> usize {
        BODY
    }

    /// Options of Parlor's broker.
    fn options(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether messages are delivered, whose size is to be the same for all.
    fn delivers(&self) -> bool {
        true
    }

    /// Whether each round needs a server that has done nothing yet.
    fn needs_fresh_server(&self) -> bool {
        false
    }

    /// One round.
    fn measure(&self, stage: &Stage<'_>) -> Result<Sample, Box<dyn Error>>;
}

/// A running server and how it is spoken to.
pub(crate) struct Stage<'a> {
    pub(crate) server: &'a Server,
    pub(crate) dialect: &'a dyn Dialect,
    /// What tells the messages of this round from those of others.
    pub(crate) run: u8,
    /// How long to measure, in nanoseconds; a tenth of it goes before, to warm up.
    pub(crate) time: u64,
    /// How clients receive.
    pub(crate) reception: Reception,
}

impl Stage<'_> {
    /// A load without clients.
    pub(crate) fn load(&self, body: usize) -> Result<Load<'_>, Box<dyn Error>> {
        self.load_to(body, Reception::default())
    }

    /// The same, to clients that receive in a way of their own besides.
    pub(crate) fn load_to(&self, body: usize, reception: Reception) -> Result<Load<'_>, Box<dyn Error>> {
        Load::new(self.server.address, self.dialect, self.run, body, self.reception.or(reception))
    }

    /// Measures lanes after a warm-up.
    pub(crate) fn measure(
        &self,
        load: &mut Load<'_>,
        lanes: impl Fn() -> Vec<Lane>,
    ) -> Result<(Sample, Vec<Outcome>), Box<dyn Error>> {
        load.run(lanes(), self.time / 10, &mut Nobody)?;
        self.measure_beside(load, lanes(), &mut Nobody)
    }

    /// Measures lanes beside something else, without a warm-up.
    pub(crate) fn measure_beside(
        &self,
        load: &mut Load<'_>,
        lanes: Vec<Lane>,
        companion: &mut dyn Companion,
    ) -> Result<(Sample, Vec<Outcome>), Box<dyn Error>> {
        let meter = Meter::start(self.server, load)?;
        let outcomes = load.run(lanes, self.time, companion)?;
        Ok((meter.stop(self.server, load, &outcomes)?, outcomes))
    }

    /// Octets on the wire of one delivery, as this server writes it.
    pub(crate) fn frame(&self, scenario: &dyn Scenario) -> Result<usize, Box<dyn Error>> {
        let mut load = self.load(scenario.body())?;
        let mut plan = Plan::fan_out(1);
        if scenario.variation().echo {
            plan.sessions.truncate(1);
        }
        let clients = load.connect(&plan)?;
        let stream = load.stream(clients[clients.len() - 1], 0, 1);
        load.settle(stream)?;
        let effort = load.effort();
        Ok(usize::try_from(effort.octets / effort.frames.max(1))?)
    }
}

/// What stood on the counters before.
struct Meter {
    cpu: CpuTime,
    generator: u64,
    begun: u64,
    effort: Effort,
    faults: Faults,
}

impl Meter {
    fn start(server: &Server, load: &Load<'_>) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            cpu: server.cpu_time()?,
            generator: clock::thread_cpu(),
            begun: clock::now(),
            effort: load.effort(),
            faults: load.faults(),
        })
    }

    fn stop(&self, server: &Server, load: &Load<'_>, outcomes: &[Outcome]) -> Result<Sample, Box<dyn Error>> {
        let time = clock::seconds(clock::now() - self.begun);
        let generator = clock::seconds(clock::thread_cpu() - self.generator);
        let cpu = server.cpu_time()? - self.cpu;
        let (effort, faults) = (load.effort(), load.faults());
        let receives = (effort.receives - self.effort.receives).max(1) as f64;
        let frames = (effort.frames - self.effort.frames).max(1) as f64;
        let deliveries = outcomes.iter().map(|outcome| outcome.delivered).sum::<u64>() as f64;
        let mut sample = Sample::default();
        for (column, value) in [
            (sample::PER_CPU_SECOND, deliveries / cpu.seconds()),
            (sample::PER_SECOND, deliveries / time),
            (sample::OCTETS_PER_DELIVERY, (effort.octets - self.effort.octets) as f64 / frames),
            (sample::PUBLISHED, outcomes.iter().map(|outcome| outcome.published).sum::<u64>() as f64),
            (sample::LOST, outcomes.iter().map(|outcome| outcome.lost).sum::<u64>() as f64),
            (sample::DOUBLED, (faults.doubled - self.faults.doubled) as f64),
            (sample::DISORDERED, (faults.disordered - self.faults.disordered) as f64),
            (sample::STRAYED, (faults.strayed - self.faults.strayed) as f64),
            (sample::CPU_SECONDS, cpu.seconds()),
            (sample::CPU_TICK_SECONDS, cpu.tick_seconds()),
            (sample::GENERATOR_RECEIVE, generator * 1e6 / receives),
            (sample::GENERATOR_BUSY, generator / time),
        ] {
            sample.set(column, value);
        }
        if let Some(messages) = load.witnessed() {
            sample.set(sample::WITNESSED, messages as f64);
        }
        if let Some(first) = outcomes.first() {
            for (column, quantile) in
                [(sample::P50, 0.5), (sample::P99, 0.99), (sample::P999, 0.999), (sample::LONGEST, 1.0)]
            {
                sample.set(column, milliseconds(first, quantile));
            }
        }
        Ok(sample)
    }
}

/// A quantile of a lane's latencies.
pub(crate) fn milliseconds(outcome: &Outcome, quantile: f64) -> f64 {
    outcome.latencies.value_at_quantile(quantile) as f64 / 1e6
}
