//! Logs in files: a head line with the version, then a record a line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{Event, Record};

/// The version of the format that is written and read.
pub const VERSION: u32 = 1;

/// The name of the format, in the head line.
const NAME: &str = "parlor-delivery";

#[derive(Serialize, Deserialize)]
struct Head {
    log: String,
    version: u32,
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The head line is missing or of another version.
    #[error(
        "{path} does not begin with {{\"log\":\"parlor-delivery\",\"version\":1}}; it is no log, or one of another version"
    )]
    Head {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{path} cannot be read: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A line is no record.
    #[error("line {line} of {path} is no record: {error}")]
    Record {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why.
        error: serde_json::Error,
    },
}

/// Reads a log.
///
/// # Errors
/// When it cannot be read, or is not of this format and version.
pub fn read(path: &Path) -> Result<Vec<Record>, LogError> {
    let broken = |error| LogError::Io { path: path.to_owned(), error };
    let mut lines = BufReader::new(File::open(path).map_err(broken)?).lines();
    let first = lines.next().transpose().map_err(broken)?.unwrap_or_default();
    if !serde_json::from_str::<Head>(&first).is_ok_and(|head| head.log == NAME && head.version == VERSION) {
        return Err(LogError::Head { path: path.to_owned() });
    }
    let mut records = Vec::new();
    for (number, line) in lines.enumerate() {
        let record = serde_json::from_str(&line.map_err(broken)?);
        records.push(record.map_err(|error| LogError::Record { path: path.to_owned(), line: number + 2, error })?);
    }
    Ok(records)
}

/// Writes the log of all clients of one process.
pub(crate) struct Recorder {
    begun: Instant,
    /// With the first error; nothing is written after it.
    file: Mutex<io::Result<BufWriter<File>>>,
}

impl Recorder {
    pub(crate) fn create(path: &Path, begun: Instant) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        write_line(&mut file, &Head { log: NAME.to_owned(), version: VERSION })?;
        Ok(Self { begun, file: Mutex::new(Ok(file)) })
    }

    /// Logs what happens now. The time is taken under the lock, so that lines stand in its order.
    pub(crate) fn record(&self, client: &str, event: Event) {
        let mut file = self.file.lock();
        let at = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let record = Record { at, client: client.to_owned(), event };
        if let Ok(writer) = &mut *file
            && let Err(error) = write_line(writer, &record)
        {
            *file = Err(error);
        }
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// When anything could not be written: the log has a hole then, and is worth nothing.
    pub(crate) fn finish(&self) -> io::Result<()> {
        match &mut *self.file.lock() {
            Ok(writer) => writer.flush(),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

fn write_line(file: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, value)?;
    file.write_all(b"\n")
}
