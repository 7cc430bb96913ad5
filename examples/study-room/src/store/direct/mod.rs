//! What two people say to each other alone, and what of it each has read.

#[cfg(test)]
pub(super) mod conformance;
mod postgres;
mod sqlite;

use async_trait::async_trait;
use serde::Serialize;

use crate::store::{Account, StoreError};

/// The part of [`Store`](super::Store) for direct messages; what is said there of calls and of U+0000 holds here too.
#[async_trait]
pub(crate) trait DirectStore {
    /// The account with that id.
    async fn account(&self, id: &str) -> Result<Option<Account>, StoreError>;

    /// Keeps a direct message, once: where the same author has sent the same key to that person before, that message is given
    /// back. `None` where there is no such person, or where the author has used the key for another.
    ///
    /// Between two people, ids grow in the order in which messages become visible.
    async fn add_direct(&self, message: NewDirect) -> Result<Option<Direct>, StoreError>;

    /// The newest `limit` messages between two people, or those before a message, oldest first.
    async fn direct_messages(
        &self,
        one: &str,
        other: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<DirectPage, StoreError>;

    /// With whom somebody has exchanged messages, the newest first. Of unread messages at most [`MOST_UNREAD`] are counted.
    async fn conversations(&self, owner: &str, limit: u32) -> Result<Vec<Conversation>, StoreError>;

    /// Keeps that somebody has read what another wrote, up to a message. What was read stays so.
    async fn mark_read(&self, owner: &str, other: &str, up_to: i64) -> Result<(), StoreError>;
}

/// Unread messages of one conversation that are counted: "99 and more" is all that a page says.
pub(crate) const MOST_UNREAD: i64 = 100;

/// A direct message to be kept.
#[derive(Clone, Debug)]
pub(crate) struct NewDirect {
    pub(crate) author_id: String,
    pub(crate) recipient_id: String,
    pub(crate) text: String,
    pub(crate) key: String,
    pub(crate) sent_at: i64,
}

/// A direct message, as both see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct Direct {
    /// Grows with every message.
    pub(crate) id: i64,
    pub(crate) author_id: String,
    pub(crate) author: String,
    pub(crate) recipient_id: String,
    pub(crate) recipient: String,
    pub(crate) text: String,
    /// Milliseconds since 1970.
    pub(crate) sent_at: i64,
    /// What the author's page called it.
    pub(crate) key: String,
}

/// A part of what two people have said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DirectPage {
    /// Oldest first.
    pub(crate) messages: Vec<Direct>,
    /// Whether there are older ones.
    pub(crate) more: bool,
}

impl DirectPage {
    /// As [`Page::of`](super::Page).
    fn of(found: Vec<Direct>, limit: u32) -> Self {
        let (messages, more) = super::page(found, limit);
        Self { messages, more }
    }
}

/// One of somebody's conversations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct Conversation {
    /// The other one's id and name.
    pub(crate) id: String,
    pub(crate) name: String,
    /// The newest message.
    pub(crate) last_id: i64,
    pub(crate) last_author: String,
    pub(crate) last_text: String,
    pub(crate) last_at: i64,
    /// Messages of the other one that its owner has not read.
    pub(crate) unread: i64,
}

/// The two of a conversation, the same whoever of them writes.
fn pair(one: &str, other: &str) -> String {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    format!("{first} {second}")
}
