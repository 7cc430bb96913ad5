//! The store in a SQLite file, embedded in the program.

use std::{path::PathBuf, str::FromStr, time::Duration};

use async_trait::async_trait;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::store::{Account, Message, NewAccount, NewMessage, NewRoom, Page, Room, Store, StoreError};

/// How long a statement waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Readers beside the one writer that SQLite has.
const CONNECTIONS: u32 = 4;

/// The file that a database URL names, none for a database in memory.
///
/// # Errors
/// When it is no URL of a SQLite database.
pub(crate) fn sqlite_file(url: &str) -> Result<Option<PathBuf>, sqlx::Error> {
    let options = SqliteConnectOptions::from_str(url)?;
    Ok((!is_in_memory(url)).then(|| options.get_filename().to_path_buf()))
}

/// A SQLite database.
#[derive(Clone, Debug)]
pub(crate) struct SqliteStore {
    pool: SqlitePool,
}

impl SqliteStore {
    /// Opens the database, makes it if need be, and brings its tables up to date.
    ///
    /// A commit is on the disk when it returns (write-ahead log, synchronous FULL), so a RECEIPT that follows it is a
    /// promise that survives a crash.
    pub(crate) async fn open(url: &str) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("trusted_schema", "OFF");
        let pool = if is_in_memory(url) {
            // It is gone with its last connection, and a second one would wait for no lock: one connection, for good.
            SqlitePoolOptions::new().max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None)
        } else {
            SqlitePoolOptions::new().max_connections(CONNECTIONS)
        };
        let pool = pool.connect_with(options).await?;
        sqlx::migrate!("migrations/sqlite").run(&pool).await?;
        Ok(Self { pool })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn create_account(&self, account: NewAccount) -> Result<Option<Account>, StoreError> {
        let inserted = sqlx::query(
            "INSERT INTO accounts (id, name, name_key, password_hash, created_at) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (name_key) DO NOTHING",
        )
        .bind(&account.id)
        .bind(&account.name)
        .bind(account.name.to_lowercase())
        .bind(&account.password_hash)
        .bind(account.created_at)
        .execute(&self.pool)
        .await?;
        Ok((inserted.rows_affected() == 1).then_some(Account { id: account.id, name: account.name }))
    }

    async fn account_by_name(&self, name: &str) -> Result<Option<(Account, String)>, StoreError> {
        let row: Option<(String, String, String)> =
            sqlx::query_as("SELECT id, name, password_hash FROM accounts WHERE name_key = ?")
                .bind(name.to_lowercase())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(id, name, hash)| (Account { id, name }, hash)))
    }

    async fn create_room(&self, room: NewRoom) -> Result<Room, StoreError> {
        sqlx::query("INSERT INTO rooms (id, name, subject, created_by, created_at) VALUES (?, ?, ?, ?, ?)")
            .bind(&room.id)
            .bind(&room.name)
            .bind(&room.subject)
            .bind(&room.created_by)
            .bind(room.created_at)
            .execute(&self.pool)
            .await?;
        Ok(Room {
            id: room.id,
            name: room.name,
            subject: room.subject,
            created_by: room.created_by,
            last_message_at: None,
        })
    }

    async fn rooms(&self, limit: u32) -> Result<Vec<Room>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, name, subject, created_by, last_message_at FROM rooms
             ORDER BY COALESCE(last_message_at, created_at) DESC, id LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    async fn room(&self, id: &str) -> Result<Option<Room>, StoreError> {
        Ok(sqlx::query_as("SELECT id, name, subject, created_by, last_message_at FROM rooms WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?)
    }

    async fn add_message(&self, message: NewMessage) -> Result<Option<Message>, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let stored: Option<Message> = sqlx::query_as(
            "INSERT INTO messages (room_id, author_id, author_name, text, client_key, sent_at)
             SELECT id, ?, ?, ?, ?, ? FROM rooms WHERE id = ?
             ON CONFLICT (author_id, client_key) DO NOTHING
             RETURNING id, room_id AS room, author_name AS author, text, sent_at, client_key AS key",
        )
        .bind(&message.author_id)
        .bind(&message.author_name)
        .bind(&message.text)
        .bind(&message.key)
        .bind(message.sent_at)
        .bind(&message.room)
        .fetch_optional(&mut *transaction)
        .await?;
        let stored =
            match stored {
                Some(stored) => {
                    sqlx::query("UPDATE rooms SET last_message_at = ? WHERE id = ?")
                        .bind(stored.sent_at)
                        .bind(&stored.room)
                        .execute(&mut *transaction)
                        .await?;
                    Some(stored)
                }
                None => sqlx::query_as(
                    "SELECT id, room_id AS room, author_name AS author, text, sent_at, client_key AS key FROM messages
                     WHERE author_id = ? AND client_key = ? AND room_id = ?",
                )
                .bind(&message.author_id)
                .bind(&message.key)
                .bind(&message.room)
                .fetch_optional(&mut *transaction)
                .await?,
            };
        transaction.commit().await?;
        Ok(stored)
    }

    async fn messages(&self, room: &str, before: Option<i64>, limit: u32) -> Result<Page, StoreError> {
        // One more than is asked for tells whether there are older ones.
        let mut messages: Vec<Message> = sqlx::query_as(
            "SELECT id, room_id AS room, author_name AS author, text, sent_at, client_key AS key FROM messages
             WHERE room_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
        )
        .bind(room)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(limit) + 1)
        .fetch_all(&self.pool)
        .await?;
        let more = messages.len() > limit as usize;
        messages.truncate(limit as usize);
        messages.reverse();
        Ok(Page { messages, more })
    }

    async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }
}

fn is_in_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance;

    #[tokio::test]
    async fn sqlite_in_memory_is_a_store() {
        conformance::run(&SqliteStore::open("sqlite::memory:").await.unwrap()).await;
    }

    #[test]
    fn a_url_names_its_file() {
        for (url, file) in [
            ("sqlite:///a/b.sqlite", Some("/a/b.sqlite")),
            ("sqlite:b.sqlite?mode=rwc", Some("b.sqlite")),
            ("sqlite:///a%3Fb", Some("/a?b")),
            ("sqlite::memory:", None),
            ("sqlite://:memory:", None),
            ("sqlite://x?mode=memory", None),
        ] {
            assert_eq!(sqlite_file(url).unwrap(), file.map(PathBuf::from), "{url}");
        }
        assert!(sqlite_file("sqlite://x?what=ever").is_err());
    }

    #[tokio::test]
    async fn sqlite_in_a_file_is_a_store() {
        let folder = std::env::temp_dir().join(format!("study-room-{}", crate::ids::random_id::<8>().unwrap()));
        std::fs::create_dir(&folder).unwrap();
        let url = format!("sqlite://{}", folder.join("test.sqlite").display());
        conformance::run(&SqliteStore::open(&url).await.unwrap()).await;
        conformance::survives_reopening(&SqliteStore::open(&url).await.unwrap()).await;
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
