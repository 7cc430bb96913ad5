//! Lifecycle listeners with extractors.

use std::{fmt, future::ready, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    app::{Context, Handler, HandlerError, IntoOutcome, Outcome, hook::send},
    broker::Broker,
    session::{Connected, Disconnected, LifecycleEvent, LifecycleListener, Session, Subscribed, Unsubscribed},
    telemetry,
};

/// A function that hears of one kind of event in every session's life. Its arguments are extractors: the event itself
/// ([`Connected`], [`Subscribed`], [`Unsubscribed`], [`Disconnected`]), `Session`, `Principal`, `State`, `Broker`; a
/// `Payload` or `Path` does not compile, as there is none.
///
/// Listeners of a session are awaited one after another, in the order of the session's events and of their mounting, each for
/// at most the settings' [`listener_timeout`](crate::Config::listener_timeout). A panic or an `Err` is logged, and the
/// sequence goes on. What a listener returns is sent, as from a handler.
///
/// ```
/// use parlor_core::{
///     app::{Connected, Disconnected, Listener, Router},
///     auth::Principal,
///     broker::{Broker, PublishError},
/// };
///
/// async fn came(Connected { first_session, .. }: Connected, user: Principal, broker: Broker) -> Result<(), PublishError> {
///     if first_session {
///         broker.publish("/topic/online", &user.to_string()).await?;
///     }
///     Ok(())
/// }
///
/// async fn left(event: Disconnected, user: Principal) {
///     println!("{user} left: {:?}", event.reason);
/// }
///
/// let router: Router<()> =
///     Router::new().mount(Listener::connected(came)).mount(Listener::disconnected(left));
/// # let _ = router;
/// ```
pub struct Listener<S> {
    call: Call<S>,
}

/// None where the event is of another kind.
type Call<S> = Arc<dyn Fn(LifecycleEvent, Session, Broker, S) -> Option<Running> + Send + Sync>;

/// A listener's function at work.
type Running = BoxFuture<'static, Result<Outcome, HandlerError>>;

/// A listener with its state.
pub(crate) type BoundListener = Arc<dyn Fn(LifecycleEvent, Session, Broker) -> Option<Running> + Send + Sync>;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident: $kind:ident),* $(,)?) => {
        impl<S: Send + Sync + 'static> Listener<S> {
            $(
                $(#[doc = $doc])*
                #[must_use]
                pub fn $name<H, T>(listener: H) -> Self
                where
                    H: Handler<S, $kind, T>,
                    H::Output: IntoOutcome<$kind> + Send,
                {
                    Self::new(listener, |event| match event {
                        LifecycleEvent::$kind(event) => Some(event),
                        _ => None,
                    })
                }
            )*
        }
    };
}

kinds! {
    /// Called once CONNECTED was sent, before the session's first frame is handled.
    connected: Connected,
    /// Called once a subscription is registered.
    subscribed: Subscribed,
    /// Called once a subscription ended by UNSUBSCRIBE or was taken away; not for those that end with their session.
    unsubscribed: Unsubscribed,
    /// Called exactly once, last, when the session is out of the registry and its subscriptions are gone.
    disconnected: Disconnected,
}

impl<S: Send + Sync + 'static> Listener<S> {
    fn new<H, K, T>(listener: H, of_kind: fn(LifecycleEvent) -> Option<K>) -> Self
    where
        H: Handler<S, K, T>,
        H::Output: IntoOutcome<K> + Send,
        K: Send + Sync + 'static,
    {
        Self {
            call: Arc::new(move |event, session, broker, state| {
                let event = of_kind(event)?;
                let listener = listener.clone();
                let context = Context::new(session, broker, event);
                let heard = async move { listener.call(context, state).await?.into_outcome() };
                Some(heard.boxed())
            }),
        }
    }

    pub(super) fn bind(&self, state: S) -> BoundListener
    where
        S: Clone,
    {
        let call = Arc::clone(&self.call);
        Arc::new(move |event, session, broker| call(event, session, broker, state.clone()))
    }
}

/// A listener at work for one broker: what it returns is published there.
pub(crate) struct RouteListener {
    listener: BoundListener,
    broker: Broker,
}

impl RouteListener {
    pub(crate) fn new(listener: BoundListener, broker: Broker) -> Self {
        Self { listener, broker }
    }
}

impl LifecycleListener for RouteListener {
    fn on_event(&self, session: Session, event: LifecycleEvent) -> BoxFuture<'static, ()> {
        let broker = self.broker.clone();
        let Some(running) = (self.listener)(event, session.clone(), broker.clone()) else { return ready(()).boxed() };
        let heard = async move { Ok::<_, HandlerError>(send(running.await?, &broker, &session).await?) };
        heard
            .map(|heard| {
                heard.unwrap_or_else(|error| {
                    telemetry::application_failed("a lifecycle listener failed", &error.into_rejection());
                })
            })
            .boxed()
    }
}

impl<S> fmt::Debug for Listener<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
