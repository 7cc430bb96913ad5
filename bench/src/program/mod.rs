//! The contests by name: which scenarios, for whom, and against whom.

mod curves;

use std::{collections::HashSet, rc::Rc};

use parlor_stomp::AckMode;

use crate::{
    contest::{Comparison, Contest, Contestant, Pool, Rounds},
    generator::{Pace, Reception},
    scenario::{Connects, FanOut, Handlers, Idle, Neighbours, Rooms, Scenario, TopicChurn, Way},
    subject::{LIMIT, LIMIT_COALESCING, LIMIT_ECHO, PARLOR, Subject},
};

pub(crate) use curves::curves;

/// Messages of a burst.
const BURST: u32 = 16;

/// Messages a second at the fixed rate: 20,000 deliveries to 1,000 subscribers.
const RATE: f64 = 20.0;

/// A contest of one scenario for several subjects.
fn contest(name: &str, title: &str, note: &str, subjects: &[Subject], scenario: impl Scenario + 'static) -> Contest {
    let scenario: Rc<dyn Scenario> = Rc::new(scenario);
    Contest {
        name: name.to_owned(),
        title: title.to_owned(),
        note: note.to_owned(),
        contestants: subjects.iter().map(|subject| Contestant::new(subject.clone(), Rc::clone(&scenario))).collect(),
        reference: None,
        growing: None,
        reception: Reception::default(),
    }
}

impl Contest {
    /// Divides everyone by a contestant, if it takes part.
    fn against(mut self, label: &str) -> Self {
        self.reference = self.contestants.iter().find(|of| of.label == label).map(|of| of.label.clone());
        self
    }

    fn with(mut self, contestant: Contestant) -> Self {
        self.contestants.push(contestant);
        self
    }

    /// Holds it with the servers that it needs and no others.
    pub(crate) fn hold_alone(&self, rounds: Rounds, pool: &mut Pool, tell: &mut dyn FnMut(&str)) -> Comparison {
        let names: HashSet<_> = self.contestants.iter().map(|contestant| contestant.subject.name.as_str()).collect();
        pool.keep_only(&names);
        self.hold(rounds, pool, tell)
    }
}

/// One message in flight: nothing can be put together, each delivery is a write.
pub(crate) fn fan_out(subjects: &[Subject], subscribers: usize, in_flight: u32, body: usize) -> Contest {
    let scenario = FanOut { body, ..FanOut::new(subscribers, Pace::Closed(in_flight)) };
    let flight = if in_flight == 1 { "one message".to_owned() } else { format!("{in_flight} messages") };
    contest(
        &format!("fan-out-{subscribers}"),
        &format!("Fan-out to {subscribers} subscribers, {flight} in flight"),
        "The next message goes when one has reached everyone: a server that writes nothing together has nothing to gain from \
         waiting. The limit writes the same octets to the same sockets and does nothing else.",
        subjects,
        scenario,
    )
    .against(LIMIT)
}

/// The same to clients that never sleep.
pub(crate) fn awake(subjects: &[Subject], subscribers: usize) -> Contest {
    let contest = contest(
        &format!("awake-{subscribers}"),
        &format!("Fan-out to {subscribers} subscribers that never sleep, one message in flight"),
        "As before, but the generator asks again and again for what has come, so that no write wakes it: neither does one to clients \
         of other machines.",
        subjects,
        FanOut::new(subscribers, Pace::Closed(1)),
    )
    .against(LIMIT);
    Contest { reception: Reception { spins: true, ..Reception::default() }, ..contest }
}

/// The same to clients whose kernel acknowledges in the server's time.
pub(crate) fn interactive(subjects: &[Subject], subscribers: usize) -> Contest {
    let contest = contest(
        &format!("interactive-{subscribers}"),
        &format!("Fan-out to {subscribers} interactive subscribers, one message in flight"),
        "The fan-out to clients that the kernel takes for some that answer what they receive: it acknowledges two deliveries at a time, on \
         the server's core, instead of each on the generator's. Most peers' frames are too small for that, so they are not here.",
        subjects,
        FanOut::new(subscribers, Pace::Closed(1)),
    )
    .against(LIMIT);
    Contest { reception: Reception { interactive: true, ..Reception::default() }, ..contest }
}

