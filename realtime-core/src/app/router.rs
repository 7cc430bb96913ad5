//! The router: what an application mounts, until it is given its state and becomes [`Routes`].
//!
//! What is wrong with a route is kept and reported when the endpoint is built, never at the first message.

use std::{fmt, sync::Arc};

use tower::{Layer, Service};

use crate::{
    app::{
        Context, ErrorHandler, Handler, HandlesError, IntoFailure, IntoOutcome, Listener, Mount, Outcome, Part,
        Rejection, Route, RouteError, RouteService, Routes, Subscribe, layer::wrap, route_table::RouteTable,
    },
    message::Message,
    session::{Connected, Disconnected, Subscribed, Unsubscribed},
};

/// Routes, listeners and error handlers that still miss their state `S`.
pub struct Router<S> {
    pub(super) messages: RouteTable<Route<S, Message, Outcome>>,
    pub(super) subscribes: RouteTable<Route<S, Subscribe, Outcome>>,
    pub(super) listeners: Vec<Listener<S>>,
    pub(super) error_handlers: Vec<ErrorHandler<S>>,
    pub(super) parts: Vec<Arc<dyn Part>>,
    pub(super) binds: Vec<Bind<S>>,
    pub(super) errors: Vec<RouteError>,
}

/// Gives a part's listener its state.
pub(super) type Bind<S> = Box<dyn FnOnce(&S) + Send>;

impl<S> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// No routes.
    #[must_use]
    pub fn new() -> Self {
        Self {
            messages: RouteTable::default(),
            subscribes: RouteTable::default(),
            listeners: Vec::new(),
            error_handlers: Vec::new(),
            parts: Vec::new(),
            binds: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Adds a route, a listener or an error handler. What is wrong with it is reported by
    /// [`RealtimeBuilder::build`](crate::RealtimeBuilder::build).
    #[must_use]
    pub fn mount(mut self, mounted: impl Mount<S>) -> Self {
        mounted.mount(&mut self);
        self
    }

    /// Adds everything of another router. The layers of each stay around its own routes; error handlers are for all.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.errors.extend(other.errors);
        self.messages.merge(other.messages, &mut self.errors);
        self.subscribes.merge(other.subscribes, &mut self.errors);
        self.listeners.extend(other.listeners);
        other.parts.into_iter().for_each(|part| self.add_part(part));
        self.binds.extend(other.binds);
        for handler in other.error_handlers {
            handler.mount(&mut self);
        }
        self
    }

    /// Wraps every route that was added before in a tower layer, around the layers that it has; see [`Route::layer`].
    /// Listeners have none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use parlor_core::app::{Route, Router};
    /// use tower::{limit::GlobalConcurrencyLimitLayer, load_shed::LoadShedLayer, timeout::TimeoutLayer};
    ///
    /// async fn search() {}
    ///
    /// let router: Router<()> = Router::new()
    ///     .mount(Route::message("/app/search", search))
    ///     .layer(GlobalConcurrencyLimitLayer::new(8))
    ///     .layer(LoadShedLayer::new())
    ///     .layer(TimeoutLayer::new(Duration::from_secs(5)));
    /// # let _ = router;
    /// ```
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<RouteService<Message>> + Layer<RouteService<Subscribe>> + Clone + Send + Sync + 'static,
        <L as Layer<RouteService<Message>>>::Service:
            Service<Context<Message>, Response = Outcome> + Clone + Send + Sync + 'static,
        <<L as Layer<RouteService<Message>>>::Service as Service<Context<Message>>>::Error:
            Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
        <<L as Layer<RouteService<Message>>>::Service as Service<Context<Message>>>::Future: Send + 'static,
        <L as Layer<RouteService<Subscribe>>>::Service:
            Service<Context<Subscribe>, Response = Outcome> + Clone + Send + Sync + 'static,
        <<L as Layer<RouteService<Subscribe>>>::Service as Service<Context<Subscribe>>>::Error:
            Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
        <<L as Layer<RouteService<Subscribe>>>::Service as Service<Context<Subscribe>>>::Future: Send + 'static,
    {
        let messages = wrap::<Message, L>(layer.clone());
        self.messages.iter_mut().for_each(|entry| entry.handler.wrapped(messages.clone()));
        let subscribes = wrap::<Subscribe, L>(layer);
        self.subscribes.iter_mut().for_each(|entry| entry.handler.wrapped(subscribes.clone()));
        self
    }

    /// Calls `listener` once a session is open; see [`Listener::connected`].
    #[must_use]
    pub fn on_connected<H, T>(self, listener: H) -> Self
    where
        H: Handler<S, Connected, T, Output: IntoOutcome<Connected> + Send>,
    {
        self.mount(Listener::connected(listener))
    }

    /// Calls `listener` once a subscription is registered; see [`Listener::subscribed`].
    #[must_use]
    pub fn on_subscribed<H, T>(self, listener: H) -> Self
    where
        H: Handler<S, Subscribed, T, Output: IntoOutcome<Subscribed> + Send>,
    {
        self.mount(Listener::subscribed(listener))
    }

    /// Calls `listener` once a subscription ended; see [`Listener::unsubscribed`].
    #[must_use]
    pub fn on_unsubscribed<H, T>(self, listener: H) -> Self
    where
        H: Handler<S, Unsubscribed, T, Output: IntoOutcome<Unsubscribed> + Send>,
    {
        self.mount(Listener::unsubscribed(listener))
    }

    /// Calls `listener` once a session ended; see [`Listener::disconnected`].
    #[must_use]
    pub fn on_disconnected<H, T>(self, listener: H) -> Self
    where
        H: Handler<S, Disconnected, T, Output: IntoOutcome<Disconnected> + Send>,
    {
        self.mount(Listener::disconnected(listener))
    }

    /// Gives `handler` every error of the type of its first argument; see [`ErrorHandler`].
    #[must_use]
    pub fn on_error<H, E, T>(self, handler: H) -> Self
    where
        H: HandlesError<S, E, T, Output: IntoFailure>,
        E: Into<Rejection> + Send + Sync + 'static,
    {
        self.mount(ErrorHandler::new(handler))
    }

    /// Gives everything its state.
    #[must_use]
    pub fn with_state(self, state: S) -> Routes {
        self.binds.into_iter().for_each(|bind| bind(&state));
        let has_concurrent = self.messages.iter().any(|entry| entry.options.concurrent.is_some());
        Routes {
            has_concurrent,
            messages: self.messages.map(|route| route.bind(&state)),
            subscribes: self.subscribes.map(|route| route.bind(&state)),
            listeners: self.listeners.iter().map(|listener| listener.bind(state.clone())).collect(),
            error_handlers: self
                .error_handlers
                .iter()
                .map(|handler| (handler.error, handler.bind(state.clone())))
                .collect(),
            parts: self.parts,
            errors: self.errors,
        }
    }

    /// Has what is wrong with something mounted reported when the endpoint is built.
    pub(crate) fn add_error(&mut self, error: RouteError) {
        self.errors.push(error);
    }

    /// Adds a part, once however often it is mounted.
    pub(crate) fn add_part(&mut self, part: Arc<dyn Part>) {
        if !self.parts.iter().any(|known| Arc::ptr_eq(known, &part)) {
            self.parts.push(part);
        }
    }

    /// Has `bind` called with the state, once there is one.
    pub(crate) fn add_bind(&mut self, bind: impl FnOnce(&S) + Send + 'static) {
        self.binds.push(Box::new(bind));
    }
}

impl<S> Default for Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("messages", &self.messages)
            .field("subscribes", &self.subscribes)
            .finish_non_exhaustive()
    }
}
