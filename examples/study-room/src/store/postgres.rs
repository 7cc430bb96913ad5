//! The store on a PostgreSQL server, which several study rooms may share.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::store::{
    Account, CLOSE_PATIENCE, EndedLogin, Message, NewAccount, NewMessage, NewRoom, OpenError, Page, Room, Store,
    StoreError,
    location::{database_name, server_name},
};

/// How long a start waits for the server.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Connections of one study room. A server has a hundred by default, and a statement takes a millisecond or two.
const CONNECTIONS: u32 = 10;

/// How long a request waits for a connection that is free, or for a new one. The page waits 15 s for a RECEIPT.
const ACQUIRE_PATIENCE: Duration = Duration::from_secs(10);

/// What the server ends by itself, so that nothing waits for ever. The second is for a study room that has vanished in the
/// middle of a transaction, with a room's lock.
const SERVER_PATIENCE: [(&str, &str); 2] =
    [("statement_timeout", "5s"), ("idle_in_transaction_session_timeout", "10s")];

/// A PostgreSQL database.
#[derive(Clone, Debug)]
pub(crate) struct PostgresStore {
    pub(super) pool: PgPool,
}

impl PostgresStore {
    /// Connects to the database, which must exist, and brings its tables up to date.
    ///
    /// A commit is as durable as the server makes it: by default (`synchronous_commit = on`) it is on the disk when it returns,
    /// so a RECEIPT that follows it is a promise that survives a crash.
    pub(crate) async fn open(options: &PgConnectOptions) -> Result<Self, OpenError> {
        Self::open_patiently(options, ACQUIRE_PATIENCE).await
    }

    /// The same where requests wait so long for a connection.
    async fn open_patiently(options: &PgConnectOptions, patience: Duration) -> Result<Self, OpenError> {
        let options = match options.get_application_name() {
            Some(_) => options.clone(),
            None => options.clone().application_name("study-room"),
        };
        prepare(&options).await?;
        // The pool would try again and again, and at last only say that it took too long: it opens when all is well.
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(patience)
            .connect_lazy_with(options.options(SERVER_PATIENCE));
        Ok(Self { pool })
    }
}

/// Brings the tables up to date on a connection of its own, which may take its time: of several study rooms that start at once,
/// one makes them and the others wait.
async fn prepare(options: &PgConnectOptions) -> Result<(), OpenError> {
    let silent = |_| OpenError::Silent { server: server_name(options), patience: CONNECT_PATIENCE };
    let failed = |error: sqlx::Error| OpenError::postgres(error, options);
    let connecting = tokio::time::timeout(CONNECT_PATIENCE, PgConnection::connect_with(options));
    let mut connection = connecting.await.map_err(silent)?.map_err(failed)?;
    let encoding: String =
        sqlx::query_scalar("SHOW server_encoding").fetch_one(&mut connection).await.map_err(failed)?;
    if encoding != "UTF8" {
        let (database, server) = (database_name(options).to_owned(), server_name(options));
        return Err(OpenError::Encoding { database, server, encoding });
    }
    let migrated = sqlx::migrate!("migrations/postgres").run(&mut connection).await;
    migrated.map_err(|error| failed(error.into()))?;
    connection.close().await.map_err(failed)
}

