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

/// How much is done in a turn before everyone else has theirs: 128 writes, a millisecond or two.
pub(super) const TURN: usize = 128 * WRITE;

/// All lanes of a shard.
#[derive(Debug)]
pub(super) struct Flusher {
    /// What a connection is given at a time: in a turn once by what it is answered, and once with everyone else.
    portion: Load,
    /// Numbers the turns.
    turn: u64,
    lanes: Slab<Lane>,
    by_id: FxHashMap<LaneId, usize>,
    seats: Seats,
    /// Lanes that have something to write, the next one first. One that is gone is skipped.
    dirty: VecDeque<LaneId>,
    /// Lanes that go on in the next turn.
    put_off: Vec<LaneId>,
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
            turn: 0,
            lanes: Slab::new(),
            by_id: FxHashMap::default(),
            seats: Seats::default(),
            dirty: VecDeque::new(),
            put_off: Vec::new(),
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
        self.turn += 1;
        if std::mem::replace(&mut self.is_in_turn, true) {
            self.dirty.clear();
            self.put_off.clear();
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
        while budget > 0 && !self.entries.is_empty() {
            if !self.prepare(moment) {
                return 0;
            }
            let Some(entry) = self.entries.pop_front() else { break };
            // A message is only put into its lane; anything else may be written.
            let cost = if matches!(entry, Entry::Publish { .. }) { 1 } else { WRITE };
            budget = budget.saturating_sub(cost);
            self.take(entry);
        }
        budget
    }

    /// Gives connections what is in front of the next entry of the log; false where that is more than goes in a turn. If one of
    /// them panics, the entry is still there.
    fn prepare(&mut self, moment: Moment) -> bool {
        let seats = match self.entries.front() {
            Some(Entry::Outbox { outbox, .. }) => [self.seats.of(outbox), None],
            Some(Entry::Leave { lane, outbox, .. }) => {
                // The last member may come to stand among those who were served in this round.
                let last = self.by_id.get(lane).and_then(|slot| self.lanes[*slot].members.last());
                [self.seats.of(outbox), last.map(|member| member.seat)]
            }
            Some(Entry::Join(_) | Entry::Publish { .. }) | None => [None, None],
        };
        seats.into_iter().flatten().all(|seat| self.serve(seat, moment))
    }

    /// Gives back the room that was used.
    pub(super) fn rest(&mut self) {
        self.own = Own::default();
        self.places = Vec::new();
    }

