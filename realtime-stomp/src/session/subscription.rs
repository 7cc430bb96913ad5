//! The subscriptions of one session, by their ids.
//!
//! Most sessions have one or a few, and there may be very many sessions: a hash table would take room for several at the first,
//! so there is a list, and a table of places beside it once the list is long.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt, mem,
    sync::Arc,
};

use crate::Fault;

/// Subscriptions that are looked for one by one; where there are more, by a table.
const FEW: usize = 8;

/// What a client calls one of its subscriptions. Ids are opaque and belong to their connection. Cheap to clone.
///
/// ```
/// use parlor_stomp::SubscriptionId;
///
/// let named = SubscriptionId::Named("/topic/news".into());
/// let unnamed = SubscriptionId::Unnamed("/topic/news".into());
/// assert_eq!(named.to_string(), unnamed.to_string());
/// assert_ne!(named, unnamed, "an id never stands for a destination");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "STOMP knows no third way")]
pub enum SubscriptionId {
    /// The `id` header.
    Named(Arc<str>),
    /// STOMP 1.0 without an id: the destination stands for it.
    Unnamed(Arc<str>),
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(text) | Self::Unnamed(text) => f.write_str(text),
        }
    }
}

/// A bounded table of subscriptions, each with a `T` of the caller's.
///
/// ```
/// use parlor_stomp::{SubscriptionId, Subscriptions};
///
/// let mut destinations = Subscriptions::new(1);
/// let news = SubscriptionId::Named("news".into());
/// destinations.insert(news.clone(), "/topic/news")?;
/// assert_eq!(destinations.insert(news.clone(), "/topic/more").unwrap_err().code, "duplicate-subscription");
/// let second = SubscriptionId::Named("second".into());
/// assert_eq!(destinations.check(&second).unwrap_err().code, "too-many-subscriptions");
/// assert_eq!(destinations.remove(&news), Some("/topic/news"));
/// assert!(destinations.is_empty());
/// # Ok::<(), parlor_stomp::Fault>(())
/// ```
#[derive(Debug)]
pub struct Subscriptions<T> {
    max: usize,
    entries: Vec<(SubscriptionId, T)>,
    /// Where each one stands, by its id. Keyed hashing: clients choose the ids.
    #[expect(clippy::box_collection, reason = "most sessions have none, and then a pointer is all it costs")]
    places: Option<Box<HashMap<SubscriptionId, usize>>>,
}

impl<T> Subscriptions<T> {
    /// A table for at most `max` subscriptions.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, entries: Vec::new(), places: None }
    }

    /// Whether a subscription with this id could be added.
    ///
    /// # Errors
    /// When the id is in use on this connection (SUB-04), or the table is full.
    pub fn check(&self, id: &SubscriptionId) -> Result<(), Fault> {
        if self.place(id).is_some() {
            return Err(Fault::new("duplicate-subscription", "The subscription id is in use on this connection")
                .with_detail("Choose an id of its own for each subscription, or UNSUBSCRIBE first."));
        }
        if self.entries.len() >= self.max {
            return Err(Fault::too_large("too-many-subscriptions", "The connection has too many subscriptions")
                .with_detail(format!("A connection may have {} subscriptions. UNSUBSCRIBE first.", self.max)));
        }
        Ok(())
    }

    /// Adds a subscription.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn insert(&mut self, id: SubscriptionId, entry: T) -> Result<(), Fault> {
        self.check(&id)?;
        if self.entries.is_empty() {
            self.entries.reserve_exact(1);
        }
        if let Some(places) = &mut self.places {
            places.insert(id.clone(), self.entries.len());
        }
        self.entries.push((id, entry));
        if self.places.is_none() && self.entries.len() > FEW {
            let all = self.entries.iter().enumerate().map(|(place, (id, _))| (id.clone(), place));
            self.places = Some(Box::new(all.collect()));
        }
        Ok(())
    }

    /// Takes a subscription out; `None` for an id that is not in force (UNS-03).
    pub fn remove(&mut self, id: &SubscriptionId) -> Option<T> {
        let place = self.place(id)?;
        let (_, entry) = self.entries.swap_remove(place);
        if let Some(places) = &mut self.places {
            places.remove(id);
            if let Some((moved, _)) = self.entries.get(place)
                && let Entry::Occupied(mut moved) = places.entry(moved.clone())
            {
                moved.insert(place);
            }
        }
        // A client that came and went gives its memory back.
        if self.entries.len() < FEW / 2 {
            self.places = None;
        }
        self.entries.shrink_to(self.entries.len() * 2);
        Some(entry)
    }

    /// Takes all subscriptions out.
    pub fn drain(&mut self) -> impl Iterator<Item = (SubscriptionId, T)> {
        self.places = None;
        mem::take(&mut self.entries).into_iter()
    }

    /// The subscription with that id.
    #[must_use]
    pub fn get(&self, id: &SubscriptionId) -> Option<&T> {
        self.entries.get(self.place(id)?).map(|(_, entry)| entry)
    }

    /// All subscriptions, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&SubscriptionId, &T)> {
        self.entries.iter().map(|(id, entry)| (id, entry))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    fn place(&self, id: &SubscriptionId) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(id).copied(),
            None => self.entries.iter().position(|(other, _)| other == id),
        }
    }
}
