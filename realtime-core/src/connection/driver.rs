//! The task of one connection: reads, keeps time, and has requests answered one at a time.
//!
//! Invariants: requests of one session are answered in order, one at a time; reads and heart-beats go on meanwhile, up to
//! a bounded inbox, and then reading stops, so that TCP slows the client down. What was read before the end still
//! counts: after a lost connection or a fault the inbox is worked off first.

mod ending;
mod inbox;
mod input;
mod life;
mod timers;

use std::{
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt, future::BoxFuture};
use parlor_stomp::{Request, ServerSession};
use tokio::{task::yield_now, time::Sleep};

pub(crate) use self::life::Life;
use self::{
    ending::{Ended, Exit, Finish, InputEnd},
    inbox::Inbox,
    timers::Pace,
};
use crate::{
    auth::Principal,
    clock,
    connection::{
        Closing, Socket, Transport,
        assembly::Assembly,
        background::{Background, Job},
        conversation::{Conversation, Flow},
        shared::Shared,
    },
    endpoint::Endpoint,
    limits::{SharedBucket, TokenBucket},
    outbox::FlushEvent,
    session::{DisconnectReason, ExpiryWarning, Identity},
    telemetry::{self, FrameInFlight, Observed},
};

/// What a connection does before every other task has its turn. A step is a read, a WebSocket frame that is taken, a request that
/// is answered, or an ACK that is done when it is read. Tokio's own budget is 128 reads, a MiB of frames of which each may reach
/// thousands of subscribers; and a busy worker looks for news from its sockets once in 61 turns, so that the others would wait
/// for seconds.
const STEPS_IN_A_TURN: u32 = 32;

/// Runs one connection. It is polled by hand: an idle connection then costs its state and nothing else, where an async block
/// has room for everything that it may ever wait for.
pub(crate) struct Driver {
    endpoint: Arc<Endpoint>,
    socket: Socket,
    stomp: ServerSession,
    inbox: Inbox,
    work: Work,
    background: Background,
    /// Says when live subscriptions are to be judged again.
    identity: Arc<Identity>,
    /// What the conversation has in common with the driver.
    shared: Arc<Shared>,
    pace: Pace,
    /// Whether the client was told that its time ends.
    warning: ExpiryWarning,
    /// What is incomplete of what was read.
    assembly: Assembly,
    /// What was used of the connection's rate of frames.
    frames: TokenBucket,
    /// What all connections of the user together have used of theirs.
    user_frames: Option<SharedBucket>,
    /// What was done in this turn.
    steps: u32,
    /// Set when nothing more is read: how the connection ends once the inbox is worked off.
    finish: Option<Box<Finish>>,
    /// Set to whatever is due next.
    timer: Option<Pin<Box<Sleep>>>,
    /// Everything was looked at, and the driver waits for one of its events.
    is_waiting: bool,
}

/// Who has the conversation: nobody but the driver, or the request that is being answered.
enum Work {
    Idle(Box<Conversation>),
    Busy(BoxFuture<'static, (Box<Conversation>, Flow)>),
    /// Only while the two above change places.
    Moving,
}

impl Driver {
    pub(crate) fn new(
        endpoint: Arc<Endpoint>,
        transport: Transport,
        principal: Principal,
        user_frames: Option<SharedBucket>,
    ) -> Self {
        let config = &endpoint.config;
        let socket = Socket::with_rates(transport, config, Arc::clone(&endpoint.socket_rates));
        let now = clock::now();
        socket.outbox().expire_at(principal.expires_at());
        let identity = Arc::new(Identity::new(principal));
        let shared = Arc::new(Shared::new(endpoint.broker.clone()));
        let conversation = Conversation::new(
            Arc::clone(&endpoint),
            Arc::clone(&identity),
            Arc::clone(&shared),
            Arc::clone(socket.outbox()),
        );
        Self {
            stomp: ServerSession::new(endpoint.stomp.clone()),
            inbox: Inbox::default(),
            work: Work::Idle(Box::new(conversation)),
            background: Background::default(),
            identity,
            shared,
            pace: Pace::Connecting(clock::after(now, config.connect_timeout)),
            warning: ExpiryWarning::default(),
            assembly: Assembly::default(),
            frames: TokenBucket::new(now),
            user_frames,
            steps: 0,
            finish: None,
            timer: None,
            is_waiting: false,
            endpoint,
            socket,
        }
    }

    /// Ends the connection as soon as it runs.
    pub(crate) fn stop(&self, closing: Closing) {
        self.socket.outbox().stop(closing);
    }

    /// Runs the connection until it ends.
    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Exit> {
        loop {
            let mut unread = false;
            if !self.is_waiting {
                if self.steps >= STEPS_IN_A_TURN {
                    self.steps = 0;
                    // Its first answer is to come back when everyone else and the sockets had their turn.
                    let _ = pin!(yield_now()).poll(cx);
                    return Poll::Pending;
                }
                self.steps += 1;
                // Nothing is handled that was read later (rule 24).
                if self.socket.outbox().has_expired() {
                    return Poll::Ready(Exit::Ended(Ended::by_server(Closing::token_expired())));
                }
                self.start_next();
                unread = self.read_requests();
                self.start_next();
                if let Some(ended) = self.ended() {
                    return Poll::Ready(Exit::Ended(ended));
                }
                self.arm();
            }
            self.is_waiting = true;
            let exit = ready!(self.poll_event(unread, cx));
            self.is_waiting = false;
            if let Some(exit) = exit {
                return Poll::Ready(exit);
            }
        }
    }

