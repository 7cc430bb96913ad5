//! The routing table: built at start-up, checked once, then only read.
//!
//! Handlers are chosen by specificity (rule 4). What is wrong with a route is kept and reported when the endpoint is
//! built, never at the first message.

use std::{any::TypeId, borrow::Cow, collections::HashMap, fmt, sync::Arc};

use futures_util::future::BoxFuture;
use tower::{Layer, Service};
use tracing::Span;

use crate::{
    app::{
        Context, ErrorHandler, Failed, Handler, HandlerError, HandlesError, IntoFailure, IntoOutcome, Listener,
        Outcome, Rejection, Route, RouteError, RouteService, Routed, Subscribe,
        error_handler::{BoundErrorHandler, Failure},
        layer::wrap,
        listener::BoundListener,
        route::{BoundCall, RouteOptions, RouteTarget},
    },
    destination::{Destination, Params, Pattern, Prefixes},
    message::Message,
    session::{Connected, Disconnected, Subscribed, Unsubscribed},
    telemetry::{Meters, RouteMeters},
};

/// Routes, listeners and error handlers that still miss their state `S`.
pub struct Router<S> {
    messages: Vec<Entry<Route<S, Message, Outcome>>>,
    subscribes: Vec<Entry<Route<S, Subscribe, Outcome>>>,
    listeners: Vec<Listener<S>>,
    error_handlers: Vec<ErrorHandler<S>>,
    errors: Vec<RouteError>,
}

/// The finished routing table, for [`Realtime::builder`](crate::Realtime::builder).
///
/// ```
/// use parlor_core::app::{Route, RouteKind, Router};
///
/// async fn say(text: String) -> String { text }
///
/// let routes = Router::new().mount(Route::message("/app/say", say).send_to("/topic/said")).with_state(());
/// let route = routes.entries().next().unwrap();
/// assert_eq!(route.kind, RouteKind::Message);
/// assert_eq!(route.pattern.as_str(), "/app/say");
/// assert_eq!(route.target, Some("/topic/said"));
/// ```
pub struct Routes {
    messages: Vec<Entry<BoundCall<Message>>>,
    subscribes: Vec<Entry<BoundCall<Subscribe>>>,
    listeners: Vec<BoundListener>,
    error_handlers: HashMap<TypeId, BoundErrorHandler>,
    has_concurrent: bool,
    errors: Vec<RouteError>,
}

struct Entry<H> {
    pattern: Pattern,
    target: Option<RouteTarget>,
    options: RouteOptions,
    guards: Vec<Cow<'static, str>>,
    handler: H,
}

/// A route that was found for an event, with what it captured.
pub(crate) struct Matched<'a, K> {
    routes: &'a Routes,
    call: &'a BoundCall<K>,
    params: Params,
    /// Tells the route from every other of the router.
    pub(crate) id: usize,
    pub(crate) options: RouteOptions,
}

/// A route as others may know it, for tables and tests.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RouteEntry<'a> {
    /// What the route is for.
    pub kind: RouteKind,
    /// Its pattern.
    pub pattern: &'a Pattern,
    /// Where the return value goes, as it was written in `send_to` or `send_to_user`.
    pub target: Option<&'a str>,
    /// The guards that are asked before the handler, by their names.
    pub guards: &'a [Cow<'static, str>],
}

/// What a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteKind {
    /// SENDs.
    Message,
    /// SUBSCRIBEs.
    Subscribe,
}

/// What can be mounted on a router: a [`Route`] whose handler's return value says where it goes, a [`Listener`], an
/// [`ErrorHandler`], or a pair of such.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be mounted on a router with the state `{S}`",
    label = "not for this router",
    note = "a route is for the state that its arguments come from: where one is `State<T>`, write `impl FromRef<{S}> for T`"
)]
pub trait Mount<S> {
    /// Adds it to `router`.
    fn mount(self, router: &mut Router<S>);
}

impl<S, R> Mount<S> for Route<S, Message, R>
where
    S: Send + Sync + 'static,
    R: IntoOutcome<Message> + Send + 'static,
{
    fn mount(self, router: &mut Router<S>) {
        add(&mut router.messages, &mut router.errors, self.into_outcome());
    }
}

impl<S, R> Mount<S> for Route<S, Subscribe, R>
where
    S: Send + Sync + 'static,
    R: IntoOutcome<Subscribe> + Send + 'static,
{
    fn mount(self, router: &mut Router<S>) {
        add(&mut router.subscribes, &mut router.errors, self.into_outcome());
    }
}

impl<S> Mount<S> for Listener<S> {
    fn mount(self, router: &mut Router<S>) {
        router.listeners.push(self);
    }
}

