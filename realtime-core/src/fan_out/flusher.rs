//! The work of a shard: it takes the log, and writes. It neither waits nor locks anything but outboxes, one at a time.

use std::{collections::VecDeque, sync::Arc};

use rustc_hash::FxHashMap;
use slab::Slab;
use tokio::time::Instant;

use super::{
    batches::{Common, Origin, Own},
    lane::{Lane, LaneId, Message, SubscriberKey, Tally},
    seats::{Place, Seats},
    shard::{Entry, Joining},
};
use crate::outbox::{Delivered, Outbox};

/// What writing to one member counts as in a turn, against looking at one who has everything.
const WRITE: usize = 16;

/// How much is done in a turn before everyone else has theirs: 64 writes, about half a millisecond.
pub(super) const TURN: usize = 64 * WRITE;

/// All lanes of a shard.
#[derive(Debug, Default)]
pub(super) struct Flusher {
    lanes: Slab<Lane>,
    by_id: FxHashMap<LaneId, usize>,
    seats: Seats,
    /// Lanes that have something to write, the next one first. One that is gone is skipped.
    dirty: VecDeque<LaneId>,
    /// Numbers the messages of all lanes.
    sequence: u64,
    /// Room for the frames of one outbox.
    own: Own,
    /// Room for the places that have something for one outbox.
    places: Vec<Place>,
    tally: Tally,
}