    /// Takes one entry of the log, before which everything is given.
    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Publish { lane, tail, audience } => self.publish(lane, tail, audience),
            Entry::Join(joining) => self.join(*joining),
            Entry::Leave { lane, key, outbox } => self.leave(lane, key, &outbox),
            Entry::Outbox { outbox, deferred } => outbox.perform_deferred(deferred),
        }
    }

    /// Writes for a turn of `budget`.
    pub(super) fn write(&mut self, mut budget: usize, moment: Moment) {
        while budget > 0 {
            let Some(id) = self.dirty.pop_front() else { break };
            let Some(&slot) = self.by_id.get(&id) else { continue };
            let left = loop {
                let lane = &mut self.lanes[slot];
                match lane.serve_in_turn(&mut budget, self.portion, &mut self.own, moment, &mut self.tally) {
                    Left::Shared(seat) => {
                        self.serve(seat, moment);
                        self.lanes[slot].pass();
                    }
                    left => break left,
                }
            };
            let lane = &mut self.lanes[slot];
            let is_cut = left == Left::RoundOver && lane.is_cut();
            if left == Left::RoundOver {
                lane.end_round(&mut self.tally);
            }
            if !lane.has_messages() {
                lane.is_dirty = false;
            } else if is_cut {
                // Whoever was given a portion has time to write it first.
                self.put_off.push(id);
            } else {
                // The others' turn.
                self.dirty.push_back(id);
            }
        }
        self.dirty.extend(self.put_off.drain(..));
    }

    fn join(&mut self, Joining { lane: id, outbox, key, head }: Joining) {
        let slot = *self.by_id.entry(id).or_insert_with(|| self.lanes.insert(Lane::default()));
        let lane = &mut self.lanes[slot];
        let member = Arc::clone(&outbox);
        let seat = self.seats.enter(&outbox, |seat| Place { lane: slot, member: lane.add(member, seat, key, head) });
        self.mark(seat);
    }

    fn publish(&mut self, lane: LaneId, tail: Tail, audience: usize) {
        self.sequence += 1;
        let message = Message::new(tail, self.sequence, audience);
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

    fn leave(&mut self, id: LaneId, key: SubscriberKey, outbox: &Arc<Outbox>) {
        outbox.forget_now(key);
        let Some(seat) = self.seats.of(outbox) else { return };
        let Some(&slot) = self.by_id.get(&id) else { return };
        let place = {
            let lane = &self.lanes[slot];
            self.seats.places(seat).find(|place| place.lane == slot && lane.members[place.member].key == key)
        };
        let Some(place) = place else { return };
        let last = Place { lane: slot, member: self.lanes[slot].members.len() - 1 };
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
    }

    /// Tells a connection's places whether it has another one.
    fn mark(&mut self, seat: usize) {
        let is_alone = self.seats.is_alone(seat);
        for Place { lane, member } in self.seats.places(seat) {
            self.lanes[lane].members[member].is_alone = is_alone;
        }
    }

    /// Gives a connection what is there for it, in the order in which it was published; false where there is more than goes in a
    /// turn.
    fn serve(&mut self, seat: usize, moment: Moment) -> bool {
        let Self { portion, turn, lanes, seats, own, places, tally, .. } = self;
        places.clear();
        let is_due = |place: &Place| {
            let lane = &lanes[place.lane];
            lane.members[place.member].due < lane.end()
        };
        places.extend(seats.places(seat).filter(is_due));
        let outbox = match places.as_slice() {
            [] => return true,
            [place, ..] => &lanes[place.lane].members[place.member].outbox,
        };
        // Who does not take anything any more needs no time for it.
        let portion = if outbox.is_open() { *portion } else { Load::MAX };
        let mut given = seats.given(seat, *turn);
        let is_whole = if let [place] = places.as_slice() {
            let lane = &mut lanes[place.lane];
            let due = lane.members[place.member].due;
            let head = lane.head(lane.members[place.member].shape).len();
            let end = lane.portion_end(due, head, portion, &mut given);
            if end > due {
                lane.serve(place.member, end, own, moment, tally);
            }
            end == lane.end()
        } else {
            let outbox = Arc::clone(outbox);
            serve_merged(lanes, places, &outbox, (portion, &mut given), own, moment, tally)
        };
        seats.set_given(seat, *turn, given);
        is_whole
    }
}

/// Gives a connection that has something due in several lanes what goes into a portion; returns whether that is all.
fn serve_merged(
    lanes: &mut Slab<Lane>,
    places: &[Place],
    outbox: &Outbox,
    (portion, given): (Load, &mut Load),
    own: &mut Own,
    moment: Moment,
    tally: &mut Tally,
) -> bool {
    own.clear();
    let next = |lanes: &Slab<Lane>| {
        let due = places.iter().filter_map(|place| {
            let lane = &lanes[place.lane];
            Some((lane.message(lane.members[place.member].due)?.sequence, *place))
        });
        due.min_by_key(|(sequence, _)| *sequence).map(|(_, place)| place)
    };
    let is_whole = loop {
        let Some(place) = next(lanes) else { break true };
        let lane = &mut lanes[place.lane];
        let member = &lane.members[place.member];
        let due = member.due;
        let Some(message) = lane.message(due) else { break true };
        let head = lane.head(member.shape);
        let mut with = *given;
        with.add(head.len() + message.tail.octets.len(), 0);
        if with.exceeds(portion) && with.messages > 1 {
            break false;
        }
        *given = with;
        own.add(head, message, member.key, Origin { lane: place.lane, number: due });
        lane.given(due, true);
        lane.members[place.member].due += 1;
    };
    if own.len() == 0 {
        return is_whole;
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
