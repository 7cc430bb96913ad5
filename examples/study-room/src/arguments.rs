//! The command line: the study room is set up by its environment, so there is little to say here.

use std::ffi::OsString;

/// What `--help` prints.
pub const HELP: &str = "\
A study room: accounts, rooms and chat in the browser.

Usage: study-room [--help | --version]

Without an argument it starts, and says which address to open. Settings come from the environment:

  STUDY_ROOM_ADDR        where it listens [default: 127.0.0.1:8080]
  STUDY_ROOM_PUBLIC_URL  what browsers see [default: http:// and the address]
  DATABASE_URL           sqlite:///path/to/file.sqlite or postgres://user:password@host/database
                         [default: a SQLite file in the platform's data folder]
  JWT_SECRET             signs the logins; at least 32 octets [default: made once and kept]
  TRUSTED_PROXIES        addresses or ranges of proxies whose X-Forwarded-For is believed, with commas [default: none]
  STUDY_ROOM_GRACE       seconds that somebody may be gone before the others are told [default: 10]
  STUDY_ROOM_SETTLING    seconds after a start in which nobody is announced [default: 10]
  STUDY_ROOM_ADMINS      names of accounts that may ban others, with commas; they exist already [default: none]
  RUST_LOG               what is logged, to standard error [default: warn]

The exit status is 0 after a stop by Ctrl-C or SIGTERM, 2 after a wrong setting or argument, and 1 after any other failure.
";

/// What `--version` prints.
pub const VERSION: &str = concat!("study-room ", env!("CARGO_PKG_VERSION"));

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// `--help` or `-h`.
    Help,
    /// Nothing else: the study room starts.
    Start,
    /// `--version` or `-V`.
    Version,
}

/// An argument that means nothing here.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The argument `{0}` is not known. The study room takes --help and --version, and settings from the environment."
)]
pub struct UnknownArgument(String);

impl Command {
    /// Reads the arguments behind the program's name.
    ///
    /// # Errors
    /// The first one that is not known.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, UnknownArgument> {
        let mut command = Self::Start;
        for argument in arguments {
            let asked = match argument.to_str() {
                Some("--help" | "-h") => Self::Help,
                Some("--version" | "-V") => Self::Version,
                _ => return Err(UnknownArgument(argument.to_string_lossy().into_owned())),
            };
            // Of both, the first.
            if command == Self::Start {
                command = asked;
            }
        }
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Command, UnknownArgument> {
        Command::read(arguments.iter().map(OsString::from))
    }

    #[test]
    fn help_and_version_are_asked_for_and_nothing_starts_it() {
        assert_eq!(read(&[]), Ok(Command::Start));
        for (argument, command) in [
            ("--help", Command::Help),
            ("-h", Command::Help),
            ("--version", Command::Version),
            ("-V", Command::Version),
        ] {
            assert_eq!(read(&[argument]), Ok(command), "{argument}");
        }
    }

    #[test]
    fn an_unknown_argument_is_refused_also_beside_a_known_one() {
        for arguments in [&["--port"][..], &["--help", "8080"], &[""], &["help"]] {
            assert!(read(arguments).is_err(), "{arguments:?}");
        }
        assert!(read(&["--port"]).unwrap_err().to_string().contains("`--port`"));
    }
}
