//! The time of a connection: one timer, armed for whichever deadline comes first, and what is due when it fires.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use parlor_stomp::{HeartBeatAction, HeartBeatTimer, ServerState};
use tokio::time::{Instant, sleep_until};

use super::{
    Driver, Work,
    ending::{Ended, InputEnd},
};
use crate::{
    clock,
    connection::{Closing, expiry_notice},
    outbox::Outbox,
    session::DisconnectReason,
    websocket::{Opcode, encode_frame},
};

/// How far away a timer is that nobody needs.
pub(super) const NEVER: Duration = Duration::from_secs(24 * 3600);

/// What a client must do in time: CONNECT, and then say now and then that it lives.
#[derive(Debug)]
pub(super) enum Pace {
    /// When an unconnected client is sent away.
    Connecting(Instant),
    Beating(HeartBeatTimer),
}

impl Pace {
    pub(super) fn beats(&mut self) -> Option<&mut HeartBeatTimer> {
        match self {
            Self::Connecting(_) => None,
            Self::Beating(beats) => Some(beats),
        }
    }

    fn connect_deadline(&self) -> Option<Instant> {
        match self {
            Self::Connecting(deadline) => Some(*deadline),
            Self::Beating(_) => None,
        }
    }

    fn next_beat(&self) -> Option<Instant> {
        match self {
            Self::Connecting(_) => None,
            Self::Beating(beats) => beats.deadline().map(Instant::from_std),
        }
    }
}

impl Driver {
    /// Sets the timer to what is due next.
    pub(super) fn arm(&mut self) {
        let outbox = self.socket.outbox();
        let deadlines = [
            self.pace.connect_deadline(),
            outbox.expires(),
            self.warning_deadline(outbox),
            self.finish_deadline(),
            self.assembly_deadline(),
            outbox.deadline(),
            self.shared.acknowledgements.next_look(),
            self.transaction_deadline(),
            self.pace.next_beat(),
        ];
        let next = deadlines.into_iter().flatten().min().unwrap_or_else(|| clock::now() + NEVER);
        match &mut self.timer {
            Some(timer) if timer.deadline() != next => timer.as_mut().reset(next),
            Some(_) => {}
            None => self.timer = Some(Box::pin(sleep_until(next))),
        }
    }

    /// Ready when something is due.
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    /// When what was read must be worked off, once nothing more is.
    fn finish_deadline(&self) -> Option<Instant> {
        self.finish.as_ref().map(|finish| finish.deadline)
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
        self.assembly.deadline(limit).filter(|_| self.finish.is_none())
    }

    pub(super) fn on_time(&mut self, outbox: &Outbox) -> Option<Ended> {
        let now = clock::now();
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        let closing = if due(self.pace.connect_deadline()) && self.stomp.state() == ServerState::AwaitingConnect {
            Closing::connect_timeout(self.endpoint.config.connect_timeout)
        } else if outbox.has_expired() {
            Closing::token_expired()
        } else if due(self.finish_deadline()) {
            match self.finish.as_ref().map(|finish| &finish.end) {
                Some(InputEnd::Decided(closing)) => closing.clone(),
                _ => return Some(Ended { closing: None, reason: DisconnectReason::Lost }),
            }
        } else if due(self.assembly_deadline()) {
            self.read_to_the_end();
            if !due(self.assembly_deadline()) {
                // Its end had been read.
                return None;
            }
            let closing = Closing::frame_timeout(self.endpoint.config.frame_timeout);
            self.end_input(InputEnd::Decided(closing));
            return None;
        } else {
            if due(self.warning_deadline(outbox)) {
                self.warn(outbox);
            }
            outbox.check_age(now);
            self.endpoint.broker.tidy_histories();
            self.shared.acknowledgements.expire(now);
            if let Work::Idle(conversation) = &mut self.work {
                conversation.expire(now);
            }
            self.beat(outbox, now)?
        };
        Some(Ended::by_server(closing))
    }

    /// When the client is to be told that its time ends; not before it is connected.
    fn warning_deadline(&self, outbox: &Outbox) -> Option<Instant> {
        self.shared.session.get()?;
        self.warning.due(outbox.expires(), self.endpoint.config.expiry_warning)
    }

    /// Tells the client that its time ends, if it listens.
    fn warn(&mut self, outbox: &Outbox) {
        let (Some(session), Some(expires)) = (self.shared.session.get(), outbox.expires()) else { return };
        let heard = expiry_notice::tell(&self.endpoint, session, expires);
        self.warning.tried(expires, heard);
    }

    /// Tells a client that began to listen after its time had come to be told.
    pub(super) fn warn_late(&mut self, outbox: &Outbox) {
        if self.warning.is_unheard(outbox.expires()) {
            self.warn(outbox);
        }
    }

    /// Sends and expects heart-beats.
    fn beat(&mut self, outbox: &Outbox, now: Instant) -> Option<Closing> {
        let listening = self.finish.is_none() && self.has_room();
        let beats = self.pace.beats()?;
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
