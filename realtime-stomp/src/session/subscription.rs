//! The subscriptions of one session, by their ids.

use std::{collections::HashMap, fmt, sync::Arc};

use crate::Fault;

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
    entries: HashMap<SubscriptionId, T>,
}

impl<T> Subscriptions<T> {
    /// A table for at most `max` subscriptions.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, entries: HashMap::new() }
    }

    /// Whether a subscription with this id could be added.
    ///
    /// # Errors
    /// When the id is in use on this connection (SUB-04), or the table is full.
    pub fn check(&self, id: &SubscriptionId) -> Result<(), Fault> {
        if self.entries.contains_key(id) {
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
        self.entries.insert(id, entry);
        Ok(())
    }

    /// Takes a subscription out; `None` for an id that is not in force (UNS-03).
    pub fn remove(&mut self, id: &SubscriptionId) -> Option<T> {
        let entry = self.entries.remove(id);
        if self.entries.is_empty() {
            // A client that came and went gives its memory back.
            self.entries.shrink_to_fit();
        }
        entry
    }

    /// Takes all subscriptions out.
    pub fn drain(&mut self) -> impl Iterator<Item = (SubscriptionId, T)> {
        self.entries.drain()
    }

    /// The subscription with that id.
    #[must_use]
    pub fn get(&self, id: &SubscriptionId) -> Option<&T> {
        self.entries.get(id)
    }

    /// All subscriptions, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&SubscriptionId, &T)> {
        self.entries.iter()
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
}
