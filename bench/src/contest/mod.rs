//! Contestants beside each other: rounds that alternate, so that a machine that grows slower does so for all of them.

mod comparison;
mod pool;

use std::{error::Error, rc::Rc};

use crate::{
    clock::SECOND,
    dialect::{self, Variation},
    generator::Reception,
    sample::{Column, Sample},
    scenario::{Scenario, Stage},
    subject::{PARLOR, Subject},
};

#[cfg(test)]
pub(crate) use comparison::tests;
pub(crate) use comparison::{Comparison, Entry, Point};
pub(crate) use pool::Pool;

/// A scenario, and who is measured in it.
pub(crate) struct Contest {
    /// The name of its files, and its place in the JSON.
    pub(crate) name: String,
    pub(crate) title: String,
    /// What is done, in a sentence or two.
    pub(crate) note: String,
    pub(crate) contestants: Vec<Contestant>,
    /// Whom the others are divided by, round by round.
    pub(crate) reference: Option<String>,
    /// Where contestants are points of a curve: what grows.
    pub(crate) growing: Option<&'static str>,
    /// How clients receive, besides what is wished for in all contests.
    pub(crate) reception: Reception,
}

/// A server in a scenario.
pub(crate) struct Contestant {
    pub(crate) label: String,
    pub(crate) subject: Subject,
    pub(crate) scenario: Rc<dyn Scenario>,
    pub(crate) point: Option<Point>,
}

/// How long, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    /// Whether a round goes before that is told apart: a virtual machine compiles what it runs often.
    pub(crate) warm_up: bool,
    /// How clients receive.
    pub(crate) reception: Reception,
}

impl Contestant {
    /// A server in a scenario, under its own name.
    pub(crate) fn new(subject: Subject, scenario: Rc<dyn Scenario>) -> Self {
        Self { label: subject.name.clone(), subject, scenario, point: None }
    }

    /// Under another name.
    #[must_use]
    pub(crate) fn labelled(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// As a point of a curve.
    #[must_use]
    pub(crate) fn at(mut self, series: &str, place: f64) -> Self {
        self.point = Some(Point { series: series.to_owned(), place });
        self
    }

    /// What it is started with.
    fn options(&self) -> Vec<String> {
        if self.subject.name == PARLOR { self.scenario.options() } else { Vec::new() }
    }
}

impl Contest {
    /// Holds all rounds; `tell` is told of each figure as it comes.
    ///
    /// A contestant that fails has failed in that round, and takes part in the next one.
    pub(crate) fn hold(&self, rounds: Rounds, pool: &mut Pool, tell: &mut dyn FnMut(&str)) -> Comparison {
        let columns = self.contestants.first().map(|first| first.scenario.columns()).unwrap_or_default();
        let mut entries: Vec<_> = self
            .contestants
            .iter()
            .map(|contestant| Entry::new(&contestant.label, &contestant.subject.name, contestant.point.clone()))
            .collect();
        let time = (rounds.seconds * SECOND as f64) as u64;
        let warm_ups = usize::from(rounds.warm_up);
        let reception = rounds.reception.or(self.reception);
        for round in 0..warm_ups + rounds.rounds {
            let mut order: Vec<_> = (0..entries.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for place in order {
                let outcome =
                    self.measure(&self.contestants[place], time, reception, pool).map_err(|error| error.to_string());
                let name = if round < warm_ups {
                    "warm-up".to_owned()
                } else {
                    format!("round {} of {}", round - warm_ups + 1, rounds.rounds)
                };
                tell(&format!("{}, {name}, {}: {}", self.name, entries[place].label, outline(&outcome, &columns)));
                if round < warm_ups {
                    entries[place].warm_up = Some(outcome.into());
                } else {
                    entries[place].rounds.push(outcome.into());
                }
            }
        }
        Comparison {
            name: self.name.clone(),
            title: self.title(reception),
            note: self.note.clone(),
            seconds: rounds.seconds,
            columns,
            reference: self.reference.clone(),
            growing: self.growing.map(str::to_owned),
            entries,
        }
    }

    /// Its title, and what is not usual in it.
    pub(crate) fn title(&self, reception: Reception) -> String {
        let mut title = self.title.clone();
        for (wished, own, words) in [
            (reception.spins, self.reception.spins, ", with a generator that never sleeps"),
            (reception.interactive, self.reception.interactive, ", to interactive clients"),
        ] {
            if wished && !own {
                title += words;
            }
        }
        title
    }

    fn measure(
        &self,
        contestant: &Contestant,
        time: u64,
        reception: Reception,
        pool: &mut Pool,
    ) -> Result<Sample, Box<dyn Error>> {
        let scenario = &*contestant.scenario;
        let mut variation = scenario.variation();
        let takes_size = contestant.subject.is_limit() || contestant.subject.language.dialect == "raw-echo";
        if takes_size && scenario.delivers() {
            variation.frame = self.frame(scenario, pool)?;
        }
        let run = pool.next_run();
        let fresh = scenario.needs_fresh_server();
        let server = pool.server(&contestant.subject, &contestant.options(), fresh)?;
        let dialect = dialect::of(&contestant.subject.language, &variation)?;
        scenario.measure(&Stage { server, dialect: &*dialect, run, time, reception })
    }

    /// Octets of a delivery as Parlor writes it, where it takes part: what the limit is to write as well.
    fn frame(&self, scenario: &dyn Scenario, pool: &mut Pool) -> Result<Option<usize>, Box<dyn Error>> {
        let Some(parlor) = self.contestants.iter().find(|contestant| contestant.subject.name == PARLOR) else {
            return Ok(None);
        };
        let variation: Variation = scenario.variation();
        let key = format!("{} {variation:?}", scenario.body());
        if let Some(frame) = pool.frames.get(&key) {
            return Ok(Some(*frame));
        }
        let run = pool.next_run();
        // Without what a scenario demands besides: nobody has a token here.
        let server = pool.server(&parlor.subject, &[], false)?;
        let dialect = dialect::of(&parlor.subject.language, &variation)?;
        let frame =
            Stage { server, dialect: &*dialect, run, time: 0, reception: Reception::default() }.frame(scenario)?;
        pool.frames.insert(key, frame);
        Ok(Some(frame))
    }
}

/// The first figure, or what went wrong.
fn outline(outcome: &Result<Sample, String>, columns: &[Column]) -> String {
    match outcome {
        Ok(sample) => {
            let first = columns
                .first()
                .and_then(|column| Some(format!("{} {}", column.unit.write(sample.get(*column)?), column.title)));
            let faulty = if sample.is_faulty() { " (with losses, doubles or strays)" } else { "" };
            first.unwrap_or_default() + faulty
        }
        Err(error) => format!("failed: {error}"),
    }
}
