//! One route: a pattern, the handler behind it, who may use it and how often, and where its return value goes.

use std::{borrow::Cow, fmt, num::NonZeroUsize, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use tower::{Layer, Service};

use crate::{
    app::{
        CaptureError, Context, Handler, HandlerError, IntoOutcome, IntoPublications, IntoVerdict, Outcome, Rejection,
        RouteError, RouteService, Routed, Subscribe,
        layer::{Wrap, wrap},
        outcome::{Recipient, Target},
    },
    destination::{Destination, Params, Pattern, Template},
    limits::Rate,
    message::Message,
};

/// A handler that knows its state but not yet what its return value means.
type Call<S, K, R> = Arc<dyn Fn(Context<K>, S) -> BoxFuture<'static, Result<R, HandlerError>> + Send + Sync>;

/// A handler that needs nothing but its event.
pub(super) type BoundCall<K> =
    Arc<dyn Fn(Context<K>) -> BoxFuture<'static, Result<Outcome, HandlerError>> + Send + Sync>;

/// A question to guards that need nothing but the event.
pub(super) type BoundGuards<K> = Arc<dyn Fn(Context<K>) -> BoxFuture<'static, Result<(), HandlerError>> + Send + Sync>;

/// A route with its state given.
pub(super) struct Bound<K> {
    /// The guards and the handler, inside the layers.
    pub(super) call: BoundCall<K>,
    /// The guards alone, to be asked again about what they once let in; none where the route has none.
    pub(super) guards: Option<BoundGuards<K>>,
}

/// A route for events of kind `K` whose handler returns `R`. Mount it on a [`Router`](crate::app::Router).
///
/// An event passes, in this order: [`max_size`](Self::max_size), [`rate`](Self::rate), the layers, the guards of
/// [`authorize`](Self::authorize), the extractors, the handler. The first to refuse it decides what the client is told.
///
/// ```
/// use parlor_core::{
///     app::{Rate, Rejection, Route, Router},
///     auth::Principal,
///     extract::{Path, Payload, Reply},
/// };
///
/// async fn is_member(Path(room): Path<u64>, user: Principal) -> bool { room != 0 && user.id().is_some() }
/// async fn say(Payload(text): Payload<String>) -> Payload<String> { Payload(text) }
/// async fn enter(Path(room): Path<u64>) -> Result<Reply<Vec<String>>, Rejection> {
///     if room == 0 { return Err(Rejection::new("no-such-room", "There is no room 0.")) }
///     Ok(Reply(vec![]))
/// }
///
/// let router: Router<()> = Router::new()
///     .mount(
///         Route::message("/app/rooms/{room}/say", say)
///             .send_to("/topic/rooms/{room}")
///             .authorize(is_member)
///             .rate(Rate::per_second(5))
///             .max_size(4 * 1024),
///     )
///     .mount(Route::subscribe("/topic/rooms/{room}", enter));
/// # let _ = router;
/// ```
pub struct Route<S, K, R> {
    pub(super) pattern: Result<Pattern, RouteError>,
    pub(super) target: Option<RouteTarget>,
    pub(super) options: RouteOptions,
    call: Call<S, K, R>,
    guards: Vec<Guard<S, K>>,
    layers: Vec<Wrap<K>>,
}

/// Where a route's return value goes, as it was written.
#[derive(Clone, Debug)]
pub(super) enum RouteTarget {
    Topic(Template),
    User(Destination),
}

/// What a route asks of its events before its handler is called.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RouteOptions {
    pub(crate) max_size: Option<usize>,
    pub(crate) rate: Option<Rate>,
    /// How many of one session's messages may be handled at a time; one where absent.
    pub(crate) concurrent: Option<NonZeroUsize>,
}

/// A guard, with its name for tables.
struct Guard<S, K> {
    name: Cow<'static, str>,
    ask: Call<S, K, ()>,
}

impl<S, R> Route<S, Message, R>
where
    S: Send + Sync + 'static,
    R: Send + 'static,
{
    /// A handler for SENDs to `pattern`, which lies under the application prefix (`/app`).
    #[must_use]
    pub fn message<H, T>(pattern: &str, handler: H) -> Self
    where
        H: Handler<S, Message, T, Output = R>,
    {
        Self::new(pattern, handler)
    }

    /// Refuses messages with a body of more than `octets`, with `payload-too-large`, before anything else looks at them.
    ///
    /// Default: no limit but the endpoint's own for frames, 64 KiB unless set otherwise.
    #[must_use]
    pub fn max_size(mut self, octets: usize) -> Self {
        self.options.max_size = Some(octets);
        self
    }

    /// Lets up to `count` messages of one session be handled at the same time, so that one that waits holds up no other; they,
    /// and the session's later frames, may then overtake each other. A count of 0 is taken for 1.
    ///
    /// Default: one at a time, in order (rule 9). DISCONNECT still waits for all of them (rule 10).
    #[must_use]
    pub fn concurrent(mut self, count: usize) -> Self {
        self.options.concurrent = NonZeroUsize::new(count);
        self
    }
}