/// Sixteen messages in one write.
pub(crate) fn burst(subjects: &[Subject], subscribers: usize) -> Contest {
    contest(
        "burst",
        &format!("Bursts of {BURST} messages to {subscribers} subscribers"),
        "The messages arrive in one write; the next ones go when all have reached everyone. A server may put together what goes to \
         the same subscriber, as the limit does here.",
        subjects,
        FanOut::new(subscribers, Pace::Burst(BURST)),
    )
    .against(LIMIT_COALESCING)
}

/// A rate that does not ask what the server can do.
pub(crate) fn rate(subjects: &[Subject], subscribers: usize, rate: Option<f64>) -> Contest {
    let rate = rate.unwrap_or(RATE);
    contest(
        "rate",
        &format!("Latency at {:.0} deliveries a second to {subscribers} subscribers", rate * subscribers as f64),
        "Messages go at their times, whether earlier ones have arrived or not. A latency begins when the message should have been \
         sent, and includes the time to write to those who are served before.",
        subjects,
        FanOut::new(subscribers, Pace::Rate(rate)),
    )
    .against(LIMIT)
}

/// Ten members in each of a thousand rooms.
pub(crate) fn rooms(subjects: &[Subject], rooms: usize, members: usize) -> Contest {
    let plain: Rc<dyn Scenario> = Rc::new(FanOut::new(1000, Pace::Closed(1)));
    let mut contest = contest(
        "rooms",
        &format!("{} sessions in {rooms} rooms, everybody talks", rooms * members),
        "Each session has one message in flight to its room, which makes it interactive, for four times as long as a round \
         takes elsewhere. More is published than can be written, so messages wait, and those that wait for the same room are \
         written together; the limit writes each as it comes. Beside it the fan-out to 1,000 subscribers, which it is divided \
         by, and where nothing can be written together.",
        subjects,
        Rooms { rooms, members },
    );
    let parlor = subjects.iter().find(|subject| subject.name == PARLOR);
    contest.contestants.extend(parlor.map(|parlor| Contestant::new(parlor.clone(), plain).labelled("parlor, fan-out")));
    contest.against("parlor, fan-out")
}

/// A quiet room beside a busy one.
pub(crate) fn neighbours(subjects: &[Subject]) -> Contest {
    contest(
        "neighbours",
        "A quiet room beside one that is never silent",
        "The p99 of 200 messages a second to ten members, alone and while each of ten members of another room always has a message in \
         flight there, which takes all of the server. Messages wait for those that came before them, and the generator has one core as \
         well: what that costs is seen at the limit.",
        subjects,
        Neighbours { busy: 10, in_flight: 1 },
    )
    .against(LIMIT)
}

/// A quiet room beside somebody who comes and goes.
pub(crate) fn topic_churn(subjects: &[Subject]) -> Contest {
    contest(
        "topic-churn",
        "A quiet room beside subscriptions that come and go",
        "The p99 of 200 messages a second to ten members, alone and while a client subscribes to one new topic after another and \
         leaves it again, as fast as the server confirms it.",
        subjects,
        TopicChurn,
    )
    .against(LIMIT)
}

/// Memory of sessions that say nothing.
pub(crate) fn idle(subjects: &[Subject], sessions: usize) -> Contest {
    contest(
        &format!("idle-{sessions}"),
        &format!("Memory of {sessions} idle sessions"),
        "Resident memory with the sessions, less that without them, divided by their number; logged in by a JWT in a cookie where \
         the server knows that, heart-beats on, one subscription. The kernel's part is what else the machine is short of, both ends of \
         each socket: indicative only. A new server each round.",
        subjects,
        Idle { sessions },
    )
}

