//! Mailboxes in PostgreSQL.

use async_trait::async_trait;
use parlor::{
    auth::UserId,
    notifications::{
        Acknowledge, NewNotification, Notification, NotificationId, NotificationStore, NotificationStoreError, Unread,
    },
};

use crate::store::{
    Account, StoreError,
    notifications::{Answer, MailboxStore, Row, acknowledged, failed, keys, meant, number, unread},
    postgres::{PostgresStore, cannot_be_there},
};

#[async_trait]
impl MailboxStore for PostgresStore {
    async fn accounts_named(&self, names: &[String]) -> Result<Vec<Account>, StoreError> {
        let mut keys = keys(names);
        keys.retain(|key| !cannot_be_there(key));
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT id, name FROM accounts WHERE name_key = ANY($1)")
            .bind(keys)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(|(id, name)| Account { id, name }).collect())
    }
}

impl PostgresStore {
    /// The id, or none where the mailbox is full.
    async fn append_row(
        &self,
        user: &UserId,
        kind: &str,
        payload: String,
        at: i64,
        most: i64,
    ) -> Result<Option<i64>, sqlx::Error> {
        let mut transaction = self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        // The lock comes before the id and the count: a smaller id never becomes visible after a greater one, and of many at
        // once none slips past the bound.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(format!("mailbox {}", user.as_str()))
            .execute(&mut *transaction)
            .await?;
        let id = sqlx::query_scalar(
            "INSERT INTO notifications (user_id, kind, payload, created_at)
             SELECT $1, $2, $3, $4 WHERE (SELECT COUNT(*) FROM notifications WHERE user_id = $1) < $5
             RETURNING id",
        )
        .bind(user.as_str())
        .bind(kind)
        .bind(payload)
        .bind(at)
        .bind(most)
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(id)
    }
}

impl NotificationStore for PostgresStore {
    fn append<'a>(
        &'a self,
        user: &'a UserId,
        NewNotification { kind, payload, at, .. }: NewNotification,
        max_unread: usize,
    ) -> Answer<'a, Notification> {
        Box::pin(async move {
            let id = self.append_row(user, &kind, payload.to_string(), number(at), number(max_unread)).await;
            let id = id.map_err(failed)?.ok_or(NotificationStoreError::Full)?;
            Ok(Notification::new(super::id_of(id)?, kind, payload, at))
        })
    }

    fn unread<'a>(&'a self, user: &'a UserId, after: Option<NotificationId>, limit: usize) -> Answer<'a, Unread> {
        Box::pin(async move {
            // One more than is asked for tells whether there are more.
            let found: Vec<Row> = sqlx::query_as(
                "SELECT id, kind, payload, created_at FROM notifications
                 WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3",
            )
            .bind(user.as_str())
            .bind(after.map_or(0, |after| number(after.get())))
            .bind(number(limit.saturating_add(1)))
            .fetch_all(&self.pool)
            .await
            .map_err(failed)?;
            unread(found, limit)
        })
    }

    fn acknowledge<'a>(&'a self, user: &'a UserId, which: &'a Acknowledge) -> Answer<'a, Vec<NotificationId>> {
        Box::pin(async move {
            let mailbox: Vec<i64> = sqlx::query_scalar("SELECT id FROM notifications WHERE user_id = $1")
                .bind(user.as_str())
                .fetch_all(&self.pool)
                .await
                .map_err(failed)?;
            // Whoever deletes a row tells of it: of two at once, one.
            let deleted =
                sqlx::query_scalar("DELETE FROM notifications WHERE user_id = $1 AND id = ANY($2) RETURNING id")
                    .bind(user.as_str())
                    .bind(meant(mailbox, which))
                    .fetch_all(&self.pool)
                    .await
                    .map_err(failed)?;
            acknowledged(deleted)
        })
    }
}
