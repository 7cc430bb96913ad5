//! The one extractor trait.

use std::future::Future;

use crate::{
    app::{CaptureError, Context, Rejection},
    destination::Pattern,
};

/// What can be an argument of a handler for events of kind `K`, in an application with state `S`.
///
/// Called once for each argument, in the order of the arguments, before the handler; the first error refuses the event.
/// A STOMP body is whole and cheap to share, so any number of arguments may look at it, in any order.
///
/// ```
/// use parlor_core::{app::{Context, Rejection}, extract::FromContext};
///
/// struct SessionName(String);
///
/// impl<S: Sync, K: Sync> FromContext<S, K> for SessionName {
///     type Rejection = Rejection;
///
///     async fn from_context(context: &Context<K>, _: &S) -> Result<Self, Rejection> {
///         Ok(Self(context.session().id().to_string()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be extracted from this kind of event",
    label = "not an extractor here",
    note = "use `Path`, `State`, `Principal`, `Session`, `Broker`, `Header`, and for messages `Payload`, `String` or `Bytes`"
)]
pub trait FromContext<S, K>: Sized {
    /// Why it could not be extracted. An [`ErrorHandler`](crate::app::ErrorHandler) for this type is given it; else the client is
    /// told what it becomes as a [`Rejection`].
    type Rejection: Into<Rejection> + Send + Sync + 'static;

    /// Takes the value from the event.
    fn from_context(context: &Context<K>, state: &S) -> impl Future<Output = Result<Self, Self::Rejection>> + Send;

    /// Finds out that no destination of a route with `pattern` could ever give the value. Called once, when the route is made,
    /// so that [`RealtimeBuilder::build`](crate::RealtimeBuilder::build) can report it; not for arguments inside a `Result`.
    ///
    /// Default: nothing is looked at. [`Path`](crate::extract::Path) looks at the placeholders.
    ///
    /// # Errors
    /// Why not.
    fn check_pattern(pattern: &Pattern) -> Result<(), CaptureError> {
        let _ = pattern;
        Ok(())
    }
}

/// What can be an argument inside an `Option`: absent is not an error, malformed still is.
///
/// Called for `Option<Self>` in the place of [`FromContext`].
///
/// ```
/// use parlor_core::{
///     Message,
///     app::{Context, OptionalFromContext, Rejection, Route, Router},
/// };
///
/// /// The language that a client names, where it names one.
/// struct Language(String);
///
/// impl<S: Sync> OptionalFromContext<S, Message> for Language {
///     type Rejection = Rejection;
///
///     async fn from_context(context: &Context<Message>, _: &S) -> Result<Option<Self>, Rejection> {
///         match context.event().headers().get("language") {
///             None => Ok(None),
///             Some(tag) if tag.len() == 2 => Ok(Some(Self(tag.to_owned()))),
///             Some(_) => Err(Rejection::new("bad-language", "A language has two letters.")),
///         }
///     }
/// }
///
/// async fn greet(language: Option<Language>) -> String {
///     let is_french = language.is_some_and(|Language(tag)| tag == "fr");
///     if is_french { "bonjour".to_owned() } else { "hello".to_owned() }
/// }
///
/// let router: Router<()> = Router::new().mount(Route::message("/app/greet", greet).send_to_user("/queue/greetings"));
/// # let _ = router;
/// ```
#[diagnostic::on_unimplemented(
    message = "`Option<{Self}>` cannot be extracted from this kind of event",
    label = "not optional here",
    note = "`Option` works around `Header`, `SessionData` and, for messages, `Payload`, `String` and `Bytes`"
)]
pub trait OptionalFromContext<S, K>: Sized {
    /// Why it could not be extracted although it is there.
    type Rejection: Into<Rejection> + Send + Sync + 'static;

    /// Takes the value from the event, or finds that there is none.
    fn from_context(
        context: &Context<K>,
        state: &S,
    ) -> impl Future<Output = Result<Option<Self>, Self::Rejection>> + Send;
}

impl<S, K, T> FromContext<S, K> for Option<T>
where
    S: Sync,
    K: Sync,
    T: OptionalFromContext<S, K>,
{
    type Rejection = T::Rejection;

    fn from_context(context: &Context<K>, state: &S) -> impl Future<Output = Result<Self, Self::Rejection>> + Send {
        T::from_context(context, state)
    }
}

/// The handler decides itself what a failed extraction means.
impl<S, K, T> FromContext<S, K> for Result<T, T::Rejection>
where
    S: Sync,
    K: Sync,
    T: FromContext<S, K>,
{
    type Rejection = std::convert::Infallible;

    async fn from_context(context: &Context<K>, state: &S) -> Result<Self, Self::Rejection> {
        Ok(T::from_context(context, state).await)
    }
}
