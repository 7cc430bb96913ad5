//! Readiness of many sockets, by epoll: level-triggered, so that one `recv` for each ready socket is enough and what is left
//! is reported again.
//!
//! `rustix` and not `mio`: the latter is edge-triggered, which costs a second `recv` until "would block", and has no
//! timeouts below a millisecond, which a fixed rate needs. Scheduling, clocks and limits come from the same crate.

use std::{
    fmt, io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, Event, EventData, EventFlags},
    time::Timespec,
};

use crate::clock::{self, SECOND};

/// The most events of one wait; the rest is given by the next one. Few, so that what is due meanwhile goes in time: after about
/// half a millisecond.
const BATCH: usize = 128;

/// A set of sockets, each with a number.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
    /// Whether it asks again and again instead of sleeping, so that whoever sends to it pays for no wake-up.
    spins: bool,
}

/// What a socket is ready for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) number: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Poller {
    pub(crate) fn new(spins: bool) -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(BATCH), spins })
    }

    /// Begins to watch for what can be read.
    pub(crate) fn add(&self, socket: impl AsFd, number: usize) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(number as u64), EventFlags::IN)?)
    }

    /// Begins or ends to watch for room to write.
    pub(crate) fn watch_room(&self, socket: impl AsFd, number: usize, room: bool) -> io::Result<()> {
        let flags = if room { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(number as u64), flags)?)
    }

    /// Waits until a socket is ready, or for so many nanoseconds; without a time, for as long as it takes. Returns how many
    /// are ready.
    pub(crate) fn wait(&mut self, nanoseconds: Option<u64>) -> io::Result<usize> {
        if !self.spins {
            return self.sleep(nanoseconds);
        }
        let end = nanoseconds.map_or(u64::MAX, |time| clock::now().saturating_add(time));
        loop {
            let ready = self.sleep(Some(0))?;
            if ready > 0 || clock::now() >= end {
                return Ok(ready);
            }
        }
    }

    fn sleep(&mut self, nanoseconds: Option<u64>) -> io::Result<usize> {
        let time = nanoseconds.map(|time| Timespec {
            tv_sec: i64::try_from(time / SECOND).unwrap_or(i64::MAX),
            // Below 10^9.
            tv_nsec: (time % SECOND) as _,
        });
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), time.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(self.events.len()),
            Err(error) => Err(error.into()),
        }
    }

    /// One of the sockets that the last wait found ready.
    pub(crate) fn ready(&self, index: usize) -> Ready {
        let event = self.events[index];
        let flags = event.flags;
        Ready {
            number: event.data.u64() as usize,
            readable: flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR),
            writable: flags.contains(EventFlags::OUT),
        }
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").field("epoll", &self.epoll).finish_non_exhaustive()
    }
}
