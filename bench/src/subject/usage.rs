//! What the kernel says about a server: the CPU time and the memory of a process and of all it has started.

use std::{
    error::Error,
    fs, io,
    ops::{AddAssign, Sub},
};

/// Ticks of `utime` and `stime` in a second: `USER_HZ`, which is 100 on every Linux that is left.
const TICKS: f64 = 100.0;

/// Seconds that the coarse counter may say too much: some ticks at either end of a measurement.
const ROUNDING: f64 = 0.05;

/// The CPU time of a tree of processes, by two counters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    /// By `schedstat`, in nanoseconds: exact, of threads that still run.
    pub(crate) nanoseconds: u64,
    /// By `utime` and `stime`: in hundredths of a second, of threads that have ended as well.
    ticks: u64,
}

impl CpuTime {
    /// In seconds: by the exact counter, unless the coarse one knows of more than its ticks may be off. A thread that ended
    /// meanwhile has taken what it used out of the exact one.
    pub(crate) fn seconds(self) -> f64 {
        let exact = self.nanoseconds as f64 / 1e9;
        if self.tick_seconds() > exact + ROUNDING { self.tick_seconds() } else { exact }
    }

    /// In seconds, by the coarse one.
    pub(crate) fn tick_seconds(self) -> f64 {
        self.ticks as f64 / TICKS
    }

    /// Of a process and all it has started.
    pub(crate) fn of_tree(root: u32) -> Result<Self, Box<dyn Error>> {
        let mut all = Self::default();
        for process in tree(root)? {
            match Self::of(process) {
                Ok(time) => all += time,
                // It has ended since.
                Err(_) if process != root => {}
                Err(error) => return Err(format!("the server has ended: {error}").into()),
            }
        }
        Ok(all)
    }

    fn of(process: u32) -> Result<Self, Box<dyn Error>> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            // A thread may end meanwhile; what it used is in the ticks.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanoseconds += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        let fields = Stat::read(process)?;
        Ok(Self { nanoseconds, ticks: fields.user + fields.system })
    }
}

impl AddAssign for CpuTime {
    fn add_assign(&mut self, other: Self) {
        self.nanoseconds += other.nanoseconds;
        self.ticks += other.ticks;
    }
}

impl Sub for CpuTime {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            nanoseconds: self.nanoseconds.saturating_sub(before.nanoseconds),
            ticks: self.ticks.saturating_sub(before.ticks),
        }
    }
}

/// Octets of RAM that a process and all it has started hold.
pub(crate) fn resident_octets(root: u32) -> Result<u64, Box<dyn Error>> {
    let mut kibibytes = 0;
    for process in tree(root)? {
        // The sum over all mappings is exact; `status` lags behind on several cores.
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))
            .or_else(|_| fs::read_to_string(format!("/proc/{process}/status")));
        let Ok(text) = text else { continue };
        let rss = text.lines().find_map(|line| line.strip_prefix("Rss:").or_else(|| line.strip_prefix("VmRSS:")));
        kibibytes += rss
            .ok_or("the kernel does not say how much memory a process has")?
            .trim()
            .trim_end_matches(" kB")
            .parse::<u64>()?;
    }
    Ok(kibibytes * 1024)
}

/// Octets of RAM that are free or could be: what the kernel itself holds for sockets is missing here, and in no process.
pub(crate) fn available_octets() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).ok_or("no MemAvailable")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// What is read of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stat {
    parent: u32,
    user: u64,
    system: u64,
}

impl Stat {
    fn read(process: u32) -> Result<Self, Box<dyn Error>> {
        let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
        Ok(Self::parse(&text).ok_or("the kernel's words about a process are not understood")?)
    }

    /// The name in parentheses may hold anything, parentheses too.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            user: fields.get(11)?.parse().ok()?,
            system: fields.get(12)?.parse().ok()?,
        })
    }
}

/// A process and all its descendants.
fn tree(root: u32) -> io::Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if let Ok(stat) = Stat::read(process) {
            parents.push((process, stat.parent));
        }
    }
    Ok(descendants(root, &parents))
}

fn descendants(root: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_found_from_parents_in_any_order() {
        let parents = [(12, 11), (10, 1), (11, 10), (20, 1), (13, 10)];
        let mut found = descendants(10, &parents);
        found.sort_unstable();
        assert_eq!(found, [10, 11, 12, 13]);
    }

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let text = "7 (a (b) c) S 3 7 7 0 -1 4194304 1 0 0 0 25 17 0 0 20 0 1 0 1 1 1";
        assert_eq!(Stat::parse(text), Some(Stat { parent: 3, user: 25, system: 17 }));
    }

    #[test]
    fn what_a_thread_used_counts_also_once_it_has_ended() {
        let time = |nanoseconds, ticks| CpuTime { nanoseconds, ticks }.seconds();
        assert_eq!(time(172_000_000, 67), 0.67);
        // As far as both may differ by rounding, the exact one is right.
        assert_eq!(time(600_000_000, 65), 0.6);
        assert_eq!(time(600_000_000, 55), 0.6);
    }

    #[test]
    fn this_process_uses_both() {
        let process = std::process::id();
        assert!(CpuTime::of_tree(process).expect("it runs").nanoseconds > 0);
        assert!(resident_octets(process).expect("it runs") > 100_000);
    }
}
