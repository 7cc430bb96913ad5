//! The outbox of one connection: it owns the write half, and every server octet passes through it, in order.
//!
//! A push writes straight to the socket while nothing is queued, and queues otherwise; it never waits. The queue is
//! bounded in octets, messages and age. At a bound the outbox stops: it takes nothing more, drops what has not begun to
//! be written, and wakes the connection's driver, which says farewell and closes. A frame that has begun to be written is
//! always finished first.
//!
//! ```text
//! Open --stop / overflow / age--> Stopped --finish(farewell)--> Finishing --all written--> Drained
//!   \_____________________________ write error _______________________________________--> Failed
//! ```

use std::{
    collections::VecDeque,
    fmt, io,
    io::IoSlice,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{clock, closing::Closing, telemetry::OutboxHistory};

/// How many queued frames one vectored write takes at most; more gain nothing, as the kernel copies anyway.
const MAX_SLICES: usize = 64;

/// The write half of a transport.
///
/// The outbox calls it under its own lock, so both methods must return at once. A transport that cannot write without a
/// task (TLS, HTTP/2) answers [`io::ErrorKind::WouldBlock`] to `try_write`; the connection's driver then writes through
/// `poll_write`.
pub trait WireWriter: Send + 'static {
    /// Writes what the socket takes right now.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing now; anything else ends the connection.
    fn try_write(&mut self, octets: &[u8]) -> io::Result<usize>;

    /// Writes some of `slices`, or registers the task to be woken when writing is possible again.
    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Pushes what the transport itself holds back (TLS records) towards the peer.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Tells the peer that nothing more will come: FIN, TLS's close_notify, HTTP/2's END_STREAM. Without it a peer cannot
    /// tell a whole conversation from one that was cut off. Default: there is nothing to tell.
    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// How much may wait in one connection's outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxLimits {
    /// Octets that may wait behind the message that is being written, default 256 KiB. That one does not count, so that a
    /// message of any size can be sent to a client that reads.
    pub max_bytes: usize,
    /// Messages that may wait, default 1,024.
    pub max_messages: usize,
    /// How long the oldest message may wait without an octet of it being written, default 10 s.
    pub max_age: Duration,
}

impl Default for OutboxLimits {
    fn default() -> Self {
        Self { max_bytes: 256 * 1024, max_messages: 1024, max_age: Duration::from_secs(10) }
    }
}

impl OutboxLimits {
    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, octets: usize) -> Self {
        self.max_bytes = octets;
        self
    }

    /// Sets [`max_messages`](Self::max_messages).
    #[must_use]
    pub fn max_messages(mut self, messages: usize) -> Self {
        self.max_messages = messages;
        self
    }

    /// Sets [`max_age`](Self::max_age).
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pushed {
    /// It waits in the queue.
    Queued,
    /// The outbox takes nothing more: the connection is closing.
    Refused,
    /// The socket took all of it.
    Written,
}

/// What the driver has to do next, from [`Outbox::poll_flush`].
#[derive(Debug)]
pub(crate) enum FlushEvent {
    /// The connection shall end once what was read is answered.
    Draining(Closing),
    /// The outbox was finished and everything is written.
    Drained,
    /// The socket broke.
    Failed(io::Error),
    /// A queue has begun: its age bound must be armed.
    Queued,
    /// Somebody, or a bound, asked for the end: compose the farewell and call [`Outbox::finish`].
    Stopped(Closing),
}

/// The bounded outbound queue of one connection, and the owner of its write half.
pub struct Outbox {
    limits: OutboxLimits,
    state: Mutex<State>,
}

struct State {
    /// Gone once the connection has ended, so that handles that outlive it keep no socket open.
    writer: Option<Box<dyn WireWriter>>,
    queue: VecDeque<Queued>,
    /// Octets of the queue's head that are written already.
    head_written: usize,
    /// Octets in the queue that are not written yet.
    waiting: usize,
    phase: Phase,
    driver: Option<Waker>,
    /// A queue has begun and the driver does not know yet.
    queue_begun: bool,
    /// Asked to drain; the driver has not been told yet.
    draining: Option<Closing>,
    last_write: Instant,
    needs_flush: bool,
    history: OutboxHistory,
}

struct Queued {
    wire: Bytes,
    since: Instant,
    is_pong: bool,
}

enum Phase {
    Open,
    /// Asked to stop; the driver has not been told yet (`Some`) or has been (`None`).
    Stopped(Option<Closing>),
    Finishing,
    Failed,
}

