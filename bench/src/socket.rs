//! A non-blocking socket that shares its read buffer with all others: only the beginning of what has not come whole is kept.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::{AsFd, BorrowedFd},
};

use rustix::net::sockopt::set_tcp_quickack;

/// Octets of the shared read buffer, and so the longest frame that can be received.
pub(crate) const SCRATCH: usize = 256 * 1024;

/// Octets that may wait for one socket; a peer that lets more pile up is broken, or not measured fairly.
const MOST_PENDING: usize = 64 * 1024 * 1024;

/// What came of one `recv`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Received {
    /// So many octets stand at the beginning of the shared buffer, what was kept before included.
    Octets(usize),
    /// Nothing was there after all.
    Nothing,
    /// The other side has closed.
    End,
}

/// A connected socket.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// The beginning of what has not come whole.
    kept: Vec<u8>,
    /// What the kernel had no room for, from `written` on.
    pending: Vec<u8>,
    written: usize,
}

impl Socket {
    /// Takes a stream over, without Nagle's delay.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, kept: Vec::new(), pending: Vec::new(), written: 0 })
    }

    /// Connects, which on one machine takes no time as long as the other side accepts.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::new(TcpStream::connect(address)?)
    }

    /// Begins or ends what Linux's source calls the pingpong mode of a connection, which `TCP_QUICKACK` of tcp(7) switches: that of
    /// whoever answers what it receives, and need not acknowledge it besides.
    ///
    /// It begins by itself when something is sent within 40 ms of what was received, and ends when what was received has waited for so
    /// long to be acknowledged. In it, small segments are acknowledged two at a time: on the loopback device in the sender's time where
    /// they exceed 536 octets together, and when they are read otherwise. Outside of it, each is acknowledged when it is read.
    pub(crate) fn set_interactive(&self, interactive: bool) -> io::Result<()> {
        // Also acknowledges what has not been yet, which would end the mode later.
        set_tcp_quickack(&self.stream, true)?;
        if interactive {
            set_tcp_quickack(&self.stream, false)?;
        }
        Ok(())
    }

    /// One `recv` behind what was kept before.
    pub(crate) fn receive(&mut self, scratch: &mut [u8]) -> io::Result<Received> {
        let kept = self.kept.len();
        scratch[..kept].copy_from_slice(&self.kept);
        if kept == scratch.len() {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("a frame has more than {kept} octets")));
        }
        match (&self.stream).read(&mut scratch[kept..]) {
            Ok(0) => Ok(Received::End),
            Ok(octets) => Ok(Received::Octets(kept + octets)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Ok(Received::Nothing)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(Received::End),
            Err(error) => Err(error),
        }
    }

    /// Keeps what has not come whole for the next [`receive`](Self::receive).
    pub(crate) fn keep(&mut self, rest: &[u8]) {
        self.kept.clear();
        self.kept.extend_from_slice(rest);
        if rest.is_empty() && self.kept.capacity() > 0 {
            // Thousands of idle sockets would hold what one burst needed.
            self.kept = Vec::new();
        }
    }

    /// Writes what there is room for and keeps the rest; returns whether all of it is written.
    pub(crate) fn send(&mut self, octets: &[u8]) -> io::Result<bool> {
        if self.has_pending() {
            return self.queue(octets).map(|()| false);
        }
        let written = write(&self.stream, octets)?;
        if written < octets.len() {
            self.queue(&octets[written..])?;
        }
        Ok(!self.has_pending())
    }

    /// Writes what was kept; returns whether all of it is written.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        self.written += write(&self.stream, &self.pending[self.written..])?;
        if self.written == self.pending.len() {
            self.pending = Vec::new();
            self.written = 0;
        }
        Ok(!self.has_pending())
    }

    fn queue(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.pending.len() - self.written + octets.len() > MOST_PENDING {
            return Err(io::Error::new(ErrorKind::OutOfMemory, "the other side does not read"));
        }
        self.pending.extend_from_slice(octets);
        Ok(())
    }

    fn has_pending(&self) -> bool {
        self.written < self.pending.len()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Writes what there is room for.
fn write(mut stream: &TcpStream, octets: &[u8]) -> io::Result<usize> {
    loop {
        match stream.write(octets) {
            Ok(written) => return Ok(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use rustix::net::sockopt::tcp_quickack;

    use super::*;
    use crate::clock::{self, SECOND};

    #[test]
    fn who_listens_is_not_interactive_until_it_answers() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let mut socket = Socket::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let (mut peer, _) = listener.accept().expect("it has connected");
        let interactive = |socket: &Socket| !tcp_quickack(&socket.stream).expect("it is a TCP socket");
        for wished in [false, true, false] {
            socket.set_interactive(wished).expect("it is connected");
            assert_eq!(interactive(&socket), wished);
        }
        let mut asked = |socket: &mut Socket| {
            peer.write_all(b"?").expect("it is open");
            loop {
                match socket.receive(&mut [0; 8]).expect("it is open") {
                    Received::Nothing => {}
                    Received::Octets(octets) => return assert_eq!(octets, 1),
                    Received::End => panic!("nobody has closed it"),
                }
            }
        };
        asked(&mut socket);
        assert!(!interactive(&socket), "who reads still listens");
        // An answer after more than 40 ms is none to the kernel.
        let end = clock::now() + 10 * SECOND;
        while !interactive(&socket) {
            assert!(clock::now() < end, "who answers at once does not");
            asked(&mut socket);
            socket.send(b"!").expect("it is open");
        }
    }
}
