//! Why a database cannot be opened, in sentences that say what to do.
//!
//! One function for each database turns the library's errors into them. No sentence holds a password.

use std::{io, path::Path, time::Duration};

use sqlx::{migrate::MigrateError, postgres::PgConnectOptions};

use crate::store::location::{database_name, is_socket, server_name};

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(
        "The database {database} at {server} keeps its text as {encoding}, which has no place for every character. Make one \
         with createdb --template=template0 --encoding=UTF8, and name it in DATABASE_URL."
    )]
    Encoding { database: String, server: String, encoding: String },
    #[error(
        "The folder {0}, where DATABASE_URL has its file, does not exist. Make it, or set DATABASE_URL to another place."
    )]
    FolderMissing(String),
    #[error(
        "{0} is in use by another program, which writes to it and does not stop. Stop that one, or set DATABASE_URL to another \
         place."
    )]
    Locked(String),
    #[error(
        "The user {user} may not make tables in the database {database}. Let its owner run: GRANT CREATE ON SCHEMA public TO {user}."
    )]
    MayNotMakeTables { user: String, database: String },
    #[error(
        "{0} was made by a newer study room, or is another program's. Start the newer one, or set DATABASE_URL to another place."
    )]
    Newer(String),
    #[error("There is no database {database} at {server}. Make it with createdb, or correct DATABASE_URL.")]
    NoDatabase { database: String, server: String },
    #[error("What answers at {0} is no PostgreSQL. Correct host and port in DATABASE_URL.")]
    NoPostgres(String),
    #[error("{0} is no SQLite database. Move it away, or set DATABASE_URL to another place.")]
    NotADatabase(String),
    #[error(
        "{path} cannot be opened: {reason}. Look at its permissions and its folder's, or set DATABASE_URL to another place."
    )]
    NotOpened { path: String, reason: String },
    #[error(
        "PostgreSQL at {server} does not let the user {user} in: {reason}. Look at the user in DATABASE_URL, or at the server's pg_hba.conf."
    )]
    NotLetIn { user: String, server: String, reason: String },
    #[error("{database} failed: {reason}. Look at DATABASE_URL.")]
    Other { database: String, reason: String },
    #[error(
        "The PostgreSQL at {server} takes no more connections now: {reason}. Start the study room again in a moment."
    )]
    NotNow { server: String, reason: String },
    #[error("PostgreSQL at {server} does not answer within {} seconds. Correct host and port in DATABASE_URL, or look at what is between.", .patience.as_secs())]
    Silent { server: String, patience: Duration },
    #[error("No TLS with PostgreSQL at {server}: {reason}. Look at sslmode and sslrootcert in DATABASE_URL.")]
    Tls { server: String, reason: String },
    #[error("No PostgreSQL answers at {server}: {error}. Start it there, or correct host and port in DATABASE_URL.")]
    Unreachable { server: String, error: io::Error },
    #[error(
        "PostgreSQL at {server} refuses the password of the user {user}. Correct it in DATABASE_URL (every character but letters \
         and digits percent-encoded: @ is %40) or in PGPASSWORD."
    )]
    WrongPassword { user: String, server: String },
}

impl OpenError {
    /// What went wrong on the way to a PostgreSQL database.
    pub(super) fn postgres(error: sqlx::Error, options: &PgConnectOptions) -> Self {
        let (user, server) = (options.get_username().to_owned(), server_name(options));
        let database = database_name(options).to_owned();
        match error {
            // A TLS library below it says so of a certificate that is not trusted.
            sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Tls { server, reason: error.to_string() }
            }
            sqlx::Error::Io(error) if error.kind() == io::ErrorKind::NotFound && !is_socket(options) => {
                Self::Tls { server, reason: "a file of certificates that DATABASE_URL names does not exist".to_owned() }
            }
            sqlx::Error::Io(error) => Self::Unreachable { server, error },
            sqlx::Error::Protocol(_) => Self::NoPostgres(server),
            sqlx::Error::Tls(reason) => Self::Tls { server, reason: reason.to_string() },
            sqlx::Error::Migrate(error) => {
                Self::migration(*error, format!("The database {database} at {server}"), |error| {
                    Self::postgres(error, options)
                })
            }
            sqlx::Error::Database(error) => {
                let reason = error.message().to_owned();
                // https://www.postgresql.org/docs/current/errcodes-appendix.html
                match error.code().as_deref() {
                    Some("28P01") => Self::WrongPassword { user, server },
                    Some("28000") => Self::NotLetIn { user, server, reason },
                    Some("3D000") => Self::NoDatabase { database, server },
                    Some("42501") => Self::MayNotMakeTables { user, database },
                    Some("53300" | "57P03") => Self::NotNow { server, reason },
                    _ => Self::Other { database: format!("The database {database} at {server}"), reason },
                }
            }
            error => {
                Self::Other { database: format!("The database {database} at {server}"), reason: error.to_string() }
            }
        }
    }

    /// What went wrong with a SQLite file.
    pub(super) fn sqlite(error: sqlx::Error, file: &Path) -> Self {
        let path = file.display().to_string();
        match error {
            sqlx::Error::Migrate(error) => Self::migration(*error, path, |error| Self::sqlite(error, file)),
            sqlx::Error::Database(error) => {
                let reason = error.message().to_owned();
                // https://sqlite.org/rescode.html: an extended code has its primary one in the lower eight bits.
                match error.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xFF) {
                    Some(5) => Self::Locked(path),
                    Some(8 | 14) => Self::NotOpened { path, reason },
                    Some(26) => Self::NotADatabase(path),
                    _ => Self::Other { database: path, reason },
                }
            }
            error => Self::Other { database: path, reason: error.to_string() },
        }
    }

    fn migration(error: MigrateError, database: String, of_database: impl FnOnce(sqlx::Error) -> Self) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => of_database(error),
            MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => Self::Newer(database),
            error => Self::Other { database, reason: error.to_string() },
        }
    }
}
