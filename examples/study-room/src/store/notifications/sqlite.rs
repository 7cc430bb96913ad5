//! Mailboxes in SQLite.

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
    sqlite::SqliteStore,
};

#[async_trait]
impl MailboxStore for SqliteStore {
    async fn accounts_named(&self, names: &[String]) -> Result<Vec<Account>, StoreError> {
        let keys = serde_json::Value::from(keys(names)).to_string();
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT id, name FROM accounts WHERE name_key IN (SELECT value FROM json_each($1))")
                .bind(keys)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(|(id, name)| Account { id, name }).collect())
    }
}

impl NotificationStore for SqliteStore {
    fn append<'a>(
        &'a self,
        user: &'a UserId,
        NewNotification { kind, payload, at, .. }: NewNotification,
        max_unread: usize,
    ) -> Answer<'a, Notification> {
        Box::pin(async move {
            // One statement: it is counted and written under the one lock that writers have.
            let id: Option<i64> = sqlx::query_scalar(
                "INSERT INTO notifications (user_id, kind, payload, created_at)
                 SELECT $1, $2, $3, $4 WHERE (SELECT COUNT(*) FROM notifications WHERE user_id = $1) < $5
                 RETURNING id",
            )
            .bind(user.as_str())
            .bind(&kind)
            .bind(payload.to_string())
            .bind(number(at))
            .bind(number(max_unread))
            .fetch_optional(&self.pool)
            .await
            .map_err(failed)?;
            let id = id.ok_or(NotificationStoreError::Full)?;
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
            let deleted = sqlx::query_scalar(
                "DELETE FROM notifications WHERE user_id = $1 AND id IN (SELECT value FROM json_each($2)) RETURNING id",
            )
            .bind(user.as_str())
            .bind(serde_json::Value::from(meant(mailbox, which)).to_string())
            .fetch_all(&self.pool)
            .await
            .map_err(failed)?;
            acknowledged(deleted)
        })
    }
}
