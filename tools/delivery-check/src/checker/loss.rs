//! Nothing that was owed is missing.

use std::collections::HashSet;

use crate::checker::{
    Violation,
    history::{History, Subscription, Window},
};

pub(super) fn check(history: &History<'_>, violations: &mut Vec<Violation>) {
    for subscription in &history.subscriptions {
        let delivered: HashSet<_> = subscription.windows.iter().flat_map(|window| &window.delivered).collect();
        for (index, message) in history.messages.iter().enumerate() {
            let Some(receipt) = message.receipt.filter(|_| message.destination == subscription.destination) else {
                continue;
            };
            if !delivered.contains(&index) && is_owed(history, subscription, message.sent, receipt) {
                violations.push(Violation::Lost {
                    subscriber: subscription.subscriber.to_owned(),
                    destination: subscription.destination.to_owned(),
                    publisher: message.publisher.to_owned(),
                    id: message.id.to_owned(),
                });
            }
        }
    }
}

/// Whether a message that was accepted between `sent` and `receipt` was accepted within a window for certain.
fn is_owed(history: &History<'_>, subscription: &Subscription<'_>, sent: u64, receipt: u64) -> bool {
    let last = subscription.windows.len() - 1;
    subscription.windows.iter().enumerate().any(|(index, window)| {
        let end = match index == last {
            true => subscription.ended.unwrap_or(u64::MAX),
            false => certain_end(history, window),
        };
        window.confirmed.is_some_and(|confirmed| confirmed < sent) && receipt < end
    })
}

/// The hole after a window lies behind everything that was delivered in it, so all that was accepted before one of these was
/// sent is owed.
fn certain_end(history: &History<'_>, window: &Window) -> u64 {
    window.delivered.iter().map(|index| history.messages[*index].sent).max().unwrap_or(0)
}
