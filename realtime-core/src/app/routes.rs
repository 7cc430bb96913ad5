//! The finished routing table: it finds the handler of an event, and what becomes of the handler's error.
//!
//! Built once at start-up, then only read.

use std::{any::TypeId, borrow::Cow, collections::HashMap, fmt, sync::Arc};

use futures_util::future::BoxFuture;
use tracing::Span;

use crate::{
    app::{
        Context, Failed, HandlerError, Outcome, Part, Rejection, RouteError, Routed, Subscribe,
        error_handler::{BoundErrorHandler, Failure},
        listener::BoundListener,
        route::{Bound, BoundCall, RouteOptions, RouteTarget},
        route_table::{Entry, RouteTable},
    },
    destination::{Destination, Params, Pattern, Prefixes},
    message::Message,
    telemetry::{Meters, RouteMeters},
};

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
    pub(super) messages: RouteTable<Bound<Message>>,
    pub(super) subscribes: RouteTable<Bound<Subscribe>>,
    pub(super) listeners: Vec<BoundListener>,
    pub(super) error_handlers: HashMap<TypeId, BoundErrorHandler>,
    /// What was mounted beside the routes and watches sessions.
    pub(super) parts: Vec<Arc<dyn Part>>,
    /// Whether any route lets messages of one session be handled at the same time.
    pub(super) has_concurrent: bool,
    /// What was wrong already when it was mounted.
    pub(super) errors: Vec<RouteError>,
}

/// A route that was found for an event, with what it captured.
pub(crate) struct Matched<'a, K> {
    routes: &'a Routes,
    bound: &'a Bound<K>,
    params: Params,
    /// Tells the route from every other of the router.
    pub(crate) id: usize,
    pub(crate) options: RouteOptions,
}

/// A route as others may know it, for tables and tests.
///
/// ```
/// use parlor_core::app::{RouteEntry, RouteKind, Router, Route, require_role};
///
/// async fn close_room() {}
///
/// let route = Route::message("/app/rooms/{room}/close", close_room).authorize(require_role("admin"));
/// let routes = Router::new().mount(route).with_state(());
/// // A table of all routes, for a page or a log line.
/// let line = |route: RouteEntry<'_>| format!("{:?} {} ({})", route.kind, route.pattern.as_str(), route.guards.join(", "));
/// assert_eq!(routes.entries().map(line).collect::<Vec<_>>(), ["Message /app/rooms/{room}/close (role admin)"]);
/// ```
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
///
/// ```
/// use parlor_core::app::{Route, RouteKind, Router};
///
/// async fn say(_: String) {}
/// async fn history() {}
///
/// let routes = Router::new()
///     .mount(Route::subscribe("/app/history", history))
///     .mount(Route::message("/app/say", say))
///     .with_state(());
/// let kinds: Vec<_> = routes.entries().map(|route| route.kind).collect();
/// assert_eq!(kinds, [RouteKind::Message, RouteKind::Subscribe]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteKind {
    /// SENDs.
    Message,
    /// SUBSCRIBEs.
    Subscribe,
}

impl Routes {
    /// Has every call of a handler counted and timed, under its route.
    pub(crate) fn observe(&mut self, meters: &Meters) {
        observe(&mut self.messages, "SEND", meters);
        observe(&mut self.subscribes, "SUBSCRIBE", meters);
    }