impl Outbox {
    /// An outbox over `writer`.
    #[must_use]
    pub fn new(writer: Box<dyn WireWriter>, limits: OutboxLimits) -> Self {
        Self {
            limits,
            state: Mutex::new(State {
                writer: Some(writer),
                queue: VecDeque::new(),
                head_written: 0,
                waiting: 0,
                phase: Phase::Open,
                driver: None,
                queue_begun: false,
                draining: None,
                last_write: clock::now(),
                needs_flush: false,
                history: OutboxHistory::default(),
            }),
        }
    }

    /// Sends one whole WebSocket frame, now or when its turn comes. Never waits.
    pub fn push(&self, wire: Bytes) -> Pushed {
        let mut state = self.state.lock();
        if !matches!(state.phase, Phase::Open) {
            return Pushed::Refused;
        }
        if state.queue.is_empty() {
            return state.write_or_queue(wire, false);
        }
        if state.waiting_behind_head() + wire.len() > self.limits.max_bytes
            || state.queue.len() >= self.limits.max_messages
        {
            state.stop(Closing::slow_consumer());
            return Pushed::Refused;
        }
        state.enqueue(wire, 0, false);
        Pushed::Queued
    }

    /// Answers a ping. A pong that has not begun to be written is replaced by the newer one (RFC 6455 section 5.5.3),
    /// so a flood of pings costs one queue entry.
    pub(crate) fn push_pong(&self, wire: Bytes) {
        let mut state = self.state.lock();
        if !matches!(state.phase, Phase::Open) {
            return;
        }
        if state.queue.is_empty() {
            state.write_or_queue(wire, true);
            return;
        }
        let begun = usize::from(state.head_written > 0);
        if let Some(index) = state.queue.iter().skip(begun).rposition(|queued| queued.is_pong) {
            let index = index + begun;
            state.waiting = state.waiting - state.queue[index].wire.len() + wire.len();
            state.queue[index].wire = wire;
            return;
        }
        state.enqueue(wire, 0, true);
    }

    /// Asks for the end of the connection. The first call counts; what is queued already is still written.
    pub fn stop(&self, closing: Closing) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Open) {
            state.phase = Phase::Stopped(Some(closing));
            state.wake();
        }
    }

    /// Asks for the end of the connection after what was read is answered: receipts are still taken and written.
    pub(crate) fn drain(&self, closing: Closing) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Open) {
            state.draining = Some(closing);
            state.wake();
        }
    }

    /// Appends the last frames and takes nothing more.
    pub(crate) fn finish(&self, farewell: impl IntoIterator<Item = Bytes>) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Failed | Phase::Finishing) {
            return;
        }
        state.phase = Phase::Finishing;
        for wire in farewell {
            if !state.queue.is_empty() {
                state.enqueue(wire, 0, false);
            } else if matches!(state.write_or_queue(wire, false), Pushed::Refused) {
                return;
            }
        }
        state.wake();
    }

    /// Writes what waits. Ready only when the driver has something to do.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<FlushEvent> {
        let mut state = self.state.lock();
        if let Phase::Stopped(closing) = &mut state.phase
            && let Some(closing) = closing.take()
        {
            return Poll::Ready(FlushEvent::Stopped(closing));
        }
        if let Err(error) = state.write_queue(cx) {
            state.fail();
            return Poll::Ready(FlushEvent::Failed(error));
        }
        if matches!(state.phase, Phase::Open)
            && let Some(closing) = state.draining.take()
        {
            return Poll::Ready(FlushEvent::Draining(closing));
        }
        let queue_begun = std::mem::take(&mut state.queue_begun) && !state.queue.is_empty();
        match state.phase {
            Phase::Open if queue_begun => Poll::Ready(FlushEvent::Queued),
            Phase::Failed => Poll::Ready(FlushEvent::Failed(io::ErrorKind::BrokenPipe.into())),
            Phase::Finishing if state.queue.is_empty() && !state.needs_flush => Poll::Ready(FlushEvent::Drained),
            _ => {
                state.driver = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Ends the write half in order. Called once everything is written; [`release`](Self::release) follows.
    pub(crate) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state.lock().writer {
            Some(writer) => writer.poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// When the oldest waiting message will be too old.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let state = self.state.lock();
        match state.phase {
            Phase::Open => state.oldest_since().map(|since| clock::after(since, self.limits.max_age)),
            _ => None,
        }
    }

    /// Stops the outbox if its oldest message has waited too long.
    pub(crate) fn check_age(&self, now: Instant) {
        let mut state = self.state.lock();
        let too_old = state.oldest_since().is_some_and(|since| clock::after(since, self.limits.max_age) <= now);
        if too_old && matches!(state.phase, Phase::Open) {
            state.stop(Closing::slow_consumer());
        }
    }

    /// When the last octet was handed to the socket.
    pub(crate) fn last_write(&self) -> Instant {
        self.state.lock().last_write
    }

    /// Lets the socket go. Called once the connection has ended.
    pub(crate) fn release(&self) {
        let mut state = self.state.lock();
        state.fail();
        state.writer = None;
    }

    /// Octets that wait to be written.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.state.lock().waiting
    }

    /// Whether less than half of what may wait does: room for those who can wait themselves.
    pub(crate) fn is_half_empty(&self) -> bool {
        let state = self.state.lock();
        state.waiting <= self.limits.max_bytes / 2 && state.queue.len() <= self.limits.max_messages / 2
    }

    /// What the queue has been through so far.
    pub(crate) fn history(&self) -> OutboxHistory {
        self.state.lock().history
    }

    /// Whether pushes are still taken.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Open)
    }
}