    /// Takes the first event that there is, in this order: a client that never stops sending must not keep time from being looked
    /// at. Ready with what ends the loop, or with nothing where it goes on.
    fn poll_event(&mut self, unread: bool, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        let mut is_roused = false;
        while let Poll::Ready(event) = self.socket.outbox().poll_flush(cx) {
            match event {
                // Everything is to be looked at anew, but first what happened besides: a client that has the driver roused all the
                // time does not keep its own requests from being answered.
                FlushEvent::Queued => is_roused = true,
                event => return Poll::Ready(self.on_flush(event)),
            }
        }
        match self.poll_further(unread, cx) {
            Poll::Pending if is_roused => Poll::Ready(None),
            event => event,
        }
    }

    /// The first event besides those of the outbox.
    fn poll_further(&mut self, unread: bool, cx: &mut Context<'_>) -> Poll<Option<Exit>> {
        if self.poll_timer(cx).is_ready() {
            let outbox = Arc::clone(self.socket.outbox());
            return Poll::Ready(self.on_time(&outbox).map(Exit::Ended));
        }
        if let Poll::Ready((flow, jobs)) = self.work.poll_done(cx) {
            self.background.add(jobs);
            if let Flow::End(closing, reason) = flow {
                return Poll::Ready(Some(Exit::Ended(Ended { closing: Some(closing), reason })));
            }
            let outbox = Arc::clone(self.socket.outbox());
            self.warn_late(&outbox);
            return Poll::Ready(None);
        }
        let outbox = self.socket.outbox();
        let streaming = self.finish.is_none();
        if streaming && outbox.takes_up_again() {
            self.shared.acknowledgements.pump();
        }
        if let Poll::Ready(result) = self.background.poll(cx, || streaming && outbox.is_half_empty()) {
            return Poll::Ready(result.err().map(|closing| Exit::Ended(Ended::by_server(closing))));
        }
        if unread {
            return Poll::Ready(None);
        }
        if self.finish.is_some() || !self.has_room() {
            return Poll::Pending;
        }
        let more = ready!(self.socket.poll_read_more(cx));
        self.endpoint.meters().traffic.octets_received(self.socket.take_octets_read());
        match more {
            Ok(true) => {
                if let Some(beats) = self.pace.beats() {
                    beats.received(clock::now().into_std());
                }
            }
            Ok(false) => self.end_input(InputEnd::Lost),
            Err(error) => self.refuse_input(&error),
        }
        Poll::Ready(None)
    }

    fn on_flush(&mut self, event: FlushEvent) -> Option<Exit> {
        match event {
            FlushEvent::Stopped(closing) => Some(Exit::Ended(Ended::by_server(closing))),
            FlushEvent::Failed(error) => {
                tracing::debug!(%error, "nothing can be written any more");
                if !self.socket.outbox().has_expired() {
                    self.read_to_the_end();
                }
                self.end_input(InputEnd::Lost);
                if matches!(self.work, Work::Idle(_)) && self.inbox.is_empty() && !self.background.is_handling() {
                    return Some(Exit::Ended(Ended { closing: None, reason: DisconnectReason::Lost }));
                }
                Some(Exit::Unheard)
            }
            FlushEvent::Draining(closing) => {
                self.read_to_the_end();
                self.end_input(InputEnd::Decided(closing));
                None
            }
            // The loop arms the timer anew.
            FlushEvent::Drained | FlushEvent::Queued => None,
        }
    }

    fn start_next(&mut self) {
        if !matches!(self.work, Work::Idle(_)) {
            return;
        }
        if self.identity.take_to_judge() {
            // Before the next frame: it is handled with today's rights, and no subscription is overlooked that was made with
            // yesterday's.
            return self.judge_again();
        }
        // Its receipt says that everything before it was handled (rule 10).
        if matches!(self.inbox.first(), Some(Request::Disconnect(_))) && self.background.is_handling() {
            return;
        }
        let Some(request) = self.inbox.pop() else { return };
        if let Work::Idle(mut conversation) = std::mem::replace(&mut self.work, Work::Moving) {
            let observed = Observed::new(self.endpoint.meters(), &request, conversation.session_id());
            self.work = Work::Busy(Box::pin(observed.run(async move {
                // The conversation outlives a panic, so that its end can be told.
                let handled = AssertUnwindSafe(conversation.handle(request)).catch_unwind().await;
                let flow = handled.unwrap_or_else(|_| panicked());
                (conversation, flow)
            })));
        }
    }

    /// Has the live subscriptions judged, in the place of a request.
    fn judge_again(&mut self) {
        if let Work::Idle(mut conversation) = std::mem::replace(&mut self.work, Work::Moving) {
            let frame = FrameInFlight::of_session(self.endpoint.meters(), conversation.session_id());
            self.work = Work::Busy(Box::pin(telemetry::scope(frame, async move {
                let judged = AssertUnwindSafe(conversation.judge_again()).catch_unwind().await;
                let flow = match judged {
                    Ok(Ok(())) => Flow::Continue,
                    Ok(Err(closing)) => Flow::end_by_server(closing),
                    Err(_) => panicked(),
                };
                (conversation, flow)
            })));
        }
    }
}

/// How a connection goes on whose conversation panicked: it ends.
fn panicked() -> Flow {
    telemetry::connection_panicked();
    Flow::end_by_server(Closing::internal())
}

impl Work {
    /// The end of the request that is being answered, and what it has left to do beside the next; never, while there is none.
    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<(Flow, Vec<Job>)> {
        let Self::Busy(running) = self else { return Poll::Pending };
        let (mut conversation, flow) = ready!(running.as_mut().poll(cx));
        let jobs = conversation.take_jobs();
        *self = Self::Idle(conversation);
        Poll::Ready((flow, jobs))
    }
}