impl<S, R> Route<S, Subscribe, R>
where
    S: Send + Sync + 'static,
    R: Send + 'static,
{
    /// A handler that judges SUBSCRIBEs to `pattern`: `Err` refuses, [`Reply`](crate::extract::Reply) is the first
    /// message of the subscription, [`Replies`](crate::extract::Replies) are messages for it alone until it ends.
    ///
    /// Under the topic prefix the subscription stays in force afterwards; no rule is asked beside the handler. Under the
    /// application prefix the reply or replies are all there is.
    #[must_use]
    pub fn subscribe<H, T>(pattern: &str, handler: H) -> Self
    where
        H: Handler<S, Subscribe, T, Output = R>,
    {
        Self::new(pattern, handler)
    }
}

impl<S, K, R> Route<S, K, R>
where
    S: Send + Sync + 'static,
    K: Routed + Send + Sync + 'static,
    R: Send + 'static,
{
    fn new<H, T>(pattern: &str, handler: H) -> Self
    where
        H: Handler<S, K, T, Output = R>,
    {
        Self {
            pattern: pattern
                .parse()
                .map_err(|error| RouteError::pattern(pattern, error))
                .and_then(fitting(H::check_pattern)),
            target: None,
            options: RouteOptions::default(),
            call: Arc::new(move |context, state| {
                let handler = handler.clone();
                Box::pin(async move { handler.call(context, state).await })
            }),
            guards: Vec::new(),
            layers: Vec::new(),
        }
    }

    /// Publishes what the handler returns to `template`, a destination under the topic prefix in which the route's
    /// placeholders may stand.
    #[must_use]
    pub fn send_to(self, template: &str) -> Route<S, K, Outcome>
    where
        R: IntoPublications,
    {
        match template.parse::<Template>() {
            Ok(template) => self.directed(RouteTarget::Topic(template)),
            Err(error) => self.broken(RouteError::pattern(template, error)),
        }
    }

    /// Sends what the handler returns to all sessions of the user whose event it was, at `/user` + `path`.
    #[must_use]
    pub fn send_to_user(self, path: &str) -> Route<S, K, Outcome>
    where
        R: IntoPublications,
    {
        match path.parse::<Destination>() {
            Ok(path) => self.directed(RouteTarget::User(path)),
            Err(error) => self.broken(RouteError::destination(path, error)),
        }
    }

    /// Asks `guard` before the handler: an async function with extractors that answers `bool`, `Result<(), E>` or
    /// `Result<bool, E>`, or [`require_role`](crate::app::require_role). `false` refuses with `forbidden`. Several guards
    /// are asked in their order, and all must agree.
    #[must_use]
    pub fn authorize<G, T>(mut self, guard: G) -> Self
    where
        G: Handler<S, K, T>,
        G::Output: IntoVerdict + Send,
    {
        let name = guard.name();
        let ask: Call<S, K, ()> = Arc::new(move |context, state| {
            let guard = guard.clone();
            Box::pin(async move {
                let destination = context.event().destination().clone();
                if guard.call(context, state).await?.into_verdict()? {
                    Ok(())
                } else {
                    Err(Rejection::forbidden_use(&destination).into())
                }
            })
        });
        self.guards.push(Guard { name, ask });
        self.pattern = self.pattern.and_then(fitting(G::check_pattern));
        self
    }

    /// How often one session may use the route; what comes faster is refused with `rate-limited` and the header
    /// `retry-after` (in ms), and the session goes on.
    ///
    /// Default: as often as the endpoint's own rates allow.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.options.rate = Some(rate);
        self
    }

    /// Wraps guards, extractors and handler in a tower layer, around the layers before it.
    ///
    /// A future that the layer drops counts as a failure. tower's `Elapsed` is told as `timeout`, its `Overloaded` as
    /// `overloaded`, a [`HandlerError`] or [`Rejection`] as itself, and any other error as `internal`.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<RouteService<K>> + Send + Sync + 'static,
        L::Service: Service<Context<K>, Response = Outcome> + Clone + Send + Sync + 'static,
        <L::Service as Service<Context<K>>>::Error: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
        <L::Service as Service<Context<K>>>::Future: Send + 'static,
    {
        self.layers.push(wrap(layer));
        self
    }

    fn directed(self, target: RouteTarget) -> Route<S, K, Outcome>
    where
        R: IntoPublications,
    {
        let written = target.clone();
        self.then(Some(written), move |params, returned| {
            let publications = returned.into_publications()?;
            let to = match &target {
                RouteTarget::Topic(template) => Target::Topic(template.expand(params).map_err(Rejection::from)?),
                RouteTarget::User(path) => Target::User(Recipient::Own, path.clone()),
            };
            Ok(Outcome::nothing().send(to, publications))
        })
    }

    /// The route with its return value turned into an outcome.
    pub(crate) fn into_outcome(self) -> Route<S, K, Outcome>
    where
        R: IntoOutcome<K>,
    {
        let target = self.target.clone();
        self.then(target, |_, returned| returned.into_outcome())
    }

    /// A route that cannot be used; the error is reported when the endpoint is built.
    fn broken(mut self, error: RouteError) -> Route<S, K, Outcome> {
        self.pattern = self.pattern.and(Err(error));
        self.then(None, |_, _| Ok(Outcome::nothing()))
    }

    /// The route with `finish` done with what its handler returned and what it captured.
    fn then<F>(self, target: Option<RouteTarget>, finish: F) -> Route<S, K, Outcome>
    where
        F: Fn(&Params, R) -> Result<Outcome, HandlerError> + Send + Sync + 'static,
    {
        let Self { pattern, options, call, guards, layers, .. } = self;
        let finish = Arc::new(finish);
        let call: Call<S, K, Outcome> = Arc::new(move |context, state| {
            let finish = Arc::clone(&finish);
            let params = context.params().clone();
            let running = call(context, state);
            async move { finish(&params, running.await?) }.boxed()
        });
        Route { pattern, target, options, call, guards, layers }
    }
}