/// Connections that come and go.
pub(crate) fn connects(subjects: &[Subject]) -> Contest {
    contest(
        "connects",
        "Clients that come and go",
        "The upgrade with a JWT in a cookie, CONNECT, SUBSCRIBE, its receipt, and the end; 32 clients at a time.",
        subjects,
        Connects { at_a_time: 32 },
    )
    .against(LIMIT)
}

/// Event streams beside WebSockets.
pub(crate) fn sse(parlor: &Subject, subscribers: usize) -> Contest {
    let scenario = FanOut::new(subscribers, Pace::Closed(1));
    let streams = FanOut { way: Way::EventStream, ..scenario };
    contest(
        "sse",
        &format!("Fan-out to {subscribers} event streams"),
        "The same topic, published to over WebSocket, heard over server-sent events.",
        &[],
        scenario,
    )
    .with(Contestant::new(parlor.clone(), Rc::new(streams)).labelled("event streams"))
    .with(Contestant::new(parlor.clone(), Rc::new(scenario)).labelled("WebSockets"))
    .against("WebSockets")
}

/// A typed handler that answers.
pub(crate) fn handlers(parlor: &Subject, echoes: &[Subject], clients: usize) -> Contest {
    let scenario: Rc<dyn Scenario> = Rc::new(Handlers { clients });
    let mut all = vec![parlor.clone()];
    all.extend_from_slice(echoes);
    let contest = contest(
        "handlers",
        &format!("Answers of a typed handler, {clients} clients with one question each"),
        "SEND to a handler that takes a `String` out of JSON and replies with it, against servers that send back each WebSocket \
         message of the same size.",
        &[],
        Handlers { clients },
    );
    let reference = echoes.iter().find(|echo| echo.name != LIMIT_ECHO).map_or(LIMIT_ECHO, |echo| &echo.name);
    let contestants = all.into_iter().map(|subject| Contestant::new(subject, Rc::clone(&scenario)));
    contestants.fold(contest, Contest::with).against(reference)
}

/// Deliveries that cannot share their octets, or are acknowledged, beside those that can.
pub(crate) fn kinds(parlor: &Subject, subscribers: usize) -> Contest {
    let plain = FanOut::new(subscribers, Pace::Closed(1));
    let kinds = [
        ("shared subscription id", plain),
        ("the same, to interactive clients", FanOut { interactive: true, ..plain }),
        ("an id for each subscriber", FanOut { ids: subscribers, ..plain }),
        ("another topic besides", FanOut { hears_another: true, ..plain }),
        ("client-individual", FanOut { ack: AckMode::ClientIndividual, interactive: true, ..plain }),
    ];
    let contest = contest(
        "kinds",
        &format!("Fan-out to {subscribers} subscribers by kind of subscription"),
        "A subscription id of one's own needs a head of one's own for each message. Who hears several topics is looked at in all of them, \
         so that messages of one publisher keep their order across them. `client-individual` needs an ACK for each message as well, \
         which the server's time includes. Who sends it is interactive, for which the kernel has more to do: that alone is the second row.",
        &[],
        plain,
    );
    kinds
        .into_iter()
        .fold(contest, |contest, (label, scenario)| {
            contest.with(Contestant::new(parlor.clone(), Rc::new(scenario)).labelled(label))
        })
        .against("shared subscription id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_says_how_clients_receive_where_the_contest_does_not() {
        let both = Reception { spins: true, interactive: true };
        let title = |contest: &Contest, wished: Reception| contest.title(wished.or(contest.reception));
        let plain = fan_out(&[], 10, 1, 128);
        assert_eq!(title(&plain, Reception::default()), plain.title);
        let ends = ", with a generator that never sleeps, to interactive clients";
        assert_eq!(title(&plain, both), plain.title.clone() + ends);
        for (contest, ends) in [
            (awake(&[], 10), ", to interactive clients"),
            (interactive(&[], 10), ", with a generator that never sleeps"),
        ] {
            assert_eq!(title(&contest, Reception::default()), contest.title);
            assert_eq!(title(&contest, both), contest.title.clone() + ends);
        }
    }
}
