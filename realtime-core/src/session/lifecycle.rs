//! The events of a session's life: `Connected (Subscribed | Unsubscribed)* Disconnected`, each in order, the last one
//! exactly once.
//!
//! Listeners are awaited by the session's own driver, so one session's events never overtake each other; each call is
//! limited in time, and a panic in a listener is logged and the sequence goes on.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use parlor_stomp::SubscriptionId;

use crate::{closing::Closing, session::Session, telemetry};

/// Something that happened to a session.
///
/// ```
/// use parlor_core::session::LifecycleEvent;
///
/// fn line(event: &LifecycleEvent) -> String {
///     match event {
///         LifecycleEvent::Connected(_) => "came".to_owned(),
///         LifecycleEvent::Disconnected(ended) => format!("went: {:?}", ended.reason),
///         other => format!("{other:?}"),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LifecycleEvent {
    /// The session is open.
    Connected(Connected),
    /// A subscription is registered.
    Subscribed(Subscribed),
    /// A subscription ended.
    Unsubscribed(Unsubscribed),
    /// The session ended.
    Disconnected(Disconnected),
}

/// CONNECTED was sent.
///
/// ```
/// use parlor_core::{app::{Connected, Router}, auth::Principal};
///
/// async fn came(event: Connected, user: Principal) {
///     println!("{user} is here; first of their sessions: {}", event.first_session);
/// }
///
/// let router: Router<()> = Router::new().on_connected(came);
/// # let _ = router;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connected {
    /// Whether the user had no session on this node before; always for an anonymous one.
    pub first_session: bool,
}

/// A subscription is registered: every message accepted from now on is covered.
///
/// ```
/// use parlor_core::{app::{Subscribed, Router}, auth::Principal};
///
/// async fn entered(event: Subscribed, user: Principal) {
///     println!("{user} listens to {}", event.destination);
/// }
///
/// let router: Router<()> = Router::new().on_subscribed(entered);
/// # let _ = router;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Subscribed {
    /// The subscription.
    pub id: SubscriptionId,
    /// The destination, as the client named it.
    pub destination: String,
}

/// A subscription ended by UNSUBSCRIBE, or was taken away. Those that end with their session have no event of their own.
///
/// ```
/// use parlor_core::{app::{Unsubscribed, Router}, auth::Principal};
///
/// async fn went(event: Unsubscribed, user: Principal) {
///     println!("{user} listens no more to {}", event.destination);
/// }
///
/// let router: Router<()> = Router::new().on_unsubscribed(went);
/// # let _ = router;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Unsubscribed {
    /// The subscription.
    pub id: SubscriptionId,
    /// The destination, as the client named it.
    pub destination: String,
}

/// The session ended; it is out of the registry and its subscriptions are gone.
///
/// ```
/// use parlor_core::{app::{Disconnected, Router}, auth::Principal};
///
/// async fn left(event: Disconnected, user: Principal) {
///     println!("{user} left ({}); last of their sessions: {}", event.reason.as_str(), event.last_session);
/// }
///
/// let router: Router<()> = Router::new().on_disconnected(left);
/// # let _ = router;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Disconnected {
    /// Why.
    pub reason: DisconnectReason,
    /// Whether the user has no session left on this node; always for an anonymous one.
    pub last_session: bool,
}

/// Why a session ended.
///
/// ```
/// use parlor_core::session::DisconnectReason;
///
/// fn went(reason: &DisconnectReason) -> &'static str {
///     match reason {
///         DisconnectReason::Client | DisconnectReason::ClosedByClient => "left",
///         DisconnectReason::Lost => "lost",
///         DisconnectReason::Server { invites_back: true, .. } => "comes back",
///         _ => "was sent away",
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client said DISCONNECT.
    Client,
    /// The client closed the WebSocket without DISCONNECT.
    ClosedByClient,
    /// The connection broke.
    Lost,
    /// The server closed it, with this code of `docs/codes.md`.
    Server {
        /// The stable code.
        code: String,
        /// Whether the client may come back by itself, see [`Closing::invites_back`](crate::connection::Closing::invites_back).
        invites_back: bool,
    },
}

/// Hears of every event of every session.
///
/// Called by each session's driver, in the order of that session's events. Closures of a session and an event that return a
/// boxed future are listeners too. Where extractors are wanted, mount a [`Listener`](crate::app::Listener) instead.
///
/// ```
/// use futures_util::{FutureExt, future::BoxFuture};
/// use parlor_core::session::{LifecycleEvent, LifecycleListener, Session};
///
/// struct Log;
///
/// impl LifecycleListener for Log {
///     fn on_event(&self, session: Session, event: LifecycleEvent) -> BoxFuture<'static, ()> {
///         async move { println!("{}: {event:?}", session.id()) }.boxed()
///     }
/// }
/// ```
pub trait LifecycleListener: Send + Sync + 'static {
    /// Handles one event, in at most the settings' [`listener_timeout`](crate::Config::listener_timeout).
    fn on_event(&self, session: Session, event: LifecycleEvent) -> BoxFuture<'static, ()>;
}

impl<F> LifecycleListener for F
where
    F: Fn(Session, LifecycleEvent) -> BoxFuture<'static, ()> + Send + Sync + 'static,
{
    fn on_event(&self, session: Session, event: LifecycleEvent) -> BoxFuture<'static, ()> {
        self(session, event)
    }
}

/// Tells every listener in turn, each for at most `limit`.
pub(crate) async fn announce(
    listeners: &[Arc<dyn LifecycleListener>],
    limit: Duration,
    session: &Session,
    event: LifecycleEvent,
) {
    for listener in listeners {
        // The future is made inside the guarded block as well: a listener may panic before its first await.
        let heard = async { listener.on_event(session.clone(), event.clone()).await };
        match tokio::time::timeout(limit, AssertUnwindSafe(heard).catch_unwind()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => telemetry::listener_panicked(event.name()),
            Err(_) => telemetry::listener_timed_out(event.name()),
        }
    }
}

impl DisconnectReason {
    /// The reason in one word, for logs and figures: `client`, `closed-by-client`, `lost` or `server`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::ClosedByClient => "closed-by-client",
            Self::Lost => "lost",
            Self::Server { .. } => "server",
        }
    }

    /// Whether the client is not expected back: the server ended the session with a status that does not invite back, as for a
    /// log-out, a ban or an expired token.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        matches!(self, Self::Server { invites_back: false, .. })
    }

    /// The end that `closing` made.
    pub(crate) fn by_server(closing: &Closing) -> Self {
        Self::Server { code: closing.code().to_owned(), invites_back: closing.invites_back() }
    }

    /// The server's code, where it was the server that ended the session.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Server { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl LifecycleEvent {
    /// The event's name, for logs.
    fn name(&self) -> &'static str {
        match self {
            Self::Connected(_) => "connected",
            Self::Subscribed(_) => "subscribed",
            Self::Unsubscribed(_) => "unsubscribed",
            Self::Disconnected(_) => "disconnected",
        }
    }
}