#[async_trait]
impl Store for PostgresStore {
    async fn create_account(&self, account: NewAccount) -> Result<Option<Account>, StoreError> {
        let inserted = sqlx::query(
            "INSERT INTO accounts (id, name, name_key, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)
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
        if cannot_be_there(name) {
            return Ok(None);
        }
        let row: Option<(String, String, String)> =
            sqlx::query_as("SELECT id, name, password_hash FROM accounts WHERE name_key = $1")
                .bind(name.to_lowercase())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(id, name, hash)| (Account { id, name }, hash)))
    }

    async fn create_room(&self, room: NewRoom) -> Result<Room, StoreError> {
        sqlx::query("INSERT INTO rooms (id, name, subject, created_by, created_at) VALUES ($1, $2, $3, $4, $5)")
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
             ORDER BY COALESCE(last_message_at, created_at) DESC, id LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?)
    }

    async fn room(&self, id: &str) -> Result<Option<Room>, StoreError> {
        if cannot_be_there(id) {
            return Ok(None);
        }
        Ok(sqlx::query_as("SELECT id, name, subject, created_by, last_message_at FROM rooms WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?)
    }

    async fn add_message(&self, message: NewMessage) -> Result<Option<Message>, StoreError> {
        if cannot_be_there(&message.room) {
            return Ok(None);
        }
        // Whatever the server's default is: each statement sees what others have committed before it.
        let mut transaction = self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        // The lock comes before the id. Without it, a message with a smaller id could become visible after one with a greater.
        let room: Option<String> = sqlx::query_scalar("SELECT id FROM rooms WHERE id = $1 FOR NO KEY UPDATE")
            .bind(&message.room)
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(room) = room else { return Ok(None) };
        let stored: Option<Message> = sqlx::query_as(
            "INSERT INTO messages (room_id, author_id, author_name, text, client_key, sent_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (author_id, client_key) DO NOTHING
             RETURNING id, room_id AS room, author_id, author_name AS author, text, sent_at, client_key AS key",
        )
        .bind(&room)
        .bind(&message.author_id)
        .bind(&message.author_name)
        .bind(&message.text)
        .bind(&message.key)
        .bind(message.sent_at)
        .fetch_optional(&mut *transaction)
        .await?;
        let stored =
            match stored {
                Some(stored) => {
                    sqlx::query("UPDATE rooms SET last_message_at = GREATEST(last_message_at, $1) WHERE id = $2")
                        .bind(stored.sent_at)
                        .bind(&room)
                        .execute(&mut *transaction)
                        .await?;
                    Some(stored)
                }
                None => sqlx::query_as(
                    "SELECT id, room_id AS room, author_id, author_name AS author, text, sent_at, client_key AS key FROM messages
                     WHERE author_id = $1 AND client_key = $2 AND room_id = $3",
                )
                .bind(&message.author_id)
                .bind(&message.key)
                .bind(&room)
                .fetch_optional(&mut *transaction)
                .await?,
            };
        transaction.commit().await?;
        Ok(stored)
    }

    async fn messages(&self, room: &str, before: Option<i64>, limit: u32) -> Result<Page, StoreError> {
        if cannot_be_there(room) {
            return Ok(Page { messages: Vec::new(), more: false });
        }
        // One more than is asked for tells whether there are older ones.
        let found = sqlx::query_as(
            "SELECT id, room_id AS room, author_id, author_name AS author, text, sent_at, client_key AS key FROM messages
             WHERE room_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(room)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(limit) + 1)
        .fetch_all(&self.pool)
        .await?;
        Ok(Page::of(found, limit))
    }

    async fn end_login(&self, login: EndedLogin, now: i64, most: u32) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        // One after the other: two that forget the same logins in another order would wait for each other for ever.
        sqlx::query("LOCK TABLE ended_logins IN SHARE ROW EXCLUSIVE MODE").execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO ended_logins (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
            .bind(&login.id)
            .bind(login.expires_at)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "DELETE FROM ended_logins WHERE expires_at <= $1 OR id IN
             (SELECT id FROM ended_logins ORDER BY expires_at DESC, id OFFSET $2)",
        )
        .bind(now)
        .bind(i64::from(most))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn ended_logins(&self, now: i64, limit: u32) -> Result<Vec<EndedLogin>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, expires_at FROM ended_logins WHERE expires_at > $1 ORDER BY expires_at DESC, id LIMIT $2",
        )
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?)
    }

    async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    async fn close(&self) {
        if tokio::time::timeout(CLOSE_PATIENCE, self.pool.close()).await.is_err() {
            tracing::warn!("a statement still runs: the server ends it when it misses this study room");
        }
    }
}

