//! The reading half: octets become requests, counted and bounded, until the inbox is full or the input ends.

use parlor_stomp::Request;
use tokio::time::Instant;

use super::{
    Driver, STEPS_IN_A_TURN,
    ending::{Finish, InputEnd},
    timers::Pace,
};
use crate::{
    clock,
    connection::{Closing, SocketError},
    limits::Excess,
    websocket::WebSocketEvent,
};

impl Driver {
    /// Turns what was read into requests, while there is room for them. Whether the turn was over before all of it was.
    pub(super) fn read_requests(&mut self) -> bool {
        self.read_while(|driver| driver.has_room() && driver.steps < STEPS_IN_A_TURN)
    }

    /// Takes all that was read, whatever the inbox holds and whoever waits for a turn: nothing more will be read. It is no more
    /// than one message and what one read gave.
    pub(super) fn read_to_the_end(&mut self) {
        self.read_while(|_| true);
    }

    fn read_while(&mut self, may_go_on: impl Fn(&Self) -> bool) -> bool {
        let now = clock::now();
        while self.finish.is_none() {
            if !may_go_on(self) {
                if self.has_room() {
                    return true;
                }
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
            self.steps += 1;
            let event = self.socket.buffered(now);
            // Whoever looks without finding anything has completed nothing.
            if matches!(event, Ok(Some(_))) && !self.socket.is_mid_message() {
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

    pub(super) fn accept(&mut self, request: Request, now: Instant) {
        if let Err(excess) = self.charge_frame(&request, now) {
            let closing = Closing::rate_limited(&excess).with_receipt(request.receipt());
            return self.end_input(InputEnd::Decided(closing));
        }
        match &request {
            Request::Connect(_) => {
                self.pace = Pace::Beating(self.stomp.heart_beat_timer(now.into_std()));
            }
            Request::Fault(_) | Request::Disconnect(_) => self.end_input(InputEnd::Told),
            _ => {}
        }
        self.endpoint.meters().traffic.received(&request);
        match self.settle(request) {
            Some(request) => self.inbox.push(request),
            // The inbox does not bound how many of these there are.
            None => self.steps += 1,
        }
    }

    /// Does what an ACK or NACK outside of a transaction says; what is left of it is its receipt, or the fault that it is.
    pub(super) fn settle(&mut self, request: Request) -> Option<Request> {
        let (settle, accepted) = match &request {
            Request::Ack(settle) if settle.transaction.is_none() => (settle, true),
            Request::Nack(settle) if settle.transaction.is_none() => (settle, false),
            _ => return Some(request),
        };
        let Some(version) = self.stomp.version() else { return Some(request) };
        match self.shared.acknowledgements.settle(settle, version, accepted) {
            Ok(()) => settle.receipt.is_some().then_some(request),
            Err(fault) => {
                self.end_input(InputEnd::Told);
                Some(Request::Fault(fault))
            }
        }
    }

    /// Counts a frame, before anything is done about it. A fault is none: it says what was wrong, and ends the connection.
    pub(super) fn charge_frame(&mut self, request: &Request, now: Instant) -> Result<(), Excess> {
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
    pub(super) fn refuse_input(&mut self, error: &SocketError) {
        tracing::debug!(%error, "nothing more is read");
        self.end_input(InputEnd::Decided(match error {
            SocketError::Excess(excess) => Closing::rate_limited(excess),
            SocketError::WebSocket(error) => Closing::websocket(error.close_code(), &error.to_string()),
        }));
    }

    pub(super) fn end_input(&mut self, end: InputEnd) {
        let patience = self.endpoint.config.finish_timeout;
        let finish = || Box::new(Finish { end, deadline: clock::after(clock::now(), patience) });
        self.finish.get_or_insert_with(finish);
    }

    pub(super) fn has_room(&self) -> bool {
        let config = &self.endpoint.config;
        self.inbox.is_empty()
            || (self.inbox.len() < config.max_inbox_frames && self.inbox.octets() < config.max_inbox_bytes)
    }
}
