//! What each subscription got, by itself: nothing twice, and each publisher's messages in the order of their SENDs.

use std::collections::{HashMap, HashSet};

use crate::checker::{Violation, history::History};

pub(super) fn check(history: &History<'_>, violations: &mut Vec<Violation>) {
    for subscription in &history.subscriptions {
        let mut seen = HashSet::new();
        // The last message of each publisher.
        let mut last: HashMap<&str, usize> = HashMap::new();
        for &index in subscription.windows.iter().flat_map(|window| &window.delivered) {
            let message = &history.messages[index];
            let (subscriber, destination) = (subscription.subscriber.to_owned(), message.destination.to_owned());
            if !seen.insert(index) {
                violations.push(Violation::Duplicate { subscriber, destination, id: message.id.to_owned() });
                continue;
            }
            match last.get(message.publisher) {
                Some(&later) if later > index => violations.push(Violation::PublisherOrder {
                    subscriber,
                    destination,
                    publisher: message.publisher.to_owned(),
                    first: message.id.to_owned(),
                    second: history.messages[later].id.to_owned(),
                }),
                _ => {
                    last.insert(message.publisher, index);
                }
            }
        }
    }
}
