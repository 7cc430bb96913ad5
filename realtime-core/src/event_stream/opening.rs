//! Opens an event stream: judged as a SUBSCRIBE is, registered, and resumed where its client was before.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use parlor_stomp::{AckMode, Headers, Version};

use crate::{
    app::Rejection,
    auth::Principal,
    broker::{Address, Begins, Encoding, RESUME_FROM, Subscriber},
    closing::Closing,
    destination::{Class, Destination, Pattern, UserDestination, UserPath},
    endpoint::{Endpoint, RECONNECT_SPREAD},
    event_stream::{Driver, EventStream, pipe::pipe, standing::Standing},
    outbox::Outbox,
    session::{Identity, Session},
    sse::{self, SseEvent},
    telemetry,
};

/// What an event stream is to carry.
///
/// ```
/// use parlor_core::event_stream::EventsRequest;
///
/// let request = EventsRequest::new("/topic/news").resume_from("a position");
/// # let _ = request;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct EventsRequest<'a> {
    destination: &'a str,
    resume_from: Option<&'a str>,
    pub(crate) peer: Option<SocketAddr>,
}

impl<'a> EventsRequest<'a> {
    /// The messages of one destination: a topic, or one of the client's own user destinations.
    #[must_use]
    pub fn new(destination: &'a str) -> Self {
        Self { destination, resume_from: None, peer: None }
    }

    /// Goes on from a position: the `Last-Event-ID` of a stream, or the `position` of a MESSAGE.
    #[must_use]
    pub fn resume_from(mut self, position: &'a str) -> Self {
        self.resume_from = Some(position);
        self
    }

    /// Sets the address that log lines name as the other end.
    #[must_use]
    pub fn with_peer(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Opens the stream for `principal`. The driver must run for anything to happen on it.
    pub(crate) async fn open(
        self,
        endpoint: &Arc<Endpoint>,
        principal: &Principal,
    ) -> Result<(EventStream, Driver), Rejection> {
        let destination: Destination = self.destination.parse()?;
        let (writer, stream) = pipe();
        let outbox = Outbox::new(Box::new(writer), endpoint.config.outbox).annotate_with(sse::annotate_event);
        let outbox = Arc::new(outbox);
        outbox.expire_at(principal.expires_at());
        let identity = Arc::new(Identity::new(principal.clone()));
        let session = Session::new(Arc::clone(&identity), Version::V1_2, Arc::clone(&outbox));
        let address = self.judge(endpoint, &session, &destination).await?;
        // In the registry before it is subscribed: a stop that comes later finds it there, and one before is seen here.
        let entry = endpoint.registry.stream(&session, Some(destination.clone()));
        if endpoint.is_stopping() {
            outbox.stop(Closing::going_away(RECONNECT_SPREAD));
        }
        let topic = matches!(address, Address::Topic(_)).then_some(&destination);
        outbox.push(self.greeting(endpoint, topic).await);
        let is_greeted = endpoint.greets(&address);
        let begins = match self.resume_from {
            Some(_) => Begins::Resuming,
            None if is_greeted => Begins::WithReply,
            None => Begins::Live,
        };
        let subscriber = Subscriber {
            session: session.id(),
            encoding: Encoding::Event,
            outbox: Arc::clone(&outbox),
            ack: AckMode::Auto,
            prefetch: usize::MAX,
            begins,
        };
        let (active, _) = endpoint.broker.subscribe(address.clone(), subscriber);
        let first = if is_greeted { guarded(endpoint.greetings(&address, principal)).await? } else { Vec::new() };
        let replay = match self.resume_from {
            Some(token) => active.resume(topic, token, destination.as_str(), &first).await,
            None => {
                active.send_first(destination.as_str(), &first);
                active.go_live();
                None
            }
        };
        let standing = Standing::new(identity, topic.cloned().map(Pattern::from));
        let driver = Driver::new(Arc::clone(endpoint), outbox, stream.abandonment(), standing, entry);
        Ok((stream, driver.with_subscription(active, replay)))
    }

    /// How long to wait before a reconnect, and where the stream begins: a client that is cut off before its first message
    /// goes on from there. The place is asked for before the subscription, so that nothing lies between the two.
    async fn greeting(&self, endpoint: &Endpoint, topic: Option<&Destination>) -> bytes::Bytes {
        let greeting = SseEvent::default().with_retry(endpoint.config.sse_retry);
        let position = match topic.filter(|_| self.resume_from.is_none()) {
            Some(topic) => endpoint.broker.position_of(topic).await,
            None => None,
        };
        let greeting = if let Some(token) = position { greeting.with_id_where_valid(token) } else { greeting };
        greeting.encode().into()
    }

    /// Asks everyone who is asked about a SUBSCRIBE, in the same order. What a handler judges is refused: its replies have no
    /// place in a stream.
    async fn judge(
        &self,
        endpoint: &Endpoint,
        session: &Session,
        destination: &Destination,
    ) -> Result<Address, Rejection> {
        let headers: Headers = self.resume_from.map(|token| (RESUME_FROM, token)).into_iter().collect();
        for interceptor in &endpoint.interceptors {
            guarded(async { interceptor.on_subscribe(session, self.destination, &headers).await }).await?;
        }
        let forbidden = || Rejection::forbidden_subscribe(destination.as_str());
        let judged_by_handler = endpoint.routes.subscribe(destination).is_some();
        match endpoint.broker.prefixes().classify(destination) {
            Class::User(UserPath::Named { .. }) => Err(forbidden()),
            _ if judged_by_handler => Err(forbidden()),
            Class::Queue => Err(Rejection::not_supported(
                "A queue's messages are acknowledged, which an event stream cannot do; use a WebSocket.",
            )),
            Class::Topic => {
                let (pattern, principal) = (Pattern::from(destination.clone()), session.principal());
                let asked = endpoint.rules.may_subscribe(&principal, &pattern);
                if guarded(asked.map(Ok)).await? { Ok(Address::Topic(destination.clone())) } else { Err(forbidden()) }
            }
            Class::User(UserPath::Own(path)) => Ok(Address::User(UserDestination { owner: session.owner(), path })),
            _ => Err(Rejection::not_found(destination)),
        }
    }
}

/// Runs code of the application: a panic is its failure and nobody else's.
pub(super) async fn guarded<T>(running: impl Future<Output = Result<T, Rejection>>) -> Result<T, Rejection> {
    AssertUnwindSafe(running).catch_unwind().await.unwrap_or_else(|_| {
        telemetry::handler_panicked();
        Err(Rejection::handler_panicked())
    })
}