impl Flusher {
    /// Whether everything is written.
    pub(super) fn is_clean(&self) -> bool {
        self.dirty.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// What was done since the last call.
    pub(super) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Takes one entry of the log.
    pub(super) fn take(&mut self, entry: Entry, now: Instant) {
        match entry {
            Entry::Publish { lane, tail } => {
                self.sequence += 1;
                let message = Message::new(tail, self.sequence);
                let Some(&slot) = self.by_id.get(&lane) else {
                    // Everyone has left.
                    return message.count(&mut self.tally);
                };
                let lane_state = &mut self.lanes[slot];
                lane_state.append(message);
                if !std::mem::replace(&mut lane_state.is_dirty, true) {
                    self.dirty.push_back(lane);
                }
            }
            Entry::Join(joining) => self.join(*joining),
            Entry::Leave { lane, key, outbox } => self.leave(lane, key, &outbox, now),
            Entry::Outbox { outbox, deferred } => {
                if let Some(seat) = self.seats.of(&outbox) {
                    self.serve(seat, now);
                }
                outbox.perform_deferred(deferred);
            }
        }
    }

    /// Writes for a turn of `budget`.
    pub(super) fn write(&mut self, mut budget: usize, now: Instant) {
        while budget > 0 {
            let Some(id) = self.dirty.pop_front() else { return };
            let Some(&slot) = self.by_id.get(&id) else { continue };
            while budget > 0
                && let lane = &mut self.lanes[slot]
                && let Some(place) = lane.next()
            {
                let member = &lane.members[place];
                budget = budget.saturating_sub(1);
                if member.due == lane.end() {
                    continue;
                }
                budget = budget.saturating_sub(WRITE - 1);
                let seat = member.seat;
                if self.seats.is_alone(seat) {
                    serve_from(lane, place, &mut self.own, now, &mut self.tally);
                } else {
                    self.serve(seat, now);
                }
            }
            let lane = &mut self.lanes[slot];
            if lane.is_round_over() {
                lane.end_round(&mut self.tally);
            }
            if lane.has_messages() {
                // The others' turn.
                self.dirty.push_back(id);
            } else {
                lane.is_dirty = false;
            }
        }
    }

    fn join(&mut self, Joining { lane: id, outbox, key, head }: Joining) {
        let slot = *self.by_id.entry(id).or_insert_with(|| self.lanes.insert(Lane::default()));
        let lane = &mut self.lanes[slot];
        let member = Arc::clone(&outbox);
        self.seats.enter(&outbox, |seat| Place { lane: slot, member: lane.add(member, seat, key, head) });
    }

    fn leave(&mut self, id: LaneId, key: SubscriberKey, outbox: &Arc<Outbox>, now: Instant) {
        let Some(seat) = self.seats.of(outbox) else { return };
        // It was a member when these were published.
        self.serve(seat, now);
        outbox.forget_now(key);
        let Some(&slot) = self.by_id.get(&id) else { return };
        let place = {
            let lane = &self.lanes[slot];
            self.seats.places(seat).find(|place| place.lane == slot && lane.members[place.member].key == key)
        };
        let Some(place) = place else { return };
        let last = Place { lane: slot, member: self.lanes[slot].members.len() - 1 };
        if last != place {
            // It may come to stand among those who were served in this round.
            self.serve(self.lanes[slot].members[last.member].seat, now);
        }
        self.seats.leave(seat, place);
        self.lanes[slot].remove(place.member);
        if let Some(moved) = self.lanes[slot].members.get(place.member) {
            self.seats.moved(moved.seat, last, place);
        }
        if self.lanes[slot].members.is_empty() {
            self.lanes.remove(slot).end_all(&mut self.tally);
            self.by_id.remove(&id);
        }
    }

    /// Gives a connection everything that is there for it, in the order in which it was published.
    fn serve(&mut self, seat: usize, now: Instant) {
        let Self { lanes, seats, own, places, tally, .. } = self;
        places.clear();
        let is_due = |place: &Place| {
            let lane = &lanes[place.lane];
            lane.members[place.member].due < lane.end()
        };
        places.extend(seats.places(seat).filter(is_due));
        let outbox = match places.as_slice() {
            [] => return,
            [place] => return serve_from(&mut lanes[place.lane], place.member, own, now, tally),
            [place, ..] => Arc::clone(&lanes[place.lane].members[place.member].outbox),
        };
        own.clear();
        let next = |lanes: &Slab<Lane>, places: &[Place]| {
            let due = places.iter().filter_map(|place| {
                let lane = &lanes[place.lane];
                Some((lane.message(lane.members[place.member].due)?.sequence, *place))
            });
            due.min_by_key(|(sequence, _)| *sequence).map(|(_, place)| place)
        };
        while let Some(place) = next(lanes, places) {
            let lane = &mut lanes[place.lane];
            let member = &lane.members[place.member];
            let due = member.due;
            if let Some(message) = lane.message(due) {
                own.add(lane.head(member.shape), message, member.key, Origin { lane: place.lane, number: due });
            }
            lane.given(due, true);
            lane.members[place.member].due += 1;
        }
        let delivered = outbox.deliver(own, now);
        for frame in delivered.count(tally) {
            let Origin { lane, number } = own.origin(frame);
            lanes[lane].given(number, false);
        }
    }
}

/// Gives a member what there is for it in one lane.
fn serve_from(lane: &mut Lane, place: usize, own: &mut Own, now: Instant, tally: &mut Tally) {
    let end = lane.end();
    let (member, shape, messages, first) = lane.parts(place);
    let due = std::mem::replace(&mut member.due, end);
    let from = usize::try_from(due - first).unwrap_or(usize::MAX);
    messages.range_mut(from..).for_each(|message| message.given += 1);
    let delivered = if shape.members == 1 && shape.composed.is_empty() {
        own.clear();
        for (message, number) in messages.range(from..).zip(due..) {
            own.add(&shape.head, message, member.key, Origin { lane: 0, number });
        }
        member.outbox.deliver(own, now)
    } else {
        let composed = &mut shape.composed;
        composed.go_on(&shape.head, messages, first);
        member.outbox.deliver(&mut Common { composed, due, messages, first, key: member.key }, now)
    };
    for frame in delivered.count(tally) {
        messages[from + frame].given -= 1;
    }
}

impl Delivered {
    /// Counts it; returns what was not taken.
    fn count(self, tally: &mut Tally) -> Vec<usize> {
        tally.octets += self.octets;
        tally.refused += self.refused;
        self.not_taken
    }
}
