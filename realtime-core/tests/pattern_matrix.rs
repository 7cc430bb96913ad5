//! S-29: no subscription by pattern ever receives a destination that its rules refuse. Every pattern against every set of up
//! to two rules over a small alphabet, and a part of them through the real broker.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod support;

use futures_util::FutureExt;
use parlor_core::{
    Config, Realtime,
    app::{Authorize, Router, Rules},
    auth::{Anonymous, Principal},
    destination::{Destination, Pattern},
};
use support::{Client, body, user};

/// All sequences of up to `depth` segments under `/topic`, each made of `alphabet`.
fn texts(alphabet: &[&str], depth: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut last = vec!["/topic".to_owned()];
    for _ in 0..depth {
        last = last.iter().flat_map(|text| alphabet.iter().map(move |part| format!("{text}/{part}"))).collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// All patterns of up to three segments under `/topic`.
fn patterns() -> Vec<Pattern> {
    let mut all = texts(&["a", "b", "*"], 3);
    let with_rest: Vec<String> = std::iter::once("/topic".to_owned())
        .chain(texts(&["a", "b", "*"], 3))
        .map(|text| format!("{text}/**"))
        .collect();
    all.extend(with_rest);
    all.iter().map(|text| text.parse().unwrap()).collect()
}

/// Destinations, one segment deeper than the patterns, with a segment that no pattern names.
fn destinations() -> Vec<Destination> {
    texts(&["a", "b", "c"], 5).iter().map(|text| text.parse().unwrap()).collect()
}

fn rule_sets(patterns: &[Pattern]) -> impl Iterator<Item = Vec<&Pattern>> {
    let pairs =
        patterns.iter().enumerate().flat_map(|(place, one)| patterns[..place].iter().map(move |two| vec![one, two]));
    patterns.iter().map(|one| vec![one]).chain(pairs)
}

fn rules(of: &[&Pattern]) -> Rules {
    of.iter().fold(Rules::deny_all(), |rules, pattern| rules.allow_subscribe(pattern.as_str()))
}

fn allows(rules: &Rules, pattern: &Pattern) -> bool {
    rules.may_subscribe(&Principal::anonymous(), pattern).now_or_never().unwrap()
}

#[test]
fn s29_a_pattern_is_allowed_only_where_every_destination_it_matches_is() {
    let (patterns, destinations) = (patterns(), destinations());
    let matches: Vec<Vec<bool>> =
        patterns.iter().map(|pattern| destinations.iter().map(|place| pattern.matches(place)).collect()).collect();
    let place_of = |wanted: &Pattern| patterns.iter().position(|pattern| pattern.as_str() == wanted.as_str()).unwrap();
    let (mut cases, mut allowed) = (0_u32, 0_u32);
    for set in rule_sets(&patterns) {
        let rules = rules(&set);
        let granted: Vec<usize> = set.iter().map(|rule| place_of(rule)).collect();
        for (pattern, matched) in patterns.iter().zip(&matches) {
            cases += 1;
            if !allows(&rules, pattern) {
                continue;
            }
            allowed += 1;
            for (place, _) in matched.iter().enumerate().filter(|(_, matched)| **matched) {
                assert!(
                    granted.iter().any(|rule| matches[*rule][place]),
                    "{set:?} let {pattern} at {}",
                    destinations[place]
                );
            }
        }
    }
    assert!(cases > 100_000 && allowed > 1_000, "{cases} cases, of which {allowed} were allowed");
    println!("{cases} cases, of which {allowed} were allowed, 0 leaks");
}

#[test]
fn s29_a_single_rule_allows_whatever_it_wholly_includes() {
    let (patterns, destinations) = (patterns(), destinations());
    for rule in &patterns {
        let rules = rules(&[rule]);
        for pattern in &patterns {
            let within = destinations.iter().all(|place| !pattern.matches(place) || rule.matches(place));
            assert_eq!(allows(&rules, pattern), within, "{rule} and {pattern}");
        }
    }
}

/// Every client pattern under a sample of the rule sets: what arrives is exactly what was granted and asked for.
#[tokio::test(start_paused = true)]
async fn s29_what_arrives_through_the_broker_was_granted() {
    let (patterns, destinations) = (patterns(), destinations());
    let mut received = 0;
    for set in rule_sets(&patterns).step_by(61) {
        let realtime = Realtime::builder(Router::new().with_state(()))
            .authenticate(Anonymous)
            .authorize(rules(&set))
            .config(Config::development().pattern_subscriptions(true).max_subscriptions(patterns.len() + 1))
            .build()
            .unwrap();
        let mut client = Client::connect(&realtime, user("ada")).await;
        client.subscribe("errors", "/user/queue/errors").await;
        for (place, pattern) in patterns.iter().enumerate() {
            client.send(&format!("SUBSCRIBE\nid:{place}\ndestination:{pattern}\nreceipt:r\n\n")).await;
            client.frame().await;
        }
        for destination in destinations.iter().step_by(7) {
            realtime.broker().publish(destination.clone(), destination).await.unwrap();
            // An answer behind everything that was published.
            client.send("UNSUBSCRIBE\nid:none\nreceipt:barrier\n\n").await;
            let mut got = false;
            loop {
                let frame = client.frame().await;
                if frame.starts_with("RECEIPT\n") {
                    break;
                }
                assert_eq!(body(&frame), format!("\"{destination}\""));
                got = true;
            }
            // Whoever may subscribe to the rule itself hears all of it.
            assert_eq!(got, set.iter().any(|rule| rule.matches(destination)), "{set:?} at {destination}");
            received += usize::from(got);
        }
    }
    assert!(received > 500, "{received} were received");
}
