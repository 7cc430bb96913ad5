//! What one part of the load does to another: a quiet publisher's p99 alone, and beside something busy.

use std::error::Error;

use super::{BODY, Scenario, Stage, milliseconds};
use crate::{
    clock,
    dialect::Role,
    generator::{Companion, Lane, Load, Outcome, Pace, Plan, Session, Transport},
    sample::{self, Column, Sample},
};

/// Messages a second of the quiet publisher.
const QUIET_RATE: f64 = 200.0;

/// Subscribers of the quiet publisher.
const QUIET_MEMBERS: usize = 10;

/// SUBSCRIBE and UNSUBSCRIBE frames that wait for their receipts at a time.
const CHURN_IN_FLIGHT: u64 = 64;

/// A quiet room beside one where everybody talks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbours {
    /// Members of the busy room.
    pub(crate) busy: usize,
    /// Messages of each of them that are always in flight.
    pub(crate) in_flight: u32,
}

/// A quiet room beside a client that subscribes to one new topic after another, and leaves it again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicChurn;

const COLUMNS: [Column; 5] =
    [sample::P99_RATIO, sample::P99_ALONE, sample::P99_BESIDE, sample::BESIDE_PER_SECOND, sample::LOST];

impl Scenario for Neighbours {
    fn columns(&self) -> Vec<Column> {
        COLUMNS.to_vec()
    }

    fn measure(&self, stage: &Stage<'_>) -> Result<Sample, Box<dyn Error>> {
        let mut load = stage.load(BODY)?;
        let mut plan = quiet_room();
        plan.sessions.extend(std::iter::repeat_n(Session::subscriber(vec![1]), self.busy));
        let clients = load.connect(&plan)?;
        let quiet = load.stream(clients[QUIET_MEMBERS], 0, QUIET_MEMBERS);
        let talkers = &clients[QUIET_MEMBERS + 1..];
        let busy: Vec<_> = talkers.iter().map(|talker| load.stream(*talker, 1, self.busy)).collect();
        load.settle(quiet)?;
        load.settle(busy[0])?;
        let (_, alone) = stage.measure(&mut load, || vec![quiet_lane(quiet)])?;
        let (sample, beside) = stage
            .measure(&mut load, || vec![quiet_lane(quiet), Lane::new(Pace::Closed(self.in_flight), busy.clone())])?;
        let rate = beside[1].delivered as f64 / clock::seconds(stage.time);
        Ok(compared(sample, &alone[0], &beside[0], rate))
    }
}

impl Scenario for TopicChurn {
    fn columns(&self) -> Vec<Column> {
        COLUMNS.to_vec()
    }

    fn measure(&self, stage: &Stage<'_>) -> Result<Sample, Box<dyn Error>> {
        let mut load = stage.load(BODY)?;
        let mut plan = quiet_room();
        plan.sessions.push(Session { transport: Transport::WebSocket(Role::Subscriber), destinations: vec![1] });
        let clients = load.connect(&plan)?;
        let quiet = load.stream(clients[QUIET_MEMBERS], 0, QUIET_MEMBERS);
        load.settle(quiet)?;
        let (_, alone) = stage.measure(&mut load, || vec![quiet_lane(quiet)])?;
        let mut churner = Churner { client: clients[QUIET_MEMBERS + 1], said: 0, before: 0 };
        churner.before = load.heard(churner.client);
        let (sample, beside) = stage.measure_beside(&mut load, vec![quiet_lane(quiet)], &mut churner)?;
        let rate = churner.confirmed(&load) as f64 / clock::seconds(stage.time);
        Ok(compared(sample, &alone[0], &beside[0], rate))
    }
}

/// A client that subscribes to one topic after another, and leaves it again.
#[derive(Debug)]
struct Churner {
    client: usize,
    /// Frames so far.
    said: u64,
    /// What the client had heard before.
    before: u64,
}

impl Churner {
    /// How many frames the server has confirmed.
    fn confirmed(&self, load: &Load<'_>) -> u64 {
        load.heard(self.client) - self.before
    }
}

impl Companion for Churner {
    fn go_on(&mut self, load: &mut Load<'_>) -> Result<(), Box<dyn Error>> {
        while self.said < self.confirmed(load) + CHURN_IN_FLIGHT {
            load.say(self.client, churn_frame(self.said).as_bytes())?;
            self.said += 1;
        }
        Ok(())
    }
}

/// Ten subscribers and their publisher.
fn quiet_room() -> Plan {
    Plan::fan_out(QUIET_MEMBERS)
}

fn quiet_lane(stream: usize) -> Lane {
    Lane::new(Pace::Rate(QUIET_RATE), vec![stream])
}

/// Every other frame leaves what the one before joined; each topic is a new one.
fn churn_frame(number: u64) -> String {
    let topic = number / 2;
    if number.is_multiple_of(2) {
        format!("SUBSCRIBE\nid:churn-{topic}\ndestination:/topic/churn-{topic}\nreceipt:{number}\n\n\0")
    } else {
        format!("UNSUBSCRIBE\nid:churn-{topic}\nreceipt:{number}\n\n\0")
    }
}

fn compared(mut sample: Sample, alone: &Outcome, beside: &Outcome, rate: f64) -> Sample {
    let (alone, beside) = (milliseconds(alone, 0.99), milliseconds(beside, 0.99));
    sample.set(sample::P99_ALONE, alone);
    sample.set(sample::P99_BESIDE, beside);
    sample.set(sample::P99_RATIO, beside / alone);
    sample.set(sample::BESIDE_PER_SECOND, rate);
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_is_joined_and_left() {
        assert_eq!(churn_frame(6), "SUBSCRIBE\nid:churn-3\ndestination:/topic/churn-3\nreceipt:6\n\n\0");
        assert_eq!(churn_frame(7), "UNSUBSCRIBE\nid:churn-3\nreceipt:7\n\n\0");
    }
}
