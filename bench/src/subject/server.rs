//! A server under test, as a process of its own.

use std::{
    error::Error,
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};

use super::usage::{self, CpuTime};
use crate::{
    clock::{self, SECOND},
    cores::Cores,
};

/// The command of this program under which [`become_server`] runs.
const BECOME: &str = "become";

/// How long a server may take until it listens; those on a virtual machine of their own need a while.
const PATIENCE: u64 = 120 * SECOND;

/// How long a server may take to end by itself.
const GRACE: u64 = 5 * SECOND;

/// How often it is asked whether it listens, or has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// A running server. It and all it has started are killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server on its core and waits until it listens; `command` is what starts it on a port.
    pub(crate) fn start(command: impl FnOnce(u16) -> Command, cores: Cores) -> Result<Self, Box<dyn Error>> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let command = command(address.port());
        let name = command.get_program().to_string_lossy().into_owned();
        let mut command = with_parent(&command)?;
        // A group of its own, so that a signal reaches what it starts.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
        let child = cores.spawn(&mut command).map_err(|error| format!("{name} cannot be started: {error}"))?;
        let mut server = Self { child, address };
        let end = clock::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("the server ended before it listened: {status}").into());
            }
            if clock::now() > end {
                return Err("the server does not listen after two minutes".into());
            }
            thread::sleep(PAUSE);
        }
        Ok(server)
    }

    /// The CPU time that it has used so far.
    pub(crate) fn cpu_time(&self) -> Result<CpuTime, Box<dyn Error>> {
        CpuTime::of_tree(self.child.id())
    }

    /// The RAM that it holds.
    pub(crate) fn resident_octets(&self) -> Result<u64, Box<dyn Error>> {
        usage::resident_octets(self.child.id())
    }

    /// Whether it is no more.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Stops it: while another one is measured, it does nothing.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended already.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// The command of this program that becomes another one, and is killed when this process ends, however that ends.
fn with_parent(command: &Command) -> Result<Command, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?);
    child.arg(BECOME).arg(command.get_program()).args(command.get_args());
    Ok(child)
}

/// Becomes another program, as a server under test. Returns only where that does not work.
///
/// A signal that ends the generator, Ctrl-C say, runs none of its destructors; and a stopped server would never hear of its end.
pub(crate) fn become_server(command: &[OsString]) -> Result<(), Box<dyn Error>> {
    let (program, arguments) = command.split_first().ok_or("no program is named")?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let error = Command::new(program).args(arguments).exec();
    Err(format!("{} cannot be started: {error}", program.to_string_lossy()).into())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.thaw();
        self.signal(Signal::TERM);
        let end = clock::now() + GRACE;
        while clock::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(PAUSE);
        }
        self.signal(Signal::KILL);
        // It may have ended already.
        let _ = self.child.wait();
    }
}
