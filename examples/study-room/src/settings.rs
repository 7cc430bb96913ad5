//! Settings by environment, each with a sane default. A wrong one is an error with a sentence, never a silent default.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use parlor::{
    auth::OriginPolicy,
    limits::{ProxyRangeError, TrustedProxies},
};

use crate::{
    ids,
    store::{Location, UrlError},
};

/// The shortest `JWT_SECRET`, in octets (RFC 7518 section 3.2).
const SHORTEST_SECRET: usize = 32;

/// How long somebody may be gone before the others are told, unless set otherwise.
const GRACE: Duration = Duration::from_secs(10);

/// How long after a start nobody is announced, unless set otherwise: pages come back within it.
const SETTLING: Duration = Duration::from_secs(10);

/// The most of each, in seconds.
const LONGEST: u64 = 600;

/// How the study room runs.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// `STUDY_ROOM_ADDR`: where to listen, default `127.0.0.1:8080`.
    pub addr: SocketAddr,
    /// `STUDY_ROOM_PUBLIC_URL`: what browsers see, default `http://` and the address. With https the cookie is
    /// `__Host-token` and Secure.
    pub public_url: Option<String>,
    /// `DATABASE_URL`: `sqlite:…` or `postgres://…`; default a SQLite file in the platform's data folder.
    pub database_url: String,
    /// `JWT_SECRET`: signs the cookies. Default: made at the first start and kept beside the SQLite file, or for PostgreSQL in
    /// the platform's data folder; several nodes at one database need the same.
    pub jwt_secret: Vec<u8>,
    /// `TRUSTED_PROXIES`: the addresses or ranges of proxies in front, with commas between them, whose `X-Forwarded-For` is
    /// believed; default none.
    pub trusted_proxies: TrustedProxies,
    /// `STUDY_ROOM_GRACE`: how long all tabs of somebody may be gone before the others are told, in seconds from 0 to 600,
    /// default 10. Long enough for a page to reconnect.
    pub grace: Duration,
    /// `STUDY_ROOM_SETTLING`: how long after a start nobody is announced, as all pages come back then, in seconds from 0 to 600,
    /// default 10.
    pub settling: Duration,
    /// `STUDY_ROOM_ADMINS`: the names of accounts, with commas between them, that may ban others; default none. They exist
    /// already.
    pub administrators: Vec<String>,
}

