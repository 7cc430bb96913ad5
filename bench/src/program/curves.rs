//! Cost while one thing grows and the rest stays.

use std::rc::Rc;

use super::contest;
use crate::{
    contest::{Contest, Contestant},
    generator::Pace,
    scenario::FanOut,
    subject::Subject,
};

/// Subscribers where something else grows.
const SUBSCRIBERS: usize = 100;

/// All curves. What is measured is the cost of a delivery, so a flat line is growth in proportion.
pub(crate) fn curves(parlor: &Subject, limit: &Subject) -> Vec<Contest> {
    let plain = FanOut::new(SUBSCRIBERS, Pace::Closed(1));
    let both = [parlor, limit];
    vec![
        grow("curve-subscribers", "subscribers", &[100, 300, 1000, 3000, 10_000], &both, &|subscribers| FanOut {
            subscribers,
            ..plain
        }),
        grow("curve-topics", "other topics", &[100, 1000, 10_000, 100_000], &both, &|topics| FanOut {
            topics,
            ..plain
        }),
        grow("curve-sessions", "other sessions", &[100, 1000, 10_000, 18_800], &both, &|bystanders| FanOut {
            bystanders,
            ..plain
        }),
        grow("curve-payload", "octets of body", &[32, 128, 1024, 4096, 16_384, 65_536], &both, &|body| FanOut {
            body,
            ..plain
        }),
        grow("curve-ids", "subscription ids of 1,000 subscribers", &[1, 10, 100, 1000], &[parlor], &|ids| FanOut {
            ids,
            ..FanOut::new(1000, Pace::Closed(1))
        }),
    ]
}

fn grow(
    name: &str,
    growing: &'static str,
    places: &[usize],
    subjects: &[&Subject],
    scenario: &dyn Fn(usize) -> FanOut,
) -> Contest {
    let note =
        format!("One message in flight, {SUBSCRIBERS} subscribers and 128 octets of body where those do not grow.");
    let mut contest = contest(name, &format!("Fan-out by {growing}"), &note, &[], scenario(places[0]));
    contest.growing = Some(growing);
    for place in places {
        for subject in subjects {
            let contestant = Contestant::new((*subject).clone(), Rc::new(scenario(*place)))
                .labelled(format!("{}, {place}", subject.name))
                .at(&subject.name, *place as f64);
            contest = contest.with(contestant);
        }
    }
    contest
}
