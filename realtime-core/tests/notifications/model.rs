//! Mailboxes against a model: pages that come and go over either transport, acknowledgements of all kinds, servers that die.
//!
//! After each step every open page shows what its user has not acknowledged, and nothing else; and what was stored is there
//! until it is acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parlor_core::notifications::{Acknowledge, NotificationId, NotificationLimits};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use crate::bell::{Bell, Node, id};

const USERS: [&str; 2] = ["ada", "bob"];

/// More would be full.
const MAX_UNREAD: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    /// The user's unread ones whose bits are set, and one that is unknown.
    AcknowledgeThese(usize, u8),
    /// Up to the unread one of that number.
    AcknowledgeUpTo(usize, usize),
    /// All pages are gone, and what was in memory but for the mailboxes.
    Crash,
    Leave(usize),
    Notify(usize),
    OpenEvents(usize),
    OpenStomp(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS.len();
    prop_oneof![
        2 => (user.clone(), any::<u8>()).prop_map(|(user, bits)| Step::AcknowledgeThese(user, bits)),
        1 => (user.clone(), 0..MAX_UNREAD).prop_map(|(user, place)| Step::AcknowledgeUpTo(user, place)),
        1 => Just(Step::Crash),
        1 => any::<usize>().prop_map(Step::Leave),
        5 => user.clone().prop_map(Step::Notify),
        2 => user.clone().prop_map(Step::OpenEvents),
        2 => user.prop_map(Step::OpenStomp),
    ]
}

/// Acknowledges as a page over STOMP would, where one is open, else as the application does.
async fn acknowledge(node: &Node, pages: &[(usize, bool, Bell)], user: usize, which: Acknowledge) {
    let page = pages.iter().find(|(whose, is_stomp, _)| *whose == user && *is_stomp);
    match page {
        Some((_, _, bell)) => {
            let body = match &which {
                Acknowledge::These { ids } => json!({ "ids": ids }),
                Acknowledge::UpTo { up_to } => json!({ "up_to": up_to }),
                other => panic!("{other:?}"),
            };
            bell.client().send("/app/notifications/acknowledge", &body).await;
        }
        None => drop(node.notifications.acknowledge(&id(USERS[user]), &which).await.expect("acknowledged")),
    }
}

proptest! {
    #[test]
    fn every_page_shows_what_is_not_acknowledged_whoever_comes_goes_and_dies(steps in vec(step(), 0..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        runtime.block_on(async {
            let limits = NotificationLimits::default().max_unread(MAX_UNREAD);
            let store = Arc::default();
            let mut node = Node::start(&store, limits);
            let mut pages: Vec<(usize, bool, Bell)> = Vec::new();
            let mut model: [BTreeMap<NotificationId, usize>; 2] = Default::default();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Notify(user) => {
                        let notified = node.notifications.notify(&id(USERS[user]), "test", &number).await;
                        assert_eq!(notified.is_ok(), model[user].len() < MAX_UNREAD);
                        if let Ok(notified) = notified {
                            let open = pages.iter().filter(|(whose, ..)| *whose == user).count();
                            assert_eq!(notified.sessions, open);
                            model[user].insert(notified.id, number);
                        }
                    }
                    Step::AcknowledgeThese(user, bits) => {
                        let unread = model[user].keys().copied().enumerate();
                        let chosen = unread.filter(|(place, _)| bits & (1 << place) != 0).map(|(_, id)| id);
                        let ids: Vec<_> = chosen.chain([NotificationId::new(7)]).collect();
                        model[user].retain(|id, _| !ids.contains(id));
                        acknowledge(&node, &pages, user, Acknowledge::These { ids }).await;
                    }
                    Step::AcknowledgeUpTo(user, place) => {
                        let Some(up_to) = model[user].keys().copied().nth(place) else { continue };
                        model[user].retain(|id, _| *id > up_to);
                        acknowledge(&node, &pages, user, Acknowledge::UpTo { up_to }).await;
                    }
                    Step::OpenEvents(user) if pages.len() < 6 => {
                        pages.push((user, false, Bell::over_events(&node, USERS[user]).await));
                    }
                    Step::OpenStomp(user) if pages.len() < 6 => {
                        pages.push((user, true, Bell::over_stomp(&node, USERS[user]).await));
                    }
                    Step::OpenEvents(_) | Step::OpenStomp(_) => {}
                    Step::Leave(place) if !pages.is_empty() => {
                        let place = place % pages.len();
                        drop(pages.swap_remove(place));
                        // Its tasks notice.
                        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    }
                    Step::Leave(_) => {}
                    Step::Crash => {
                        pages.clear();
                        node = Node::start(&store, limits);
                    }
                }
                for (user, _, bell) in &mut pages {
                    bell.look().await;
                    let shows: BTreeMap<_, _> =
                        bell.shows.iter().map(|(id, shown)| (*id, serde_json::from_value(shown.payload.clone()).expect("a number"))).collect();
                    assert_eq!(shows, model[*user], "step {number}");
                }
            }
            for (user, name) in USERS.iter().enumerate() {
                let shown: BTreeSet<_> = Bell::over_events(&node, name).await.ids().await.into_iter().collect();
                assert_eq!(shown, model[user].keys().copied().collect());
            }
        });
    }
}
