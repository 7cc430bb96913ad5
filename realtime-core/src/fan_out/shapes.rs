//! The shapes of a lane: members of one shape get the same octets.
//!
//! A shape is how a frame begins: with the id of the subscription, that the client chose. Clients choose few different ones
//! (`sub-0`, `sub-1`), so that a lane has few shapes; but they may choose any.

use std::{collections::HashMap, sync::Arc};

use slab::Slab;

use super::composed::Composed;

/// Shapes that are looked for one by one; where there are more, by a table.
const FEW: usize = 8;

/// What members have in common whose frames are the same, octet by octet.
#[derive(Debug)]
pub(super) struct Shape {
    /// How their frames begin.
    pub(super) head: Arc<[u8]>,
    pub(super) members: usize,
    /// Whole frames, where more than one member needs them.
    pub(super) composed: Composed,
}

impl Shape {
    /// Whether its frames are put together for its one member alone, in room that is used again.
    #[inline]
    pub(super) fn is_own(&self) -> bool {
        self.members == 1 && self.composed.is_empty()
    }
}

/// All shapes of a lane.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    shapes: Slab<Shape>,
    /// Keyed hashing: clients choose what the heads are made of.
    #[expect(clippy::box_collection, reason = "most lanes have none, and then a pointer is all it costs")]
    by_head: Option<Box<HashMap<Arc<[u8]>, usize>>>,
}

impl Shapes {
    /// Adds a member to the shape that begins with `head`.
    pub(super) fn enter(&mut self, head: Arc<[u8]>) -> usize {
        let known = match &self.by_head {
            Some(by_head) => by_head.get(&head).copied(),
            None => self.shapes.iter().find(|(_, shape)| shape.head == head).map(|(shape, _)| shape),
        };
        let shape = known.unwrap_or_else(|| {
            let shape = Shape { head: Arc::clone(&head), members: 0, composed: Composed::default() };
            if self.shapes.capacity() == 0 {
                // Most lanes have one.
                self.shapes = Slab::with_capacity(1);
            }
            let shape = self.shapes.insert(shape);
            if let Some(by_head) = &mut self.by_head {
                by_head.insert(head, shape);
            } else if self.shapes.len() > FEW {
                let all = self.shapes.iter().map(|(shape, Shape { head, .. })| (Arc::clone(head), shape));
                self.by_head = Some(Box::new(all.collect()));
            }
            shape
        });
        self.shapes[shape].members += 1;
        shape
    }

    /// Takes a member away; a shape without one is forgotten.
    pub(super) fn leave(&mut self, shape: usize) {
        self.shapes[shape].members -= 1;
        if self.shapes[shape].members > 0 {
            return;
        }
        let Shape { head, .. } = self.shapes.remove(shape);
        if let Some(by_head) = &mut self.by_head {
            by_head.remove(&head);
            if by_head.len() < FEW / 2 {
                self.by_head = None;
            }
        }
    }

    pub(super) fn head(&self, shape: usize) -> &[u8] {
        &self.shapes[shape].head
    }

    #[inline]
    pub(super) fn get(&self, shape: usize) -> &Shape {
        &self.shapes[shape]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, shape: usize) -> &mut Shape {
        &mut self.shapes[shape]
    }

    /// Forgets the frames before the message of that number.
    pub(super) fn forget_before(&mut self, number: u64) {
        for (_, shape) in self.shapes.iter_mut().filter(|(_, shape)| !shape.composed.is_empty()) {
            shape.composed.forget_before(number);
        }
    }
}
