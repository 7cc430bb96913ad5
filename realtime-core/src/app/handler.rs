//! Plain async functions as handlers.

use std::{borrow::Cow, future::Future};

use crate::{
    app::{CaptureError, Context, FromContext, HandlerError, arity::up_to_seven},
    destination::Pattern,
};

/// An async function whose arguments are extractors. Called by the session's connection, one event of a session at
/// a time unless the route is [`concurrent`](crate::app::Route::concurrent).
///
/// It is implemented for functions of up to eight arguments; `T` only tells those implementations apart. A future that
/// is dropped (the connection's patience ended) counts as a failure: the message is refused.
///
/// ```
/// use parlor_core::{
///     app::{Handler, Route, Router, Subscribe},
///     extract::Path,
/// };
///
/// /// Mounts one handler at two places.
/// fn twice<H, T>(handler: H) -> Router<()>
/// where
///     H: Handler<(), Subscribe, T, Output = ()> + Copy,
/// {
///     Router::new()
///         .mount(Route::subscribe("/topic/rooms/{room}", handler))
///         .mount(Route::subscribe("/topic/halls/{hall}", handler))
/// }
///
/// async fn open(Path(number): Path<u32>) { let _ = number; }
///
/// let router = twice(open);
/// # let _ = router;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler for this kind of event, or not with this state",
    label = "not a handler here",
    note = "a handler is an `async fn` of up to eight arguments, each of which can be extracted from the event \
            (`Path`, `Payload`, `State`, `Principal`, `Session`, `Broker`, `Header`, `String`, `Bytes`), \
            and its future is `Send`",
    note = "only a SEND has a body; what `Payload<T>` and `Path<T>` take is `serde::Deserialize`; where `State<T>` is not the \
            router's state, write `impl FromRef<App> for T`",
    note = "to be told which argument it is, put `#[stomp_handler(\"/app/…\")]` or `#[subscribe_handler(\"/topic/…\")]` above \
            the function and mount `routes![its_name]`"
)]
pub trait Handler<S, K, T>: Clone + Send + Sync + 'static {
    /// What the function returns.
    type Output;

    /// What it is called in tables: the name of the function's type.
    fn name(&self) -> Cow<'static, str> {
        std::any::type_name::<Self>().into()
    }

    /// Finds out that what `pattern` captures is never what the arguments take; see [`FromContext::check_pattern`].
    ///
    /// # Errors
    /// Why not, for the first such argument.
    fn check_pattern(pattern: &Pattern) -> Result<(), CaptureError> {
        let _ = pattern;
        Ok(())
    }

    /// Extracts the arguments, in their order, and calls the function.
    fn call(self, context: Context<K>, state: S) -> impl Future<Output = Result<Self::Output, HandlerError>> + Send;
}

macro_rules! handler {
    ($($argument:ident),*) => {
        #[diagnostic::do_not_recommend]
        impl<F, Fut, S, K, $($argument,)*> Handler<S, K, ($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future + Send,
            S: Send + Sync + 'static,
            K: Send + Sync + 'static,
            $($argument: FromContext<S, K> + Send,)*
        {
            type Output = Fut::Output;

            #[allow(unused_variables, reason = "there may be no arguments")]
            fn check_pattern(pattern: &Pattern) -> Result<(), CaptureError> {
                $(
                    <$argument as FromContext<S, K>>::check_pattern(pattern)?;
                )*
                Ok(())
            }

            #[allow(non_snake_case, unused_variables, reason = "the type parameters name the arguments; there may be none")]
            async fn call(self, context: Context<K>, state: S) -> Result<Self::Output, HandlerError> {
                $(
                    let $argument = $argument::from_context(&context, &state).await.map_err(HandlerError::new)?;
                )*
                Ok(self($($argument),*).await)
            }
        }
    };
}

up_to_seven!(handler);
handler!(A1, A2, A3, A4, A5, A6, A7, A8);
