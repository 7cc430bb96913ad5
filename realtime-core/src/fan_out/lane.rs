//! A lane: one destination's messages on their way to the members of one shard, and how far each member is.
//!
//! Messages are numbered. A member names the next one that it has not been given, so it can be served in turn or alone, and
//! gets every message once. What all have been given is let go.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    backlog::Load,
    batches::{Common, Origin, Own},
    shapes::Shapes,
};
use crate::{
    outbox::{Batch, Moment, Outbox, Overflow, Partly},
    telemetry::DestinationMeters,
    websocket::{self, Opcode},
};

/// What writing to one member counts as in a turn, against looking at one who has everything.
pub(super) const WRITE: usize = 16;

/// Members whose outboxes are had from memory together. Between two of them is a system call, which leaves little in the caches.
const FETCHED: usize = 16;

/// Names a lane in its shard; never reused.
pub(crate) type LaneId = u64;

/// Names one subscription inside the broker; never reused.
pub(crate) type SubscriberKey = u64;

/// A message as all members of a lane get it: what follows the beginning that each has for itself.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    pub(crate) octets: Bytes,
    /// The kind of the WebSocket frame around it; none in an event stream.
    pub(crate) framing: Option<Opcode>,
    pub(crate) overflow: Overflow,
    /// Tells destinations apart that one subscription by pattern hears of; 0 where it can only be one.
    pub(crate) salt: u64,
    /// Where it counts as delivered.
    pub(crate) meters: Arc<DestinationMeters>,
}

/// A message in a lane.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) tail: Tail,
    /// Its place among all messages of the shard.
    pub(super) sequence: u64,
    /// How many members it was handed to.
    pub(super) given: u64,
    /// How many members there were when it came.
    pub(super) audience: usize,
}

/// What was done in a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Messages that connections took, and octets of frames.
    pub(super) messages: usize,
    pub(super) octets: usize,
    /// Messages that connections did not take as they are closing.
    pub(super) refused: usize,
    /// Messages that everyone was given.
    pub(super) done: Load,
}

impl Tally {
    /// Counts what was not written at once; returns what was not taken.
    pub(super) fn count<'a>(&mut self, partly: &'a Partly) -> &'a [usize] {
        self.octets += partly.octets;
        self.refused += partly.refused;
        &partly.not_taken
    }
}

/// Messages, and who gets them.
#[derive(Debug, Default)]
pub(super) struct Lane {
    messages: Vec<Message>,
    /// The number of the first of them.
    first: u64,
    pub(super) members: Vec<Member>,
    shapes: Shapes,
    /// The members before this one were served in this round.
    next: usize,
    /// The messages before this one are given to everyone in this round: not those that came after its beginning, as the ones who
    /// were served before have not got them.
    round: u64,
    /// For one of them there was more than is given at a time.
    is_cut: bool,
    /// It stands in the queue of those that have something to write.
    pub(super) is_dirty: bool,
}

/// A subscription.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) outbox: Arc<Outbox>,
    pub(super) seat: usize,
    pub(super) shape: usize,
    pub(super) key: SubscriberKey,
    /// Its connection is in this lane alone.
    pub(super) is_alone: bool,
    /// The number of the next message that it gets.
    pub(super) due: u64,
}

/// Why serving in turn was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Enough was done for a turn.
    BudgetSpent,
    /// Everyone was served in this round.
    RoundOver,
    /// The connection of that seat has its turn, which is in other lanes as well.
    Shared(usize),
}

impl Tail {
    /// Appends the whole frame that begins with `head`.
    pub(super) fn compose(&self, head: &[u8], out: &mut Vec<u8>) {
        out.reserve(websocket::MAX_HEADER + head.len() + self.octets.len());
        if let Some(opcode) = self.framing {
            websocket::encode_header(opcode, head.len() + self.octets.len(), out);
        }
        out.extend_from_slice(head);
        out.extend_from_slice(&self.octets);
    }
}