impl State {
    fn write_or_queue(&mut self, wire: Bytes, is_pong: bool) -> Pushed {
        let Some(writer) = &mut self.writer else { return Pushed::Refused };
        match writer.try_write(&wire) {
            Ok(written) if written == wire.len() => {
                self.last_write = clock::now();
                Pushed::Written
            }
            Ok(written) => {
                self.last_write = clock::now();
                self.enqueue(wire, written, is_pong);
                Pushed::Queued
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.enqueue(wire, 0, is_pong);
                Pushed::Queued
            }
            Err(_) => {
                self.fail();
                Pushed::Refused
            }
        }
    }

    fn enqueue(&mut self, wire: Bytes, already_written: usize, is_pong: bool) {
        self.waiting += wire.len() - already_written;
        self.history.peak = self.history.peak.max(self.waiting);
        if self.queue.is_empty() {
            self.head_written = already_written;
            self.queue_begun = true;
            self.wake();
        }
        self.queue.push_back(Queued { wire, since: clock::now(), is_pong });
    }

    /// Since when the head waits. One that has begun to be written waits since its last progress: a large message to a
    /// reader that goes on reading is not late.
    fn oldest_since(&self) -> Option<Instant> {
        let head = self.queue.front()?;
        Some(if self.head_written > 0 { head.since.max(self.last_write) } else { head.since })
    }

    fn waiting_behind_head(&self) -> usize {
        self.waiting - self.queue.front().map_or(0, |head| head.wire.len() - self.head_written)
    }

    fn write_queue(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let mut count = 0;
            for (slot, queued) in slices.iter_mut().zip(&self.queue) {
                let skip = if count == 0 { self.head_written } else { 0 };
                *slot = IoSlice::new(&queued.wire[skip..]);
                count += 1;
            }
            let Some(writer) = &mut self.writer else { return Err(io::ErrorKind::BrokenPipe.into()) };
            match writer.poll_write(cx, &slices[..count]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => self.advance(written),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
        }
        if self.needs_flush
            && let Some(writer) = &mut self.writer
        {
            match writer.poll_flush(cx) {
                Poll::Ready(result) => {
                    self.needs_flush = false;
                    result?;
                }
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    fn advance(&mut self, mut written: usize) {
        self.last_write = clock::now();
        self.needs_flush = true;
        self.waiting -= written;
        while let Some(head) = self.queue.front() {
            let left = head.wire.len() - self.head_written;
            if written < left {
                self.head_written += written;
                return;
            }
            written -= left;
            self.head_written = 0;
            self.queue.pop_front();
        }
    }

    /// Drops what has not begun to be written and asks the driver for the end.
    fn stop(&mut self, closing: Closing) {
        let begun = usize::from(self.head_written > 0);
        self.history.dropped += self.queue.len() - begun;
        self.queue.truncate(begun);
        self.waiting = self.queue.front().map_or(0, |head| head.wire.len() - self.head_written);
        self.phase = Phase::Stopped(Some(closing));
        self.wake();
    }

    fn fail(&mut self) {
        self.phase = Phase::Failed;
        self.queue.clear();
        self.waiting = 0;
        self.head_written = 0;
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Outbox")
            .field("waiting_messages", &state.queue.len())
            .field("waiting_bytes", &state.waiting)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
