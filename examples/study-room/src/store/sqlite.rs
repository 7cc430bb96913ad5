//! The store in a SQLite file, embedded in the program.

use std::{fs, io, path::Path, time::Duration};

use async_trait::async_trait;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::store::{
    Account, CLOSE_PATIENCE, EndedLogin, Message, NewAccount, NewMessage, NewRoom, OpenError, Page, Room, Store,
    StoreError,
};

/// How long a statement waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Readers beside the one writer that SQLite has.
const CONNECTIONS: u32 = 4;

/// A SQLite database.
#[derive(Clone, Debug)]
pub(crate) struct SqliteStore {
    pub(super) pool: SqlitePool,
}

impl SqliteStore {
    /// Opens the database, makes it if need be, and brings its tables up to date.
    ///
    /// A commit is on the disk when it returns (write-ahead log, synchronous FULL), so a RECEIPT that follows it is a
    /// promise that survives a crash.
    pub(crate) async fn open_file(options: &SqliteConnectOptions) -> Result<Self, OpenError> {
        let file = options.get_filename();
        make_private(file)?;
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS);
        Self::open(options, pool).await.map_err(|error| OpenError::sqlite(error, file))
    }

    /// Opens a database in memory, empty.
    pub(crate) async fn open_memory(options: &SqliteConnectOptions) -> Result<Self, OpenError> {
        // It is gone with its last connection, and a second one would wait for no lock: one connection, for good.
        let pool = SqlitePoolOptions::new().max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
        Self::open(options, pool).await.map_err(|error| OpenError::sqlite(error, Path::new("A database in memory")))
    }

    async fn open(options: &SqliteConnectOptions, pool: SqlitePoolOptions) -> Result<Self, sqlx::Error> {
        let options = options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("trusted_schema", "OFF");
        let pool = pool.connect_with(options).await?;
        let migrated = sqlx::migrate!("migrations/sqlite").run(&pool).await;
        if migrated.is_err() {
            pool.close().await;
        }
        migrated?;
        Ok(Self { pool })
    }
}

