//! The task of one connection: reads, keeps time, and has requests answered one at a time.
//!
//! Invariants: requests of one session are answered in order, one at a time; reads and heart-beats go on meanwhile, up to
//! a bounded inbox, and then reading stops, so that TCP slows the client down. What was read before the end still
//! counts: after a lost connection or a fault the inbox is worked off first.

mod ending;
mod input;
mod timers;

use std::{
    collections::VecDeque,
    future::poll_fn,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
};

use futures_util::{FutureExt, future::BoxFuture};
use parlor_stomp::{HeartBeatTimer, Request, ServerConfig, ServerSession};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use self::{
    ending::{Ended, InputEnd},
    input::cost,
    timers::NEVER,
};
use crate::{
    auth::Principal,
    clock,
    connection::{
        Closing, Socket, Transport,
        acknowledgements::Acknowledgements,
        assembly::Assembly,
        background::Background,
        conversation::{Conversation, Flow},
    },
    endpoint::Endpoint,
    limits::{SharedBucket, TokenBucket},
    outbox::FlushEvent,
    session::{DisconnectReason, ExpiryWarning, Identity, Session},
    telemetry::{self, FrameInFlight, Observed},
};

/// What a connection does before every other task has its turn. A step is a read, a WebSocket frame that is taken, or a request
/// that is answered. Tokio's own budget is 128 reads, a MiB of frames of which each may reach thousands of subscribers; and a
/// busy worker looks for news from its sockets once in 61 turns, so that the others would wait for seconds.
const STEPS_IN_A_TURN: u32 = 32;

