//! The events of a session's life: `Connected (Subscribed | Unsubscribed)* Disconnected`, each in order, the last one
//! exactly once.
//!
//! Listeners are awaited by the session's own driver, so one session's events never overtake each other; each call is
//! limited in time, and a panic in a listener is logged and the sequence goes on.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use parlor_stomp::SubscriptionId;

use crate::session::Session;

/// How long one listener may take for one event; what takes longer is cut off and logged.
const LISTENER_TIME_LIMIT: Duration = Duration::from_secs(5);

/// Something that happened to a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LifecycleEvent {
    /// CONNECTED was sent.
    Connected {
        /// The session.
        session: Session,
        /// Whether the user had no session on this node before.
        first_session: bool,
    },
    /// A subscription is registered: every message accepted from now on is covered.
    Subscribed {
        /// The session.
        session: Session,
        /// The subscription.
        id: SubscriptionId,
        /// The destination, as the client named it.
        destination: String,
    },
    /// A subscription ended by UNSUBSCRIBE. Those that end with their session have no event of their own.
    Unsubscribed {
        /// The session.
        session: Session,
        /// The subscription.
        id: SubscriptionId,
        /// The destination, as the client named it.
        destination: String,
    },
    /// The session ended; it is out of the registry and its subscriptions are gone.
    Disconnected {
        /// The session.
        session: Session,
        /// Why.
        reason: DisconnectReason,
        /// Whether the user has no session left on this node.
        last_session: bool,
    },
}

/// Why a session ended.
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
    },
}

/// Hears of every event of every session.
///
/// Called by each session's driver, in the order of that session's events. Closures that return a boxed future are
/// listeners too.
pub trait LifecycleListener: Send + Sync + 'static {
    /// Handles one event, in at most five seconds.
    fn on_event(&self, event: LifecycleEvent) -> BoxFuture<'static, ()>;
}

impl<F> LifecycleListener for F
where
    F: Fn(LifecycleEvent) -> BoxFuture<'static, ()> + Send + Sync + 'static,
{
    fn on_event(&self, event: LifecycleEvent) -> BoxFuture<'static, ()> {
        self(event)
    }
}

/// Tells every listener in turn.
pub(crate) async fn announce(listeners: &[Arc<dyn LifecycleListener>], event: LifecycleEvent) {
    for listener in listeners {
        // The future is made inside the guarded block as well: a listener may panic before its first await.
        let heard = AssertUnwindSafe(async { listener.on_event(event.clone()).await }).catch_unwind();
        match tokio::time::timeout(LISTENER_TIME_LIMIT, heard).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => tracing::error!("a lifecycle listener panicked"),
            Err(_) => {
                tracing::error!(limit = ?LISTENER_TIME_LIMIT, "a lifecycle listener took too long and was cut off")
            }
        }
    }
}
