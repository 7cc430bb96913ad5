//! The outbox of one connection: it owns the write half, and every server octet passes through it, in order.
//!
//! A push writes straight to the socket while nothing is queued, and queues otherwise; it never waits. While messages are on
//! their way here (`upstream`) it takes its place behind them, and counts as if it were queued. The queue is
//! bounded in octets, messages and age. At a bound, frames whose destination allows it make room ([`Overflow`]); without
//! them the outbox stops: it takes nothing more, drops what has not begun to be written, and wakes the connection's driver,
//! which says farewell and closes. A frame that has begun to be written is always finished first.
//!
//! It knows when the client's token ends, too, as publishers write without asking anybody: from that moment on nothing is
//! begun but the farewell, what waits already included (rule 24).
//!
//! ```text
//! Open --stop / overflow / age / expiry--> Stopped --finish(farewell)--> Finishing --all written--> Drained
//!   \_____________________________ write error _______________________________________--> Failed
//! ```

mod annotation;
mod batch;
mod limits;
mod overflow;
mod queue;
mod state;
mod upstream;
mod wire_writer;
mod writer;

use std::{
    fmt, io,
    sync::{Arc, OnceLock, Weak},
    task::{Context, Poll},
    time::SystemTime,
};

use bytes::Bytes;
use tokio::time::Instant;

pub use annotation::{Annotate, annotate_message};
pub(crate) use batch::{Batch, Moment, Partly};
pub use limits::OutboxLimits;
pub use overflow::Overflow;
pub(crate) use upstream::{Deferred, Upstream};
pub use wire_writer::WireWriter;
pub(crate) use writer::Writer;

use crate::{
    clock,
    closing::Closing,
    outbox::{
        queue::Kind,
        state::{Phase, State},
    },
    sync::Mutex,
    telemetry::OutboxHistory,
};

/// What became of a push.
///
/// ```
/// use std::{io, io::IoSlice, task::{Context, Poll}};
/// use bytes::Bytes;
/// use parlor_core::{broker::{Outbox, OutboxLimits, Pushed, WireWriter}, connection::Closing};
///
/// /// A socket with room for eight octets, whose peer does not read.
/// struct Stalled(usize);
///
/// impl WireWriter for Stalled {
///     fn try_write(&mut self, octets: &[u8]) -> io::Result<usize> {
///         let taken = octets.len().min(self.0);
///         self.0 -= taken;
///         if taken > 0 { Ok(taken) } else { Err(io::ErrorKind::WouldBlock.into()) }
///     }
///     // …
/// #     fn poll_write(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<io::Result<usize>> { Poll::Pending }
/// #     fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> { Poll::Ready(Ok(())) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let outbox = Outbox::new(Box::new(Stalled(8)), OutboxLimits::default());
/// assert_eq!(outbox.push(Bytes::from_static(b"a frame")), Pushed::Written);
/// assert_eq!(outbox.push(Bytes::from_static(b"another")), Pushed::Queued);
/// outbox.stop(Closing::normal());
/// assert_eq!(outbox.push(Bytes::from_static(b"too late")), Pushed::Refused);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pushed {
    /// There was no room for it, and its destination's [`Overflow`] lets it be dropped.
    Dropped,
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
    /// A timer must be armed: a queue has begun, or something is in flight.
    Queued,
    /// Somebody, or a bound, asked for the end: compose the farewell and call [`Outbox::finish`].
    Stopped(Closing),
}

/// The bounded outbound queue of one connection, and the owner of its write half.
// In this order in memory, as `State` is: what each push looks at is together.
#[repr(C)]
pub struct Outbox {
    /// What later frames must not overtake, and the outbox itself, to wait there; none before the first subscription.
    upstream: OnceLock<(Weak<Self>, Weak<dyn Upstream>)>,
    state: Mutex<State>,
    limits: OutboxLimits,
    annotate: Annotate,
}

impl Outbox {
    /// An outbox of STOMP frames over `writer`.
    #[must_use]
    pub fn new(writer: Box<dyn WireWriter>, limits: OutboxLimits) -> Self {
        Self::over(Writer::Any(writer), limits)
    }

    /// An outbox over a transport of the program's own.
    pub(crate) fn over(writer: Writer, limits: OutboxLimits) -> Self {
        Self { limits, annotate: annotate_message, state: Mutex::new(State::new(writer)), upstream: OnceLock::new() }
    }

    /// Sets how a frame is told that others are missing in front of it; default [`annotate_message`].
    #[must_use]
    pub fn annotate_with(mut self, annotate: Annotate) -> Self {
        self.annotate = annotate;
        self
    }

    /// Sends one whole WebSocket frame that must arrive, now or when its turn comes. Never waits.
    pub fn push(&self, wire: Bytes) -> Pushed {
        self.submit(Deferred::Push(wire))
    }