    /// Every route, the most specific first: messages, then subscriptions.
    pub fn entries(&self) -> impl Iterator<Item = RouteEntry<'_>> {
        let messages = self.messages.iter().map(|entry| entry.shown(RouteKind::Message));
        messages.chain(self.subscribes.iter().map(|entry| entry.shown(RouteKind::Subscribe)))
    }

    pub(crate) fn message(&self, destination: &Destination) -> Option<Matched<'_, Message>> {
        self.matched(&self.messages, 0, destination)
    }

    pub(crate) fn subscribe(&self, destination: &Destination) -> Option<Matched<'_, Subscribe>> {
        self.matched(&self.subscribes, self.messages.len(), destination)
    }

    /// Whether any route lets messages of one session be handled at the same time.
    pub(crate) fn has_concurrent(&self) -> bool {
        self.has_concurrent
    }

    pub(crate) fn listeners(&self) -> &[BoundListener] {
        &self.listeners
    }

    pub(crate) fn parts(&self) -> &[Arc<dyn Part>] {
        &self.parts
    }

    /// Whether a subscribe handler judges any destination that `pattern` can match.
    pub(crate) fn judges_within(&self, pattern: &Pattern) -> bool {
        self.subscribes.iter().any(|entry| entry.pattern.overlaps(pattern))
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
        errors.extend(self.messages.check("the route for SENDs", &[&prefixes.app], prefixes));
        let subscribes = [&prefixes.topic, &prefixes.app, &prefixes.queue];
        errors.extend(self.subscribes.check("the route for SUBSCRIBEs", &subscribes, prefixes));
        let watched = self.parts.iter().flat_map(|part| part.watched());
        let broker = [&prefixes.topic, &prefixes.queue];
        errors.extend(watched.filter_map(|(place, text)| RouteError::misplaced(place, &text, &broker, prefixes)));
        errors
    }

    fn matched<'a, K>(
        &'a self,
        table: &'a RouteTable<Bound<K>>,
        first_id: usize,
        destination: &Destination,
    ) -> Option<Matched<'a, K>> {
        let (place, Entry { options, handler, .. }, params) = table.find(destination)?;
        Some(Matched { routes: self, bound: handler, params, id: first_id + place, options: *options })
    }

    /// What an error handler may want to know of an event; nothing where there are no error handlers.
    fn failing<K>(&self, context: &Context<K>, failed: impl FnOnce(&K) -> Failed) -> Option<Context<Failed>> {
        (!self.error_handlers.is_empty()).then(|| context.map(failed))
    }

    /// What becomes of an error: the error handler for its type decides, else the error itself.
    async fn failed(&self, error: HandlerError, context: Option<Context<Failed>>) -> Failure {
        match self.error_handlers.get(&error.kind()).zip(context) {
            Some((handler, context)) => handler(error, context).await,
            None => error.into_rejection().into(),
        }
    }
}

impl<'a, K: Routed + Send + Sync + 'static> Matched<'a, K> {
    /// Calls the handler, and the error handler if it fails.
    pub(crate) fn call(self, context: Context<K>) -> impl Future<Output = Result<Outcome, Failure>> + use<'a, K> {
        let context = context.with_params(self.params);
        let failing = self.routes.failing(&context, |event| Failed::of(event));
        let answer = (self.bound.call)(context);
        let routes = self.routes;
        async move {
            match answer.await {
                Ok(outcome) => Ok(outcome),
                Err(error) => Err(routes.failed(error, failing).await),
            }
        }
    }
}

impl<'a> Matched<'a, Subscribe> {
    /// Whether there are guards, who can be asked again about a subscription that they have let in.
    pub(crate) fn has_guards(&self) -> bool {
        self.bound.guards.is_some()
    }

    /// Asks the guards alone; without them nobody has anything against it. What an error handler wants to send besides is left
    /// out.
    pub(crate) fn ask_guards(self, context: Context<Subscribe>) -> BoxFuture<'a, Result<(), Rejection>> {
        let context = context.with_params(self.params);
        let failing = self.routes.failing(&context, Failed::of);
        let answer = self.bound.guards.as_ref().map(|guards| guards(context));
        let routes = self.routes;
        Box::pin(async move {
            match answer {
                Some(answer) => match answer.await {
                    Ok(()) => Ok(()),
                    Err(error) => Err(routes.failed(error, failing).await.rejection),
                },
                None => Ok(()),
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

fn observe<K: 'static>(table: &mut RouteTable<Bound<K>>, command: &'static str, meters: &Meters) {
    for Entry { pattern, handler, .. } in table.iter_mut() {
        handler.call = timed(&handler.call, pattern, meters.handlers.route(command, pattern.as_str()));
    }
}

/// `call`, counted and timed, with its route in the frame's span.
fn timed<K: 'static>(call: &BoundCall<K>, pattern: &Pattern, meters: Arc<RouteMeters>) -> BoundCall<K> {
    let (call, pattern) = (Arc::clone(call), pattern.clone());
    Arc::new(move |context| {
        Span::current().record("route", pattern.as_str());
        Box::pin(Arc::clone(&meters).timed(call(context)))
    })
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes")
            .field("messages", &self.messages)
            .field("subscribes", &self.subscribes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{Route, Router},
        extract::{Path, Payload},
    };

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
    fn what_is_wrong_is_said_once_however_often_routers_are_merged() {
        let wrong = Router::new()
            .mount(Route::message("/app/a/{x}", echo).send_to("/topic/a/{y}"))
            .mount(Route::message("app", nothing));
        let found = errors(Router::new().merge(Router::new().merge(wrong)));
        assert_eq!(found.len(), 2, "{found:?}");
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
                "the path of `send_to_user`, `/user/queue/a` must lie under /queue or /topic; `/user` is added by itself, \
                 write `/queue/a`",
                "the route for SENDs `/rooms/{room}` must lie under /app; write `/app/rooms/{room}`",
                "the target of `send_to`, `/rooms/{room}` must lie under /topic or /queue; write `/topic/rooms/{room}`",
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
