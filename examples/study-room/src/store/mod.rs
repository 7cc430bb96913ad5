//! The database behind one trait. Nothing else of the study room knows SQL.

mod bans;
mod direct;
mod location;
mod notifications;
mod open_error;
mod postgres;
mod sqlite;

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
pub(crate) use bans::{Ban, BanStore};
pub(crate) use direct::{Conversation, Direct, DirectPage, DirectStore, NewDirect};
pub(crate) use location::{Location, UrlError};
pub(crate) use notifications::MailboxStore;
pub(crate) use open_error::OpenError;
use postgres::PostgresStore;
use serde::Serialize;
use sqlite::SqliteStore;

/// How long the end waits for statements that still run.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Opens a database and brings its tables up to date.
///
/// # Errors
/// A sentence that says what to do.
pub(crate) async fn open(location: &Location) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match location {
        Location::Postgres(options) => Arc::new(PostgresStore::open(options).await?),
        Location::SqliteFile(options) => Arc::new(SqliteStore::open_file(options).await?),
        Location::SqliteMemory(options) => Arc::new(SqliteStore::open_memory(options).await?),
    })
}

/// What the study room keeps. Called by its services; every call is one transaction, and a request that is given up in the
/// middle has no effect.
///
/// A text that is kept holds no U+0000, which not every database can store.
#[async_trait]
pub(crate) trait Store: BanStore + DirectStore + MailboxStore + Debug + Send + Sync + 'static {
    /// Keeps a new account. `None` where another has the name, upper and lower case taken as the same.
    async fn create_account(&self, account: NewAccount) -> Result<Option<Account>, StoreError>;

    /// The account with that name and the hash of its password.
    async fn account_by_name(&self, name: &str) -> Result<Option<(Account, String)>, StoreError>;

    /// Keeps a new room.
    async fn create_room(&self, room: NewRoom) -> Result<Room, StoreError>;

    /// The `limit` rooms with the newest activity, newest first.
    async fn rooms(&self, limit: u32) -> Result<Vec<Room>, StoreError>;

    /// One room.
    async fn room(&self, id: &str) -> Result<Option<Room>, StoreError>;

    /// Keeps a message, once: where the same author has sent the same key to the room before, that message is given back.
    /// `None` where there is no such room, or where the author has used the key in another one.
    ///
    /// In a room, ids grow in the order in which messages become visible, also when several nodes write to it: whoever has
    /// seen a message has missed none with a smaller id.
    async fn add_message(&self, message: NewMessage) -> Result<Option<Message>, StoreError>;

    /// The newest `limit` messages of a room, or those before a message, oldest first.
    async fn messages(&self, room: &str, before: Option<i64>, limit: u32) -> Result<Page, StoreError>;

    /// Keeps a login that has not ended, or that it was seen again; what is known of it else stays.
    async fn see_login(&self, login: Login) -> Result<(), StoreError>;

    /// Has a login that was begun after `begun_after` last until `expires_at`, seen at `now`. False where it has ended, or has
    /// never been kept: then no cookie may be made for it.
    async fn extend_login(&self, id: &str, expires_at: i64, now: i64, begun_after: i64) -> Result<bool, StoreError>;

    /// The logins of an account that have neither ended nor expired at `now`, the one seen last first.
    async fn logins(&self, account: &str, now: i64) -> Result<Vec<Login>, StoreError>;

    /// Keeps that a login has ended, and forgets those that have expired at `now`. Of more than `most`, those are forgotten that
    /// expire first. Returns it with the end of the last of its cookies.
    async fn end_login(&self, login: EndedLogin, now: i64, most: u32) -> Result<EndedLogin, StoreError>;

    /// Ends logins of an account as [`end_login`](Self::end_login) does: all but the `keep` that were seen last.
    async fn end_logins(&self, account: &str, keep: u32, now: i64, most: u32) -> Result<Vec<EndedLogin>, StoreError>;

    /// The logins that have ended and not expired at `now`, the last one first; of more than `limit`, those that expire last.
    async fn ended_logins(&self, now: i64, limit: u32) -> Result<Vec<EndedLogin>, StoreError>;

    /// Whether the database answers.
    async fn check(&self) -> Result<(), StoreError>;

    /// Lets statements that run finish, for a bounded time, and leaves the database tidy. Nothing is kept afterwards.
    async fn close(&self);
}

