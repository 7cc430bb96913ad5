//! One event stream whose events the application sends itself.
//!
//! It has the same outbox, pipe and driver as a stream of a destination: bounded in octets, messages and age, ended by its
//! token, by a stop, and by whoever disconnects its user. Between it and its client stands no broker.

use std::{
    any::Any,
    fmt,
    future::poll_fn,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use parlor_stomp::{Command, Version};
use tokio::sync::watch;

use crate::{
    auth::Principal,
    closing::Closing,
    endpoint::{Endpoint, RECONNECT_SPREAD},
    event_stream::{Driver, EventStream, pipe::pipe, standing::Standing},
    outbox::{Outbox, Overflow, Pushed},
    session::{DisconnectReason, Identity, Session},
    sse::{self, SseEvent},
    telemetry::Meters,
};

/// Names an emitter inside this process; never reused.
pub(super) type EmitterKey = u64;

/// The application's end of one event stream. Cheap to clone; it stays valid, and sends nothing, after the stream ended.
///
/// From [`Realtime::emitter`](crate::Realtime::emitter); adapters open one for a request. Dropping it does not end the stream:
/// [`complete`](Self::complete) does. For many clients that hear the same, see [`SseHub`](super::SseHub); for the messages of a
/// destination, with replay, [`Realtime::events`](crate::Realtime::events).
///
/// ```
/// use futures_util::StreamExt;
/// use parlor_core::{Realtime, app::Router, auth::{Anonymous, Principal}, event_stream::OpenEmitter, sse::SseEvent};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let principal = Principal::anonymous();
/// let admission = realtime.admit(None)?.for_event_stream(&principal)?;
/// let OpenEmitter { emitter, mut stream, running, .. } = realtime.emitter(principal, admission).await;
/// tokio::spawn(running);
///
/// emitter.send(&SseEvent::json(&50)?.named("percent")?)?;
/// assert_eq!(stream.next().await.unwrap(), "retry: 3000\n\nevent: percent\ndata: 50\n\n");
/// emitter.complete();
/// assert_eq!(stream.next().await.unwrap(), "event: parlor.closed\ndata: {\"code\":\"ended\"}\n\n");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SseEmitter {
    shared: Arc<Shared>,
}

struct Shared {
    key: EmitterKey,
    principal: Principal,
    outbox: Arc<Outbox>,
    meters: Arc<Meters>,
    /// Why the stream ended, once it has.
    end: watch::Sender<Option<DisconnectReason>>,
    /// What is dropped with the stream; none once it has ended.
    tenants: Mutex<Option<Vec<Tenant>>>,
}

/// Something that lives as long as a stream.
type Tenant = Box<dyn Any + Send>;

/// An emitter that was opened: the application's end, the client's, and what runs between them.
///
/// ```
/// use parlor_core::event_stream::{EventStream, OpenEmitter, SseEmitter};
///
/// /// What an adapter does with one.
/// fn start(OpenEmitter { emitter, stream, running, .. }: OpenEmitter) -> (SseEmitter, EventStream) {
///     tokio::spawn(running);
///     (emitter, stream)
/// }
/// ```
#[non_exhaustive]
pub struct OpenEmitter {
    /// For the application.
    pub emitter: SseEmitter,
    /// The body of the response.
    pub stream: EventStream,
    /// Runs the stream to its end; spawn it.
    pub running: BoxFuture<'static, ()>,
}

/// Why an event was not sent.
///
/// ```
/// use parlor_core::event_stream::{SseEmitter, SseSendError};
/// use parlor_core::sse::SseEvent;
///
/// /// Whether it makes sense to go on.
/// fn tick(emitter: &SseEmitter) -> bool {
///     !matches!(emitter.send(&SseEvent::message("tick")), Err(SseSendError::Ended))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SseSendError {
    /// The client reads too slowly, and the event may be dropped for that; the next one says so.
    #[error("the client reads too slowly; the event was dropped")]
    Dropped,
    /// The stream has ended, or is about to.
    #[error("the event stream has ended")]
    Ended,
    /// The name is Parlor's own, or one that `EventSource` fires itself.
    #[error("events of an application are not named `error`, `open` or `parlor.…`; choose another name")]
    ReservedName,
}

impl SseEmitter {
    /// Sends an event, now or when its turn comes. Never waits: a client that reads so slowly that it exceeds the bounds of
    /// [`OutboxLimits`](crate::broker::OutboxLimits) is told `slow-consumer` and disconnected.
    ///
    /// # Errors
    /// [`SseSendError::Ended`] and [`SseSendError::ReservedName`].
    pub fn send(&self, event: &SseEvent<'_>) -> Result<(), SseSendError> {
        self.send_with(Overflow::Disconnect, event)
    }

    /// Sends an event that a client who reads too slowly may miss: with [`Overflow::LatestOnly`] the latest of its name waits,
    /// with [`Overflow::DropOldest`] the oldest make room, and `parlor.dropped` in front of the next one of that name says how
    /// many are missing.
    ///
    /// # Errors
    /// Why it was not sent.
    pub fn send_with(&self, overflow: Overflow, event: &SseEvent<'_>) -> Result<(), SseSendError> {
        let encoded = Encoded::new(event)?;
        self.push(overflow, &encoded)
    }

    /// Ready when there is room for an event of so many octets, or the stream has ended: for producers that can wait instead of
    /// having their client disconnected.
    pub async fn ready(&self, octets: usize) {
        poll_fn(|cx| self.shared.outbox.poll_room(octets, cx)).await;
    }

