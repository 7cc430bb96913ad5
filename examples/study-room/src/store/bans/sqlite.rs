//! Bans in SQLite.

use async_trait::async_trait;

use crate::store::{
    StoreError,
    bans::{Ban, BanStore},
    sqlite::SqliteStore,
};

#[async_trait]
impl BanStore for SqliteStore {
    async fn ban(&self, account: &str, at: i64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO bans (account_id, banned_at) SELECT id, ?2 FROM accounts WHERE id = ?1
             ON CONFLICT (account_id) DO NOTHING",
        )
        .bind(account)
        .bind(at)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn lift_ban(&self, account: &str) -> Result<bool, StoreError> {
        let lifted = sqlx::query("DELETE FROM bans WHERE account_id = ?1").bind(account).execute(&self.pool).await?;
        Ok(lifted.rows_affected() == 1)
    }

    async fn is_banned(&self, account: &str) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT banned_at FROM bans WHERE account_id = ?1")
            .bind(account)
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.is_some())
    }

    async fn bans(&self, limit: u32) -> Result<Vec<Ban>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT account_id AS \"user\", name, banned_at FROM bans JOIN accounts ON accounts.id = account_id
             ORDER BY banned_at DESC, account_id LIMIT ?1",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }
}
