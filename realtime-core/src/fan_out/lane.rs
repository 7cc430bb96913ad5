//! A lane: one destination's messages on their way to the members of one shard, and how far each member is.
//!
//! Messages are numbered. A member names the next one that it has not been given, so it can be served in turn or alone, and
//! gets every message once. What all have been given is let go.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use super::{
    backlog::Load,
    shapes::{Shape, Shapes},
};
use crate::{
    outbox::{Outbox, Overflow},
    telemetry::DestinationMeters,
    websocket::{self, Opcode},
};

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

/// Messages, and who gets them.
#[derive(Debug, Default)]
pub(super) struct Lane {
    messages: VecDeque<Message>,
    /// The number of the first of them.
    first: u64,
    pub(super) members: Vec<Member>,
    shapes: Shapes,
    /// The members before this one were served in this round.
    next: usize,
    /// The messages before this one are given to everyone in this round.
    round: u64,
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
    /// The number of the next message that it gets.
    pub(super) due: u64,
}

impl Tail {
    /// Appends the whole frame that begins with `head`.
    pub(super) fn compose(&self, head: &[u8], out: &mut Vec<u8>) {
        if let Some(opcode) = self.framing {
            websocket::encode_header(opcode, head.len() + self.octets.len(), out);
        }
        out.extend_from_slice(head);
        out.extend_from_slice(&self.octets);
    }
}

impl Message {
    pub(super) fn new(tail: Tail, sequence: u64) -> Self {
        Self { tail, sequence, given: 0 }
    }

    /// Counts it, as everyone was given it.
    pub(super) fn count(&self, tally: &mut Tally) {
        self.tail.meters.delivered.add(self.given);
        tally.messages += usize::try_from(self.given).unwrap_or_default();
        tally.done.add(self.tail.octets.len());
    }
}

impl Lane {
    pub(super) fn append(&mut self, message: Message) {
        self.messages.push_back(message);
    }

    /// The number of the next message.
    pub(super) fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    /// Adds a member that gets what comes from now on; returns its place.
    pub(super) fn add(&mut self, outbox: Arc<Outbox>, seat: usize, key: SubscriberKey, head: Bytes) -> usize {
        let shape = self.shapes.enter(head);
        let due = self.end();
        if self.members.is_empty() {
            // Very many destinations have one subscriber.
            self.members.reserve_exact(1);
        }
        self.members.push(Member { outbox, seat, shape, key, due });
        self.members.len() - 1
    }

    /// Removes the member at a place, which the last one takes.
    pub(super) fn remove(&mut self, place: usize) {
        let Member { shape, .. } = self.members.swap_remove(place);
        self.shapes.leave(shape);
        self.members.shrink_to(self.members.len() * 4);
    }

    /// The place of the next member to serve in this round, which begins with the first one.
    pub(super) fn next(&mut self) -> Option<usize> {
        if self.next == 0 {
            self.round = self.end();
        }
        let place = self.next;
        (place < self.members.len()).then(|| {
            self.next += 1;
            place
        })
    }

    /// Whether everyone was served in this round.
    pub(super) fn is_round_over(&self) -> bool {
        self.next >= self.members.len()
    }

    /// Ends a round: what everyone was given goes.
    pub(super) fn end_round(&mut self, tally: &mut Tally) {
        let given = usize::try_from(self.round - self.first).unwrap_or(usize::MAX).min(self.messages.len());
        self.messages.drain(..given).for_each(|message| message.count(tally));
        self.first += given as u64;
        self.shapes.forget_before(self.first);
        if self.messages.is_empty() {
            // Most lanes are quiet most of the time.
            self.messages = VecDeque::new();
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
        self.messages.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The message of that number is one member's more, or less.
    pub(super) fn given(&mut self, number: u64, more: bool) {
        let index = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        if let Some(message) = self.messages.get_mut(index) {
            message.given = if more { message.given + 1 } else { message.given - 1 };
        }
    }

    pub(super) fn head(&self, shape: usize) -> &[u8] {
        self.shapes.head(shape)
    }

    /// The parts that serving one member needs.
    pub(super) fn parts(&mut self, place: usize) -> (&mut Member, &mut Shape, &mut VecDeque<Message>, u64) {
        let Self { messages, first, members, shapes, .. } = self;
        let member = &mut members[place];
        let shape = shapes.get_mut(member.shape);
        (member, shape, messages, *first)
    }
}
