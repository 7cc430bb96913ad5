//! Guards: who may use a route, asked before its handler sees the event.

use std::{borrow::Cow, future::Future};

use crate::app::{Context, Handler, HandlerError, Rejection};

/// What a guard may return: `true` or `Ok(())` lets the event through.
///
/// `false` refuses it with `forbidden`; an `Err` refuses it in the guard's own words.
///
/// ```
/// use parlor_core::{app::{Rejection, Route, Router}, auth::Principal};
///
/// async fn say() {}
///
/// async fn is_known(user: Principal) -> bool { user.id().is_some() }
///
/// async fn may_speak(user: Principal) -> Result<(), Rejection> {
///     if user.has_role("muted") { Err(Rejection::new("muted", "You are muted.")) } else { Ok(()) }
/// }
///
/// let router: Router<()> =
///     Router::new().mount(Route::message("/app/say", say).authorize(is_known).authorize(may_speak));
/// # let _ = router;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no verdict",
    label = "a guard answers yes or no",
    note = "return `bool`, `Result<(), E>` or `Result<bool, E>` where `E: Into<Rejection>`"
)]
pub trait IntoVerdict {
    /// Whether the event may go on.
    ///
    /// # Errors
    /// What the client is told instead of `forbidden`.
    fn into_verdict(self) -> Result<bool, HandlerError>;
}

impl IntoVerdict for bool {
    fn into_verdict(self) -> Result<bool, HandlerError> {
        Ok(self)
    }
}

impl<E: Into<Rejection> + Send + Sync + 'static> IntoVerdict for Result<(), E> {
    fn into_verdict(self) -> Result<bool, HandlerError> {
        self.map(|()| true).map_err(HandlerError::new)
    }
}

impl<E: Into<Rejection> + Send + Sync + 'static> IntoVerdict for Result<bool, E> {
    fn into_verdict(self) -> Result<bool, HandlerError> {
        self.map_err(HandlerError::new)
    }
}

/// A guard for [`Route::authorize`](crate::app::Route::authorize): the principal must have that role.
///
/// ```
/// use parlor_core::app::{Route, Router, require_role};
///
/// async fn close_room() {}
///
/// let router: Router<()> =
///     Router::new().mount(Route::message("/app/rooms/{room}/close", close_room).authorize(require_role("admin")));
/// # let _ = router;
/// ```
#[must_use]
pub fn require_role(role: impl Into<Cow<'static, str>>) -> RequireRole {
    RequireRole { role: role.into() }
}

/// What [`require_role`] returns.
///
/// ```
/// use parlor_core::app::{RequireRole, require_role};
///
/// let guard: RequireRole = require_role("admin");
/// # let _ = guard;
/// ```
#[derive(Clone, Debug)]
pub struct RequireRole {
    role: Cow<'static, str>,
}

/// Tells [`RequireRole`] from functions.
///
/// ```
/// use parlor_core::{
///     Message,
///     app::{ByRole, Handler, RequireRole, require_role},
/// };
///
/// /// What `authorize` asks of a guard: to be a handler that returns a verdict.
/// fn name<M>(guard: impl Handler<(), Message, M>) -> String {
///     guard.name().into_owned()
/// }
///
/// // The marker is found by itself, as it is for functions.
/// assert_eq!(name::<ByRole>(require_role("admin")), "role admin");
/// # let _: RequireRole = require_role("admin");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ByRole;

#[diagnostic::do_not_recommend]
impl<S: Send + 'static, K: Send + Sync + 'static> Handler<S, K, ByRole> for RequireRole {
    type Output = bool;

    fn name(&self) -> Cow<'static, str> {
        format!("role {}", self.role).into()
    }

    fn call(self, context: Context<K>, _: S) -> impl Future<Output = Result<bool, HandlerError>> + Send {
        let has = context.session().principal().has_role(&self.role);
        std::future::ready(Ok(has))
    }
}