impl<S> Mount<S> for ErrorHandler<S> {
    fn mount(self, router: &mut Router<S>) {
        if router.error_handlers.iter().any(|known| known.error == self.error) {
            router.errors.push(RouteError::DuplicateErrorHandler { error: self.name });
        } else {
            router.error_handlers.push(self);
        }
    }
}

impl<S, A: Mount<S>, B: Mount<S>> Mount<S> for (A, B) {
    fn mount(self, router: &mut Router<S>) {
        self.0.mount(router);
        self.1.mount(router);
    }
}

impl<S> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// No routes.
    #[must_use]
    pub fn new() -> Self {
        Self {
            messages: Vec::new(),
            subscribes: Vec::new(),
            listeners: Vec::new(),
            error_handlers: Vec::new(),
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
        for entry in other.messages {
            insert(&mut self.messages, &mut self.errors, entry);
        }
        for entry in other.subscribes {
            insert(&mut self.subscribes, &mut self.errors, entry);
        }
        self.listeners.extend(other.listeners);
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
        Routes {
            has_concurrent: self.messages.iter().any(|entry| entry.options.concurrent.is_some()),
            messages: bind(self.messages, &state),
            subscribes: bind(self.subscribes, &state),
            listeners: self.listeners.iter().map(|listener| listener.bind(state.clone())).collect(),
            error_handlers: self
                .error_handlers
                .iter()
                .map(|handler| (handler.error, handler.bind(state.clone())))
                .collect(),
            errors: self.errors,
        }
    }
}

impl Routes {
    /// Every route, the most specific first: messages, then subscriptions.
    pub fn entries(&self) -> impl Iterator<Item = RouteEntry<'_>> {
        let messages = self.messages.iter().map(|entry| entry.shown(RouteKind::Message));
        messages.chain(self.subscribes.iter().map(|entry| entry.shown(RouteKind::Subscribe)))
    }

    pub(crate) fn message(&self, destination: &Destination) -> Option<Matched<'_, Message>> {
        self.find(&self.messages, 0, destination)
    }

    pub(crate) fn subscribe(&self, destination: &Destination) -> Option<Matched<'_, Subscribe>> {
        self.find(&self.subscribes, self.messages.len(), destination)
    }

    /// Whether any route lets messages of one session be handled at the same time.
    pub(crate) fn has_concurrent(&self) -> bool {
        self.has_concurrent
    }

    pub(crate) fn listeners(&self) -> &[BoundListener] {
        &self.listeners
    }

    /// Whether a subscribe handler judges any destination that `pattern` can match.
    pub(crate) fn judges_within(&self, pattern: &Pattern) -> bool {
        self.subscribes.iter().any(|entry| entry.pattern.overlaps(pattern))
    }

    /// Has every call of a handler counted and timed, under its route.
    pub(crate) fn observe(&mut self, meters: &Meters) {
        for entry in &mut self.messages {
            entry.handler =
                timed(&entry.handler, &entry.pattern, meters.handlers.route("SEND", entry.pattern.as_str()));
        }
        for entry in &mut self.subscribes {
            entry.handler =
                timed(&entry.handler, &entry.pattern, meters.handlers.route("SUBSCRIBE", entry.pattern.as_str()));
        }
    }

    /// The patterns of all destinations that handlers publish to or judge, for figures by destination.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = Pattern> {
        let targets = self.messages.iter().map(|entry| &entry.target);
        let targets = targets.chain(self.subscribes.iter().map(|entry| &entry.target)).flatten();
        let targets = targets.filter_map(|target| match target {
            RouteTarget::Topic(template) => template.as_str().parse().ok(),
            RouteTarget::User(_) => None,
        });
        targets.chain(self.subscribes.iter().map(|entry| entry.pattern.clone()))
    }

    /// Everything that is wrong with the routes.
    pub(crate) fn check(&self, prefixes: &Prefixes) -> Vec<RouteError> {
        let mut errors = self.errors.clone();
        let mut under = |place: &'static str, text: &str, allowed: &[&Destination]| {
            errors.extend(RouteError::unless_under(place, text, allowed, prefixes));
        };
        for entry in self.entries() {
            match entry.kind {
                RouteKind::Message => under("the route for SENDs", entry.pattern.as_str(), &[&prefixes.app]),
                RouteKind::Subscribe => {
                    under("the route for SUBSCRIBEs", entry.pattern.as_str(), &[&prefixes.topic, &prefixes.app]);
                }
            }
        }
        let targets = self.messages.iter().map(|entry| &entry.target);
        for target in targets.chain(self.subscribes.iter().map(|entry| &entry.target)).flatten() {
            match target {
                RouteTarget::Topic(template) => {
                    under("the target of `send_to`,", template.as_str(), &[&prefixes.topic])
                }
                RouteTarget::User(path) => {
                    under("the path of `send_to_user`,", path.as_str(), &[&prefixes.queue, &prefixes.topic]);
                }
            }
        }
        errors
    }

    fn find<'a, K>(
        &'a self,
        entries: &'a [Entry<BoundCall<K>>],
        first_id: usize,
        destination: &Destination,
    ) -> Option<Matched<'a, K>> {
        entries.iter().enumerate().find_map(|(place, entry)| {
            let params = entry.pattern.captures(destination)?;
            let Entry { options, handler, .. } = entry;
            Some(Matched { routes: self, call: handler, params, id: first_id + place, options: *options })
        })
    }

    /// What becomes of an error: the error handler for its type decides, else the error itself.
    async fn failed(&self, error: HandlerError, context: Context<Failed>) -> Failure {
        match self.error_handlers.get(&error.kind()) {
            Some(handler) => handler(error, context).await,
            None => error.into_rejection().into(),
        }
    }
}

