//! Where the data lies: what `DATABASE_URL` says, read once and strictly.
//!
//! The URL of a server may hold a password, so what is wrong with it is said without quoting it.

use std::{fmt, str::FromStr};

use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

/// The parameters that a PostgreSQL URL may have behind its `?`.
const POSTGRES_PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// A database that the study room can keep its data in.
#[derive(Clone)]
pub(crate) enum Location {
    /// A database of a PostgreSQL server. What the URL leaves out comes from `PGHOST`, `PGUSER`, `PGPASSWORD` and the others, as
    /// with every PostgreSQL client.
    Postgres(Box<PgConnectOptions>),
    /// A SQLite file.
    SqliteFile(SqliteConnectOptions),
    /// SQLite in memory, gone when it stops.
    SqliteMemory(SqliteConnectOptions),
}

/// What is wrong with a database URL, and what to write.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum UrlError {
    #[error("has no scheme. Write sqlite:///path/to/study-room.sqlite or postgres://user:password@host/database")]
    NoScheme,
    #[error(
        "is no URL of a PostgreSQL database: {0}. Write postgres://user:password@host:port/database, with every character of \
         the password but letters and digits percent-encoded (@ is %40)"
    )]
    Postgres(String),
    #[error("is `{url}`, which names no SQLite database: {reason}. Write sqlite:///path/to/study-room.sqlite")]
    Sqlite { url: String, reason: String },
    #[error(
        "has the parameter `{0}`, which the study room does not know. Take it out; among those that it knows are sslmode, \
         sslrootcert and host"
    )]
    UnknownParameter(String),
    #[error(
        "begins with `{0}:`, and the study room keeps its data in SQLite or PostgreSQL. Write \
         sqlite:///path/to/study-room.sqlite or postgres://user:password@host/database"
    )]
    UnknownScheme(String),
}

impl FromStr for Location {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once(':').ok_or(UrlError::NoScheme)?;
        match scheme {
            "postgres" | "postgresql" => postgres(url, rest).map(|options| Self::Postgres(Box::new(options))),
            "sqlite" => {
                let wrong = |error: sqlx::Error| UrlError::Sqlite { url: url.to_owned(), reason: reason(error) };
                let options = SqliteConnectOptions::from_str(url).map_err(wrong)?;
                let is_in_memory = rest.contains(":memory:") || rest.contains("mode=memory");
                Ok(if is_in_memory { Self::SqliteMemory(options) } else { Self::SqliteFile(options) })
            }
            // `localhost:5432/x` and `C:\x` have no scheme either.
            _ if scheme.len() < 2 || !rest.starts_with("//") => Err(UrlError::NoScheme),
            _ => Err(UrlError::UnknownScheme(scheme.to_owned())),
        }
    }
}

/// In words for people: without the user and the password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(options) => {
                write!(f, "the PostgreSQL database {} at {}", database_name(options), server_name(options))
            }
            Self::SqliteFile(options) => write!(f, "{}", options.get_filename().display()),
            Self::SqliteMemory(_) => f.write_str("memory, until it stops"),
        }
    }
}

/// The name of the database: where the URL has none, the server takes the user's.
pub(super) fn database_name(options: &PgConnectOptions) -> &str {
    options.get_database().unwrap_or_else(|| options.get_username())
}

/// Whether the server is reached over a socket of this machine, and not over TCP.
pub(super) fn is_socket(options: &PgConnectOptions) -> bool {
    options.get_socket().is_some() || options.get_host().starts_with('/')
}

/// Host and port, or the folder of the socket.
pub(super) fn server_name(options: &PgConnectOptions) -> String {
    let (host, port) = (options.get_host(), options.get_port());
    match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None if is_socket(options) => host.to_owned(),
        None if host.contains(':') => format!("[{host}]:{port}"),
        None => format!("{host}:{port}"),
    }
}

