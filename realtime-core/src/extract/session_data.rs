//! What the application keeps with the session.

use crate::{
    app::{Context, FromContext, OptionalFromContext, Rejection},
    session::Session,
};

/// A copy of the `T` that the application put into the session's
/// [`extensions`](crate::session::Session::extensions), in a connected listener say. Where there is none the event is refused
/// with `internal`, as that is the server's fault; take `Option<SessionData<T>>` where it may be missing.
///
/// ```
/// use parlor_core::{
///     app::{Listener, Route, Router},
///     extract::SessionData,
///     session::Session,
/// };
///
/// #[derive(Clone)]
/// struct Language(&'static str);
///
/// async fn connected(session: Session) { session.extensions().insert(Language("de")); }
/// async fn greet(SessionData(Language(language)): SessionData<Language>) -> String { format!("hello in {language}") }
///
/// let router: Router<()> = Router::new()
///     .mount(Listener::connected(connected))
///     .mount(Route::message("/app/greet", greet).send_to_user("/queue/greetings"));
/// # let _ = router;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionData<T>(pub T);

impl<S, K, T> FromContext<S, K> for SessionData<T>
where
    S: Sync,
    K: Sync,
    T: Clone + Send + 'static,
{
    type Rejection = Rejection;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Self, Rejection> {
        find(context.session()).ok_or_else(|| {
            let wanted = std::any::type_name::<T>();
            Rejection::internal(format_args!("the session keeps no {wanted}; insert one when it connects"))
        })
    }
}

impl<S, K, T> OptionalFromContext<S, K> for SessionData<T>
where
    S: Sync,
    K: Sync,
    T: Clone + Send + 'static,
{
    type Rejection = std::convert::Infallible;

    async fn from_context(context: &Context<K>, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(find(context.session()))
    }
}

fn find<T: Clone + Send + 'static>(session: &Session) -> Option<SessionData<T>> {
    session.extensions().get().map(SessionData)
}
