//! All subscribers of a destination saw one order.
//!
//! Every two of them are compared, which names the two messages; then the orders of all are laid over each other, which finds
//! circles of three and more.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::checker::{
    Violation,
    history::{History, Subscription},
};

/// What one subscriber saw, the first time that it saw it.
struct Sequence<'a> {
    subscriber: &'a str,
    messages: Vec<usize>,
}

impl<'a> Sequence<'a> {
    fn new(subscription: &Subscription<'a>) -> Self {
        let mut seen = HashSet::new();
        let all = subscription.windows.iter().flat_map(|window| &window.delivered).copied();
        Self { subscriber: subscription.subscriber, messages: all.filter(|index| seen.insert(*index)).collect() }
    }
}

pub(super) fn check(history: &History<'_>, violations: &mut Vec<Violation>) {
    let mut destinations: Vec<(&str, Vec<Sequence<'_>>)> = Vec::new();
    for subscription in &history.subscriptions {
        let sequence = Sequence::new(subscription);
        match destinations.iter_mut().find(|(destination, _)| *destination == subscription.destination) {
            Some((_, sequences)) => sequences.push(sequence),
            None => destinations.push((subscription.destination, vec![sequence])),
        }
    }
    for (destination, sequences) in destinations {
        let before = violations.len();
        for (number, one) in sequences.iter().enumerate() {
            let places: HashMap<_, _> = one.messages.iter().enumerate().map(|(place, index)| (*index, place)).collect();
            for other in &sequences[number + 1..] {
                violations.extend(compare(history, destination, one, &places, other));
            }
        }
        if violations.len() == before
            && let Some(circle) = circle(&sequences)
        {
            let ids = circle.iter().map(|index| history.messages[*index].id.to_owned()).collect();
            violations.push(Violation::Circle { destination: destination.to_owned(), ids });
        }
    }
}

/// The first two messages of which `other` disagrees with `one`.
fn compare(
    history: &History<'_>,
    destination: &str,
    one: &Sequence<'_>,
    places: &HashMap<usize, usize>,
    other: &Sequence<'_>,
) -> Option<Violation> {
    let mut furthest: Option<(usize, usize)> = None;
    for index in &other.messages {
        let Some(place) = places.get(index) else { continue };
        match furthest {
            Some((furthest, earlier)) if *place < furthest => {
                return Some(Violation::SubscriberOrder {
                    destination: destination.to_owned(),
                    one: one.subscriber.to_owned(),
                    other: other.subscriber.to_owned(),
                    first: history.messages[*index].id.to_owned(),
                    second: history.messages[earlier].id.to_owned(),
                });
            }
            _ => furthest = Some((*place, *index)),
        }
    }
    None
}

/// A circle in the orders of all subscribers together.
fn circle(sequences: &[Sequence<'_>]) -> Option<Vec<usize>> {
    let mut followers: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut waits: HashMap<usize, usize> = HashMap::new();
    for sequence in sequences {
        for index in &sequence.messages {
            waits.entry(*index).or_default();
        }
        for pair in sequence.messages.windows(2) {
            followers.entry(pair[0]).or_default().push(pair[1]);
            *waits.entry(pair[1]).or_default() += 1;
        }
    }
    let mut ready: VecDeque<_> = waits.iter().filter(|(_, count)| **count == 0).map(|(index, _)| *index).collect();
    while let Some(index) = ready.pop_front() {
        waits.remove(&index);
        for follower in followers.get(&index).into_iter().flatten() {
            if let Some(count) = waits.get_mut(follower) {
                *count -= 1;
                if *count == 0 {
                    ready.push_back(*follower);
                }
            }
        }
    }
    // Each that is left waits for another that is left: going back from any of them ends in a circle.
    let leaders: HashMap<_, _> = followers
        .iter()
        .filter(|(leader, _)| waits.contains_key(leader))
        .flat_map(|(leader, after)| after.iter().map(move |follower| (*follower, *leader)))
        .collect();
    let mut path = vec![*waits.keys().min()?];
    loop {
        let leader = *leaders.get(path.last()?)?;
        if let Some(start) = path.iter().position(|index| *index == leader) {
            path.drain(..start);
            path.reverse();
            return Some(path);
        }
        path.push(leader);
    }
}