/// Checked before the library reads it: that would write parameters that it does not know into the log, and a piece of a
/// password may look like one.
fn postgres(url: &str, rest: &str) -> Result<PgConnectOptions, UrlError> {
    let no_url = |reason: &str| UrlError::Postgres(reason.to_owned());
    let rest = rest.strip_prefix("//").ok_or_else(|| no_url("there is no // behind its scheme"))?;
    let (_, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if behind.contains('@') {
        return Err(no_url("there is an @ behind the host"));
    }
    let query = behind.split_once('?').map_or("", |(_, query)| query);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let key = pair.split('=').next().unwrap_or(pair);
        if !POSTGRES_PARAMETERS.contains(&key) && !key.starts_with("options[") {
            return Err(UrlError::UnknownParameter(key.to_owned()));
        }
    }
    let options = PgConnectOptions::from_str(url).map_err(|error| UrlError::Postgres(reason(error)))?;
    // The library would look for a host of that name, brackets included.
    match options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => Ok(options.clone().host(address)),
        None => Ok(options),
    }
}

/// The library wraps what is wrong with a setting, sometimes twice.
fn reason(error: sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(inner) => match inner.downcast::<sqlx::Error>() {
            Ok(error) => reason(*error),
            Err(inner) => inner.to_string(),
        },
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str) -> UrlError {
        Location::from_str(url).map(|location| location.to_string()).unwrap_err()
    }

    #[test]
    fn a_sqlite_url_names_its_file() {
        for (url, file) in [
            ("sqlite:///a/b.sqlite", Some("/a/b.sqlite")),
            ("sqlite:b.sqlite?mode=rwc", Some("b.sqlite")),
            ("sqlite:///a%3Fb", Some("/a?b")),
            ("sqlite::memory:", None),
            ("sqlite://:memory:", None),
            ("sqlite://x?mode=memory", None),
        ] {
            let named = match Location::from_str(url).unwrap() {
                Location::SqliteFile(options) => Some(options.get_filename().display().to_string()),
                _ => None,
            };
            assert_eq!(named.as_deref(), file, "{url}");
        }
        assert!(matches!(error("sqlite://x?what=ever"), UrlError::Sqlite { .. }));
    }

    #[test]
    fn a_postgres_url_is_shown_without_user_and_password() {
        for (url, shown) in [
            ("postgres://ada:hush@db.example/study", "the PostgreSQL database study at db.example:5432"),
            ("postgresql://ada:hu%40sh@[::1]:5433/a%20b", "the PostgreSQL database a b at [::1]:5433"),
            ("postgres:///study?user=ada&password=hush&host=/run/pg", "the PostgreSQL database study at /run/pg"),
            ("postgres://ada:hush@db.example", "the PostgreSQL database ada at db.example:5432"),
        ] {
            let location = Location::from_str(url).unwrap();
            assert!(matches!(location, Location::Postgres(_)));
            assert_eq!(location.to_string(), shown, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_of_ours_says_what_to_write_and_shows_no_password() {
        for (url, said) in [
            ("", "no scheme"),
            ("hush", "no scheme"),
            ("/var/lib/hush.sqlite", "no scheme"),
            ("hush.example:5432/study", "no scheme"),
            ("C:\\hush.sqlite", "no scheme"),
            ("mysql://ada:hush@db/x", "begins with `mysql:`"),
            ("postgres:ada:hush@db/x", "no // behind its scheme"),
            ("postgres://ada:hu/hush@db/x", "an @ behind the host"),
            ("postgres://ada:hu?hush@db/x", "an @ behind the host"),
            ("postgres://ada:hu#hush@db/x", "an @ behind the host"),
            ("postgres://ada:hush@db:port/x", "invalid port"),
            ("postgres://ada:hush@db/x?sslmode=maybe", ": unknown value \"maybe\" for `ssl_mode`"),
            ("postgres://ada:hush@db/x?passwd=hush", "the parameter `passwd`"),
        ] {
            let sentence = error(url).to_string();
            assert!(sentence.contains(said) && !sentence.contains("hush"), "{url}: {sentence}");
            assert!(sentence.contains("Write ") || sentence.contains("Take it out"), "{sentence}");
        }
    }
}
