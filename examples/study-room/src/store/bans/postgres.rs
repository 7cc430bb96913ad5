//! Bans in PostgreSQL.

use async_trait::async_trait;

use crate::store::{
    StoreError,
    bans::{Ban, BanStore},
    postgres::{PostgresStore, cannot_be_there},
};

#[async_trait]
impl BanStore for PostgresStore {
    async fn ban(&self, account: &str, at: i64) -> Result<(), StoreError> {
        if cannot_be_there(account) {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO bans (account_id, banned_at) SELECT id, $2 FROM accounts WHERE id = $1
             ON CONFLICT (account_id) DO NOTHING",
        )
        .bind(account)
        .bind(at)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn lift_ban(&self, account: &str) -> Result<bool, StoreError> {
        if cannot_be_there(account) {
            return Ok(false);
        }
        let lifted = sqlx::query("DELETE FROM bans WHERE account_id = $1").bind(account).execute(&self.pool).await?;
        Ok(lifted.rows_affected() == 1)
    }

    async fn is_banned(&self, account: &str) -> Result<bool, StoreError> {
        if cannot_be_there(account) {
            return Ok(false);
        }
        let found: Option<i64> = sqlx::query_scalar("SELECT banned_at FROM bans WHERE account_id = $1")
            .bind(account)
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.is_some())
    }

    async fn bans(&self, limit: u32) -> Result<Vec<Ban>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT account_id AS \"user\", name, banned_at FROM bans JOIN accounts ON accounts.id = account_id
             ORDER BY banned_at DESC, account_id LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?)
    }
}
