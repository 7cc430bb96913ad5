//! The work of a shard: it takes the log, and writes. It neither waits nor locks anything but outboxes, one at a time.

use std::{collections::VecDeque, sync::Arc};

use rustc_hash::FxHashMap;
use slab::Slab;

use super::{
    backlog::Load,
    batches::{Origin, Own},
    lane::{Lane, LaneId, Left, Message, SubscriberKey, Tail, Tally, WRITE},
    seats::{Place, Seats},
    shard::{Entry, Joining},
};
use crate::outbox::{Batch, Moment, Outbox};

/// How much is done in a turn before everyone else has theirs: 128 writes, less than a millisecond.
pub(super) const TURN: usize = 128 * WRITE;

/// All lanes of a shard.
#[derive(Debug)]
pub(super) struct Flusher {
    /// What a connection is given at a time.
    portion: Load,
    lanes: Slab<Lane>,
    by_id: FxHashMap<LaneId, usize>,
    seats: Seats,
    /// Lanes that have something to write, the next one first. One that is gone is skipped.
    dirty: VecDeque<LaneId>,
    /// What was taken from the log and has not had its turn.
    entries: VecDeque<Entry>,
    /// Numbers the messages of all lanes.
    sequence: u64,
    /// Room for the frames of one outbox.
    own: Own,
    /// Room for the places that have something for one outbox.
    places: Vec<Place>,
    tally: Tally,
    /// Set during a turn: one that begins with it set follows one that panicked.
    is_in_turn: bool,
}

impl Flusher {
    pub(super) fn new(portion: Load) -> Self {
        Self {
            portion,
            lanes: Slab::new(),
            by_id: FxHashMap::default(),
            seats: Seats::default(),
            dirty: VecDeque::new(),
            entries: VecDeque::new(),
            sequence: 0,
            own: Own::default(),
            places: Vec::new(),
            tally: Tally::default(),
            is_in_turn: false,
        }
    }

