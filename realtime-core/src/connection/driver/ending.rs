//! How a connection ends: why reading ended, what is still answered, and the farewell.

use std::future::poll_fn;

use bytes::Bytes;
use parlor_stomp::{Command, Version};
use tokio::time::{Instant, sleep_until};

use super::{Driver, Work};
use crate::{
    clock,
    connection::{
        Closing,
        conversation::{Flow, wire},
    },
    session::DisconnectReason,
    telemetry::{self, FrameInFlight},
    websocket::encode_close,
};

/// Why reading ended.
#[derive(Clone, Debug)]
pub(super) enum InputEnd {
    /// The client's close frame, with its status.
    Closed(Option<u16>),
    /// The stream ended without one.
    Lost,
    /// The server ends it: it stops, or what the client sends is broken, too much or too slow.
    Decided(Closing),
    /// DISCONNECT or a protocol fault stands last in the inbox and ends the connection itself.
    Told,
}

/// Nothing more is read, and what was read is worked off.
pub(super) struct Finish {
    pub(super) end: InputEnd,
    /// How long that may take.
    pub(super) deadline: Instant,
}

/// Why the loop ended.
pub(super) enum Exit {
    Ended(Ended),
    /// The socket broke: what was read still counts.
    Unheard,
}

/// What to send last, if anything can be sent, and why the connection ended.
pub(super) struct Ended {
    pub(super) closing: Option<Closing>,
    pub(super) reason: DisconnectReason,
}

impl Ended {
    pub(super) fn by_server(closing: Closing) -> Self {
        let reason = DisconnectReason::by_server(&closing);
        Self { closing: Some(closing), reason }
    }
}

impl Driver {
    /// Says farewell, and waits for what is still running.
    pub(super) async fn end(self, Ended { closing, reason }: Ended) {
        let Self { socket, stomp, work, mut background, shared, endpoint, finish, .. } = self;
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
            let limit = sleep_until(finish.map_or_else(patience, |finish| finish.deadline));
            let conversation = tokio::select! {
                conversation = running.as_mut() => conversation,
                () = limit => {
                    shared.cancellation.cancel();
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

    /// Answers what was read before the socket broke, and before the token ends (rule 24).
    pub(super) async fn work_off_unheard(&mut self) -> Ended {
        let deadline = self.finish.as_ref().map_or_else(clock::now, |finish| finish.deadline);
        let all = async {
            while !self.socket.outbox().has_expired() {
                self.start_next();
                let Self { work, background, .. } = self;
                if matches!(work, Work::Idle(_)) && !background.is_handling() {
                    return;
                }
                tokio::select! {
                    (flow, jobs) = poll_fn(|cx| work.poll_done(cx)) => {
                        background.add(jobs);
                        if let Flow::End(..) = flow {
                            return;
                        }
                    }
                    result = poll_fn(|cx| background.poll(cx, || false)) => if result.is_err() {
                        return;
                    },
                }
            }
        };
        // What is still running then is cancelled by `end`.
        let _ = tokio::time::timeout_at(deadline, all).await;
        Ended { closing: None, reason: DisconnectReason::Lost }
    }

    /// How the connection ends, once reading ended and everything that was read is answered.
    pub(super) fn ended(&self) -> Option<Ended> {
        if !self.inbox.is_empty() || !matches!(self.work, Work::Idle(_)) || self.background.is_handling() {
            return None;
        }
        Some(match self.finish.as_ref()?.end.clone() {
            InputEnd::Closed(status) => {
                Ended { closing: Some(Closing::echo(status)), reason: DisconnectReason::ClosedByClient }
            }
            InputEnd::Lost => Ended { closing: None, reason: DisconnectReason::Lost },
            InputEnd::Decided(closing) => Ended::by_server(closing),
            InputEnd::Told => return None,
        })
    }
}
