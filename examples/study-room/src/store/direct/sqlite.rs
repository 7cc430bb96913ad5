//! Direct messages in SQLite.

use async_trait::async_trait;

use crate::store::{
    Account, StoreError,
    direct::{Conversation, Direct, DirectPage, DirectStore, MOST_UNREAD, NewDirect, pair},
    sqlite::SqliteStore,
};

#[async_trait]
impl DirectStore for SqliteStore {
    async fn account(&self, id: &str) -> Result<Option<Account>, StoreError> {
        let row: Option<(String, String)> =
            sqlx::query_as("SELECT id, name FROM accounts WHERE id = $1").bind(id).fetch_optional(&self.pool).await?;
        Ok(row.map(|(id, name)| Account { id, name }))
    }

    async fn add_direct(&self, message: NewDirect) -> Result<Option<Direct>, StoreError> {
        let NewDirect { author_id, recipient_id, text, key, sent_at } = message;
        let pair = pair(&author_id, &recipient_id);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let inserted: Option<i64> = sqlx::query_scalar(
            "INSERT INTO direct_messages (pair, author_id, recipient_id, text, client_key, sent_at)
             SELECT $1, $2, id, $4, $5, $6 FROM accounts WHERE id = $3
             ON CONFLICT (author_id, client_key) DO NOTHING RETURNING id",
        )
        .bind(&pair)
        .bind(&author_id)
        .bind(&recipient_id)
        .bind(text)
        .bind(&key)
        .bind(sent_at)
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some(id) = inserted {
            for (owner, other) in [(&author_id, &recipient_id), (&recipient_id, &author_id)] {
                sqlx::query(
                    "INSERT INTO conversations (owner_id, other_id, last_message_id) VALUES ($1, $2, $3)
                     ON CONFLICT (owner_id, other_id) DO UPDATE SET last_message_id = excluded.last_message_id",
                )
                .bind(owner)
                .bind(other)
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            }
        }
        let stored = sqlx::query_as(
            "SELECT id, author_id, author, recipient_id, recipient, text, sent_at, key FROM named_direct_messages
             WHERE author_id = $1 AND key = $2 AND recipient_id = $3",
        )
        .bind(author_id)
        .bind(key)
        .bind(recipient_id)
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(stored)
    }

    async fn direct_messages(
        &self,
        one: &str,
        other: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<DirectPage, StoreError> {
        // One more than is asked for tells whether there are older ones.
        let found = sqlx::query_as(
            "SELECT id, author_id, author, recipient_id, recipient, text, sent_at, key FROM named_direct_messages
             WHERE pair = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(pair(one, other))
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(limit) + 1)
        .fetch_all(&self.pool)
        .await?;
        Ok(DirectPage::of(found, limit))
    }

    async fn conversations(&self, owner: &str, limit: u32) -> Result<Vec<Conversation>, StoreError> {
        // Unread messages are looked for from the newest one on, and no further than they are counted.
        Ok(sqlx::query_as(
            "SELECT other.id, other.name, last.id AS last_id, last.author AS last_author, last.text AS last_text,
                    last.sent_at AS last_at,
                    (SELECT COUNT(*) FROM (
                        SELECT 1 FROM direct_messages AS message
                        WHERE message.pair = last.pair AND message.id > own.read_up_to AND message.author_id = other.id
                        ORDER BY message.id DESC LIMIT $3
                    ) AS counted) AS unread
             FROM conversations AS own
             JOIN accounts AS other ON other.id = own.other_id
             JOIN named_direct_messages AS last ON last.id = own.last_message_id
             WHERE own.owner_id = $1 ORDER BY own.last_message_id DESC LIMIT $2",
        )
        .bind(owner)
        .bind(i64::from(limit))
        .bind(MOST_UNREAD)
        .fetch_all(&self.pool)
        .await?)
    }

    async fn mark_read(&self, owner: &str, other: &str, up_to: i64) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE conversations SET read_up_to = MAX(read_up_to, MIN(last_message_id, $3))
             WHERE owner_id = $1 AND other_id = $2",
        )
        .bind(owner)
        .bind(other)
        .bind(up_to)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