impl<'a, K: Routed + Send + Sync + 'static> Matched<'a, K> {
    /// Calls the handler, and the error handler if it fails.
    pub(crate) fn call(self, context: Context<K>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        let context = context.with_params(self.params);
        let failing = context.map(|event| Failed::of(event));
        let answer = (self.call)(context);
        let routes = self.routes;
        Box::pin(async move {
            match answer.await {
                Ok(outcome) => Ok(outcome),
                Err(error) => Err(routes.failed(error, failing).await),
            }
        })
    }
}

impl<H> Entry<H> {
    /// The entry without its handler.
    fn shown(&self, kind: RouteKind) -> RouteEntry<'_> {
        RouteEntry {
            kind,
            pattern: &self.pattern,
            target: self.target.as_ref().map(RouteTarget::as_str),
            guards: &self.guards,
        }
    }
}

fn add<S, K>(
    entries: &mut Vec<Entry<Route<S, K, Outcome>>>,
    errors: &mut Vec<RouteError>,
    mut route: Route<S, K, Outcome>,
) where
    S: Send + Sync + 'static,
    K: Routed + Send + Sync + 'static,
{
    match route.pattern.clone() {
        Ok(pattern) => {
            let (target, options, guards) = (route.target.take(), route.options, route.guard_names());
            insert(entries, errors, Entry { pattern, target, options, guards, handler: route });
        }
        Err(error) => errors.push(error),
    }
}

/// Keeps `entries` sorted, the most specific first.
fn insert<H>(entries: &mut Vec<Entry<H>>, errors: &mut Vec<RouteError>, entry: Entry<H>) {
    let route = entry.pattern.as_str();
    if let Some(rival) = entries.iter().find(|other| other.pattern.is_ambiguous_with(&entry.pattern)) {
        errors.push(RouteError::Ambiguous { first: rival.pattern.as_str().to_owned(), second: route.to_owned() });
        return;
    }
    if let Some(RouteTarget::Topic(target)) = &entry.target {
        for name in target.placeholders() {
            if !entry.pattern.placeholders().any(|captured| captured == name) {
                errors.push(RouteError::UnknownPlaceholder {
                    route: route.to_owned(),
                    target: target.as_str().to_owned(),
                    placeholder: name.to_owned(),
                });
            }
        }
    }
    let place = entries.partition_point(|other| other.pattern.specificity() >= entry.pattern.specificity());
    entries.insert(place, entry);
}

fn bind<S, K>(entries: Vec<Entry<Route<S, K, Outcome>>>, state: &S) -> Vec<Entry<BoundCall<K>>>
where
    S: Clone + Send + Sync + 'static,
    K: Routed + Clone + Send + Sync + 'static,
{
    let bound = |entry: Entry<Route<S, K, Outcome>>| Entry {
        pattern: entry.pattern,
        target: entry.target,
        options: entry.options,
        guards: entry.guards,
        handler: entry.handler.bind(state),
    };
    entries.into_iter().map(bound).collect()
}

/// `call`, counted and timed, with its route in the frame's span.
fn timed<K: 'static>(call: &BoundCall<K>, pattern: &Pattern, meters: Arc<RouteMeters>) -> BoundCall<K> {
    let (call, pattern) = (Arc::clone(call), pattern.clone());
    Arc::new(move |context| {
        Span::current().record("route", pattern.as_str());
        Box::pin(Arc::clone(&meters).timed(call(context)))
    })
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
            .field("messages", &Patterns(&self.messages))
            .field("subscribes", &Patterns(&self.subscribes))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes")
            .field("messages", &Patterns(&self.messages))
            .field("subscribes", &Patterns(&self.subscribes))
            .finish_non_exhaustive()
    }
}

