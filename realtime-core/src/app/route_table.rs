//! A table of routes, sorted so that the first one that matches a destination is the one to choose (rule 4).

use std::{borrow::Cow, fmt};

use crate::{
    app::{
        RouteError,
        route::{RouteOptions, RouteTarget},
    },
    destination::{Destination, Params, Pattern, Prefixes},
};

/// The routes for one kind of event, the most specific first. No two of them are ambiguous.
pub(super) struct RouteTable<H> {
    entries: Vec<Entry<H>>,
}

/// One route.
pub(super) struct Entry<H> {
    pub(super) pattern: Pattern,
    pub(super) target: Option<RouteTarget>,
    pub(super) options: RouteOptions,
    pub(super) guards: Vec<Cow<'static, str>>,
    pub(super) handler: H,
}

impl<H> RouteTable<H> {
    /// Puts a route where its specificity belongs.
    pub(super) fn insert(&mut self, entry: Entry<H>) -> Result<(), RouteError> {
        if let Some(rival) = self.iter().find(|other| other.pattern.is_ambiguous_with(&entry.pattern)) {
            let (first, second) = (rival.pattern.to_string(), entry.pattern.to_string());
            return Err(RouteError::Ambiguous { first, second });
        }
        let place = self.entries.partition_point(|other| other.pattern.specificity() >= entry.pattern.specificity());
        self.entries.insert(place, entry);
        Ok(())
    }

    /// Adds the routes of another table.
    pub(super) fn merge(&mut self, other: Self, errors: &mut Vec<RouteError>) {
        errors.extend(other.entries.into_iter().filter_map(|entry| self.insert(entry).err()));
    }

    /// The same routes with other handlers.
    pub(super) fn map<J>(self, handler: impl Fn(H) -> J) -> RouteTable<J> {
        let entries = self.entries.into_iter().map(|entry| Entry {
            pattern: entry.pattern,
            target: entry.target,
            options: entry.options,
            guards: entry.guards,
            handler: handler(entry.handler),
        });
        RouteTable { entries: entries.collect() }
    }

    /// The routes, the most specific first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry<H>> {
        self.entries.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry<H>> {
        self.entries.iter_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The route for `destination`: its place, itself and what it captured.
    pub(super) fn find(&self, destination: &Destination) -> Option<(usize, &Entry<H>, Params)> {
        self.iter().enumerate().find_map(|(place, entry)| Some((place, entry, entry.pattern.captures(destination)?)))
    }

    /// What is wrong with routes, named by `place`, of which each must lie under one of `allowed`, and with their targets.
    pub(super) fn check(&self, place: &'static str, allowed: &[&Destination], prefixes: &Prefixes) -> Vec<RouteError> {
        let mut errors = Vec::new();
        for Entry { pattern, target, .. } in self.iter() {
            errors.extend(RouteError::misplaced(place, pattern.as_str(), allowed, prefixes));
            match target {
                Some(RouteTarget::Topic(template)) => {
                    let (place, allowed) = ("the target of `send_to`,", [&prefixes.topic, &prefixes.queue]);
                    errors.extend(RouteError::misplaced(place, template.as_str(), &allowed, prefixes));
                    let captured = |name: &str| pattern.placeholders().any(|captured| captured == name);
                    errors.extend(template.placeholders().filter(|name| !captured(name)).map(|name| {
                        RouteError::UnknownPlaceholder {
                            route: pattern.to_string(),
                            target: template.as_str().to_owned(),
                            placeholder: name.to_owned(),
                        }
                    }));
                }
                Some(RouteTarget::User(path)) => {
                    let (place, allowed) = ("the path of `send_to_user`,", [&prefixes.queue, &prefixes.topic]);
                    errors.extend(RouteError::misplaced(place, path.as_str(), &allowed, prefixes));
                }
                None => {}
            }
        }
        errors
    }
}

impl<H> Default for RouteTable<H> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

/// Prints the patterns, in the order in which they are tried.
impl<H> fmt::Debug for RouteTable<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|entry| entry.pattern.as_str())).finish()
    }
}
