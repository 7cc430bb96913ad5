//! The broker as a process of its own, and what the kernel says about it.

use std::{error::Error, fs, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Nanoseconds of a second, as the scheduler counts.
const NANOSECONDS: f64 = 1e9;

/// A running broker. It is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a broker with one worker thread on a free port and waits until it listens. In its development profile: all
    /// the load comes from one address and anonymous clients, as fast as it can.
    pub(crate) async fn start(program: &Path) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(program)
            .args(["--addr", "127.0.0.1:0", "--workers", "1", "--max-connections", "100000", "--profile", "dev"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                format!(
                    "{} cannot be started ({error}); run: cargo build --release --example broker",
                    program.display()
                )
            })?;
        let output = child.stdout.take().ok_or("the broker has no output")?;
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once("ws://") {
                let address = address.split('/').next().unwrap_or_default().parse()?;
                return Ok(Self { child, address });
            }
        }
        Err("the broker ended before it listened".into())
    }

    /// CPU time of all threads so far.
    pub(crate) fn cpu_time(&self) -> Result<Duration, Box<dyn Error>> {
        let mut nanoseconds = 0_u64;
        for task in fs::read_dir(format!("/proc/{}/task", self.id()?))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            nanoseconds += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_secs_f64(nanoseconds as f64 / NANOSECONDS))
    }

    /// Memory that is in RAM.
    pub(crate) fn resident_bytes(&self) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    fn id(&self) -> Result<u32, Box<dyn Error>> {
        self.child.id().ok_or_else(|| "the broker has ended".into())
    }
}
