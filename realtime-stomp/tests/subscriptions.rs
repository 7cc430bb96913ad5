//! Chapters SUB and UNS: SUBSCRIBE, UNSUBSCRIBE and the table of a session's subscriptions.

mod support;

use std::collections::{HashMap, HashSet};

use parlor_stomp::{AckMode, Request, SubscriptionId, Subscriptions, Version};
use proptest::{collection::vec, prelude::*};
use support::{FROM_1_1, VERSIONS, code, connected, one, subscribe};

fn named(id: &str) -> SubscriptionId {
    SubscriptionId::Named(id.into())
}

fn unsubscribed(version: Version, octets: &str) -> SubscriptionId {
    match one(&mut connected(version), octets) {
        Request::Unsubscribe(unsubscribe) => unsubscribe.id,
        other => panic!("an UNSUBSCRIBE was expected, not {other:?}"),
    }
}

/// SUB-01, SUB-10.
#[test]
fn subscribe_without_a_destination_is_a_fault() {
    for version in VERSIONS {
        assert_eq!(code(version, "SUBSCRIBE\nid:1\n\n\0"), "missing-header");
        assert_eq!(code(version, "SUBSCRIBE\nid:1\ndestination:\n\n\0"), "missing-header");
    }
}

/// SUB-02.
#[test]
fn subscribe_without_an_id_is_a_fault_from_1_1_on() {
    for version in FROM_1_1 {
        assert_eq!(code(version, "SUBSCRIBE\ndestination:/topic/a\n\n\0"), "missing-header");
    }
}

/// SUB-03, MSG-02: in 1.0 the destination stands for the id; one that is given counts.
#[test]
fn subscribe_without_an_id_is_legal_in_1_0() {
    let without = subscribe(Version::V1_0, "SUBSCRIBE\ndestination:/topic/a\n\n\0");
    assert_eq!(without.id, SubscriptionId::Unnamed("/topic/a".into()));
    let with = subscribe(Version::V1_0, "SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\0");
    assert_eq!(with.id, named("1"));
}

/// SUB-04.
#[test]
fn an_id_in_use_is_refused() {
    let mut table = Subscriptions::new(8);
    table.insert(named("1"), "first").unwrap();
    assert_eq!(table.check(&named("1")).unwrap_err().code, "duplicate-subscription");
    assert_eq!(table.insert(named("1"), "second").unwrap_err().code, "duplicate-subscription");
    assert_eq!(table.get(&named("1")), Some(&"first"));
}

/// SUB-05.
#[test]
fn ack_modes_are_checked() {
    let mode = |version, ack: &str| subscribe(version, format!("SUBSCRIBE\nid:1\ndestination:/topic/a\n{ack}\n\0")).ack;
    for version in VERSIONS {
        assert_eq!(mode(version, ""), AckMode::Auto);
        assert_eq!(mode(version, "ack:auto\n"), AckMode::Auto);
        assert_eq!(mode(version, "ack:client\n"), AckMode::Client);
        for ack in ["", "Auto", "individual", "auto "] {
            let octets = format!("SUBSCRIBE\nid:1\ndestination:/topic/a\nack:{ack}\n\n\0");
            assert_eq!(code(version, octets), "invalid-ack");
        }
    }
    for version in FROM_1_1 {
        assert_eq!(mode(version, "ack:client-individual\n"), AckMode::ClientIndividual);
    }
    let octets = "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client-individual\n\n\0";
    assert_eq!(code(Version::V1_0, octets), "invalid-ack");
}

/// SUB-09.
#[test]
fn an_id_may_be_used_again_after_it_was_given_back() {
    let mut table = Subscriptions::new(8);
    for _ in 0..3 {
        table.insert(named("1"), ()).unwrap();
        assert_eq!(table.remove(&named("1")), Some(()));
    }
}

/// SUB-11.
#[test]
fn many_subscriptions_fit_up_to_the_bound_and_not_one_more() {
    let mut table = Subscriptions::new(500);
    for number in 0..500 {
        table.insert(named(&number.to_string()), number).unwrap();
    }
    let fault = table.check(&named("500")).unwrap_err();
    assert_eq!(fault.code, "too-many-subscriptions");
    assert_eq!(table.check(&named("499")).unwrap_err().code, "duplicate-subscription", "the more telling fault");
    assert_eq!((table.len(), table.get(&named("321"))), (500, Some(&321)));
    table.remove(&named("7")).unwrap();
    table.insert(named("500"), 500).unwrap();
}

