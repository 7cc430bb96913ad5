//! The machine that was measured on, in words.

use std::{fs, process::Command};

use serde::{Deserialize, Serialize};

use crate::cores::Cores;

/// What figures depend on besides the programs.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
    pub(crate) pinning: String,
}

/// What was measured, and when.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Build {
    /// Of the sources.
    pub(crate) commit: String,
    /// The day, as in ISO 8601.
    pub(crate) day: String,
}

impl Build {
    /// Asks git and the clock.
    pub(crate) fn describe() -> Self {
        // Of the folder that the bench is run in, which is the repository's: the paths of its options say so too.
        Self { commit: answer("git", &["describe", "--always", "--dirty"]), day: answer("date", &["-u", "+%F"]) }
    }
}

impl Machine {
    /// Asks the kernel and git.
    pub(crate) fn describe(cores: Cores) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            processor: field(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
            cores: cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
            memory_gib: field(&meminfo, "MemTotal")
                .and_then(|text| text.trim_end_matches(" kB").parse::<f64>().ok())
                .map_or(0.0, |kibibytes| (kibibytes / 1024.0 / 102.4).round() / 10.0),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            pinning: cores.describe(),
        }
    }
}

/// The value behind `name` and a colon.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start().strip_prefix(':')?.trim()))
}

/// The line that a program prints.
fn answer(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if text.is_empty() { "unknown".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_behind_its_name() {
        assert_eq!(field("processor\t: 0\nmodel name\t: AMD EPYC\n", "model name"), Some("AMD EPYC"));
        assert_eq!(field("MemTotal:       24000 kB\n", "MemTotal"), Some("24000 kB"));
        assert_eq!(field("a: b", "c"), None);
    }
}
