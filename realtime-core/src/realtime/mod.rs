//! A real-time endpoint put together: routes, broker, registry, authentication, rules and settings.

mod build_error;
mod builder;

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

pub use build_error::BuildError;
pub use builder::RealtimeBuilder;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use tracing::Instrument;

use crate::{
    app::{Permissions, Rejection, Routes},
    auth::{AuthError, Authenticator, Handshake, OriginPolicy, Principal, UserId},
    broker::Broker,
    config::Config,
    connection::{Closing, Driver, Life, Transport},
    endpoint::{Endpoint, RECONNECT_SPREAD},
    event_stream::{EventStream, EventsRequest, OpenEmitter, SseEmitter},
    limits::{Admission, AdmissionError, Applicant, Gate},
    session::{Refreshed, Registry},
    telemetry::{self, Stats},
};

/// The share of the whole that comes up to a place, from above 0 to 1.
fn share(place: u32, count: u32) -> f64 {
    f64::from(place) / f64::from(count.max(1))
}

/// Everything a web framework's adapter needs to serve real-time connections. Cheap to clone.
///
/// ```
/// use parlor_core::{Realtime, app::{Route, Router, Rules}, auth::Anonymous};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(()))
///     .authenticate(Anonymous)
///     .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
///     .allowed_origins(["https://app.example"])
///     .build()?;
/// # let _ = realtime; Ok(()) }
/// ```
#[derive(Clone)]
pub struct Realtime {
    endpoint: Arc<Endpoint>,
    origins: Arc<OriginPolicy>,
    gate: Arc<Gate>,
    unready: Arc<AtomicBool>,
    shows_users: bool,
}

impl Realtime {
    /// Begins with the routes of the application.
    ///
    /// An authenticator is required. Without further calls the rules deny everything, and no page may connect with a cookie.
    #[must_use]
    pub fn builder(routes: Routes) -> RealtimeBuilder {
        RealtimeBuilder::new(routes)
    }