    /// Sends one whole frame of a subscription, now or when its turn comes; without room its policy decides. Never waits.
    ///
    /// `subscription` names the subscription for as long as the connection lasts. Of frames with the same one,
    /// [`Overflow::LatestOnly`] keeps one, [`Overflow::DropOldest`] drops these first, and they tell of each other that some
    /// are missing. Where a subscription covers several destinations, all its frames are one stream in this.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use parlor_core::broker::{Outbox, Overflow, Pushed};
    ///
    /// fn cursor_moved(outbox: &Outbox, subscription: u64, wire: Bytes) -> bool {
    ///     outbox.push_for(subscription, Overflow::LatestOnly, wire) != Pushed::Refused
    /// }
    /// ```
    pub fn push_for(&self, subscription: u64, overflow: Overflow, wire: Bytes) -> Pushed {
        self.submit(Deferred::PushFor { subscription, overflow, wire })
    }

    /// Nothing more is to be told to a subscription: it has ended. What waits for it still goes out, or makes room. Without
    /// this call a client that does not read could make the outbox remember what subscriptions missed that are long gone.
    pub fn forget(&self, subscription: u64) {
        self.submit(Deferred::Forget(subscription));
    }

    /// The octets of one whole frame with one header more.
    pub(crate) fn annotate(&self, wire: &Bytes, name: &str, value: &str) -> Bytes {
        (self.annotate)(wire, name, value)
    }

    /// Has the driver look at its timers again.
    pub(crate) fn rouse(&self) {
        let mut state = self.state.lock();
        state.roused = true;
        state.wake();
    }

    /// Whether so many messages of so many octets in all could be taken now, and no frame be dropped for them.
    pub(crate) fn has_room_for(&self, messages: usize, octets: usize) -> bool {
        self.state.lock().has_room_for(&self.limits, messages, octets)
    }

    /// Ready when a message of so many octets could be taken, or nothing is taken any more: for those who can wait.
    pub(crate) fn poll_room(&self, octets: usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if !matches!(state.phase, Phase::Open) || state.has_room_for(&self.limits, 1, octets) {
            return Poll::Ready(());
        }
        state.waiting.push(cx.waker().clone());
        Poll::Pending
    }

    /// Answers a ping. A pong that has not begun to be written is replaced by the newer one (RFC 6455 section 5.5.3),
    /// so a flood of pings costs one queue entry.
    pub(crate) fn push_pong(&self, wire: Bytes) {
        self.submit(Deferred::Pong(wire));
    }

    /// Sets when the client's token ends, never where it says none. False, with nothing changed, where the outbox takes nothing
    /// any more or its time is over already: what has ended cannot be extended. A time that is past is over at once.
    pub(crate) fn expire_at(&self, at: Option<SystemTime>) -> bool {
        let mut state = self.state.lock();
        if !state.takes() {
            return false;
        }
        state.expires = at.map(clock::at_wall);
        // Before anything else asks.
        state.takes();
        true
    }

    /// When the client's token ends.
    pub(crate) fn expires(&self) -> Option<Instant> {
        self.state.lock().expires
    }

    /// Whether the token has ended.
    pub(crate) fn has_expired(&self) -> bool {
        self.expires().is_some_and(|expires| expires <= clock::now())
    }

    /// Asks for the end of the connection. The first call counts; what is queued already is still written.
    pub fn stop(&self, closing: Closing) {
        self.submit(Deferred::Stop(closing));
    }

