//! The accept loop: what `axum::serve` lacks for a public server, and a stop that loses nothing.

use std::{
    convert::Infallible,
    fmt,
    future::{Future, pending},
    io,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use parlor_core::Realtime;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tower_service::Service;

#[cfg(feature = "tls")]
use crate::Tls;
use crate::{
    Listener, RequestBody, ServeOptions, Signals,
    connection::{Connection, is_of_one_connection},
    slots::Slots,
};

/// How long the loop rests when no connection can be accepted (no file descriptors left, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How much longer a stop waits than sessions may take, so that the last of them is gone before it.
const DRAIN_MARGIN: Duration = Duration::from_secs(5);

/// Serves HTTP/1.1, HTTP/2 and WebSockets over both, within the limits of [`ServeOptions`], and stops without loss.
///
/// `service` is any tower service over requests: [`WebSocketService`](crate::WebSocketService) alone, a match on the path,
/// a tower stack, an axum router. It is asked for readiness before each request. Its requests carry a
/// [`PeerAddr`](crate::PeerAddr) where the listener knows one.
///
/// **The stop** (rule 27), in this order: [`Realtime::is_ready`] ends; the loop goes on accepting for
/// [`ready_pause`](ServeOptions::ready_pause); the listener closes; running requests are answered, and sessions finish
/// what was read of them, get their receipts, and are closed with 1012 and a spread `retry-after`. All of it takes at most
/// `ready_pause` and 5 s more than the settings `finish_timeout` and `close_linger` of the endpoint: 40 s by default.
///
/// ```no_run
/// use std::time::Duration;
/// use parlor_core::{Realtime, app::Router, auth::Anonymous};
/// use parlor_hyper::{ServeOptions, Server, WebSocketService};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build()?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// Server::new(listener, WebSocketService::new(&realtime), realtime)
///     .options(ServeOptions::default().ready_pause(Duration::from_secs(5)))
///     .run()
///     .await?;
/// # Ok(()) }
/// ```
pub struct Server<L, S> {
    listener: L,
    service: S,
    realtime: Realtime,
    options: ServeOptions,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl<L: Listener, S> Server<L, S> {
    /// A server with the default limits.
    pub fn new(listener: L, service: S, realtime: Realtime) -> Self {
        Self {
            listener,
            service,
            realtime,
            options: ServeOptions::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Other limits.
    #[must_use]
    pub fn options(mut self, options: ServeOptions) -> Self {
        self.options = options;
        self
    }

    /// Speaks TLS. Keep a clone of `tls` to replace its certificate while the server runs.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }
}

impl<L, S, B> Server<L, S>
where
    L: Listener,
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    /// Serves until Ctrl-C or SIGTERM, and drains. A second one makes this return at once, whoever is still connected.
    ///
    /// # Errors
    /// When the listener has no address any more, or signals cannot be listened to.
    pub async fn run(self) -> io::Result<()> {
        let (mut first, mut both) = (Signals::listen()?, Signals::listen()?);
        let second = async move {
            both.next().await;
            both.next().await;
        };
        self.run_until_or_abandon(async move { first.next().await }, second).await
    }

    /// Serves until `stop` is ready, and drains.
    ///
    /// # Errors
    /// When the listener has no address any more.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        self.run_until_or_abandon(stop, pending()).await
    }

    /// Serves until `stop` is ready, and drains until that is done or `abandon` is ready. What is connected then is
    /// dropped with the runtime: return from `main` for that. (A runtime waits for blocking tasks that have begun;
    /// `Runtime::shutdown_background` does not.)
    ///
    /// # Errors
    /// When the listener has no address any more.
    pub async fn run_until_or_abandon(
        self,
        stop: impl Future<Output = ()>,
        abandon: impl Future<Output = ()>,
    ) -> io::Result<()> {
        tracing::info!(address = %self.listener.address()?, "accepting connections");
        let realtime = self.realtime.clone();
        let pause = self.options.ready_pause;
        let mut accepting = Accepting {
            slots: Slots::new(&self.options, realtime.config()),
            realtime: realtime.clone(),
            options: Arc::new(self.options),
            listener: self.listener,
            service: self.service,
            #[cfg(feature = "tls")]
            tls: self.tls,
            drain: watch::Sender::new(false),
        };
        accepting.accept_until(pin!(stop)).await;
        realtime.begin_stop();
        let drained = async {
            if !pause.is_zero() {
                tracing::info!(?pause, "stopping: not ready any more");
                accepting.accept_until(pin!(sleep(pause))).await;
            }
            tracing::info!("stopping: no new connections");
            drain(&realtime, accepting).await
        };
        let all_gone = tokio::select! {
            all_gone = drained => all_gone,
            () = abandon => false,
        };
        if !all_gone {
            tracing::warn!("stopped before all connections had ended");
        }
        Ok(())
    }
}

/// A server that accepts.
struct Accepting<L, S> {
    listener: L,
    service: S,
    options: Arc<ServeOptions>,
    realtime: Realtime,
    slots: Slots,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    /// Becomes true when connections shall end; closed when the last one has.
    drain: watch::Sender<bool>,
}

impl<L, S, B> Accepting<L, S>
where
    L: Listener,
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    async fn accept_until(&mut self, mut end: Pin<&mut impl Future<Output = ()>>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = end.as_mut() => return,
            };
            match accepted {
                Ok((io, peer)) => self.begin(io, peer),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.realtime.accept_failed(&error);
                    tokio::select! {
                        () = sleep(ACCEPT_PAUSE) => {}
                        () = end.as_mut() => return,
                    }
                }
            }
        }
    }

    fn begin(&self, io: L::Io, peer: Option<std::net::SocketAddr>) {
        let (slot, http) = match self.slots.take(peer) {
            Ok(room) => room,
            Err(why) => {
                self.realtime.handshake_refused(why.code(), &HeaderMap::new(), peer);
                #[cfg(feature = "tls")]
                if self.tls.is_some() {
                    return;
                }
                return self.slots.turn_away(io, why);
            }
        };
        let connection = Connection {
            service: self.service.clone(),
            options: Arc::clone(&self.options),
            peer,
            #[cfg(feature = "tls")]
            send_buffer_bytes: self.realtime.config().send_buffer_bytes,
            drain: self.drain.subscribe(),
        };
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let tls = tls.acceptor();
            #[expect(clippy::disallowed_methods, reason = "the drain ends and awaits it")]
            tokio::spawn(connection.serve_tls(io, tls, slot, http));
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "the drain ends and awaits it")]
        tokio::spawn(connection.serve(io, slot, http));
    }
}

/// Closes the listener and ends what is connected; whether all was gone in time.
async fn drain<L, S>(realtime: &Realtime, accepting: Accepting<L, S>) -> bool {
    let Accepting { listener, drain, service, .. } = accepting;
    drop((listener, service));
    let config = realtime.config();
    let patience = config.finish_timeout.saturating_add(config.close_linger).saturating_add(DRAIN_MARGIN);
    drain.send_replace(true);
    let requests = timeout(patience, drain.closed());
    let (sessions_gone, requests_done) = tokio::join!(realtime.shutdown(patience), requests);
    sessions_gone && requests_done.is_ok()
}

impl<L, S> fmt::Debug for Server<L, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("options", &self.options).finish_non_exhaustive()
    }
}
