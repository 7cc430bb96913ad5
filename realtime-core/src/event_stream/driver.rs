//! The task of one event stream: writes, keeps time, replays, and ends it.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    broker::ActiveSubscription,
    clock,
    closing::Closing,
    endpoint::Endpoint,
    event_stream::{emitter::Ending, pipe::Abandonment, standing::Standing},
    outbox::{FlushEvent, Outbox},
    session::Streaming,
    sse::SseEvent,
};

/// What was missed, message by message.
type Replay = BoxStream<'static, Result<(), Closing>>;

/// Runs one event stream.
pub(crate) struct Driver {
    endpoint: Arc<Endpoint>,
    outbox: Arc<Outbox>,
    abandonment: Abandonment,
    standing: Standing,
    /// The rules are being asked whether the stream may go on.
    judging: Option<BoxFuture<'static, Option<Closing>>>,
    entry: Streaming,
    /// What the stream is subscribed to; none where the application sends the events itself.
    active: Option<ActiveSubscription>,
    replay: Option<Replay>,
    /// Tells the application's handle that the stream has ended.
    ending: Option<Ending>,
}

/// What a silent stream says.
const BEAT: &[u8] = b": \n\n";

impl Driver {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        outbox: Arc<Outbox>,
        abandonment: Abandonment,
        standing: Standing,
        entry: Streaming,
    ) -> Self {
        Self { endpoint, outbox, abandonment, standing, judging: None, entry, active: None, replay: None, ending: None }
    }

    /// Keeps a subscription for as long as the stream lasts, and sends what it missed.
    pub(super) fn with_subscription(mut self, active: ActiveSubscription, replay: Option<Replay>) -> Self {
        (self.active, self.replay) = (Some(active), replay);
        self
    }

    /// Tells of the end.
    pub(super) fn with_ending(mut self, ending: Ending) -> Self {
        self.ending = Some(ending);
        self
    }

    /// Ends the stream as soon as it runs.
    pub(crate) fn stop(&self, closing: Closing) {
        self.outbox.stop(closing);
    }

    /// Runs the stream to its end.
    pub(crate) async fn run(mut self) {
        let closing = self.serve().await;
        self.end(closing).await;
    }

    /// Why the server ends it; none where the client is gone.
    async fn serve(&mut self) -> Option<Closing> {
        let mut timer = pin!(sleep_until(self.deadline()));
        loop {
            timer.as_mut().reset(self.deadline());
            if let Some(judging) = self.standing.judge_again(&self.endpoint) {
                self.judging = Some(judging);
            }
            let Self { outbox, abandonment, replay, judging, .. } = &mut *self;
            tokio::select! {
                // In this order: a replay without an end must not keep time from being looked at.
                biased;
                event = poll_fn(|cx| outbox.poll_flush(cx)) => match event {
                    FlushEvent::Draining(closing) | FlushEvent::Stopped(closing) => return Some(closing),
                    FlushEvent::Failed(_) => return None,
                    // The loop arms the timer anew.
                    FlushEvent::Drained | FlushEvent::Queued => {}
                },
                () = poll_fn(|cx| abandonment.poll(cx)) => return None,
                () = timer.as_mut() => {
                    if let Some(closing) = self.on_time() {
                        return Some(closing);
                    }
                }
                judged = poll_fn(|cx| match judging {
                    Some(judging) => judging.poll_unpin(cx),
                    None => Poll::Pending,
                }) => {
                    *judging = None;
                    if judged.is_some() {
                        return judged;
                    }
                }
                step = poll_fn(|cx| match replay {
                    // The outbox wakes this task when less than half of what may wait does.
                    Some(replay) if outbox.is_half_empty() => replay.poll_next_unpin(cx),
                    _ => Poll::Pending,
                }) => match step {
                    Some(Ok(())) => {}
                    Some(Err(closing)) => return Some(closing),
                    None => *replay = None,
                },
            }
        }
    }

    /// Says the last event, and waits for the client to take it.
    async fn end(self, closing: Option<Closing>) {
        let Self { endpoint, outbox, entry, active, replay, ending, .. } = self;
        // Whoever is gone is gone for others before the client has read so.
        drop((replay, active));
        entry.leave(closing.as_ref());
        if let Some(ending) = ending {
            ending.tell(closing.as_ref());
        }
        let (config, meters) = (&endpoint.config, endpoint.meters());
        meters.connection_ended(outbox.history());
        if let Some(closing) = closing {
            meters.closed(closing.code(), closing.status(), closing.reason());
            let retry = closing.invites_back().then(|| closing.retry_after().unwrap_or(config.sse_retry));
            outbox.finish([SseEvent::closed(closing.code(), retry).encode().into()]);
            let taken = async {
                while !matches!(poll_fn(|cx| outbox.poll_flush(cx)).await, FlushEvent::Drained | FlushEvent::Failed(_))
                {
                }
                poll_fn(|cx| outbox.poll_shutdown(cx)).await
            };
            // A client that does not take it reads the end of the stream instead.
            let _ = timeout(config.close_linger, taken).await;
        }
        outbox.release();
    }

    fn deadline(&self) -> Instant {
        let warning = self.standing.warning_deadline(&self.endpoint, &self.outbox);
        let deadlines = [self.outbox.expires(), warning, self.outbox.deadline(), Some(self.next_beat())];
        deadlines.into_iter().flatten().min().unwrap_or_else(|| self.next_beat())
    }

    fn next_beat(&self) -> Instant {
        clock::after(self.outbox.last_write(), self.endpoint.config.sse_heart_beat)
    }

    fn on_time(&mut self) -> Option<Closing> {
        let now = clock::now();
        if self.outbox.has_expired() {
            return Some(Closing::token_expired());
        }
        self.standing.warn(&self.endpoint, &self.outbox, now);
        self.outbox.check_age(now);
        if self.next_beat() <= now && self.outbox.waiting_bytes() == 0 {
            self.endpoint.meters().traffic.beat_sent(BEAT.len());
            self.outbox.push(Bytes::from_static(BEAT));
        }
        None
    }
}