/// Prints the patterns of a table, in the order in which they are tried.
struct Patterns<'a, H>(&'a [Entry<H>]);

impl<H> fmt::Debug for Patterns<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|entry| entry.pattern.as_str())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{Path, Payload};

    async fn nothing() {}

    async fn echo(payload: Payload<String>) -> Payload<String> {
        payload
    }

    fn errors(router: Router<()>) -> Vec<RouteError> {
        router.with_state(()).check(&Prefixes::default())
    }

    #[test]
    fn the_more_specific_route_wins_whatever_the_order() {
        let routes = Router::new()
            .mount(Route::message("/app/**", nothing))
            .mount(Route::message("/app/rooms/{room}", nothing))
            .mount(Route::message("/app/rooms/lobby", nothing))
            .with_state(());
        let table = format!("{:?}", routes);
        let place = |text: &str| table.find(text).unwrap();
        assert!(place("\"/app/rooms/lobby\"") < place("\"/app/rooms/{room}\""));
        assert!(place("\"/app/rooms/{room}\"") < place("\"/app/**\""));
        assert!(routes.message(&"/app/rooms/lobby".parse().unwrap()).is_some());
        assert!(routes.message(&"/topic/rooms".parse().unwrap()).is_none());
    }

    #[test]
    fn an_ambiguous_pair_is_an_error_at_start_up() {
        let router =
            Router::new().mount(Route::message("/app/a/{x}", nothing)).mount(Route::message("/app/a/{y}", nothing));
        assert!(matches!(&errors(router)[..], [RouteError::Ambiguous { .. }]));
    }

    #[test]
    fn a_target_may_only_name_what_the_route_captures() {
        let router = Router::new().mount(Route::message("/app/a/{x}", echo).send_to("/topic/a/{y}"));
        assert!(matches!(&errors(router)[..], [RouteError::UnknownPlaceholder { .. }]));
    }

    #[test]
    fn routes_and_targets_belong_under_their_prefixes() {
        let router = Router::new()
            .mount(Route::message("/apple/a", nothing))
            .mount(Route::message("/app/a", echo).send_to("/app/b"))
            .mount(Route::subscribe("/user/queue/a", nothing));
        let found = errors(router);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|error| matches!(error, RouteError::WrongPrefix { .. })));
    }

    #[test]
    fn a_wrong_prefix_is_told_with_the_right_one() {
        let router = Router::new()
            .mount(Route::message("/rooms/{room}", echo).send_to("/rooms/{room}"))
            .mount(Route::message("/app/a", echo).send_to_user("/user/queue/a"));
        let found: Vec<_> = errors(router).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "the route for SENDs `/rooms/{room}` must lie under /app; write `/app/rooms/{room}`",
                "the path of `send_to_user`, `/user/queue/a` must lie under /queue or /topic; `/user` is added by itself, \
                 write `/queue/a`",
                "the target of `send_to`, `/rooms/{room}` must lie under /topic; write `/topic/rooms/{room}`",
            ]
        );
    }

    #[test]
    fn what_a_path_takes_fits_what_the_route_captures() {
        async fn one(_: Path<u32>) {}
        async fn two(_: String, _: Path<(u32, u32)>) {}
        async fn guard(_: Path<(u8, u8)>) -> bool {
            true
        }
        let router = Router::new()
            .mount(Route::message("/app/a/:x", one))
            .mount(Route::message("/app/{a}/{b}", two))
            .mount(Route::message("/app/b/{x}", nothing).authorize(guard))
            .mount(Route::subscribe("/topic/{a}/{b}", one));
        let found: Vec<_> = errors(router).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(found[0].starts_with("the route `/app/a/:x` does not fit"), "{found:#?}");
        assert!(found[0].contains("takes 1 segment and the pattern captures 0"), "{found:#?}");
        assert!(found[1].starts_with("the route `/app/b/{x}`"), "{found:#?}");
        assert!(found[2].starts_with("the route `/topic/{a}/{b}`"), "{found:#?}");
    }

    #[test]
    fn a_broken_pattern_is_reported_with_its_text() {
        let found = errors(Router::new().mount(Route::message("app/{", nothing)));
        assert!(matches!(&found[..], [RouteError::Pattern { text, .. }] if text == "app/{"));
    }
}
