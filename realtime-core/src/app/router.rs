//! The routing table: built at start-up, checked once, then only read.
//!
//! Handlers are chosen by specificity (rule 4). What is wrong with a route is kept and reported when the endpoint is
//! built, never at the first message.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::{
    app::{Context, IntoOutcome, Outcome, Rejection, Route, Routed, Subscribe, route::BoundCall},
    destination::{Destination, DestinationError, Params, Pattern, PatternError, Prefixes, Template},
    message::Message,
};

/// Routes that still miss their state `S`.
pub struct Router<S> {
    messages: Vec<Entry<Route<S, Message, Outcome>>>,
    subscribes: Vec<Entry<Route<S, Subscribe, Outcome>>>,
    errors: Vec<RouteError>,
}

/// The finished routing table, for [`Realtime::builder`](crate::Realtime::builder).
pub struct Routes {
    messages: Vec<Entry<BoundCall<Message>>>,
    subscribes: Vec<Entry<BoundCall<Subscribe>>>,
    errors: Vec<RouteError>,
}

struct Entry<H> {
    pattern: Pattern,
    target: Option<Template>,
    handler: H,
}

/// A route that was found for an event, with what it captured.
pub(crate) struct Matched<'a, K> {
    call: &'a BoundCall<K>,
    params: Params,
}

/// What is wrong with a route or a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// Two routes would have to share a destination and neither is more specific.
    #[error("the routes `{first}` and `{second}` match the same destinations and neither is more specific; change one")]
    Ambiguous {
        /// The one that was mounted first.
        first: String,
        /// The other one.
        second: String,
    },
    /// Not a destination.
    #[error("`{text}` is not a destination: {error}")]
    Destination {
        /// What was written.
        text: String,
        /// What is wrong with it.
        error: DestinationError,
    },
    /// Not a pattern.
    #[error("`{text}` is not a pattern: {error}")]
    Pattern {
        /// What was written.
        text: String,
        /// What is wrong with it.
        error: PatternError,
    },
    /// A placeholder in `send_to` that the route does not capture.
    #[error("`send_to(\"{target}\")` names {{{placeholder}}}, which the route `{route}` does not capture")]
    UnknownPlaceholder {
        /// The route.
        route: String,
        /// The target.
        target: String,
        /// The placeholder.
        placeholder: String,
    },
    /// A route or target outside the prefix that it belongs under.
    #[error("`{text}` must lie under {expected}")]
    WrongPrefix {
        /// The route or target.
        text: String,
        /// The prefixes it may lie under.
        expected: String,
    },
}

impl RouteError {
    pub(crate) fn pattern(text: &str, error: PatternError) -> Self {
        Self::Pattern { text: text.to_owned(), error }
    }

    pub(crate) fn destination(text: &str, error: DestinationError) -> Self {
        Self::Destination { text: text.to_owned(), error }
    }
}

/// A route that can be mounted: its handler's return value says where it goes.
///
/// Implemented for [`Route`] alone.
pub trait Mount<S> {
    /// Adds the route to `router`.
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

impl<S> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// No routes.
    #[must_use]
    pub fn new() -> Self {
        Self { messages: Vec::new(), subscribes: Vec::new(), errors: Vec::new() }
    }

    /// Adds a route. What is wrong with it is reported by [`RealtimeBuilder::build`](crate::RealtimeBuilder::build).
    #[must_use]
    pub fn mount(mut self, route: impl Mount<S>) -> Self {
        route.mount(&mut self);
        self
    }

    /// Adds the routes of another router.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.errors.extend(other.errors);
        for entry in other.messages {
            insert(&mut self.messages, &mut self.errors, entry);
        }
        for entry in other.subscribes {
            insert(&mut self.subscribes, &mut self.errors, entry);
        }
        self
    }

    /// Gives all handlers their state.
    #[must_use]
    pub fn with_state(self, state: S) -> Routes {
        Routes { messages: bind(self.messages, &state), subscribes: bind(self.subscribes, &state), errors: self.errors }
    }
}

impl Routes {
    pub(crate) fn message(&self, destination: &Destination) -> Option<Matched<'_, Message>> {
        find(&self.messages, destination)
    }

    pub(crate) fn subscribe(&self, destination: &Destination) -> Option<Matched<'_, Subscribe>> {
        find(&self.subscribes, destination)
    }

    /// Whether a subscribe handler judges any destination that `pattern` can match.
    pub(crate) fn judges_within(&self, pattern: &Pattern) -> bool {
        self.subscribes.iter().any(|entry| entry.pattern.overlaps(pattern))
    }

    /// Everything that is wrong with the routes.
    pub(crate) fn check(&self, prefixes: &Prefixes) -> Vec<RouteError> {
        let mut errors = self.errors.clone();
        let mut under = |text: &str, allowed: &[&Destination]| {
            let lies_under =
                |prefix: &&Destination| text.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('/'));
            if !allowed.iter().any(lies_under) {
                let expected = allowed.iter().map(|prefix| prefix.as_str()).collect::<Vec<_>>().join(" or ");
                errors.push(RouteError::WrongPrefix { text: text.to_owned(), expected });
            }
        };
        for entry in &self.messages {
            under(entry.pattern.as_str(), &[&prefixes.app]);
        }
        for entry in &self.subscribes {
            under(entry.pattern.as_str(), &[&prefixes.app, &prefixes.topic]);
        }
        let targets = self.messages.iter().map(|entry| &entry.target);
        for target in targets.chain(self.subscribes.iter().map(|entry| &entry.target)).flatten() {
            under(target.as_str(), &[&prefixes.topic]);
        }
        errors
    }
}

impl<K> Matched<'_, K> {
    /// Calls the handler.
    pub(crate) fn call(self, context: Context<K>) -> BoxFuture<'static, Result<Outcome, Rejection>> {
        (self.call)(context.with_params(self.params))
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
            let target = route.target.take();
            insert(entries, errors, Entry { pattern, target, handler: route });
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
    if let Some(target) = &entry.target {
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
    K: 'static,
{
    let bound = |entry: Entry<Route<S, K, Outcome>>| Entry {
        pattern: entry.pattern,
        target: entry.target,
        handler: entry.handler.bind(state),
    };
    entries.into_iter().map(bound).collect()
}

fn find<'a, K>(entries: &'a [Entry<BoundCall<K>>], destination: &Destination) -> Option<Matched<'a, K>> {
    entries
        .iter()
        .find_map(|entry| Some(Matched { params: entry.pattern.captures(destination)?, call: &entry.handler }))
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
    use crate::extract::Payload;

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
    fn a_broken_pattern_is_reported_with_its_text() {
        let found = errors(Router::new().mount(Route::message("app/{", nothing)));
        assert!(matches!(&found[..], [RouteError::Pattern { text, .. }] if text == "app/{"));
    }
}
