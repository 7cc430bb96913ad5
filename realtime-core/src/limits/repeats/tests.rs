//! Repeats against a model of them, a list that is searched from end to end, and their bounds one by one.

use std::time::Duration;

use futures_util::FutureExt;
use proptest::{collection::vec, prelude::*};

use super::*;

const WINDOW: Duration = Duration::from_secs(300);

fn owner(number: u8) -> Owner {
    Owner::User(format!("user-{number}").parse().unwrap())
}

fn key(text: impl std::fmt::Display) -> MessageKey {
    text.to_string().parse().unwrap()
}

fn first(claim: Claim) -> First {
    match claim {
        Claim::First(first) => first,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_is_handled_and_its_repeats_are_not_until_the_window_is_over() {
    let now = clock::now();
    let mut repeats = Repeats::new(RepeatLimits::default());
    let one = first(repeats.claim(&owner(1), &key("a"), now));
    let handled = now + Duration::from_secs(60);
    repeats.done(one, handled);
    let last = handled + WINDOW - Duration::from_nanos(1);
    assert!(matches!(repeats.claim(&owner(1), &key("a"), last), Claim::Done));
    assert!(matches!(repeats.claim(&owner(1), &key("a"), handled + WINDOW), Claim::First(_)));
}

#[test]
fn a_repeat_of_what_is_being_handled_waits_and_hears_how_it_fared() {
    let now = clock::now();
    for fared in ["done", "failed", "dropped"] {
        let mut repeats = Repeats::new(RepeatLimits::default());
        let one = first(repeats.claim(&owner(1), &key("a"), now));
        let Claim::InFlight(waiting) = repeats.claim(&owner(1), &key("a"), now) else { panic!() };
        let mut outcome = Box::pin(waiting.is_done());
        assert_eq!(outcome.as_mut().now_or_never(), None);
        match fared {
            "done" => repeats.done(one, now),
            "failed" => repeats.failed(one),
            _ => drop(one),
        }
        assert_eq!(outcome.now_or_never(), Some(fared == "done"));
        assert_eq!(matches!(repeats.claim(&owner(1), &key("a"), now), Claim::Done), fared == "done");
    }
}

#[test]
fn of_those_who_wait_for_one_that_fails_one_is_the_next_first() {
    let now = clock::now();
    let mut repeats = Repeats::new(RepeatLimits::default());
    let one = first(repeats.claim(&owner(1), &key("a"), now));
    drop(one);
    let _second = first(repeats.claim(&owner(1), &key("a"), now));
    assert!(matches!(repeats.claim(&owner(1), &key("a"), now), Claim::InFlight(_)));
}

#[test]
fn keys_of_different_owners_are_different_keys() {
    let now = clock::now();
    let mut repeats = Repeats::new(RepeatLimits::default());
    let session = Owner::Session(crate::session_id::SessionId::random());
    for owner in [owner(1), owner(2), session] {
        let one = first(repeats.claim(&owner, &key("a"), now));
        repeats.done(one, now);
    }
    assert_eq!(repeats.len(), 3);
}

/// Claims `keys` of one owner, one after the other, and handles each.
fn handle(repeats: &mut Repeats, owner: &Owner, keys: std::ops::Range<u32>, now: Instant) {
    for number in keys {
        let one = first(repeats.claim(owner, &key(number), now));
        repeats.done(one, now);
    }
}

#[test]
fn an_owner_has_1024_keys_and_one_more_costs_the_oldest() {
    let now = clock::now();
    let mut repeats = Repeats::new(RepeatLimits::default());
    handle(&mut repeats, &owner(1), 0..1024, now);
    handle(&mut repeats, &owner(2), 0..1, now);
    assert!(matches!(repeats.claim(&owner(1), &key(0), now), Claim::Done));
    handle(&mut repeats, &owner(1), 1024..1025, now);
    assert_eq!(repeats.len(), 1025);
    assert!(matches!(repeats.claim(&owner(1), &key(1), now), Claim::Done));
    assert!(matches!(repeats.claim(&owner(2), &key(0), now), Claim::Done));
    assert!(matches!(repeats.claim(&owner(1), &key(0), now), Claim::First(_)));
}

#[test]
fn there_are_so_many_keys_in_all_and_one_more_costs_the_oldest_of_anyone() {
    let now = clock::now();
    let mut repeats = Repeats::new(RepeatLimits::default().max_keys(100));
    handle(&mut repeats, &owner(1), 0..50, now);
    handle(&mut repeats, &owner(2), 0..50, now);
    assert!(matches!(repeats.claim(&owner(1), &key(0), now), Claim::Done));
    handle(&mut repeats, &owner(2), 50..51, now);
    assert_eq!(repeats.len(), 100);
    assert!(matches!(repeats.claim(&owner(1), &key(1), now), Claim::Done));
    assert!(matches!(repeats.claim(&owner(1), &key(0), now), Claim::First(_)));
}

#[test]
fn what_is_being_handled_is_forgotten_last_and_the_bound_holds_also_where_all_is() {
    let now = clock::now();
    let mut repeats = Repeats::new(RepeatLimits::default().max_keys_per_owner(3));
    let slow = first(repeats.claim(&owner(1), &key("slow"), now));
    handle(&mut repeats, &owner(1), 0..10, now);
    assert!(matches!(repeats.claim(&owner(1), &key("slow"), now + 9 * WINDOW), Claim::InFlight(_)));
    let others: Vec<First> = (20..23).map(|number| first(repeats.claim(&owner(1), &key(number), now))).collect();
    assert_eq!(repeats.len(), 3);
    // It was forgotten while it was handled: its end concerns nobody, least of all a later claim of the same key.
    let again = first(repeats.claim(&owner(1), &key("slow"), now));
    repeats.done(slow, now);
    assert!(matches!(repeats.claim(&owner(1), &key("slow"), now), Claim::InFlight(_)));
    drop((again, others));
}

#[test]
fn limits_of_nothing_remember_nothing() {
    let now = clock::now();
    let default = RepeatLimits::default();
    for limits in [default.max_keys(0), default.max_keys_per_owner(0), default.window(Duration::ZERO)] {
        let mut repeats = Repeats::new(limits);
        handle(&mut repeats, &owner(1), 0..2, now);
        handle(&mut repeats, &owner(1), 0..2, now);
        assert_eq!((repeats.len(), repeats.next_deadline()), (0, None));
    }
}

#[test]
fn all_memory_comes_back_with_time() {
    let now = clock::now();
    let mut repeats = Repeats::new(RepeatLimits::default());
    handle(&mut repeats, &owner(1), 0..100, now);
    handle(&mut repeats, &owner(2), 0..100, now);
    assert_eq!(repeats.next_deadline(), Some(now + WINDOW));
    repeats.expire(now + WINDOW);
    assert!(repeats.len() == 0 && repeats.owners.is_empty() && repeats.next_deadline().is_none());
}

/// The model: all that is remembered, oldest first.
struct Model {
    limits: RepeatLimits,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    owner: u8,
    key: u8,
    claim: usize,
    since: Instant,
    state: Fared,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fared {
    Done,
    Dropped,
    InFlight,
}

/// What a claim is told.
#[derive(PartialEq, Eq, Debug)]
enum Told {
    Done,
    First,
    InFlight,
}

impl Model {
    fn claim(&mut self, owner: u8, key: u8, claim: usize, now: Instant) -> Told {
        self.expire(now);
        if let Some(index) = self.entries.iter().position(|entry| (entry.owner, entry.key) == (owner, key)) {
            match self.entries[index].state {
                Fared::Done => return Told::Done,
                Fared::InFlight => return Told::InFlight,
                Fared::Dropped => drop(self.entries.remove(index)),
            }
        }
        if !self.limits.is_off() {
            self.make_room(|entry| entry.owner == owner, self.limits.max_keys_per_owner, now);
            self.make_room(|_| true, self.limits.max_keys, now);
            self.entries.push(Entry { owner, key, claim, since: now, state: Fared::InFlight });
        }
        Told::First
    }

    fn end(&mut self, claim: usize, fared: Option<Fared>, now: Instant) {
        let Some(index) = self.entries.iter().position(|entry| entry.claim == claim) else { return };
        match fared {
            Some(Fared::Done) => {
                let entry = self.entries.remove(index);
                self.entries.push(Entry { since: now, state: Fared::Done, ..entry });
            }
            Some(state) => self.entries[index].state = state,
            None => drop(self.entries.remove(index)),
        }
    }

    fn expire(&mut self, now: Instant) {
        let window = self.limits.window;
        let (late, mut rest): (Vec<_>, Vec<_>) = self.entries.drain(..).partition(|entry| entry.since + window <= now);
        let spared = late.into_iter().filter(|entry| entry.state == Fared::InFlight);
        rest.extend(spared.map(|entry| Entry { since: now, ..entry }));
        self.entries = rest;
    }

    /// Makes room for one among those that `counts` names: the oldest that is not in flight goes, and whatever is in flight
    /// and older becomes the youngest; where all are in flight the oldest goes.
    fn make_room(&mut self, counts: impl Fn(&Entry) -> bool, most: usize, now: Instant) {
        if self.entries.iter().filter(|entry| counts(entry)).count() < most {
            return;
        }
        let victim = self.entries.iter().position(|entry| counts(entry) && entry.state != Fared::InFlight);
        let Some(victim) = victim else {
            let oldest = self.entries.iter().position(&counts).unwrap();
            self.entries.remove(oldest);
            for entry in self.entries.iter_mut().filter(|entry| counts(entry)) {
                entry.since = now;
            }
            let (renewed, mut rest): (Vec<_>, Vec<_>) = self.entries.drain(..).partition(|entry| counts(entry));
            rest.extend(renewed);
            self.entries = rest;
            return;
        };
        self.entries.remove(victim);
        let older = self.entries.drain(..victim).collect::<Vec<_>>();
        let (spared, mut rest): (Vec<_>, Vec<_>) = older.into_iter().partition(|entry| counts(entry));
        rest.append(&mut self.entries);
        rest.extend(spared.into_iter().map(|entry| Entry { since: now, ..entry }));
        self.entries = rest;
    }
}

proptest! {
    #[test]
    fn what_each_claim_is_told_is_the_models(
        max_keys in 0..8_usize,
        max_keys_per_owner in 0..5_usize,
        ops in vec((0..10_u8, 0..3_u8, 0..6_u8), 1..60),
    ) {
        let limits = RepeatLimits::default().max_keys(max_keys).max_keys_per_owner(max_keys_per_owner);
        let (mut repeats, mut model) = (Repeats::new(limits), Model { limits, entries: Vec::new() });
        let owners: Vec<Owner> = (0..3).map(owner).collect();
        let keys: Vec<MessageKey> = (0..6).map(key).collect();
        let (mut now, mut claims) = (clock::now(), 0);
        let mut under_way: Vec<(usize, First)> = Vec::new();
        // Those who wait, with the claim that they wait for.
        let mut waiting: Vec<(u8, u8, Pending)> = Vec::new();
        for (kind, a, b) in ops {
            match kind {
                0..5 => {
                    claims += 1;
                    let told = match repeats.claim(&owners[usize::from(a)], &keys[usize::from(b)], now) {
                        Claim::Done => Told::Done,
                        Claim::First(first) => {
                            under_way.push((claims, first));
                            Told::First
                        }
                        Claim::InFlight(pending) => {
                            waiting.push((a, b, pending));
                            Told::InFlight
                        }
                    };
                    prop_assert_eq!(told, model.claim(a, b, claims, now));
                }
                5..8 if !under_way.is_empty() => {
                    let (claim, first) = under_way.swap_remove(usize::from(b) % under_way.len());
                    match kind {
                        5 => {
                            repeats.done(first, now);
                            model.end(claim, Some(Fared::Done), now);
                        }
                        6 => {
                            repeats.failed(first);
                            model.end(claim, None, now);
                        }
                        _ => {
                            drop(first);
                            model.end(claim, Some(Fared::Dropped), now);
                        }
                    }
                }
                8 => now += WINDOW / 3 * u32::from(a),
                _ => {
                    repeats.expire(now);
                    model.expire(now);
                }
            }
            prop_assert!(repeats.len() <= max_keys);
            for owned in repeats.owners.values() {
                prop_assert!(owned.order.len() <= max_keys_per_owner);
                prop_assert_eq!(owned.order.len(), owned.numbers.len());
            }
        }
        // Once all is handled nobody waits for ever, and with time nothing is left.
        under_way.clear();
        for (_, _, pending) in waiting {
            prop_assert!(pending.is_done().now_or_never().is_some());
        }
        repeats.expire(now + WINDOW);
        prop_assert!(repeats.len() == 0 && repeats.owners.is_empty());
    }
}
