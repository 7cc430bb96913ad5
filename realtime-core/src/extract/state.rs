//! The application's state, or a part of it.

use std::{convert::Infallible, marker::PhantomData};

use crate::app::{Context, FromContext};

/// The application's state, as given to [`Router::with_state`](crate::app::Router::with_state), or a part of it by
/// [`FromRef`].
///
/// ```
/// use parlor_core::{app::{Route, Router}, extract::{Payload, State}};
///
/// #[derive(Clone)]
/// struct App { greeting: String }
///
/// async fn greet(State(app): State<App>, Payload(name): Payload<String>) -> Payload<String> {
///     Payload(format!("{}, {name}", app.greeting))
/// }
///
/// let routes = Router::new()
///     .mount(Route::message("/app/greet", greet).send_to("/topic/greetings"))
///     .with_state(App { greeting: "hello".to_owned() });
/// # let _ = routes;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State<T>(pub T);

/// Takes a part out of the state, by clone.
///
/// ```
/// use std::sync::Arc;
/// use parlor_core::extract::FromRef;
///
/// #[derive(Clone)]
/// struct ChatService;
///
/// #[derive(Clone)]
/// struct App { chat: ChatService, greeting: Arc<str> }
///
/// impl FromRef<App> for ChatService {
///     fn from_ref(app: &App) -> Self { app.chat.clone() }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a part of the state `{S}`",
    note = "write `impl FromRef<{S}> for {Self}`"
)]
pub trait FromRef<S> {
    /// The part.
    fn from_ref(state: &S) -> Self;
}

impl<S: Clone> FromRef<S> for S {
    fn from_ref(state: &S) -> Self {
        state.clone()
    }
}

/// No application has this state. It keeps the compiler from taking a `T` for the whole state where it is a part of it, before
/// it has seen the state: then it can say that the part is missing.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "nobody has one: it is only there to be thought of")]
pub struct NotYetKnown<T> {
    never: Infallible,
    part: PhantomData<T>,
}

impl<T> FromRef<NotYetKnown<T>> for T {
    fn from_ref(state: &NotYetKnown<T>) -> Self {
        match state.never {}
    }
}

impl<S: Sync, K: Sync, T: FromRef<S>> FromContext<S, K> for State<T> {
    type Rejection = Infallible;

    async fn from_context(_: &Context<K>, state: &S) -> Result<Self, Infallible> {
        Ok(Self(T::from_ref(state)))
    }
}
