//! The mailboxes of users: what they have not acknowledged. Parlor says what such a store does; each database is one.

#[cfg(test)]
pub(super) mod conformance;
mod postgres;
mod sqlite;

use std::pin::Pin;

use async_trait::async_trait;
use parlor::notifications::{
    Acknowledge, Notification, NotificationId, NotificationStore, NotificationStoreError, Unread,
};

use crate::store::{Account, StoreError};

/// The part of [`Store`](super::Store) for notifications: a [`NotificationStore`], and whom a text names.
///
/// What is acknowledged is deleted, so that a user has `max_unread` rows at most. Ids are never given twice all the same.
#[async_trait]
pub(crate) trait MailboxStore: NotificationStore {
    /// The accounts that have one of these names, upper and lower case taken as the same, in no order.
    async fn accounts_named(&self, names: &[String]) -> Result<Vec<Account>, StoreError>;
}

/// What the methods of a [`NotificationStore`] give back.
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, NotificationStoreError>> + Send + 'a>>;

/// A notification as it lies in a database.
#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    payload: String,
    created_at: i64,
}

impl TryFrom<Row> for Notification {
    type Error = NotificationStoreError;

    fn try_from(Row { id, kind, payload, created_at }: Row) -> Result<Self, NotificationStoreError> {
        let payload = serde_json::from_str(&payload).map_err(NotificationStoreError::failed)?;
        Ok(Self::new(id_of(id)?, kind, payload, u64::try_from(created_at).unwrap_or_default()))
    }
}

/// Of what was found, oldest first, the first `limit`; one more tells that there are more.
fn unread(mut found: Vec<Row>, limit: usize) -> Result<Unread, NotificationStoreError> {
    let more = found.len() > limit;
    found.truncate(limit);
    Ok(Unread::new(found.into_iter().map(Notification::try_from).collect::<Result<_, _>>()?, more))
}

/// Those that are meant of a mailbox, which is bounded: so each way to name them needs no SQL of its own.
fn meant(mailbox: Vec<i64>, which: &Acknowledge) -> Vec<i64> {
    mailbox.into_iter().filter(|id| id_of(*id).is_ok_and(|id| which.includes(id))).collect()
}

/// What was deleted, smallest first: a database gives it back in any order.
fn acknowledged(mut deleted: Vec<i64>) -> Result<Vec<NotificationId>, NotificationStoreError> {
    deleted.sort_unstable();
    deleted.into_iter().map(id_of).collect()
}

fn id_of(id: i64) -> Result<NotificationId, NotificationStoreError> {
    u64::try_from(id).map(NotificationId::new).map_err(NotificationStoreError::failed)
}

/// The database failed: whoever asks for the cause finds the [`StoreError`].
fn failed(error: sqlx::Error) -> NotificationStoreError {
    NotificationStoreError::failed(StoreError::from(error))
}

/// A number of Parlor's as databases have them: none here is so large that it matters.
fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// The key that each account's name has.
fn keys(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.to_lowercase()).collect()
}