    /// Gives back all memory, once everyone has left.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.portion);
    }

    /// Whether everything is written.
    pub(super) fn is_clean(&self) -> bool {
        self.dirty.is_empty() && self.entries.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// What was done since the last call.
    pub(super) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Begins a turn. After one that panicked every lane that has messages is looked at anew.
    pub(super) fn begin_turn(&mut self) {
        if std::mem::replace(&mut self.is_in_turn, true) {
            self.dirty.clear();
            for (id, slot) in &self.by_id {
                let lane = &mut self.lanes[*slot];
                lane.is_dirty = lane.has_messages();
                self.dirty.extend(lane.is_dirty.then_some(*id));
            }
        }
    }

    pub(super) fn end_turn(&mut self) {
        self.is_in_turn = false;
    }

    /// Appends a piece of the log.
    pub(super) fn append(&mut self, entries: Vec<Entry>) {
        if self.entries.is_empty() {
            self.entries = entries.into();
        } else {
            self.entries.extend(entries);
        }
    }

    /// Has entries of the log take effect, as far as `budget` goes; returns what is left of it.
    pub(super) fn take_some(&mut self, mut budget: usize, moment: Moment) -> usize {
        while budget > 0
            && let Some(entry) = self.entries.pop_front()
        {
            // A message is only put into its lane; anything else may be written.
            let cost = if matches!(entry, Entry::Publish { .. }) { 1 } else { WRITE };
            budget = budget.saturating_sub(cost);
            if let Err(entry) = self.take(entry, moment) {
                self.entries.push_front(entry);
                return 0;
            }
        }
        budget
    }

    /// Gives back the room that was used.
    pub(super) fn rest(&mut self) {
        self.own = Own::default();
        self.places = Vec::new();
    }

    /// Takes one entry of the log.
    ///
    /// # Errors
    /// The entry, where what comes before it was not all given to its connection yet: there was more than goes at a time.
    pub(super) fn take(&mut self, entry: Entry, moment: Moment) -> Result<(), Entry> {
        match entry {
            Entry::Publish { lane, tail } => self.publish(lane, tail),
            Entry::Join(joining) => self.join(*joining),
            Entry::Leave { lane, key, outbox } => {
                if !self.leave(lane, key, &outbox, moment) {
                    return Err(Entry::Leave { lane, key, outbox });
                }
            }
            Entry::Outbox { outbox, deferred } => {
                let is_served = self.seats.of(&outbox).is_none_or(|seat| self.serve(seat, moment));
                if !is_served {
                    return Err(Entry::Outbox { outbox, deferred });
                }
                outbox.perform_deferred(deferred);
            }
        }
        Ok(())
    }

    /// Writes for a turn of `budget`.
    pub(super) fn write(&mut self, mut budget: usize, moment: Moment) {
        while budget > 0 {
            let Some(id) = self.dirty.pop_front() else { return };
            let Some(&slot) = self.by_id.get(&id) else { continue };
            let left = loop {
                let lane = &mut self.lanes[slot];
                match lane.serve_in_turn(&mut budget, self.portion, &mut self.own, moment, &mut self.tally) {
                    Left::Shared(seat) if self.serve(seat, moment) => {}
                    // It is to have time to write before it is given more.
                    Left::Shared(_) => budget = 0,
                    left => break left,
                }
            };
            let lane = &mut self.lanes[slot];
            if let Left::RoundOver { is_cut } = left {
                lane.end_round(&mut self.tally);
                if is_cut {
                    budget = 0;
                }
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
        let seat = self.seats.enter(&outbox, |seat| Place { lane: slot, member: lane.add(member, seat, key, head) });
        self.mark(seat);
    }

    fn publish(&mut self, lane: LaneId, tail: Tail) {
        self.sequence += 1;
        let slot = self.by_id.get(&lane).copied();
        let audience = slot.map_or(0, |slot| self.lanes[slot].members.len());
        self.tally.deliveries += audience;
        let message = Message::new(tail, self.sequence, audience);
        let Some(slot) = slot else {
            // Everyone has left.
            return message.count(&mut self.tally);
        };
        let lane_state = &mut self.lanes[slot];
        lane_state.append(message);
        if !std::mem::replace(&mut lane_state.is_dirty, true) {
            self.dirty.push_back(lane);
        }
    }

    /// False, with nothing left, where somebody has more due than goes at a time.
    fn leave(&mut self, id: LaneId, key: SubscriberKey, outbox: &Arc<Outbox>, moment: Moment) -> bool {
        let Some(seat) = self.seats.of(outbox) else { return true };
        // It was a member when these were published.
        if !self.serve(seat, moment) {
            return false;
        }
        let slot = self.by_id.get(&id).copied();
        let place = slot.and_then(|slot| {
            let lane = &self.lanes[slot];
            self.seats.places(seat).find(|place| place.lane == slot && lane.members[place.member].key == key)
        });
        let Some(place) = place else {
            outbox.forget_now(key);
            return true;
        };
        let slot = place.lane;
        let last = Place { lane: slot, member: self.lanes[slot].members.len() - 1 };
        // It may come to stand among those who were served in this round.
        if last != place && !self.serve(self.lanes[slot].members[last.member].seat, moment) {
            return false;
        }
        outbox.forget_now(key);
        let stays = self.seats.leave(seat, place);
        self.lanes[slot].remove(place.member);
        if let Some(moved) = self.lanes[slot].members.get(place.member) {
            self.seats.moved(moved.seat, last, place);
        }
        if stays {
            self.mark(seat);
        }
        if self.lanes[slot].members.is_empty() {
            self.lanes.remove(slot).end_all(&mut self.tally);
            self.by_id.remove(&id);
        }
        true
    }

    /// Tells a connection's places whether it has another one.
    fn mark(&mut self, seat: usize) {
        let is_alone = self.seats.is_alone(seat);
        for Place { lane, member } in self.seats.places(seat) {
            self.lanes[lane].members[member].is_alone = is_alone;
        }
    }

    /// Gives a connection what is there for it, in the order in which it was published; false where there is more than goes at a
    /// time.
    fn serve(&mut self, seat: usize, moment: Moment) -> bool {
        let Self { portion, lanes, seats, own, places, tally, .. } = self;
        places.clear();
        let is_due = |place: &Place| {
            let lane = &lanes[place.lane];
            lane.members[place.member].due < lane.end()
        };
        places.extend(seats.places(seat).filter(is_due));
        let outbox = match places.as_slice() {
            [] => return true,
            [place] => {
                let lane = &mut lanes[place.lane];
                let end = lane.portion_end(lane.members[place.member].due, *portion);
                lane.serve(place.member, end, own, moment, tally);
                return end == lane.end();
            }
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
        let mut load = Load::default();
        let mut is_whole = true;
        while let Some(place) = next(lanes, places) {
            let lane = &mut lanes[place.lane];
            let member = &lane.members[place.member];
            let due = member.due;
            if let Some(message) = lane.message(due) {
                load.add(message.tail.octets.len(), 0);
                if load.exceeds(*portion) && load.messages > 1 {
                    is_whole = false;
                    break;
                }
                own.add(lane.head(member.shape), message, member.key, Origin { lane: place.lane, number: due });
            }
            lane.given(due, true);
            lane.members[place.member].due += 1;
        }
        match outbox.deliver(own, moment) {
            Ok(()) => tally.octets += own.octets().len(),
            Err(partly) => {
                for frame in tally.count(&partly) {
                    let Origin { lane, number } = own.origin(*frame);
                    lanes[lane].given(number, false);
                }
            }
        }
        is_whole
    }
}