/// UNS-02.
#[test]
fn unsubscribe_without_an_id_is_a_fault_from_1_1_on() {
    for version in FROM_1_1 {
        assert_eq!(code(version, "UNSUBSCRIBE\n\n\0"), "missing-header");
        assert_eq!(code(version, "UNSUBSCRIBE\ndestination:/topic/a\n\n\0"), "missing-header");
    }
    assert_eq!(code(Version::V1_0, "UNSUBSCRIBE\n\n\0"), "missing-header");
}

/// UNS-03.
#[test]
fn an_id_that_is_not_in_force_takes_nothing_away() {
    let mut table = Subscriptions::new(8);
    table.insert(named("1"), ()).unwrap();
    assert_eq!(table.remove(&named("2")), None);
    assert_eq!(table.len(), 1);
}

/// UNS-04.
#[test]
fn unsubscribe_of_1_0_names_a_destination_or_an_id() {
    let by_destination = unsubscribed(Version::V1_0, "UNSUBSCRIBE\ndestination:/topic/a\n\n\0");
    assert_eq!(by_destination, subscribe(Version::V1_0, "SUBSCRIBE\ndestination:/topic/a\n\n\0").id);
    assert_eq!(unsubscribed(Version::V1_0, "UNSUBSCRIBE\nid:1\n\n\0"), named("1"));
    assert_eq!(unsubscribed(Version::V1_0, "UNSUBSCRIBE\nid:1\ndestination:/topic/a\n\n\0"), named("1"));
}

/// UNS-05.
#[test]
fn only_the_named_subscription_ends() {
    let mut table = Subscriptions::new(8);
    for id in [named("/topic/a"), SubscriptionId::Unnamed("/topic/a".into()), named("2")] {
        table.insert(id, ()).unwrap();
    }
    table.remove(&unsubscribed(Version::V1_1, "UNSUBSCRIBE\nid:/topic/a\n\n\0")).unwrap();
    let left: HashSet<_> = table.iter().map(|(id, ())| id.clone()).collect();
    assert_eq!(left, HashSet::from([SubscriptionId::Unnamed("/topic/a".into()), named("2")]));
}

#[test]
fn a_table_can_be_emptied_and_used_again() {
    let mut table = Subscriptions::new(2);
    table.insert(named("1"), ()).unwrap();
    table.insert(named("2"), ()).unwrap();
    assert_eq!(table.drain().count(), 2);
    assert!(table.is_empty());
    table.insert(named("1"), ()).unwrap();
}

proptest! {
    /// Against a hash table, with fewer subscriptions and with more than are looked for one by one.
    #[test]
    fn a_table_holds_what_was_inserted_and_not_removed(
        steps in vec((0_u8..24, 0_u8..3), 1..200),
        max in 1_usize..24,
    ) {
        let (mut table, mut model) = (Subscriptions::new(max), HashMap::new());
        for (step, (number, kind)) in steps.into_iter().enumerate() {
            let id = if number % 2 == 0 { named(&number.to_string()) } else { SubscriptionId::Unnamed(number.to_string().into()) };
            if kind < 2 {
                let fits = !model.contains_key(&id) && model.len() < max;
                prop_assert_eq!(table.insert(id.clone(), step).is_ok(), fits);
                if fits {
                    model.insert(id, step);
                }
            } else {
                prop_assert_eq!(table.remove(&id), model.remove(&id));
            }
            prop_assert_eq!(table.len(), model.len());
            prop_assert!(model.iter().all(|(id, step)| table.get(id) == Some(step)));
            let all: HashMap<_, _> = table.iter().map(|(id, step)| (id.clone(), *step)).collect();
            prop_assert_eq!(&all, &model);
        }
        let drained: HashMap<_, _> = table.drain().collect();
        prop_assert_eq!(drained, model);
        prop_assert!(table.is_empty());
    }
}