/// What is wrong with the settings, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// `STUDY_ROOM_ADDR` is no address.
    #[error("STUDY_ROOM_ADDR is `{0}`, which is not an address such as 127.0.0.1:8080.")]
    Addr(String),
    /// `DATABASE_URL` names no database that the study room can use.
    #[error("DATABASE_URL {0}.")]
    Database(String),
    /// A file or folder cannot be used.
    #[error("{path} cannot be used: {error}. Set DATABASE_URL to keep the data elsewhere.")]
    Folder {
        /// The file or folder.
        path: String,
        /// Why not.
        error: io::Error,
    },
    /// The folder of the SQLite file does not exist.
    #[error(
        "The folder {0}, where DATABASE_URL has its file, does not exist. Make it, or set DATABASE_URL to another place."
    )]
    FolderMissing(String),
    /// The kept secret is damaged.
    #[error("{0} holds no whole secret. Delete it to have a new one made; everyone logs in again then.")]
    KeptSecret(String),
    /// A time is no number of seconds.
    #[error("{0} is `{1}`; write seconds from 0 to {LONGEST}.")]
    Seconds(&'static str, String),
    /// The platform has no data folder.
    #[error("This system names no data folder. Set {0}.")]
    NoFolder(&'static str),
    /// The operating system has no randomness to give.
    #[error("No secret can be made: {0}. Set JWT_SECRET.")]
    NoRandomness(String),
    /// A setting is no text.
    #[error("{0} is not UTF-8 text.")]
    NotText(&'static str),
    /// `STUDY_ROOM_PUBLIC_URL` is no URL.
    #[error(
        "STUDY_ROOM_PUBLIC_URL is `{0}`; write http:// or https://, a host and at most a port, as in https://study.example."
    )]
    PublicUrl(String),
    /// `TRUSTED_PROXIES` has something else than addresses.
    #[error("TRUSTED_PROXIES: {0}.")]
    Proxies(#[from] ProxyRangeError),
    /// `JWT_SECRET` can be guessed.
    #[error("JWT_SECRET has {0} octets; it needs at least {SHORTEST_SECRET} random ones.")]
    Secret(usize),
}

impl Settings {
    /// Reads the environment. Makes the data folder and the secret where they are needed and missing.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::read(|name| env::var_os(name))
    }

    /// Settings for tests: a free port, and a database of the caller's.
    #[must_use]
    pub fn for_tests(database: &Path) -> Self {
        Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            database_url: url_of(database),
            jwt_secret: b"only for tests, thirty-two octets".to_vec(),
            trusted_proxies: TrustedProxies::default(),
            grace: GRACE,
            settling: SETTLING,
            administrators: Vec::new(),
        }
    }

    fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, SettingsError> {
        let text = |name| match variable(name).map(OsString::into_string) {
            Some(Err(_)) => Err(SettingsError::NotText(name)),
            Some(Ok(text)) => Ok(Some(text)),
            None => Ok(None),
        };
        let addr = match text("STUDY_ROOM_ADDR")? {
            Some(text) => text.parse().map_err(|_| SettingsError::Addr(text))?,
            None => SocketAddr::from(([127, 0, 0, 1], 8080)),
        };
        let public_url = text("STUDY_ROOM_PUBLIC_URL")?.map(public_url).transpose()?;
        let database_url = match text("DATABASE_URL")? {
            Some(url) => url,
            None => url_of(&data_folder("DATABASE_URL")?.join("study-room.sqlite")),
        };
        let location: Location = database_url.parse().map_err(wrong_url)?;
        let jwt_secret = match text("JWT_SECRET")? {
            Some(secret) if secret.len() < SHORTEST_SECRET => return Err(SettingsError::Secret(secret.len())),
            Some(secret) => secret.into_bytes(),
            None => match &location {
                Location::Postgres(_) => kept_secret(&data_folder("JWT_SECRET")?.join("jwt-secret"))?,
                Location::SqliteFile(options) => kept_secret(&options.get_filename().with_file_name("jwt-secret"))?,
                Location::SqliteMemory(_) => new_secret()?,
            },
        };
        let trusted_proxies = text("TRUSTED_PROXIES")?.unwrap_or_default().parse()?;
        let seconds = |name, default| match text(name)? {
            Some(text) => match text.parse() {
                Ok(seconds @ 0..=LONGEST) => Ok(Duration::from_secs(seconds)),
                _ => Err(SettingsError::Seconds(name, text)),
            },
            None => Ok(default),
        };
        let (grace, settling) = (seconds("STUDY_ROOM_GRACE", GRACE)?, seconds("STUDY_ROOM_SETTLING", SETTLING)?);
        // No name has a comma in it.
        let administrators = text("STUDY_ROOM_ADMINS")?.unwrap_or_default();
        let administrators =
            administrators.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Ok(Self { addr, public_url, database_url, jwt_secret, trusted_proxies, grace, settling, administrators })
    }
}

/// The URL of a SQLite file; `%` and `?` mean something in a URL.
fn url_of(file: &Path) -> String {
    format!("sqlite://{}", file.display().to_string().replace('%', "%25").replace('?', "%3F"))
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
fn wrong_url(error: UrlError) -> SettingsError {
    SettingsError::Database(error.to_string())
}

fn public_url(url: String) -> Result<String, SettingsError> {
    let origin = url.strip_suffix('/').unwrap_or(&url);
    match OriginPolicy::new([origin]) {
        Ok(_) => Ok(origin.to_owned()),
        Err(_) => Err(SettingsError::PublicUrl(url)),
    }
}

/// The study room's folder among the platform's data, made if need be; for this user alone, as hashes of passwords lie there.
/// Where there is none, `instead` is the setting that does without it.
fn data_folder(instead: &'static str) -> Result<PathBuf, SettingsError> {
    let folder = dirs::data_dir().ok_or(SettingsError::NoFolder(instead))?.join("study-room");
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).map_err(|error| unusable(&folder, error))?;
    Ok(folder)
}

