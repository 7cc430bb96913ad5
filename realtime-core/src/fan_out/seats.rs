//! The connections of a shard, and in which lanes each of them is.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use slab::Slab;

use super::backlog::Load;
use crate::outbox::Outbox;

/// Where a connection is a member: the lane, and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) lane: usize,
    pub(super) member: usize,
}

/// A connection that is in one lane at least.
#[derive(Debug)]
struct Seat {
    outbox: usize,
    first: Place,
    /// Most connections are in few lanes.
    more: Vec<Place>,
    given: Given,
}

/// What a connection was given alone in a turn.
#[derive(Clone, Copy, Debug, Default)]
struct Given {
    turn: u64,
    messages: usize,
    octets: usize,
}

/// All connections that are in a lane.
#[derive(Debug, Default)]
pub(super) struct Seats {
    seats: Slab<Seat>,
    by_outbox: FxHashMap<usize, usize>,
}

/// Tells outboxes apart: the lanes keep those alive that are asked about.
fn id(outbox: &Arc<Outbox>) -> usize {
    Arc::as_ptr(outbox).addr()
}

impl Seats {
    pub(super) fn of(&self, outbox: &Arc<Outbox>) -> Option<usize> {
        self.by_outbox.get(&id(outbox)).copied()
    }

    /// The seat of a connection that will be in the lane at `place(seat)`.
    pub(super) fn enter(&mut self, outbox: &Arc<Outbox>, place: impl FnOnce(usize) -> Place) -> usize {
        if let Some(seat) = self.of(outbox) {
            let place = place(seat);
            self.seats[seat].more.push(place);
            return seat;
        }
        let entry = self.seats.vacant_entry();
        let seat = entry.key();
        entry.insert(Seat { outbox: id(outbox), first: place(seat), more: Vec::new(), given: Given::default() });
        self.by_outbox.insert(id(outbox), seat);
        seat
    }

    /// Takes a place away; a connection without one is forgotten. Returns whether it has another one.
    pub(super) fn leave(&mut self, seat: usize, place: Place) -> bool {
        let Seat { outbox, first, more, .. } = &mut self.seats[seat];
        if *first != place {
            more.retain(|other| *other != place);
            return true;
        }
        match more.pop() {
            Some(other) => {
                *first = other;
                true
            }
            None => {
                self.by_outbox.remove(outbox);
                self.seats.remove(seat);
                false
            }
        }
    }

    /// A member has another place in its lane now.
    pub(super) fn moved(&mut self, seat: usize, from: Place, to: Place) {
        let Seat { first, more, .. } = &mut self.seats[seat];
        let mut places = std::iter::once(first).chain(more);
        if let Some(place) = places.find(|place| **place == from) {
            *place = to;
        }
    }

    /// Whether a connection is in one lane alone.
    pub(super) fn is_alone(&self, seat: usize) -> bool {
        self.seats[seat].more.is_empty()
    }

    /// Where a connection is a member.
    pub(super) fn places(&self, seat: usize) -> impl Iterator<Item = Place> {
        let Seat { first, more, .. } = &self.seats[seat];
        std::iter::once(*first).chain(more.iter().copied())
    }

    /// What a connection was given so far in a turn.
    pub(super) fn given(&self, seat: usize, turn: u64) -> Load {
        let Given { turn: last, messages, octets } = self.seats[seat].given;
        if last == turn { Load { messages, octets, deliveries: 0 } } else { Load::default() }
    }

    /// Sets what a connection was given so far in a turn.
    pub(super) fn set_given(&mut self, seat: usize, turn: u64, Load { messages, octets, .. }: Load) {
        self.seats[seat].given = Given { turn, messages, octets };
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }
}
