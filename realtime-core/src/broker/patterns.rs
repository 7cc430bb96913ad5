//! A trie of subscription patterns: a lookup costs the segments of the destination, whatever the number of patterns.

use std::{collections::HashMap, sync::Arc};

use crate::{
    broker::topic::SharedTopic,
    destination::{Destination, Pattern},
};

/// The patterns that somebody subscribed to. A node is one segment; its depth is bounded by the segments of a pattern.
#[derive(Debug, Default)]
pub(super) struct PatternTrie {
    literal: HashMap<Box<str>, Self>,
    any: Option<Box<Self>>,
    here: Option<SharedTopic>,
    rest: Option<SharedTopic>,
}

impl PatternTrie {
    /// The subscribers of a pattern, made if need be.
    pub(super) fn topic_or_insert(&mut self, pattern: &Pattern, make: impl FnOnce() -> SharedTopic) -> SharedTopic {
        let mut node = self;
        for segment in segments(pattern.as_str()) {
            node = match Step::of(segment) {
                Step::Rest => return Arc::clone(node.rest.get_or_insert_with(make)),
                Step::Any => node.any.get_or_insert_default(),
                Step::Literal(text) => node.literal.entry(text.into()).or_default(),
            };
        }
        Arc::clone(node.here.get_or_insert_with(make))
    }

    /// Takes a pattern without subscribers out, with every node that only led to it.
    pub(super) fn retire(&mut self, pattern: &Pattern) {
        self.retire_below(segments(pattern.as_str()));
    }

    fn retire_below<'a>(&mut self, mut path: impl Iterator<Item = &'a str>) {
        match path.next().map(Step::of) {
            None => retire_if_empty(&mut self.here),
            Some(Step::Rest) => retire_if_empty(&mut self.rest),
            Some(Step::Any) => {
                if let Some(next) = &mut self.any {
                    next.retire_below(&mut path as &mut dyn Iterator<Item = &'a str>);
                    if next.is_empty() {
                        self.any = None;
                    }
                }
            }
            Some(Step::Literal(text)) => {
                if let Some(next) = self.literal.get_mut(text) {
                    next.retire_below(&mut path as &mut dyn Iterator<Item = &'a str>);
                    if next.is_empty() {
                        self.literal.remove(text);
                    }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.literal.is_empty() && self.any.is_none() && self.here.is_none() && self.rest.is_none()
    }

    /// Adds the subscribers of every pattern that matches `destination`.
    pub(super) fn collect(&self, destination: &Destination, found: &mut Vec<SharedTopic>) {
        self.collect_below(segments(destination.as_str()), found);
    }

    fn collect_below<'a>(&self, mut path: impl Iterator<Item = &'a str> + Clone, found: &mut Vec<SharedTopic>) {
        let Some(segment) = path.next() else {
            found.extend(self.here.clone());
            return;
        };
        found.extend(self.rest.clone());
        if let Some(any) = &self.any {
            any.collect_below(path.clone(), found);
        }
        if let Some(next) = self.literal.get(segment) {
            next.collect_below(path, found);
        }
    }
}

/// The segments of a destination or pattern, both of which begin with a slash.
fn segments(path: &str) -> std::str::Split<'_, char> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

enum Step<'a> {
    Literal(&'a str),
    Any,
    Rest,
}

impl<'a> Step<'a> {
    fn of(segment: &'a str) -> Self {
        match segment {
            "**" => Self::Rest,
            "*" => Self::Any,
            name if name.starts_with('{') => Self::Any,
            text => Self::Literal(text),
        }
    }
}

fn retire_if_empty(slot: &mut Option<SharedTopic>) {
    let empty = slot.as_ref().is_some_and(|topic| {
        topic.lock().is_some_and(|mut state| {
            let empty = state.is_empty();
            if empty {
                state.retire();
            }
            empty
        })
    });
    if empty {
        *slot = None;
    }
}
