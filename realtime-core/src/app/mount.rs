//! What can be mounted on a router.

use crate::{
    app::{
        ErrorHandler, IntoOutcome, Listener, Outcome, Route, RouteError, Routed, Router, Subscribe,
        route_table::{Entry, RouteTable},
    },
    message::Message,
};

/// What can be mounted on a router: a [`Route`] whose handler's return value says where it goes, a [`Listener`], an
/// [`ErrorHandler`], or a pair of such.
///
/// ```
/// use parlor_core::app::{Mount, Route, Router};
///
/// async fn say() {}
/// async fn listen() {}
///
/// /// What belongs together, for whatever router has it.
/// fn chat() -> impl Mount<()> {
///     (Route::message("/app/say", say), Route::subscribe("/topic/said", listen))
/// }
///
/// let router: Router<()> = Router::new().mount(chat());
/// # let _ = router;
/// ```
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

fn add<S, K>(
    table: &mut RouteTable<Route<S, K, Outcome>>,
    errors: &mut Vec<RouteError>,
    mut route: Route<S, K, Outcome>,
) where
    S: Send + Sync + 'static,
    K: Routed + Send + Sync + 'static,
{
    let added = route.pattern.clone().and_then(|pattern| {
        let (target, options, guards) = (route.target.take(), route.options, route.guard_names());
        table.insert(Entry { pattern, target, options, guards, handler: route })
    });
    errors.extend(added.err());
}