/// Makes the file where there is none: for this user alone, as hashes of passwords lie in it. SQLite gives the same permissions
/// to the files that it puts beside it.
fn make_private(file: &Path) -> Result<(), OpenError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = file.parent().map(|folder| folder.display().to_string());
            Err(OpenError::FolderMissing(folder.unwrap_or_default()))
        }
        Err(error) => Err(OpenError::NotOpened { path: file.display().to_string(), reason: error.to_string() }),
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
        Ok(room.into())
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
             RETURNING id, room_id AS room, author_id, author_name AS author, text, sent_at, client_key AS key",
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
                    sqlx::query("UPDATE rooms SET last_message_at = MAX(COALESCE(last_message_at, 0), ?) WHERE id = ?")
                        .bind(stored.sent_at)
                        .bind(&stored.room)
                        .execute(&mut *transaction)
                        .await?;
                    Some(stored)
                }
                None => sqlx::query_as(
                    "SELECT id, room_id AS room, author_id, author_name AS author, text, sent_at, client_key AS key FROM messages
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
        let found = sqlx::query_as(
            "SELECT id, room_id AS room, author_id, author_name AS author, text, sent_at, client_key AS key FROM messages
             WHERE room_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
        )
        .bind(room)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(limit) + 1)
        .fetch_all(&self.pool)
        .await?;
        Ok(Page::of(found, limit))
    }

    async fn end_login(&self, login: EndedLogin, now: i64, most: u32) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT INTO ended_logins (id, expires_at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING")
            .bind(&login.id)
            .bind(login.expires_at)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "DELETE FROM ended_logins WHERE expires_at <= ? OR id IN
             (SELECT id FROM ended_logins ORDER BY expires_at DESC, id LIMIT -1 OFFSET ?)",
        )
        .bind(now)
        .bind(most)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn ended_logins(&self, now: i64, limit: u32) -> Result<Vec<EndedLogin>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, expires_at FROM ended_logins WHERE expires_at > ? ORDER BY expires_at DESC, id LIMIT ?",
        )
        .bind(now)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// The last connection that closes writes everything into the one file and takes the others away.
    async fn close(&self) {
        if tokio::time::timeout(CLOSE_PATIENCE, self.pool.close()).await.is_err() {
            tracing::warn!("a statement still runs: SQLite's write-ahead log is left for the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::store::conformance;

    /// A folder that is gone with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("study-room-{}", crate::ids::random_id::<8>().unwrap()));
            fs::create_dir(&folder).unwrap();
            Self(folder)
        }

        fn database(&self) -> SqliteConnectOptions {
            SqliteConnectOptions::new().filename(self.0.join("test.sqlite"))
        }

        fn files(&self) -> Vec<String> {
            let files = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn sqlite_in_memory_is_a_store() {
        let options = "sqlite::memory:".parse().unwrap();
        conformance::run(&SqliteStore::open_memory(&options).await.unwrap()).await;
    }

    #[tokio::test]
    async fn sqlite_in_a_file_is_a_store() {
        let folder = Folder::new();
        let first = SqliteStore::open_file(&folder.database()).await.unwrap();
        conformance::run(&first).await;
        first.close().await;
        conformance::survives_reopening(&SqliteStore::open_file(&folder.database()).await.unwrap()).await;
    }

    #[tokio::test]
    async fn two_programs_share_a_sqlite_file() {
        let folder = Folder::new();
        let one = SqliteStore::open_file(&folder.database()).await.unwrap();
        let two = SqliteStore::open_file(&folder.database()).await.unwrap();
        conformance::run_on_two_nodes(&one, &two).await;
    }

    #[tokio::test]
    async fn a_store_that_was_closed_leaves_one_file() {
        let folder = Folder::new();
        let store = SqliteStore::open_file(&folder.database()).await.unwrap();
        conformance::run(&store).await;
        assert_eq!(folder.files(), ["test.sqlite", "test.sqlite-shm", "test.sqlite-wal"]);
        store.close().await;
        assert_eq!(folder.files(), ["test.sqlite"]);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_files_are_for_this_user_alone_and_permissions_of_ones_own_stay() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new();
        let mode = |name: &str| fs::metadata(folder.0.join(name)).unwrap().permissions().mode() & 0o777;
        let store = SqliteStore::open_file(&folder.database()).await.unwrap();
        for name in folder.files() {
            assert_eq!(mode(&name), 0o600, "{name}");
        }
        store.close().await;
        fs::set_permissions(folder.0.join("test.sqlite"), fs::Permissions::from_mode(0o640)).unwrap();
        SqliteStore::open_file(&folder.database()).await.unwrap();
        assert_eq!(mode("test.sqlite"), 0o640);
    }

    #[tokio::test]
    async fn what_cannot_be_opened_says_what_to_do() {
        let folder = Folder::new();
        let open = async |name: &str| {
            let options = SqliteConnectOptions::new().filename(folder.0.join(name));
            SqliteStore::open_file(&options).await.map(drop).unwrap_err()
        };
        assert!(matches!(open("missing/x.sqlite").await, OpenError::FolderMissing(at) if at.ends_with("missing")));
        fs::write(folder.0.join("notes.txt"), "A page of notes, and no database at all. ".repeat(30)).unwrap();
        assert!(matches!(open("notes.txt").await, OpenError::NotADatabase(_)));
        fs::create_dir(folder.0.join("a-folder")).unwrap();
        assert!(matches!(open("a-folder").await, OpenError::NotOpened { .. }));
    }

    #[tokio::test]
    async fn a_file_of_a_newer_study_room_is_left_alone() {
        let folder = Folder::new();
        let store = SqliteStore::open_file(&folder.database()).await.unwrap();
        sqlx::query("UPDATE _sqlx_migrations SET version = version + 98").execute(&store.pool).await.unwrap();
        store.close().await;
        let error = SqliteStore::open_file(&folder.database()).await.map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Newer(_)), "{error}");
        assert_eq!(folder.files(), ["test.sqlite"]);
    }
}