/// Runs one connection.
pub(crate) struct Driver {
    endpoint: Arc<Endpoint>,
    socket: Socket,
    stomp: ServerSession,
    inbox: VecDeque<Request>,
    inbox_bytes: usize,
    work: Work,
    background: Background,
    /// What ACK and NACK are about, which count as soon as they are read.
    acknowledgements: Arc<Acknowledgements>,
    beats: Option<HeartBeatTimer>,
    /// When an unconnected client is sent away; none once CONNECT was accepted.
    connect_deadline: Option<Instant>,
    /// Whose the connection is, which a refresh replaces.
    identity: Arc<Identity>,
    /// The session, from CONNECTED on.
    session: Arc<OnceLock<Session>>,
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
    input_end: Option<InputEnd>,
    finish_deadline: Option<Instant>,
    cancel: watch::Sender<bool>,
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
        let socket = Socket::new(transport, config);
        let now = clock::now();
        let (cancel, cancelled) = watch::channel(false);
        socket.outbox().expire_at(principal.expires_at());
        let identity = Arc::new(Identity::new(principal));
        let session = Arc::<OnceLock<Session>>::default();
        let acknowledgements = Arc::new(Acknowledgements::new(endpoint.broker.clone()));
        let conversation = Conversation::new(
            Arc::clone(&endpoint),
            Arc::clone(&identity),
            Arc::clone(&session),
            Arc::clone(socket.outbox()),
            cancelled,
            Arc::clone(&acknowledgements),
        );
        Self {
            stomp: ServerSession::new(
                ServerConfig::default().limits(config.stomp.clone()).heart_beat(config.heart_beat),
            ),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            work: Work::Idle(Box::new(conversation)),
            background: Background::default(),
            acknowledgements,
            beats: None,
            connect_deadline: Some(clock::after(now, config.connect_timeout)),
            identity,
            session,
            warning: ExpiryWarning::default(),
            assembly: Assembly::default(),
            frames: TokenBucket::new(now),
            user_frames,
            steps: 0,
            input_end: None,
            finish_deadline: None,
            cancel,
            endpoint,
            socket,
        }
    }

    /// Ends the connection as soon as it runs.
    pub(crate) fn stop(&self, closing: Closing) {
        self.socket.outbox().stop(closing);
    }

    /// Runs the connection to its end. The driver is boxed and its end as well: a future holds what it moves once for each
    /// place that it moves to, and an idle connection is paid for by all of them.
    pub(crate) async fn run(mut self: Box<Self>) {
        // The net below the guards: whatever panics, the client is told and so are listeners, once (rule 18).
        let ended = AssertUnwindSafe(self.serve()).catch_unwind().await.unwrap_or_else(|_| {
            telemetry::connection_panicked();
            Ended::by_server(Closing::internal())
        });
        Box::pin(self.end(ended)).await;
    }

    async fn serve(&mut self) -> Ended {
        let outbox = Arc::clone(self.socket.outbox());
        let timer = sleep_until(clock::now() + NEVER);
        tokio::pin!(timer);
        loop {
            if self.steps >= STEPS_IN_A_TURN {
                self.steps = 0;
                tokio::task::yield_now().await;
            }
            self.steps += 1;
            // Nothing is handled that was read later (rule 24).
            if outbox.has_expired() {
                return Ended::by_server(Closing::token_expired());
            }
            self.start_next();
            let unread = self.read_requests();
            self.start_next();
            if let Some(ended) = self.ended() {
                return ended;
            }
            self.arm(&outbox, timer.as_mut());
            let reading = self.input_end.is_none() && self.has_room() && !unread;
            let Self { socket, work, background, input_end, acknowledgements, .. } = self;
            let streaming = input_end.is_none();
            tokio::select! {
                // In this order: a client that never stops sending must not keep time from being looked at.
                biased;
                event = poll_fn(|cx| outbox.poll_flush(cx)) => match event {
                    FlushEvent::Stopped(closing) => return Ended::by_server(closing),
                    FlushEvent::Failed(error) => {
                        tracing::debug!(%error, "nothing can be written any more");
                        self.end_input(InputEnd::Lost);
                        if matches!(self.work, Work::Idle(_)) && self.inbox.is_empty() && !self.background.is_handling() {
                            return Ended { closing: None, reason: DisconnectReason::Lost };
                        }
                        // What was read still counts.
                        return self.work_off_unheard().await;
                    }
                    FlushEvent::Draining(closing) => self.end_input(InputEnd::Decided(closing)),
                    // The loop arms the timer anew.
                    FlushEvent::Drained | FlushEvent::Queued => {}
                },
                () = timer.as_mut() => {
                    if let Some(ended) = self.on_time(&outbox) {
                        return ended;
                    }
                }
                flow = work.done() => {
                    if let Flow::End(closing, reason) = flow {
                        return Ended { closing: Some(closing), reason };
                    }
                    self.warn_late(&outbox);
                }
                result = poll_fn(|cx| {
                    if streaming && outbox.is_half_empty() {
                        acknowledgements.pump();
                    }
                    background.poll(cx, || streaming && outbox.is_half_empty())
                }) => {
                    if let Err(closing) = result {
                        return Ended::by_server(closing);
                    }
                }
                () = std::future::ready(()), if unread => {}
                more = socket.read_more(), if reading => {
                    self.endpoint.meters().traffic.octets_received(self.socket.take_octets_read());
                    match more {
                        Ok(true) => if let Some(beats) = &mut self.beats {
                            beats.received(clock::now().into_std());
                        },
                        Ok(false) => self.end_input(InputEnd::Lost),
                        Err(error) => self.refuse_input(&error),
                    }
                }
            }
        }
    }

    fn start_next(&mut self) {
        let Work::Idle(conversation) = &mut self.work else { return };
        self.background.add(conversation.take_jobs());
        if self.identity.take_to_judge() {
            // Before the next frame: it is handled with today's rights, and no subscription is overlooked that was made with
            // yesterday's.
            return self.judge_again();
        }
        // Its receipt says that everything before it was handled (rule 10).
        if matches!(self.inbox.front(), Some(Request::Disconnect(_))) && self.background.is_handling() {
            return;
        }
        let Some(request) = self.inbox.pop_front() else { return };
        self.inbox_bytes -= cost(&request);
        if self.inbox.is_empty() {
            // Most connections are idle, and need no room for what they once sent.
            self.inbox = VecDeque::new();
        }
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
    /// The end of the request that is being answered; never, while there is none.
    async fn done(&mut self) -> Flow {
        let Self::Busy(running) = self else { return std::future::pending().await };
        let (conversation, flow) = running.as_mut().await;
        *self = Self::Idle(conversation);
        flow
    }
}