    /// Ends the stream for good, after what was sent: `parlor.closed` with the code `ended`, without a time to come back.
    ///
    /// A browser's `EventSource` comes back nevertheless, unless the page closes it: answer that request with 204.
    pub fn complete(&self) {
        self.close(Closing::ended());
    }

    /// Ends the stream, after what was sent, with `parlor.closed` and the code of `closing`. Returns at once.
    pub fn close(&self, closing: Closing) {
        self.shared.outbox.stop(closing);
    }

    /// Waits until the stream has ended, and says why: [`DisconnectReason::Lost`] where the client is gone.
    pub async fn ended(&self) -> DisconnectReason {
        let mut end = self.shared.end.subscribe();
        // The sender is ours, so that the wait cannot fail.
        end.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone()).unwrap_or(DisconnectReason::Lost)
    }

    /// Whether events are still taken. That its client is gone is known when its connection is.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.shared.outbox.is_open()
    }

    /// Who listens.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.shared.principal
    }

    pub(super) fn key(&self) -> EmitterKey {
        self.shared.key
    }

    /// Keeps something until the stream has ended, and not longer.
    pub(super) fn keep(&self, tenant: impl Any + Send) {
        let mut tenants = self.shared.tenants.lock();
        match &mut *tenants {
            Some(tenants) => tenants.push(Box::new(tenant)),
            None => {
                // What it does when it is dropped must not run under this lock.
                drop(tenants);
                drop(tenant);
            }
        }
    }

    pub(super) fn push(&self, overflow: Overflow, encoded: &Encoded) -> Result<(), SseSendError> {
        let outbox = &self.shared.outbox;
        let pushed = match overflow {
            Overflow::Disconnect => outbox.push(encoded.wire.clone()),
            _ => outbox.push_for(encoded.lane, overflow, encoded.wire.clone()),
        };
        match pushed {
            Pushed::Queued | Pushed::Written => {
                self.shared.meters.traffic.sent(Command::Message, 1, encoded.wire.len());
                Ok(())
            }
            Pushed::Dropped => Err(SseSendError::Dropped),
            Pushed::Refused => Err(SseSendError::Ended),
        }
    }

    /// Opens a stream for `principal`. The driver must run for it to be kept in time.
    pub(crate) fn open(endpoint: &Arc<Endpoint>, principal: &Principal) -> (Self, EventStream, Driver) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (writer, stream) = pipe();
        let outbox = Outbox::new(Box::new(writer), endpoint.config.outbox).annotate_with(sse::annotate_event);
        let outbox = Arc::new(outbox);
        outbox.expire_at(principal.expires_at());
        let identity = Arc::new(Identity::new(principal.clone()));
        let session = Session::new(Arc::clone(&identity), Version::V1_2, Arc::clone(&outbox));
        let entry = endpoint.registry.stream(&session, None);
        if endpoint.is_stopping() {
            outbox.stop(Closing::going_away(RECONNECT_SPREAD));
        }
        outbox.push(SseEvent::default().with_retry(endpoint.config.sse_retry).encode().into());
        let shared = Arc::new(Shared {
            key: NEXT.fetch_add(1, Ordering::Relaxed),
            principal: principal.clone(),
            outbox: Arc::clone(&outbox),
            meters: Arc::clone(endpoint.meters()),
            end: watch::Sender::new(None),
            tenants: Mutex::new(Some(Vec::new())),
        });
        let ending = Ending { shared: Arc::clone(&shared) };
        let driver =
            Driver::new(Arc::clone(endpoint), outbox, stream.abandonment(), Standing::new(identity, None), entry);
        (Self { shared }, stream, driver.with_ending(ending))
    }
}

/// An event as octets, encoded once for however many get it.
pub(super) struct Encoded {
    wire: Bytes,
    /// What the outbox knows it by: events of one name are one stream in what may be dropped.
    lane: u64,
}

impl Encoded {
    pub(super) fn new(event: &SseEvent<'_>) -> Result<Self, SseSendError> {
        if event.name().is_some_and(sse::is_reserved) {
            return Err(SseSendError::ReservedName);
        }
        let mut lane = DefaultHasher::new();
        event.name().hash(&mut lane);
        Ok(Self { wire: event.encode().into(), lane: lane.finish() })
    }
}

/// Tells an emitter that its stream has ended: dropped, also where nobody ran the stream.
pub(super) struct Ending {
    shared: Arc<Shared>,
}

impl Ending {
    /// By the server, with `closing`, or because the client is gone.
    pub(super) fn tell(&self, closing: Option<&Closing>) {
        self.shared.end(closing.map_or(DisconnectReason::Lost, DisconnectReason::by_server));
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.end(DisconnectReason::Lost);
    }
}

impl Shared {
    /// The first call counts.
    fn end(&self, reason: DisconnectReason) {
        // Nothing is to be sent to who is gone, before the outbox finds out.
        self.outbox.stop(Closing::ended());
        self.end.send_if_modified(|end| {
            let is_first = end.is_none();
            end.get_or_insert(reason);
            is_first
        });
        let tenants = self.tenants.lock().take();
        drop(tenants);
    }
}

impl fmt::Debug for SseEmitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseEmitter").field("principal", self.principal()).finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenEmitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenEmitter").field("emitter", &self.emitter).finish_non_exhaustive()
    }
}