/// The secret of earlier starts, or a new one that only this user can read.
fn kept_secret(path: &Path) -> Result<Vec<u8>, SettingsError> {
    match fs::read(path) {
        Ok(secret) if secret.len() < SHORTEST_SECRET => Err(SettingsError::KeptSecret(path.display().to_string())),
        Ok(secret) => Ok(secret),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = new_secret()?;
            keep(path, &secret).map_err(|error| unusable(path, error))?;
            Ok(secret)
        }
        Err(error) => Err(unusable(path, error)),
    }
}

/// Writes the secret beside its place and moves it there, so that a crash leaves none or a whole one.
fn keep(path: &Path, secret: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    // What a crash has left. It is not written to: it might be somebody else's, who then could read the secret.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(secret)?;
    file.sync_all()?;
    fs::rename(draft, path)
}

fn new_secret() -> Result<Vec<u8>, SettingsError> {
    let secret = ids::random_id::<32>().map_err(|error| SettingsError::NoRandomness(error.to_string()))?;
    Ok(secret.into_bytes())
}

fn unusable(path: &Path, error: io::Error) -> SettingsError {
    if let Some(folder) = path.parent()
        && error.kind() == io::ErrorKind::NotFound
    {
        return SettingsError::FolderMissing(folder.display().to_string());
    }
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

    const SECRET: &str = "a secret of thirty-two octets, ok";

    /// Reads settings from these variables; the database is in memory and the secret is given where they name none.
    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let all = [variables, &[("DATABASE_URL", "sqlite::memory:"), ("JWT_SECRET", SECRET)]].concat();
        Settings::read(|name| all.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn the_default_is_this_machine_alone() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.addr.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.public_url, None);
        assert!(!format!("{settings:?}").contains(SECRET));
    }

    #[test]
    fn a_short_secret_is_refused_and_not_shown() {
        for (secret, length) in [("", 0), ("short", 5)] {
            let error = read(&[("JWT_SECRET", secret)]).unwrap_err();
            assert!(matches!(error, SettingsError::Secret(octets) if octets == length));
        }
        assert!(!read(&[("JWT_SECRET", "short")]).unwrap_err().to_string().contains("short"));
    }

    #[test]
    fn an_address_needs_its_port() {
        for addr in ["", "8080", "127.0.0.1", "localhost:8080"] {
            assert!(matches!(read(&[("STUDY_ROOM_ADDR", addr)]), Err(SettingsError::Addr(_))), "{addr}");
        }
        assert_eq!(read(&[("STUDY_ROOM_ADDR", "[::]:80")]).unwrap().addr.port(), 80);
    }

    #[test]
    fn a_database_is_sqlite_or_postgres_and_another_is_refused_without_its_password() {
        for url in ["sqlite::memory:", "postgres://ada:hush@db/x", "postgresql:///x"] {
            assert_eq!(read(&[("DATABASE_URL", url)]).unwrap().database_url, url);
        }
        for url in ["mysql://ada:hush@db/x", "", "hush", "postgres://ada:hush@db/x?y=z"] {
            let error = read(&[("DATABASE_URL", url)]).unwrap_err();
            assert!(matches!(error, SettingsError::Database(_)), "{url}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let variables = [("DATABASE_URL", "sqlite:///no/such/folder/x.sqlite")];
        let start = Settings::read(|asked| {
            variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| OsString::from(value))
        });
        assert!(matches!(start, Err(SettingsError::FolderMissing(folder)) if folder == "/no/such/folder"));
    }

    #[test]
    fn a_public_url_is_an_origin() {
        for url in
            ["", "study.example", "ftp://study.example", "https://study.example/room", "https://a:b@study.example"]
        {
            assert!(matches!(read(&[("STUDY_ROOM_PUBLIC_URL", url)]), Err(SettingsError::PublicUrl(_))), "{url}");
        }
        let settings = read(&[("STUDY_ROOM_PUBLIC_URL", "https://study.example/")]).unwrap();
        assert_eq!(settings.public_url.as_deref(), Some("https://study.example"));
    }

    #[test]
    fn proxies_are_trusted_by_address_or_range() {
        assert!(read(&[]).unwrap().trusted_proxies.is_empty());
        let settings = read(&[("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")]).unwrap();
        assert_eq!(settings.trusted_proxies.to_string(), "127.0.0.1/32, 10.0.0.0/8");
        for wrong in ["nginx", "*", "10.0.0.0/40"] {
            let error = read(&[("TRUSTED_PROXIES", wrong)]).unwrap_err();
            assert!(matches!(&error, SettingsError::Proxies(_)) && error.to_string().contains(wrong), "{error}");
        }
    }

    #[test]
    fn administrators_are_names_with_commas_between_them() {
        assert!(read(&[]).unwrap().administrators.is_empty());
        let settings = read(&[("STUDY_ROOM_ADMINS", "Ada Lovelace, ,bob,")]).unwrap();
        assert_eq!(settings.administrators, ["Ada Lovelace", "bob"]);
    }

    #[test]
    fn a_time_is_seconds_up_to_ten_minutes() {
        assert_eq!((read(&[]).unwrap().grace, read(&[]).unwrap().settling), (GRACE, SETTLING));
        let settings = read(&[("STUDY_ROOM_GRACE", "600"), ("STUDY_ROOM_SETTLING", "0")]).unwrap();
        assert_eq!((settings.grace.as_secs(), settings.settling.as_secs()), (600, 0));
        for name in ["STUDY_ROOM_GRACE", "STUDY_ROOM_SETTLING"] {
            for wrong in ["", "601", "-1", "1.5", "10s"] {
                let error = read(&[(name, wrong)]).unwrap_err();
                assert!(matches!(&error, SettingsError::Seconds(found, _) if *found == name), "{error}");
            }
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_setting_that_is_not_text_is_refused_and_not_ignored() {
        let octets = || std::os::unix::ffi::OsStringExt::from_vec(vec![0xFF]);
        for name in ["STUDY_ROOM_ADDR", "STUDY_ROOM_PUBLIC_URL", "DATABASE_URL"] {
            let error = Settings::read(|asked| (asked == name).then(octets)).map(drop);
            assert!(matches!(error, Err(SettingsError::NotText(found)) if found == name), "{error:?}");
        }
    }

    #[test]
    fn a_secret_is_made_once_and_kept_beside_the_database_for_this_user_alone() {
        let folder = env::temp_dir().join(format!("study-room-secret {}%3F", ids::random_id::<8>().unwrap()));
        fs::create_dir(&folder).unwrap();
        let url = url_of(&folder.join("x.sqlite"));
        let start = || {
            let url = OsString::from(&url);
            Settings::read(|name| (name == "DATABASE_URL").then(|| url.clone()))
        };
        fs::write(folder.join("jwt-secret.new"), "left by a crash").unwrap();
        let secret = start().unwrap().jwt_secret;
        assert_eq!(secret.len(), 64);
        assert_eq!(start().unwrap().jwt_secret, secret);
        let file = folder.join("jwt-secret");
        #[cfg(unix)]
        {
            let permissions = fs::metadata(&file).unwrap().permissions();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o777, 0o600);
        }
        fs::write(&file, "cut off").unwrap();
        assert!(matches!(start(), Err(SettingsError::KeptSecret(_))));
        fs::remove_dir_all(&folder).unwrap();
    }
}
