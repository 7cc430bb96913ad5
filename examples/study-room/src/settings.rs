//! Settings by environment, each with a sane default.

use std::{
    env, fs,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The shortest `JWT_SECRET`, in octets (RFC 7518 section 3.2).
const SHORTEST_SECRET: usize = 32;

/// How the study room runs.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// `STUDY_ROOM_ADDR`: where to listen, default `127.0.0.1:8080`.
    pub addr: SocketAddr,
    /// `STUDY_ROOM_PUBLIC_URL`: what browsers see, default `http://` and the address. With https the cookie is
    /// `__Host-token` and Secure.
    pub public_url: Option<String>,
    /// `DATABASE_URL`: default a SQLite file in the platform's data folder.
    pub database_url: String,
    /// `JWT_SECRET`: signs the cookies. Default: made at the first start and kept beside the database.
    pub jwt_secret: Vec<u8>,
}

/// What is wrong with the settings, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// `STUDY_ROOM_ADDR` is no address.
    #[error("STUDY_ROOM_ADDR is `{0}`, which is not an address such as 127.0.0.1:8080.")]
    Addr(String),
    /// `DATABASE_URL` names another database.
    #[error("DATABASE_URL is `{0}`; this study room keeps its data in SQLite: sqlite:///path/to/study-room.sqlite.")]
    Database(String),
    /// A file or folder cannot be used.
    #[error("{path} cannot be used: {error}. Set DATABASE_URL and JWT_SECRET to keep the data elsewhere.")]
    Folder {
        /// The file or folder.
        path: String,
        /// Why not.
        error: io::Error,
    },
    /// The platform has no data folder.
    #[error("This system names no data folder. Set DATABASE_URL and JWT_SECRET.")]
    NoFolder,
    /// `STUDY_ROOM_PUBLIC_URL` is no URL.
    #[error(
        "STUDY_ROOM_PUBLIC_URL is `{0}`; write http:// or https://, a host and at most a port, as in https://study.example."
    )]
    PublicUrl(String),
    /// `JWT_SECRET` can be guessed.
    #[error("JWT_SECRET has {0} octets; it needs at least {SHORTEST_SECRET} random ones.")]
    Secret(usize),
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn from_env() -> Result<Self, SettingsError> {
        let addr = match env::var("STUDY_ROOM_ADDR") {
            Ok(text) => text.parse().map_err(|_| SettingsError::Addr(text))?,
            Err(_) => SocketAddr::from(([127, 0, 0, 1], 8080)),
        };
        let public_url = env::var("STUDY_ROOM_PUBLIC_URL").ok();
        let database_url = match env::var("DATABASE_URL") {
            Ok(url) => url,
            Err(_) => format!("sqlite://{}", data_folder()?.join("study-room.sqlite").display()),
        };
        let jwt_secret = match env::var("JWT_SECRET") {
            Ok(secret) => secret.into_bytes(),
            Err(_) => kept_secret(&data_folder()?.join("jwt-secret"))?,
        };
        Self { addr, public_url, database_url, jwt_secret }.checked()
    }

    /// Settings for tests: a free port, and a database of the caller's.
    #[must_use]
    pub fn for_tests(database: &Path) -> Self {
        Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            database_url: format!("sqlite://{}", database.display()),
            jwt_secret: b"only for tests, thirty-two octets".to_vec(),
        }
    }

    fn checked(self) -> Result<Self, SettingsError> {
        if self.jwt_secret.len() < SHORTEST_SECRET {
            return Err(SettingsError::Secret(self.jwt_secret.len()));
        }
        if !self.database_url.starts_with("sqlite:") {
            // A URL may hold a password: only its scheme is shown.
            let scheme = self.database_url.split(':').next().unwrap_or_default();
            return Err(SettingsError::Database(format!("{scheme}:…")));
        }
        match &self.public_url {
            Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
                Err(SettingsError::PublicUrl(url.clone()))
            }
            _ => Ok(self),
        }
    }
}

/// The study room's folder among the platform's data, made if need be.
fn data_folder() -> Result<PathBuf, SettingsError> {
    let folder = dirs::data_dir().ok_or(SettingsError::NoFolder)?.join("study-room");
    fs::create_dir_all(&folder).map_err(|error| unusable(&folder, error))?;
    Ok(folder)
}

/// The secret of earlier starts, or a new one that only this user can read.
fn kept_secret(path: &Path) -> Result<Vec<u8>, SettingsError> {
    match fs::read(path) {
        Ok(secret) => Ok(secret),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = crate::ids::random_id::<32>().map_err(|error| unusable(path, io::Error::other(error)))?;
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path).map_err(|error| unusable(path, error))?;
            file.write_all(secret.as_bytes()).map_err(|error| unusable(path, error))?;
            Ok(secret.into_bytes())
        }
        Err(error) => Err(unusable(path, error)),
    }
}

fn unusable(path: &Path, error: io::Error) -> SettingsError {
    SettingsError::Folder { path: path.display().to_string(), error }
}

/// The secret is not shown.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("addr", &self.addr)
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::for_tests(Path::new("x.sqlite"))
    }

    #[test]
    fn a_short_secret_is_refused() {
        let short = Settings { jwt_secret: vec![0; 31], ..settings() };
        assert!(matches!(short.checked(), Err(SettingsError::Secret(31))));
        assert!(Settings { jwt_secret: vec![0; 32], ..settings() }.checked().is_ok());
    }

    #[test]
    fn another_database_is_refused_without_its_password() {
        let other = Settings { database_url: "mysql://ada:secret@db/x".to_owned(), ..settings() };
        let error = other.checked().unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_public_url_needs_its_scheme() {
        let bare = Settings { public_url: Some("study.example".to_owned()), ..settings() };
        assert!(matches!(bare.checked(), Err(SettingsError::PublicUrl(_))));
    }
}