impl Message {
    pub(super) fn new(tail: Tail, sequence: u64, audience: usize) -> Self {
        Self { tail, sequence, given: 0, audience }
    }

    /// Counts it, as everyone was given it.
    pub(super) fn count(&self, tally: &mut Tally) {
        self.tail.meters.delivered.add(self.given);
        tally.messages += usize::try_from(self.given).unwrap_or_default();
        tally.done.add(self.tail.octets.len(), self.audience);
    }
}

impl Lane {
    pub(super) fn append(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// The number of the next message.
    pub(super) fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    /// Adds a member that gets what comes from now on; returns its place.
    pub(super) fn add(&mut self, outbox: Arc<Outbox>, seat: usize, key: SubscriberKey, head: Arc<[u8]>) -> usize {
        let shape = self.shapes.enter(head);
        let due = self.end();
        if self.members.is_empty() {
            // Very many destinations have one subscriber.
            self.members.reserve_exact(1);
        }
        self.members.push(Member { outbox, seat, shape, key, is_alone: true, due });
        self.members.len() - 1
    }

    /// Removes the member at a place, which the last one takes.
    pub(super) fn remove(&mut self, place: usize) {
        let Member { shape, .. } = self.members.swap_remove(place);
        self.shapes.leave(shape);
        if self.members.capacity() > self.members.len() * 4 {
            self.members.shrink_to(self.members.len() * 2);
        }
    }

    /// The number behind the last message that goes into a portion, from the message `due` on, each behind a head of so many
    /// octets; `given` is what is in it already, and grows.
    pub(super) fn portion_end(&self, due: u64, head: usize, portion: Load, given: &mut Load) -> u64 {
        let whole = self.messages[index(due, self.first)..].iter().take_while(|message| {
            let mut with = *given;
            with.add(head + message.tail.octets.len(), 0);
            // A message that is larger than all that goes alone.
            let fits = with.messages == 1 || !with.exceeds(portion);
            if fits {
                *given = with;
            }
            fits
        });
        due + whole.count() as u64
    }

    /// Serves members in turn, as far as `budget` goes.
    pub(super) fn serve_in_turn(
        &mut self,
        budget: &mut usize,
        portion: Load,
        own: &mut Own,
        moment: Moment,
        tally: &mut Tally,
    ) -> Left {
        if self.next == 0 {
            self.round = self.end();
            self.is_cut = false;
        }
        let end = self.end();
        // It is the same for most members.
        let (mut known, mut upto) = ((end, 0), end);
        while *budget > 0 {
            let Some(member) = self.members.get(self.next) else { return Left::RoundOver };
            *budget -= 1;
            if member.due == end {
                self.next += 1;
            } else if !member.is_alone {
                *budget = budget.saturating_sub(WRITE);
                return Left::Shared(member.seat);
            } else {
                let (due, head) = (member.due, self.shapes.head(member.shape).len());
                if known != (due, head) {
                    (known, upto) = ((due, head), self.portion_end(due, head, portion, &mut Load::default()));
                }
                if self.shapes.get(member.shape).is_own() {
                    *budget = budget.saturating_sub(WRITE);
                    self.serve(self.next, upto, own, moment, tally);
                    self.pass();
                } else {
                    self.serve_alike(upto, budget, moment, tally);
                }
            }
        }
        Left::BudgetSpent
    }

    /// Goes on behind the next member, who was served.
    pub(super) fn pass(&mut self) {
        let end = self.end();
        if let Some(member) = self.members.get(self.next) {
            self.round = self.round.min(member.due);
            self.is_cut |= member.due < end;
        }
        self.next += 1;
    }

    /// Whether more is left than was given to somebody at a time.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Serves one member alone, up to the message of the number `end`.
    pub(super) fn serve(&mut self, place: usize, end: u64, own: &mut Own, moment: Moment, tally: &mut Tally) {
        let member = &mut self.members[place];
        let due = std::mem::replace(&mut member.due, end);
        let from = index(due, self.first);
        let shape = self.shapes.get_mut(member.shape);
        let is_own = shape.is_own();
        let upto = index(end, self.first);
        if !is_own {
            shape.composed.go_on(&shape.head, &self.messages[..upto], self.first, due);
        }
        let messages = &mut self.messages[from..upto];
        let (octets, delivered) = if is_own {
            own.clear();
            for (message, number) in messages.iter().zip(due..) {
                own.add(&shape.head, message, member.key, Origin { lane: 0, number });
            }
            (own.octets().len(), member.outbox.deliver(own, moment))
        } else {
            let mut common = Common::new(&mut shape.composed, due, messages);
            common.key = member.key;
            (common.octets().len(), member.outbox.deliver(&mut common, moment))
        };
        messages.iter_mut().for_each(|message| message.given += 1);
        match delivered {
            Ok(()) => tally.octets += octets,
            Err(partly) => tally.count(&partly).iter().for_each(|frame| messages[*frame].given -= 1),
        }
    }

    /// Serves the next member up to the message of the number `end`, and those behind it that get the same octets: here thousands
    /// are served.
    fn serve_alike(&mut self, end: u64, budget: &mut usize, moment: Moment, tally: &mut Tally) {
        self.round = self.round.min(end);
        self.is_cut |= end < self.end();
        let Self { messages, first, members, shapes, next, .. } = self;
        let Member { due, shape: alike, .. } = members[*next];
        let messages = &mut messages[..index(end, *first)];
        let shape = shapes.get_mut(alike);
        shape.composed.go_on(&shape.head, messages, *first, due);
        let messages = &mut messages[index(due, *first)..];
        let mut common = Common::new(&mut shape.composed, due, messages);
        let mut partly = Vec::new();
        let (mut served, mut whole) = (0, 0);
        for place in *next..members.len() {
            let member = &members[place];
            if *budget == 0 || member.due != due || member.shape != alike || !member.is_alone {
                break;
            }
            if place.is_multiple_of(FETCHED) {
                members[place..].iter().take(FETCHED).for_each(|member| member.outbox.fetch());
            }
            let member = &mut members[place];
            *budget = budget.saturating_sub(WRITE);
            member.due = end;
            served += 1;
            common.key = member.key;
            match member.outbox.deliver(&mut common, moment) {
                Ok(()) => whole += 1,
                Err(delivered) => partly.push(delivered),
            }
        }
        tally.octets += whole * common.octets().len();
        *next += served;
        messages.iter_mut().for_each(|message| message.given += served as u64);
        for delivered in partly {
            tally.count(&delivered).iter().for_each(|frame| messages[*frame].given -= 1);
        }
    }

    /// Ends a round: what everyone was given goes.
    pub(super) fn end_round(&mut self, tally: &mut Tally) {
        let given = index(self.round, self.first);
        self.messages.drain(..given).for_each(|message| message.count(tally));
        self.first += given as u64;
        self.shapes.forget_before(self.first);
        if self.messages.is_empty() {
            // Most lanes are quiet most of the time.
            self.messages.shrink_to(1);
        }
        self.next = 0;
    }

    pub(super) fn has_messages(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Ends it: nobody is left to be given anything.
    pub(super) fn end_all(self, tally: &mut Tally) {
        self.messages.into_iter().for_each(|message| message.count(tally));
    }

    /// The message of that number.
    pub(super) fn message(&self, number: u64) -> Option<&Message> {
        self.messages.get(index(number, self.first))
    }

    /// The message of that number is one member's more, or less.
    pub(super) fn given(&mut self, number: u64, more: bool) {
        if let Some(message) = self.messages.get_mut(index(number, self.first)) {
            message.given = if more { message.given + 1 } else { message.given - 1 };
        }
    }

    pub(super) fn head(&self, shape: usize) -> &[u8] {
        self.shapes.head(shape)
    }
}

/// The place of a message in a lane whose first message has the number `first`.
fn index(number: u64, first: u64) -> usize {
    usize::try_from(number - first).unwrap_or(usize::MAX)
}
