//! Which core does what: the server has the first one, the load generator the second, so that neither waits for the other
//! and both stay in their caches. On a machine of one core nothing is pinned.

use std::{
    io,
    process::{Child, Command},
};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of a measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    /// The server's and the generator's; none on a machine of one core.
    pair: Option<(usize, usize)>,
}

impl Cores {
    /// The first two cores that this process may use; this thread moves to the second one.
    pub(crate) fn claim() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        let pair = usable.next().zip(usable.next());
        if let Some((_, generator)) = pair {
            pin(generator)?;
        }
        Ok(Self { pair })
    }

    /// Starts a server on its core: a child begins where the thread that starts it is. That is this thread, and not one of its own for
    /// the purpose, as a child may ask to be killed with its parent, which the kernel takes for the thread.
    pub(crate) fn spawn(self, command: &mut Command) -> io::Result<Child> {
        let Some((server, generator)) = self.pair else { return command.spawn() };
        pin(server)?;
        let child = command.spawn();
        pin(generator)?;
        child
    }

    /// Says it in words.
    pub(crate) fn describe(self) -> String {
        match self.pair {
            Some((server, generator)) => format!("the server on core {server}, the generator on core {generator}"),
            None => "server and generator share one core".to_owned(),
        }
    }
}

fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}
