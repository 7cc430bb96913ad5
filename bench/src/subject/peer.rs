//! A peer: a folder of `bench/peers` with a `peer.toml`, a script `install` and a script `start`.

use std::{
    error::Error,
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::dialect::Language;

/// The status of an `install` that found out that it cannot.
const CANNOT: i32 = 3;

/// The longest version that is shown.
const LONGEST_VERSION: usize = 80;

/// What `peer.toml` says.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Peer {
    pub(crate) name: String,
    /// A command that prints it.
    version: String,
    /// How it is set up, and why.
    #[serde(default)]
    pub(crate) notes: String,
    #[serde(flatten)]
    pub(crate) language: Language,
    #[serde(skip)]
    folder: PathBuf,
}

/// Why a peer is not there.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    pub(crate) name: String,
    pub(crate) reason: String,
}

impl Peer {
    /// Reads a peer's folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let file = folder.join("peer.toml");
        let text = fs::read_to_string(&file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        Self::parse(&text, folder).map_err(|error| format!("{}: {error}", file.display()).into())
    }

    /// All peers of a folder, by the names of their folders.
    pub(crate) fn all(folder: &Path) -> Result<Vec<Self>, Box<dyn Error>> {
        let mut peers = Vec::new();
        let Ok(entries) = fs::read_dir(folder) else { return Ok(peers) };
        for entry in entries {
            let folder = entry?.path();
            if folder.join("peer.toml").exists() {
                peers.push(Self::read(&folder)?);
            }
        }
        peers.sort_by(|one, other| one.folder.cmp(&other.folder));
        Ok(peers)
    }

    /// The name of its folder, by which it is asked for.
    pub(crate) fn folder_name(&self) -> &str {
        self.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Installs it where it is not yet.
    ///
    /// # Errors
    /// [`Missing`] where it cannot be.
    pub(crate) fn install(&self) -> Result<(), Missing> {
        let missing = |reason: String| Missing { name: self.name.clone(), reason };
        let output = Command::new(self.folder.join("install"))
            .stdin(Stdio::null())
            .output()
            .map_err(|error| missing(format!("its install script does not run: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why").to_owned();
        Err(missing(if output.status.code() == Some(CANNOT) { last } else { format!("installing failed: {last}") }))
    }

    /// What its own command says about its version.
    pub(crate) fn version(&self) -> String {
        let output =
            Command::new("sh").args(["-c", &self.version]).current_dir(&self.folder).stdin(Stdio::null()).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("unknown").trim();
        line.chars().take(LONGEST_VERSION).collect()
    }

    /// What starts it.
    pub(crate) fn start_script(&self) -> PathBuf {
        self.folder.join("start")
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, toml::de::Error> {
        let mut peer: Self = toml::from_str(text)?;
        folder.clone_into(&mut peer.folder);
        Ok(peer)
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

impl Error for Missing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_says_how_it_is_spoken_to() {
        let text = r#"
            name = "rabbitmq"
            version = "echo 3.10.8"
            dialect = "stomp"
            destination = "/topic/bench-{n}"
            login = "guest"
            passcode = "guest"
            notes = "one scheduler"
        "#;
        let peer = Peer::parse(text, Path::new(".")).expect("it is complete");
        assert_eq!((peer.name.as_str(), peer.language.path.as_str()), ("rabbitmq", "/ws"));
        assert_eq!(peer.language.login.as_deref(), Some("guest"));
        assert_eq!(peer.version(), "3.10.8");
    }

    #[test]
    fn a_peer_without_a_dialect_is_refused() {
        assert!(Peer::parse("name = \"a\"\nversion = \"true\"", Path::new(".")).is_err());
    }

    #[test]
    fn an_install_script_that_is_not_there_is_a_reason() {
        let peer = Peer::parse("name = \"a\"\nversion = \"true\"\ndialect = \"raw\"", Path::new("/nonexistent"));
        let missing = peer.expect("it is complete").install().expect_err("there is no script");
        assert!(missing.to_string().starts_with("a: its install script does not run"), "{missing}");
    }
}