/// PostgreSQL stores no U+0000, and would take a search for it as an error.
pub(super) fn cannot_be_there(text: &str) -> bool {
    text.contains('\0')
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener};

    use super::*;
    use crate::store::{Location, cluster::Cluster, conformance};

    fn options(url: &str) -> PgConnectOptions {
        match url.parse().unwrap() {
            Location::Postgres(options) => *options,
            other => panic!("{other} is no PostgreSQL database"),
        }
    }

    /// So patient that no test is about how fast the machine is.
    async fn open(url: &str) -> Result<PostgresStore, OpenError> {
        PostgresStore::open_patiently(&options(url), Duration::from_secs(120)).await
    }

    #[tokio::test]
    async fn postgres_is_a_store() {
        let Some(cluster) = Cluster::shared() else { return };
        let url = cluster.new_database();
        let first = open(&url).await.unwrap();
        conformance::run(&first).await;
        first.close().await;
        assert!(first.check().await.is_err(), "nothing is kept afterwards");
        conformance::survives_reopening(&open(&url).await.unwrap()).await;
    }

    #[tokio::test]
    async fn two_nodes_that_start_at_once_share_a_database() {
        let Some(cluster) = Cluster::shared() else { return };
        let url = cluster.new_database();
        let (one, two) = tokio::join!(open(&url), open(&url));
        conformance::run_on_two_nodes(&one.unwrap(), &two.unwrap()).await;
    }

    #[tokio::test]
    async fn the_server_ends_what_takes_too_long_and_the_store_goes_on() {
        let Some(cluster) = Cluster::shared() else { return };
        let store = open(&cluster.new_database()).await.unwrap();
        for (name, value) in SERVER_PATIENCE {
            let shown: String =
                sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&store.pool).await.unwrap();
            assert_eq!(shown, value, "{name}");
        }
        let mut connection = store.pool.acquire().await.unwrap();
        sqlx::query("SET statement_timeout = '10ms'").execute(&mut *connection).await.unwrap();
        let late = sqlx::query("SELECT pg_sleep(60)").execute(&mut *connection).await.unwrap_err();
        assert_eq!(late.as_database_error().and_then(|error| error.code()).as_deref(), Some("57014"));
        store.check().await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_the_server_has_ended_is_replaced() {
        let Some(cluster) = Cluster::shared() else { return };
        let url = cluster.new_database();
        let store = open(&url).await.unwrap();
        let own = "SELECT pg_backend_pid()";
        let before: i32 = sqlx::query_scalar(own).fetch_one(&store.pool).await.unwrap();
        cluster.run("postgres", &format!("SELECT pg_terminate_backend({before}, 5000)"));
        let after: i32 = sqlx::query_scalar(own).fetch_one(&store.pool).await.unwrap();
        assert_ne!(after, before);
    }

    #[tokio::test]
    async fn what_cannot_be_opened_says_what_to_do_and_shows_no_password() {
        let Some(cluster) = Cluster::shared() else { return };
        let url = cluster.new_database();
        cluster.run("postgres", "CREATE ROLE guest LOGIN PASSWORD 'hush'");
        cluster.run("postgres", "CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0");
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let guests = cluster.url_as("guest", "hush", url.rsplit('/').next().unwrap());
        for (url, said) in [
            (cluster.url_as("study", "hush-hush", "postgres"), "refuses the password of the user study"),
            (cluster.url_as("nobody", "hush", "postgres"), "refuses the password of the user nobody"),
            (cluster.url("none"), "There is no database none at"),
            (cluster.url("latin"), "keeps its text as LATIN1"),
            (guests, "GRANT CREATE ON SCHEMA public TO guest"),
            (format!("postgres://ada:hush@{nobody}/x"), "No PostgreSQL answers at"),
            (
                "postgres://ada:hush@no-such-host.invalid/x".to_owned(),
                "No PostgreSQL answers at no-such-host.invalid:5432",
            ),
            (
                "postgres://ada:hush@localhost/x?host=/no/such/folder".to_owned(),
                "No PostgreSQL answers at /no/such/folder",
            ),
            (format!("{}?sslmode=require", cluster.url("postgres")), "No TLS with PostgreSQL at"),
            ("postgres://ada:hush@[::1]:1/x".to_owned(), "No PostgreSQL answers at [::1]:1"),
        ] {
            let error = open(&url).await.map(drop).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("hush") && error.ends_with('.'), "{url}: {error}");
        }
    }

    #[tokio::test]
    async fn another_server_is_told_from_postgres() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgres://ada:hush@{}/x", other.local_addr().unwrap());
        let answering = std::thread::spawn(move || {
            other.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        });
        let error = open(&url).await.map(drop).unwrap_err();
        assert!(matches!(error, OpenError::NoPostgres(_)), "{error}");
        answering.join().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgres://ada:hush@{}/x", silent.local_addr().unwrap());
        let error = open(&url).await.map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Silent { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_database_of_a_newer_study_room_is_left_alone() {
        let Some(cluster) = Cluster::shared() else { return };
        let url = cluster.new_database();
        let store = open(&url).await.unwrap();
        sqlx::query("UPDATE _sqlx_migrations SET version = version + 98").execute(&store.pool).await.unwrap();
        let error = open(&url).await.map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Newer(_)), "{error}");
    }
}
