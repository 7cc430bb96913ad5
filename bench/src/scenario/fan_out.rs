//! One message to many: the scenario that most others vary.

use std::error::Error;

use parlor_stomp::AckMode;

use super::{BODY, Scenario, Stage};
use crate::{
    dialect::{Role, Variation},
    generator::{Lane, Pace, Plan, Reception, Session, Transport},
    sample::{self, Column, Sample},
};

/// Topics that one bystander holds; servers bound the subscriptions of a session.
const TOPICS_OF_ONE: usize = 100;

/// The destination that subscribers of another topic hear nothing of.
const QUIET: usize = 99_998;

/// The target of an event stream of destination 0.
const EVENTS: &str = "/events?destination=/topic/bench-00000";

/// One publisher, many subscribers of one destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FanOut {
    pub(crate) subscribers: usize,
    pub(crate) pace: Pace,
    pub(crate) body: usize,
    /// Distinct subscription ids.
    pub(crate) ids: usize,
    pub(crate) ack: AckMode,
    pub(crate) way: Way,
    /// Clients are interactive, whatever is wished for elsewhere.
    pub(crate) interactive: bool,
    /// Each subscriber has subscribed to another topic besides, which nobody publishes to.
    pub(crate) hears_another: bool,
    /// Other sessions that are connected and hear nothing.
    pub(crate) bystanders: usize,
    /// Other topics that somebody is subscribed to and nobody publishes to.
    pub(crate) topics: usize,
}

/// How subscribers are connected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// By WebSocket.
    WebSocket,
    /// By server-sent events.
    EventStream,
}

impl FanOut {
    /// The plain case at a pace.
    pub(crate) fn new(subscribers: usize, pace: Pace) -> Self {
        Self {
            subscribers,
            pace,
            body: BODY,
            ids: 1,
            ack: AckMode::Auto,
            way: Way::WebSocket,
            interactive: false,
            hears_another: false,
            bystanders: 0,
            topics: 0,
        }
    }

    fn plan(&self) -> Plan {
        let mut plan = Plan::fan_out(self.subscribers);
        if self.way == Way::EventStream {
            for session in &mut plan.sessions[..self.subscribers] {
                session.transport = Transport::EventStream(EVENTS.to_owned());
            }
            plan.witness = false;
        }
        if self.hears_another {
            plan.sessions[..self.subscribers].iter_mut().for_each(|session| session.destinations.push(QUIET));
        }
        // Destinations from 1 on are nobody's.
        let topics: Vec<_> = (1..=self.topics).collect();
        plan.sessions.extend(topics.chunks(TOPICS_OF_ONE).map(|topics| Session::subscriber(topics.to_vec())));
        let bystander = Session { transport: Transport::WebSocket(Role::Subscriber), destinations: vec![99_999] };
        plan.sessions.extend(std::iter::repeat_n(bystander, self.bystanders));
        plan
    }
}

impl Scenario for FanOut {
    fn columns(&self) -> Vec<Column> {
        let mut columns = vec![
            sample::PER_CPU_SECOND,
            sample::PER_SECOND,
            sample::P50,
            sample::P99,
            sample::P999,
            sample::OCTETS_PER_DELIVERY,
            sample::LOST,
            sample::DOUBLED,
            sample::DISORDERED,
        ];
        if matches!(self.pace, Pace::Rate(_)) {
            // At a fixed rate, time is what differs.
            columns.swap(0, 3);
        }
        columns
    }

    fn variation(&self) -> Variation {
        Variation { ids: self.ids, ack: self.ack, ..Variation::default() }
    }

    fn body(&self) -> usize {
        self.body
    }

    fn measure(&self, stage: &Stage<'_>) -> Result<Sample, Box<dyn Error>> {
        let mut load = stage.load_to(self.body, Reception { interactive: self.interactive, ..Reception::default() })?;
        let clients = load.connect(&self.plan())?;
        let stream = load.stream(clients[self.subscribers], 0, self.subscribers);
        load.settle(stream)?;
        let (sample, _) = stage.measure(&mut load, || vec![Lane::new(self.pace, vec![stream])])?;
        Ok(sample)
    }
}