    /// Asks for the end of the connection after what was read is answered: receipts are still taken and written.
    pub(crate) fn drain(&self, closing: Closing) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Open) {
            state.draining = Some(Box::new(closing));
            state.wake();
        }
    }

    /// Appends the last frames and takes nothing more.
    pub(crate) fn finish(&self, farewell: impl IntoIterator<Item = Bytes>) {
        self.submit(Deferred::Finish(farewell.into_iter().collect()));
    }

    /// Writes what waits. Ready only when the driver has something to do.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<FlushEvent> {
        let mut state = self.state.lock();
        state.check_expiry();
        if let Phase::Stopped(closing) = &mut state.phase
            && let Some(closing) = closing.take()
        {
            return Poll::Ready(FlushEvent::Stopped(*closing));
        }
        if let Err(error) = state.write_queue(self.annotate, cx) {
            state.fail();
            return Poll::Ready(FlushEvent::Failed(error));
        }
        if matches!(state.phase, Phase::Open)
            && let Some(closing) = state.draining.take()
        {
            return Poll::Ready(FlushEvent::Draining(*closing));
        }
        let queue_begun = std::mem::take(&mut state.queue_begun) && !state.queue.is_empty();
        let roused = std::mem::take(&mut state.roused);
        match state.phase {
            Phase::Open if queue_begun || roused => Poll::Ready(FlushEvent::Queued),
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
            Some(writer) => writer.any().poll_shutdown(cx),
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

    /// Drops what has waited too long where it may be dropped; stops the outbox at the first that may not be.
    pub(crate) fn check_age(&self, now: Instant) {
        let mut state = self.state.lock();
        while matches!(state.phase, Phase::Open)
            && state.oldest_since().is_some_and(|since| clock::after(since, self.limits.max_age) <= now)
        {
            if !state.queue.drop_head() || state.queue.misses_too_many() {
                state.give_up(Closing::slow_consumer());
            }
            state.made_room();
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
        let state = self.state.lock();
        state.queue.waiting() + state.expected.octets
    }

    /// Whether less than half of what may wait does: room for those who can wait themselves.
    ///
    /// The driver is woken when it becomes true after it was not.
    pub(crate) fn is_half_empty(&self) -> bool {
        let mut state = self.state.lock();
        let is_half_empty = state.is_half_empty(&self.limits);
        state.awaits_half |= !is_half_empty;
        is_half_empty
    }

    /// Whether it is open and less than half of what may wait does: room for who has something that can wait elsewhere. Where it is
    /// full, the driver is told to have that go on later ([`takes_up_again`](Self::takes_up_again)).
    pub(crate) fn offers_room(&self) -> bool {
        let mut state = self.state.lock();
        if !state.is_open() {
            return false;
        }
        let is_half_empty = state.is_half_empty(&self.limits);
        state.awaits_half |= !is_half_empty;
        state.holds_back |= !is_half_empty;
        is_half_empty
    }

    /// Whether somebody found no room and there is room again; yes once. As long as there is none, the driver is woken for it.
    pub(crate) fn takes_up_again(&self) -> bool {
        let mut state = self.state.lock();
        if !state.holds_back {
            return false;
        }
        let is_half_empty = state.is_half_empty(&self.limits);
        state.awaits_half |= !is_half_empty;
        state.holds_back = !is_half_empty;
        is_half_empty
    }

    /// What the queue has been through so far.
    pub(crate) fn history(&self) -> OutboxHistory {
        self.state.lock().queue.history()
    }

    /// Whether pushes are still taken.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.lock().is_open()
    }

    /// Names what later frames must not overtake from now on; only the first call counts.
    pub(crate) fn set_upstream(self: &Arc<Self>, upstream: impl FnOnce() -> Weak<dyn Upstream>) {
        self.upstream.get_or_init(|| (Arc::downgrade(self), upstream()));
    }

    /// Has something happen now, or behind what is on its way.
    fn submit(&self, deferred: Deferred) -> Pushed {
        let busy = self.upstream.get().and_then(|(this, upstream)| {
            let upstream = upstream.upgrade().filter(|upstream| !upstream.is_idle())?;
            Some((this.upgrade()?, upstream))
        });
        let Some((this, upstream)) = busy else { return self.perform(deferred) };
        let mut state = self.state.lock();
        if deferred.is_frame() && !state.takes() {
            return Pushed::Refused;
        }
        state.expected.add(&deferred);
        drop(state);
        upstream.defer(this, deferred);
        Pushed::Queued
    }

    /// As if `deferred` waited upstream, where a test has it.
    #[cfg(test)]
    pub(crate) fn expect(&self, deferred: &Deferred) {
        self.state.lock().expected.add(deferred);
    }

    /// Has happen what waited upstream.
    pub(crate) fn perform_deferred(&self, deferred: Deferred) {
        let mut state = self.state.lock();
        state.expected.remove(&deferred);
        state.made_room();
        drop(state);
        self.perform(deferred);
        let mut state = self.state.lock();
        if state.awaits_half && state.is_half_empty(&self.limits) {
            state.awaits_half = false;
            state.wake();
        }
    }

    /// As [`forget`](Self::forget), for who stands upstream.
    pub(crate) fn forget_now(&self, subscription: u64) {
        self.state.lock().forget(subscription);
    }

    fn perform(&self, deferred: Deferred) -> Pushed {
        let mut state = self.state.lock();
        if deferred.is_frame() && !state.takes() {
            return Pushed::Refused;
        }
        match deferred {
            Deferred::Push(wire) if state.queue.is_empty() => state.write_or_queue(wire, Kind::Plain),
            Deferred::Push(wire) => state.queue_within(&self.limits, wire, Kind::Plain),
            Deferred::PushFor { subscription, overflow, wire } => {
                let kind = Kind::Subscription { key: subscription, overflow };
                if !state.queue.is_empty() {
                    return state.queue_within(&self.limits, wire, kind);
                }
                if state.queue.has_unsaid(subscription) {
                    state.enqueue(wire, 0, kind);
                    return Pushed::Queued;
                }
                state.write_or_queue(wire, kind)
            }
            Deferred::Pong(wire) => {
                if state.queue.is_empty() {
                    return state.write_or_queue(wire, Kind::Pong);
                }
                if !state.queue.replace_pong(&wire) {
                    state.enqueue(wire, 0, Kind::Pong);
                }
                Pushed::Queued
            }
            Deferred::Forget(subscription) => {
                state.forget(subscription);
                Pushed::Written
            }
            Deferred::Stop(closing) => {
                if state.is_open() {
                    state.phase = Phase::Stopped(Some(Box::new(closing)));
                    state.wake();
                }
                Pushed::Written
            }
            Deferred::Finish(farewell) => state.finish(farewell),
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Outbox")
            .field("waiting_messages", &state.queue.len())
            .field("waiting_bytes", &state.queue.waiting())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod overflow_tests;
#[cfg(test)]
mod tests;
