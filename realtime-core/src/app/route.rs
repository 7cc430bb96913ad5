//! One route: a pattern, the handler behind it, and where its return value goes.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;

use crate::{
    app::{
        Context, Handler, IntoOutcome, IntoPublication, Outcome, Rejection, RouteError, Routed, Subscribe,
        outcome::{Delivery, Recipient},
    },
    destination::{Destination, Pattern, Template},
    message::Message,
};

/// A handler that knows its state but not yet what its return value means.
type Call<S, K, R> = Arc<dyn Fn(Context<K>, S) -> BoxFuture<'static, Result<R, Rejection>> + Send + Sync>;

/// A route for events of kind `K` whose handler returns `R`. Mount it on a [`Router`](crate::app::Router).
///
/// ```
/// use parlor_core::{
///     app::{Rejection, Route, Router},
///     extract::{Path, Payload, Reply},
/// };
///
/// async fn say(Payload(text): Payload<String>) -> Payload<String> { Payload(text) }
/// async fn enter(Path(room): Path<u64>) -> Result<Reply<Vec<String>>, Rejection> {
///     if room == 0 { return Err(Rejection::new("no-such-room", "There is no room 0.")) }
///     Ok(Reply(vec![]))
/// }
///
/// let router: Router<()> = Router::new()
///     .mount(Route::message("/app/rooms/{room}/say", say).send_to("/topic/rooms/{room}"))
///     .mount(Route::subscribe("/topic/rooms/{room}", enter));
/// # let _ = router;
/// ```
pub struct Route<S, K, R> {
    pub(super) pattern: Result<Pattern, RouteError>,
    pub(super) target: Option<Template>,
    call: Call<S, K, R>,
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
}

impl<S, R> Route<S, Subscribe, R>
where
    S: Send + Sync + 'static,
    R: Send + 'static,
{
    /// A handler that judges SUBSCRIBEs to `pattern`: `Err` refuses, [`Reply`](crate::extract::Reply) is the first
    /// message of the subscription.
    ///
    /// Under the topic prefix the subscription stays in force afterwards; no rule is asked beside the handler. Under the
    /// application prefix the reply is all there is.
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
            pattern: pattern.parse().map_err(|error| RouteError::pattern(pattern, error)),
            target: None,
            call: Arc::new(move |context, state| {
                let handler = handler.clone();
                Box::pin(async move { handler.call(context, state).await })
            }),
        }
    }

    /// Publishes what the handler returns to `template`, a destination under the topic prefix in which the route's
    /// placeholders may stand.
    #[must_use]
    pub fn send_to(self, template: &str) -> Route<S, K, Outcome>
    where
        R: IntoPublication,
    {
        let template = match template.parse::<Template>() {
            Ok(template) => template,
            Err(error) => return self.broken(RouteError::pattern(template, error)),
        };
        let target = template.clone();
        Route {
            pattern: self.pattern,
            target: Some(target),
            call: then(self.call, move |params, returned: R| {
                let Some(publication) = returned.into_publication()? else { return Ok(Outcome::nothing()) };
                let to = template.expand(params)?;
                Ok(Outcome::nothing().publish(to, publication))
            }),
        }
    }

    /// Sends what the handler returns to all sessions of the user whose event it was, at `/user` + `path`.
    #[must_use]
    pub fn send_to_user(self, path: &str) -> Route<S, K, Outcome>
    where
        R: IntoPublication,
    {
        let path: Destination = match path.parse() {
            Ok(path) => path,
            Err(error) => return self.broken(RouteError::destination(path, error)),
        };
        Route {
            pattern: self.pattern,
            target: None,
            call: then(self.call, move |_, returned: R| {
                let Some(publication) = returned.into_publication()? else { return Ok(Outcome::nothing()) };
                Ok(Outcome::nothing().and(Delivery::ToUser { user: Recipient::Own, path: path.clone(), publication }))
            }),
        }
    }

    /// The route with its return value turned into an outcome.
    pub(super) fn into_outcome(self) -> Route<S, K, Outcome>
    where
        R: IntoOutcome<K>,
    {
        Route {
            pattern: self.pattern,
            target: self.target,
            call: then(self.call, |_, returned: R| returned.into_outcome()),
        }
    }

    /// A route that cannot be used; the error is reported when the endpoint is built.
    fn broken(self, error: RouteError) -> Route<S, K, Outcome> {
        Route {
            pattern: self.pattern.and(Err(error)),
            target: None,
            call: then(self.call, |_, _| Ok(Outcome::nothing())),
        }
    }
}

impl<S: Clone + Send + Sync + 'static, K: 'static> Route<S, K, Outcome> {
    /// The handler with its state given.
    pub(super) fn bind(&self, state: &S) -> BoundCall<K> {
        let (call, state) = (Arc::clone(&self.call), state.clone());
        Arc::new(move |context| call(context, state.clone()))
    }
}

/// A handler that needs nothing but its event.
pub(super) type BoundCall<K> = Arc<dyn Fn(Context<K>) -> BoxFuture<'static, Result<Outcome, Rejection>> + Send + Sync>;

/// `call`, then `finish` with what it returned and what the route captured.
fn then<S, K, R, F>(call: Call<S, K, R>, finish: F) -> Call<S, K, Outcome>
where
    S: 'static,
    K: Routed + Send + Sync + 'static,
    R: Send + 'static,
    F: Fn(&crate::destination::Params, R) -> Result<Outcome, Rejection> + Clone + Send + Sync + 'static,
{
    Arc::new(move |context, state| {
        let finish = finish.clone();
        let params = context.params().clone();
        let running = call(context, state);
        Box::pin(async move { finish(&params, running.await?) })
    })
}

impl<S, K, R> fmt::Debug for Route<S, K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("pattern", &self.pattern).finish_non_exhaustive()
    }
}
