//! Accounts that an administrator keeps out.

#[cfg(test)]
pub(super) mod conformance;
mod postgres;
mod sqlite;

use async_trait::async_trait;
use serde::Serialize;

use crate::store::StoreError;

/// The part of [`Store`](super::Store) for bans; what is said there of calls and of U+0000 holds here too.
#[async_trait]
pub(crate) trait BanStore {
    /// Keeps that an account is banned from `at` on: of several bans, the first. Where there is no such account, nothing is kept.
    async fn ban(&self, account: &str, at: i64) -> Result<(), StoreError>;

    /// Forgets a ban. False where there was none.
    async fn lift_ban(&self, account: &str) -> Result<bool, StoreError>;

    /// Whether an account is banned.
    async fn is_banned(&self, account: &str) -> Result<bool, StoreError>;

    /// The newest `limit` bans, the newest first.
    async fn bans(&self, limit: u32) -> Result<Vec<Ban>, StoreError>;
}

/// Somebody who is kept out, as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct Ban {
    /// The account's id.
    pub(crate) user: String,
    pub(crate) name: String,
    /// Milliseconds since 1970.
    pub(crate) banned_at: i64,
}
