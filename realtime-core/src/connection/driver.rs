//! The task of one connection: reads, keeps time, and has requests answered one at a time.
//!
//! Invariants: requests of one session are answered in order, one at a time; reads and heart-beats go on meanwhile, up to
//! a bounded inbox, and then reading stops, so that TCP slows the client down. What was read before the end still
//! counts: after a lost connection or a fault the inbox is worked off first.

use std::{collections::VecDeque, future::poll_fn, panic::AssertUnwindSafe, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use parlor_stomp::{
    Command, HeartBeatAction, HeartBeatTimer, Request, ServerConfig, ServerSession, ServerState, Version,
};
use tokio::{
    sync::watch,
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    auth::Principal,
    clock,
    connection::{
        Closing, Socket, SocketError, Transport,
        acknowledgements::Acknowledgements,
        assembly::Assembly,
        background::Background,
        conversation::{Conversation, Flow, wire},
    },
    endpoint::Endpoint,
    limits::{Excess, SharedBucket, TokenBucket},
    outbox::{FlushEvent, Outbox},
    session::DisconnectReason,
    telemetry::{self, FrameInFlight, Observed},
    websocket::{Opcode, WebSocketEvent, encode_close, encode_frame},
};

/// Octets charged to the inbox for each frame beside its headers and body, so that empty frames count too.
const FRAME_COST: usize = 256;

/// What a connection does before every other task has its turn. A step is a read, a WebSocket frame that is taken, or a request
/// that is answered. Tokio's own budget is 128 reads, a MiB of frames of which each may reach thousands of subscribers; and a
/// busy worker looks for news from its sockets once in 61 turns, so that the others would wait for seconds.
const STEPS_IN_A_TURN: u32 = 32;

/// How far away a timer is that nobody needs.
const NEVER: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

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
    expires: Option<Instant>,
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

/// Why reading ended.
#[derive(Clone, Debug)]
enum InputEnd {
    /// The client's close frame, with its status.
    Closed(Option<u16>),
    /// The stream ended without one.
    Lost,
    /// The server ends it: it stops, or what the client sends is broken, too much or too slow.
    Decided(Closing),
    /// DISCONNECT or a protocol fault stands last in the inbox and ends the connection itself.
    Told,
}

/// The end of the loop: what to send last, if anything can be sent, and why it ended.
struct Ended {
    closing: Option<Closing>,
    reason: DisconnectReason,
}

impl Ended {
    fn by_server(closing: Closing) -> Self {
        let code = closing.code().to_owned();
        Self { closing: Some(closing), reason: DisconnectReason::Server { code } }
    }
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
        let expires = principal
            .expires_at()
            .map(|expiry| clock::after(now, expiry.duration_since(clock::wall()).unwrap_or_default()));
        let acknowledgements = Arc::new(Acknowledgements::new(endpoint.broker.clone()));
        let conversation = Conversation::new(
            Arc::clone(&endpoint),
            principal,
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
            expires,
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

    /// Says farewell, and waits for what is still running.
    async fn end(self: Box<Self>, Ended { closing, reason }: Ended) {
        let Self { socket, stomp, work, mut background, cancel, endpoint, finish_deadline, .. } = *self;
        let (config, meters) = (&endpoint.config, endpoint.meters());
        meters.connection_ended(socket.outbox().history());
        let version = stomp.version().unwrap_or(Version::V1_2);
        let farewell = async {
            match closing {
                Some(closing) => {
                    meters.closed(closing.code(), closing.status(), closing.reason());
                    let error = closing.error().map(|fault| wire(&fault.encode(version)));
                    let close = encode_close(closing.status(), closing.reason());
                    error.iter().for_each(|error| meters.traffic.sent(Command::Error, 1, error.len()));
                    let last: Vec<u8> = error.into_iter().chain([close]).flatten().collect();
                    socket.finish(Bytes::from(last), config.close_linger).await;
                }
                None => socket.outbox().release(),
            }
        };
        // Beside the farewell: whoever is gone is gone for others before their last octet is read.
        let rest = async {
            let running = async {
                let answering = async {
                    match work {
                        Work::Idle(conversation) => Some(conversation),
                        Work::Moving => None,
                        Work::Busy(running) => Some(running.await.0),
                    }
                };
                // Together: what is being answered may wait for its turn behind a concurrent handler.
                let (mut conversation, ()) = tokio::join!(answering, background.finish());
                if let Some(conversation) = &mut conversation {
                    background.add(conversation.take_jobs());
                    background.finish().await;
                }
                conversation
            };
            tokio::pin!(running);
            let patience = || clock::after(clock::now(), config.finish_timeout);
            let limit = sleep_until(finish_deadline.unwrap_or_else(patience));
            let conversation = tokio::select! {
                conversation = running.as_mut() => conversation,
                () = limit => {
                    cancel.send_replace(true);
                    running.await
                }
            };
            if let Some(conversation) = conversation {
                let frame = FrameInFlight::of_session(meters, conversation.session_id());
                telemetry::scope(frame, conversation.end(reason)).await;
            }
        };
        tokio::join!(farewell, rest);
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

    /// Answers what was read before the socket broke.
    async fn work_off_unheard(&mut self) -> Ended {
        let deadline = self.finish_deadline.unwrap_or_else(clock::now);
        let all = async {
            loop {
                self.start_next();
                let Self { work, background, .. } = self;
                if matches!(work, Work::Idle(_)) && !background.is_handling() {
                    return;
                }
                tokio::select! {
                    flow = work.done() => if let Flow::End(..) = flow {
                        return;
                    },
                    result = poll_fn(|cx| background.poll(cx, || false)) => if result.is_err() {
                        return;
                    },
                }
            }
        };
        // What is still running then is cancelled by `run`.
        let _ = tokio::time::timeout_at(deadline, all).await;
        Ended { closing: None, reason: DisconnectReason::Lost }
    }

    /// Turns what was read into requests, while there is room for them. Whether the turn was over before all of it was.
    fn read_requests(&mut self) -> bool {
        let now = clock::now();
        while self.input_end.is_none() {
            if !self.has_room() {
                self.assembly.pause();
                return false;
            }
            let request = self.stomp.poll_request();
            let beats = self.stomp.take_beats();
            if beats > 0
                && let Err(excess) = self.socket.charge_empty_units(beats, now)
            {
                self.refuse_input(&excess.into());
                return false;
            }
            if let Some(request) = request {
                self.assembly.frame_completed();
                self.accept(request, now);
                continue;
            }
            if self.steps >= STEPS_IN_A_TURN {
                return true;
            }
            self.steps += 1;
            let event = self.socket.buffered(now);
            if !self.socket.is_mid_message() {
                self.assembly.message_completed();
            }
            match event {
                Ok(Some(WebSocketEvent::Data { payload, .. })) => self.stomp.handle_input(payload),
                Ok(Some(WebSocketEvent::Close(frame))) => {
                    self.end_input(InputEnd::Closed(frame.map(|frame| frame.code)));
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.assembly.looked(self.socket.is_mid_unit(), self.stomp.is_mid_frame(), now);
                    return false;
                }
                Err(error) => self.refuse_input(&error),
            }
        }
        false
    }

    fn accept(&mut self, request: Request, now: Instant) {
        if let Err(excess) = self.charge_frame(&request, now) {
            let closing = Closing::rate_limited(&excess).with_receipt(request.receipt());
            return self.end_input(InputEnd::Decided(closing));
        }
        match &request {
            Request::Connect(_) => {
                self.connect_deadline = None;
                self.beats = Some(self.stomp.heart_beat_timer(now.into_std()));
            }
            Request::Fault(_) | Request::Disconnect(_) => self.end_input(InputEnd::Told),
            _ => {}
        }
        let request = self.settle(request);
        self.endpoint.meters().traffic.received(&request);
        self.inbox_bytes += cost(&request);
        self.inbox.push_back(request);
    }

    /// Does what an ACK or NACK outside of a transaction says. It stays in the inbox for its receipt, or becomes the fault that
    /// it is.
    fn settle(&mut self, request: Request) -> Request {
        let (settle, accepted) = match &request {
            Request::Ack(settle) if settle.transaction.is_none() => (settle, true),
            Request::Nack(settle) if settle.transaction.is_none() => (settle, false),
            _ => return request,
        };
        let Some(version) = self.stomp.version() else { return request };
        match self.acknowledgements.settle(settle, version, accepted) {
            Ok(()) => request,
            Err(fault) => {
                self.end_input(InputEnd::Told);
                Request::Fault(fault)
            }
        }
    }

    /// Counts a frame, before anything is done about it. A fault is none: it says what was wrong, and ends the connection.
    fn charge_frame(&mut self, request: &Request, now: Instant) -> Result<(), Excess> {
        if matches!(request, Request::Fault(_)) {
            return Ok(());
        }
        let rates = &self.endpoint.config.rates;
        self.frames.take(rates.frames, 1, now).map_err(Excess::of("frames"))?;
        match &self.user_frames {
            Some(all) => all.lock().take(rates.user_frames, 1, now).map_err(Excess::of("frames of one user")),
            None => Ok(()),
        }
    }

    /// Reads nothing more of a client that is wrong, or sends too much; what was read before is answered.
    fn refuse_input(&mut self, error: &SocketError) {
        tracing::debug!(%error, "nothing more is read");
        self.end_input(InputEnd::Decided(match error {
            SocketError::Excess(excess) => Closing::rate_limited(excess),
            SocketError::WebSocket(error) => Closing::websocket(error.close_code(), &error.to_string()),
        }));
    }

    fn end_input(&mut self, end: InputEnd) {
        self.input_end.get_or_insert(end);
        let patience = self.endpoint.config.finish_timeout;
        self.finish_deadline.get_or_insert_with(|| clock::after(clock::now(), patience));
    }

    fn has_room(&self) -> bool {
        let config = &self.endpoint.config;
        self.inbox.is_empty()
            || (self.inbox.len() < config.max_inbox_frames && self.inbox_bytes < config.max_inbox_bytes)
    }

    fn start_next(&mut self) {
        let Work::Idle(conversation) = &mut self.work else { return };
        self.background.add(conversation.take_jobs());
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
                let flow = handled.unwrap_or_else(|_| {
                    telemetry::connection_panicked();
                    Flow::end_by_server(Closing::internal())
                });
                (conversation, flow)
            })));
        }
    }

    /// How the connection ends, once reading ended and everything that was read is answered.
    fn ended(&self) -> Option<Ended> {
        if !self.inbox.is_empty() || !matches!(self.work, Work::Idle(_)) || self.background.is_handling() {
            return None;
        }
        Some(match self.input_end.clone()? {
            InputEnd::Closed(status) => {
                Ended { closing: Some(Closing::echo(status)), reason: DisconnectReason::ClosedByClient }
            }
            InputEnd::Lost => Ended { closing: None, reason: DisconnectReason::Lost },
            InputEnd::Decided(closing) => Ended::by_server(closing),
            InputEnd::Told => return None,
        })
    }

    fn arm(&self, outbox: &Outbox, timer: Pin<&mut Sleep>) {
        let deadlines = [
            self.connect_deadline,
            self.expires,
            self.finish_deadline,
            self.assembly_deadline(),
            outbox.deadline(),
            self.acknowledgements.next_deadline(),
            self.transaction_deadline(),
            self.beats.as_ref().and_then(HeartBeatTimer::deadline).map(Instant::from_std),
        ];
        let next = deadlines.into_iter().flatten().min().unwrap_or_else(|| clock::now() + NEVER);
        if timer.deadline() != next {
            timer.reset(next);
        }
    }

    /// When a transaction has been open for too long; not while a request is answered.
    fn transaction_deadline(&self) -> Option<Instant> {
        match &self.work {
            Work::Idle(conversation) => conversation.next_deadline(),
            _ => None,
        }
    }

    /// When what is incomplete is overdue; never once nothing more is read.
    fn assembly_deadline(&self) -> Option<Instant> {
        let limit = self.endpoint.config.frame_timeout;
        self.assembly.deadline(limit).filter(|_| self.input_end.is_none())
    }

    fn on_time(&mut self, outbox: &Outbox) -> Option<Ended> {
        let now = clock::now();
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        let closing = if due(self.connect_deadline) && self.stomp.state() == ServerState::AwaitingConnect {
            Closing::connect_timeout(self.endpoint.config.connect_timeout)
        } else if due(self.expires) {
            Closing::token_expired()
        } else if due(self.finish_deadline) {
            match &self.input_end {
                Some(InputEnd::Decided(closing)) => closing.clone(),
                _ => return Some(Ended { closing: None, reason: DisconnectReason::Lost }),
            }
        } else if due(self.assembly_deadline()) {
            let closing = Closing::frame_timeout(self.endpoint.config.frame_timeout);
            self.end_input(InputEnd::Decided(closing));
            return None;
        } else {
            outbox.check_age(now);
            self.endpoint.broker.tidy_histories();
            self.acknowledgements.expire(now);
            if let Work::Idle(conversation) = &mut self.work {
                conversation.expire(now);
            }
            self.beat(outbox, now)?
        };
        Some(Ended::by_server(closing))
    }

    /// Sends and expects heart-beats.
    fn beat(&mut self, outbox: &Outbox, now: Instant) -> Option<Closing> {
        let listening = self.input_end.is_none() && self.has_room();
        let beats = self.beats.as_mut()?;
        if !listening {
            // Nobody reads, so silence says nothing about the client.
            beats.received(now.into_std());
        }
        beats.sent(outbox.last_write().into_std());
        while let Some(action) = beats.poll(now.into_std()) {
            match action {
                HeartBeatAction::SendBeat => {
                    // Octets that wait already are better than a beat behind them.
                    if outbox.waiting_bytes() == 0 {
                        let beat = encode_frame(Opcode::Text, b"\n");
                        self.endpoint.meters().traffic.beat_sent(beat.len());
                        outbox.push(beat);
                    }
                    beats.sent(now.into_std());
                }
                HeartBeatAction::Ping => {
                    outbox.push(encode_frame(Opcode::Ping, b""));
                }
                HeartBeatAction::TimedOut => return Some(Closing::heart_beat_timeout()),
            }
        }
        None
    }
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

fn cost(request: &Request) -> usize {
    FRAME_COST + request.octets()
}