/// The database failed. For logs; people learn only that something went wrong.
#[derive(Debug, thiserror::Error)]
#[error("the database failed: {0}")]
pub(crate) struct StoreError(#[from] sqlx::Error);

impl StoreError {
    /// Whether the database is away, and may be back in a moment: what fails now may succeed then.
    pub(crate) fn is_absence(&self) -> bool {
        match &self.0 {
            sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::PoolTimedOut => true,
            // No such database, too many connections, an operator's intervention.
            // https://www.postgresql.org/docs/current/errcodes-appendix.html
            sqlx::Error::Database(error) => {
                error.code().is_some_and(|code| code == "3D000" || code == "53300" || code.starts_with("57P"))
            }
            _ => false,
        }
    }
}

/// An account to be made.
#[derive(Clone)]
pub(crate) struct NewAccount {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) password_hash: String,
    pub(crate) created_at: i64,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// A login that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Login {
    pub(crate) id: String,
    pub(crate) account_id: String,
    /// The browser, in a few words.
    pub(crate) agent: String,
    pub(crate) created_at: i64,
    pub(crate) last_seen_at: i64,
    /// When the last of its cookies ends by itself: milliseconds since 1970.
    pub(crate) expires_at: i64,
}

/// A login that ended before its cookies.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct EndedLogin {
    pub(crate) id: String,
    /// When its cookies end by themselves: milliseconds since 1970.
    pub(crate) expires_at: i64,
}

/// A room to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewRoom {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) created_by: String,
    pub(crate) created_at: i64,
}

/// A room, as pages see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct Room {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) created_by: String,
    /// Milliseconds since 1970; none while nobody has said anything.
    pub(crate) last_message_at: Option<i64>,
}

impl From<NewRoom> for Room {
    fn from(NewRoom { id, name, subject, created_by, created_at: _ }: NewRoom) -> Self {
        Self { id, name, subject, created_by, last_message_at: None }
    }
}

/// A message to be kept.
#[derive(Clone, Debug)]
pub(crate) struct NewMessage {
    pub(crate) room: String,
    pub(crate) author_id: String,
    pub(crate) author_name: String,
    pub(crate) text: String,
    pub(crate) key: String,
    pub(crate) sent_at: i64,
}

/// A message, as pages see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct Message {
    /// Grows with every message.
    pub(crate) id: i64,
    pub(crate) room: String,
    pub(crate) author_id: String,
    pub(crate) author: String,
    pub(crate) text: String,
    /// Milliseconds since 1970.
    pub(crate) sent_at: i64,
    /// What the author's page called it.
    pub(crate) key: String,
}

/// A part of a room's messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Page {
    /// Oldest first.
    pub(crate) messages: Vec<Message>,
    /// Whether there are older ones.
    pub(crate) more: bool,
}

impl Page {
    fn of(found: Vec<Message>, limit: u32) -> Self {
        let (messages, more) = page(found, limit);
        Self { messages, more }
    }
}

/// Of what was found, newest first, the first `limit`, oldest first; one more tells that there are older ones.
fn page<T>(mut found: Vec<T>, limit: u32) -> (Vec<T>, bool) {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > most;
    found.truncate(most);
    found.reverse();
    (found, more)
}

/// What every implementation of [`Store`] must do.
#[cfg(test)]
pub(crate) mod conformance;

/// A PostgreSQL server of the tests' own.
#[cfg(test)]
#[path = "../../tests/support/cluster.rs"]
mod cluster;