impl<S: Clone + Send + Sync + 'static, K: Routed + Clone + Send + Sync + 'static> Route<S, K, Outcome> {
    /// The route with its state given.
    pub(super) fn bind(&self, state: &S) -> Bound<K> {
        let (call, guards) = (Arc::clone(&self.call), self.bind_guards(state));
        let (asked, state) = (guards.clone(), state.clone());
        let guarded: BoundCall<K> = match asked {
            None => Arc::new(move |context| call(context, state.clone())),
            Some(guards) => Arc::new(move |context: Context<K>| {
                let (call, guards, state) = (Arc::clone(&call), Arc::clone(&guards), state.clone());
                Box::pin(async move {
                    guards(context.clone()).await?;
                    call(context, state).await
                })
            }),
        };
        let call = self.layers.iter().fold(RouteService::new(guarded), |service, layer| layer(service)).into_call();
        Bound { call, guards }
    }

    /// The guards, asked in their order until one refuses.
    fn bind_guards(&self, state: &S) -> Option<BoundGuards<K>> {
        let guards: Arc<[_]> = self.guards.iter().map(|guard| Arc::clone(&guard.ask)).collect();
        let state = state.clone();
        (!guards.is_empty()).then(|| -> BoundGuards<K> {
            Arc::new(move |context: Context<K>| {
                let (guards, state) = (Arc::clone(&guards), state.clone());
                Box::pin(async move {
                    for guard in &*guards {
                        guard(context.clone(), state.clone()).await?;
                    }
                    Ok(())
                })
            })
        })
    }

    /// Adds a layer around those that the route has.
    pub(super) fn wrapped(&mut self, layer: Wrap<K>) {
        self.layers.push(layer);
    }
}

impl<S, K, R> Route<S, K, R> {
    /// What the guards are called in tables.
    pub(super) fn guard_names(&self) -> Vec<Cow<'static, str>> {
        self.guards.iter().map(|guard| guard.name.clone()).collect()
    }
}

/// A pattern that `check` has nothing against, or what it has.
fn fitting(check: fn(&Pattern) -> Result<(), CaptureError>) -> impl FnOnce(Pattern) -> Result<Pattern, RouteError> {
    move |pattern| match check(&pattern) {
        Ok(()) => Ok(pattern),
        Err(error) => Err(RouteError::Capture { route: pattern.as_str().to_owned(), error }),
    }
}

impl RouteTarget {
    /// The target as it was written.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Topic(template) => template.as_str(),
            Self::User(path) => path.as_str(),
        }
    }
}

impl<S, K, R> fmt::Debug for Route<S, K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("pattern", &self.pattern).finish_non_exhaustive()
    }
}
