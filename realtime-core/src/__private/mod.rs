//! What the code that macros write needs, and nobody else: it may change in every release.

mod declared;

use std::future::Future;

pub use self::declared::Declared;
use crate::app::{Handler, IntoOutcome, IntoVerdict, Routed};
pub use crate::{
    app::{
        Connected, Disconnected, ErrorHandler, Failed, FromContext, Listener, Outcome, Rate, Route, Subscribe,
        Subscribed, Unsubscribed,
    },
    message::Message,
};

/// A route for SENDs whose answer has its place.
pub type MessageRoute<S> = Route<S, Message, Outcome>;

/// A route for SUBSCRIBEs whose answer has its place.
pub type SubscribeRoute<S> = Route<S, Subscribe, Outcome>;

/// The future itself. What is not `Send` is reported here, by the compiler's explanation of the future, and not once more
/// where the handler is used.
pub fn sendable<F: Future + Send>(future: F) -> impl Future<Output = F::Output> + Send {
    future
}

/// The route of a handler whose return value says by itself where it goes.
pub fn answered<S, K, R>(route: Route<S, K, R>) -> Route<S, K, Outcome>
where
    S: Send + Sync + 'static,
    K: Routed + Send + Sync + 'static,
    R: IntoOutcome<K> + Send + 'static,
{
    route.into_outcome()
}

/// `route.authorize(guard)` where the state is not known yet, for the sake of what is said when the guard wants a part of it.
pub fn authorized_for_every_state<S, K, G, T>(route: Route<S, K, Outcome>, guard: G) -> Route<S, K, Outcome>
where
    G: GuardForEveryState<S, K, T>,
{
    guard.authorize(route)
}

/// A guard that takes nothing from the state. Implemented for all of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a guard for every state",
    label = "this guard takes a part of the state, or is no guard",
    note = "write `state = App` beside `authorize`, where `App` is the type that the router gets in `with_state`",
    note = "a guard is an `async fn` of extractors that returns `bool` or `Result<(), E>` where `E: Into<Rejection>`"
)]
pub trait GuardForEveryState<S, K, T> {
    /// Makes the route ask this guard.
    fn authorize(self, route: Route<S, K, Outcome>) -> Route<S, K, Outcome>;
}

#[diagnostic::do_not_recommend]
impl<G, S, K, T> GuardForEveryState<S, K, T> for G
where
    G: Handler<S, K, T, Output: IntoVerdict + Send>,
    S: Send + Sync + 'static,
    K: Routed + Send + Sync + 'static,
{
    fn authorize(self, route: Route<S, K, Outcome>) -> Route<S, K, Outcome> {
        route.authorize(self)
    }
}

/// Stands where an attribute was wrong, in a program that does not compile.
#[must_use]
pub fn refused<S: Send + Sync + 'static>() -> MessageRoute<S> {
    answered(Route::message("", || async {}))
}