    /// Where to publish from anywhere.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.endpoint.broker
    }

    /// Who is connected.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.endpoint.registry
    }

    /// Who is asked who a client is, before the upgrade.
    #[must_use]
    pub fn authenticator(&self) -> &Arc<dyn Authenticator> {
        self.endpoint.judge.authenticator()
    }

    /// Which origins may open connections.
    #[must_use]
    pub fn origins(&self) -> &OriginPolicy {
        &self.origins
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.endpoint.config
    }

    /// Who may send and subscribe where, as a table to print or to compare in a test.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        Permissions::of(&self.endpoint.routes, &*self.endpoint.rules, self.broker().prefixes())
    }

    /// A place for one more client, whose handshake is to be judged. `from` is where it comes from, by
    /// [`trusted_proxies`](Config::trusted_proxies); without it bounds by address do not apply.
    ///
    /// ```
    /// use parlor_core::{Realtime, app::Router, auth::{Anonymous, Handshake}};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
    /// # let (headers, uri) = (http::HeaderMap::new(), http::Uri::from_static("/ws"));
    /// let applicant = realtime.admit(Some("192.0.2.1".parse()?))?;
    /// let principal = applicant.authenticate(Handshake::new(&headers, &uri, None)).await?;
    /// let admission = applicant.for_principal(&principal)?;
    /// // The request is upgraded, and then: realtime.serve(transport, principal, admission).await
    /// # let _ = admission; Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run()).unwrap();
    /// ```
    ///
    /// # Errors
    /// The endpoint is full or stopping, or the client's address has too many connections or refused handshakes.
    pub fn admit(&self, from: Option<IpAddr>) -> Result<Applicant, AdmissionError> {
        if self.is_stopping() {
            return Err(AdmissionError::Full);
        }
        self.broker().tidy_histories();
        Applicant::enter(&self.gate, self.endpoint.judge.clone(), from)
    }

    /// Serves one upgraded connection to its end. `principal` is who the handshake authenticated.
    ///
    /// Spawn it: a connection must outlive the HTTP request that it came from.
    pub fn serve(
        self,
        transport: Transport,
        principal: Principal,
        admission: Admission,
    ) -> impl Future<Output = ()> + Send + 'static {
        let user = principal.id().filter(|_| self.shows_users).map(UserId::as_str);
        let span = telemetry::connection_span(user, transport.peer);
        let (endpoint, user_frames) = (self.endpoint, admission.user_frames());
        let begins = async move {
            // In the registry from here on: whoever is logged out from now on is found there, and whoever was before is known.
            let driver = Driver::new(Arc::clone(&endpoint), transport, principal.clone(), user_frames);
            if !endpoint.judge.is_still_good(&principal).await {
                driver.stop(Closing::token_expired());
            }
            driver
        };
        Life::new(begins, admission).instrument(span)
    }

    /// Opens an event stream for `principal`, who the request authenticated, judged as a SUBSCRIBE is: interceptors and rules are
    /// asked with today's rights. Destinations that a handler judges are refused, as are queues.
    ///
    /// The first half is the body of the response; spawn the second, which runs the stream to its end and gives `admission`
    /// back then.
    ///
    /// ```
    /// use futures_util::StreamExt;
    /// use parlor_core::{Realtime, app::{Router, Rules}, auth::{Anonymous, Principal}, event_stream::EventsRequest};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let realtime = Realtime::builder(Router::new().with_state(()))
    ///     .authenticate(Anonymous)
    ///     .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
    ///     .build()?;
    /// let principal = Principal::anonymous();
    /// let admission = realtime.admit(None)?.for_event_stream(&principal)?;
    /// let (mut stream, running) = realtime.events(EventsRequest::new("/topic/a"), principal, admission).await?;
    /// tokio::spawn(running);
    /// realtime.broker().publish("/topic/a", "hello").await?;
    /// assert_eq!(stream.next().await.unwrap(), "retry: 3000\n\n");
    /// assert_eq!(stream.next().await.unwrap(), "data: \"hello\"\n\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Why the client may not have it.
    pub async fn events(
        &self,
        request: EventsRequest<'_>,
        principal: Principal,
        admission: Admission,
    ) -> Result<(EventStream, BoxFuture<'static, ()>), Rejection> {
        let user = principal.id().filter(|_| self.shows_users).map(UserId::as_str);
        let span = telemetry::connection_span(user, request.peer);
        let opened = request.open(&self.endpoint, &principal).instrument(span.clone()).await;
        let (stream, driver) =
            opened.inspect_err(|rejection| self.endpoint.meters().stream_refused(rejection.code()))?;
        // After it was entered in the registry, as for a connection.
        if !self.endpoint.judge.is_still_good(&principal).await {
            driver.stop(Closing::token_expired());
        }
        let running = async move {
            driver.run().await;
            drop(admission);
        };
        Ok((stream, Box::pin(running.instrument(span))))
    }

    /// Opens an event stream for `principal`, who the request authenticated, on which the application sends what it likes. The
    /// example stands with [`SseEmitter`].
    ///
    /// It ends with the token, by a stop, and by whatever disconnects its user, as any other stream; `admission` is given back
    /// then.
    pub async fn emitter(&self, principal: Principal, admission: Admission) -> OpenEmitter {
        let user = principal.id().filter(|_| self.shows_users).map(UserId::as_str);
        let span = telemetry::connection_span(user, None);
        let (emitter, stream, driver) = SseEmitter::open(&self.endpoint, &principal);
        // After it was entered in the registry, as for a connection.
        if !self.endpoint.judge.is_still_good(&principal).await {
            driver.stop(Closing::token_expired());
        }
        let running = async move {
            driver.run().await;
            drop(admission);
        };
        OpenEmitter { emitter, stream, running: Box::pin(running.instrument(span)) }
    }

    /// Who a client is, by the endpoint's authenticator, which may take
    /// [`authenticate_timeout`](Config::authenticate_timeout).
    ///
    /// For a connection use [`Applicant::authenticate`], which counts refusals.
    ///
    /// # Errors
    /// The authenticator's, or [`AuthError::Unavailable`] where it took too long.
    pub async fn authenticate(&self, handshake: Handshake<'_>) -> Result<Principal, AuthError> {
        self.endpoint.judge.authenticate(handshake).await
    }

    /// Goes on with a newer token: extends every session, event stream and WebSocket that is about to connect of the same user
    /// **and** [login](Principal::login) until the end of `fresh`, and replaces their principals, so that live subscriptions are
    /// judged by what it says. `fresh` is what the authenticator, or [`JwtVerifier::verify`](crate::auth::JwtVerifier::verify),
    /// made of the new token.
    ///
    /// Nothing of another user or login is touched, and what has ended stays ended. Nor is what ends no earlier than `fresh`: so
    /// nothing is shortened, the same token again costs nothing, and an older one brings back no rights. Returns what was
    /// extended on this node; other nodes do not learn of it.
    ///
    /// For an application with a cookie, this is what its `POST /api/refresh` calls after it has made the new cookie; bearer
    /// clients SEND their token to `/app/$refresh` instead. `docs/security.md` has both.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use parlor_core::{Realtime, app::Router, auth::{Anonymous, Principal}, testing::TestClient};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
    /// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
    /// let login = Principal::user("ada".parse()?).with_login("s-17");
    /// let minutes = |count: u64| SystemTime::now() + Duration::from_secs(60 * count);
    /// let ada = TestClient::connect(&realtime, login.clone().with_expiry(minutes(5))).await;
    /// assert_eq!(realtime.refresh(&login.with_expiry(minutes(60))).await?.sessions, 1);
    /// tokio::time::sleep(Duration::from_secs(30 * 60)).await;
    /// assert!(ada.is_open());
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Errors
    /// [`AuthError::Invalid`] where the authenticator says that the token was taken back meanwhile.
    pub async fn refresh(&self, fresh: &Principal) -> Result<Refreshed, AuthError> {
        if !self.endpoint.judge.is_still_good(fresh).await {
            return Err(AuthError::Invalid);
        }
        Ok(self.registry().refresh(fresh))
    }

    /// What was counted so far: by reason, by route and by pattern of the destination, never by destination or user.
    ///
    /// Looks at every connection once, for what waits there; call it every few seconds, not for each message.
    ///
    /// ```
    /// use parlor_core::{Realtime, app::Router, auth::Anonymous};
    ///
    /// # fn main() -> Result<(), parlor_core::BuildError> {
    /// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
    /// assert_eq!(realtime.stats().sessions.connected, 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.broker().tidy_histories();
        self.endpoint.meters().stats(self.registry().outboxes())
    }

    /// Counts and logs a handshake that an adapter refused before the upgrade, or a connection that it turned away before any
    /// request. `code` is that of the response; of `headers` the log shows the Origin alone. `peer` is the client by
    /// [`trusted_proxies`](Config::trusted_proxies), with port 0 where its port is not known.
    pub fn handshake_refused(&self, code: &'static str, headers: &HeaderMap, peer: Option<SocketAddr>) {
        self.endpoint.meters().handshake_refused(code, headers, peer);
    }

    /// Logs that an accept loop could not take a connection, because there are no file descriptors left, say. That may go on
    /// for long, so the log has a bounded number of lines of it.
    pub fn accept_failed(&self, error: &io::Error) {
        self.endpoint.meters().accept_failed(error);
    }

    /// Whether new clients should be sent here: what a readiness probe asks. Not any more once the endpoint
    /// [will stop](Self::begin_stop).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.unready.load(Ordering::Acquire) && !self.is_stopping()
    }

    /// Says that a stop is near: readiness ends, and nothing else changes. Load balancers that probe it then send their
    /// clients elsewhere, before [`shutdown`](Self::shutdown) turns anyone away.
    pub fn begin_stop(&self) {
        self.unready.store(true, Ordering::Release);
    }

    /// Whether [`shutdown`](Self::shutdown) was called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.endpoint.is_stopping()
    }

    /// Lets nobody in any more and ends every session and event stream: what was read is answered, receipts included, for as long as
    /// [`finish_timeout`](Config::finish_timeout) allows; then the connection closes with 1012 and a spread `retry-after`.
    /// Waits until all are gone, but not longer than `patience`. Returns whether all were gone by then.
    pub async fn shutdown(&self, patience: Duration) -> bool {
        self.endpoint.stopping.store(true, Ordering::Release);
        self.endpoint
            .registry
            .drain_all(|place, count| Closing::going_away(RECONNECT_SPREAD.mul_f64(share(place, count))));
        tokio::time::timeout(patience, self.gate.all_gone()).await.is_ok()
    }
}

impl fmt::Debug for Realtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Realtime").field("sessions", &self.registry().session_count()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of the future that a function answers.
    fn size_of_future<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }

    /// There may be hundred thousands of them, and nearly all are idle: the future has room for the driver and what is given back
    /// at its end, and for nothing that a beginning or an end may wait for.
    #[test]
    fn an_open_connection_needs_no_room_for_its_end() {
        let future = size_of_future(
            |(realtime, transport, principal, admission): (Realtime, Transport, Principal, Admission)| {
                realtime.serve(transport, principal, admission)
            },
        );
        let (driver, rest) = (size_of::<Driver>(), size_of::<Admission>() + size_of::<tracing::Span>());
        assert!(future <= driver + rest + 16, "{future} octets of future, {driver} of the driver, {rest} of the rest");
        assert!(driver <= 608, "{driver} octets of the driver");
    }
}
