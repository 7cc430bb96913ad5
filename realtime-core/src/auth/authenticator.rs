//! The question who a client is, and the simplest answers.

use std::error::Error;

use futures_util::future::{BoxFuture, ready};

use crate::auth::{AuthError, Handshake, Principal};

/// Says who a client is, from its handshake.
///
/// Called once for each handshake, after its Origin was judged and before the upgrade. Nothing may be done with an
/// unverified token but to verify it.
///
/// A closure is one too, where the answer needs no waiting:
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::{AuthError, Handshake, Principal}};
///
/// let guests = |handshake: Handshake<'_>| match handshake.query("guest") {
///     Some(name) => Ok(Principal::anonymous().with_name(name)),
///     None => Err(AuthError::Missing),
/// };
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(guests).build();
/// # assert!(realtime.is_ok());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say who a client is",
    label = "not an authenticator",
    note = "pass a `JwtVerifier` (its constructors return a `Result`: write `?` behind them), `Anonymous`, `Nobody`, a closure \
            from `Handshake<'_>` to `Result<Principal, AuthError>`, or a type of yours that implements `Authenticator`"
)]
pub trait Authenticator: Send + Sync + 'static {
    /// The principal of the connection.
    fn authenticate<'a>(&'a self, handshake: Handshake<'a>) -> BoxFuture<'a, Result<Principal, AuthError>>;

    /// The principal of a bearer token that a connected client sends in band, to go on with it (`/app/$refresh`; see
    /// `docs/security.md`). The session's user and login are compared by the caller. Default: no token is taken in band.
    fn authenticate_token<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Principal, AuthError>> {
        let _ = token;
        Box::pin(ready(Err(AuthError::Forbidden)))
    }

    /// Whether a principal that this authenticator has let in is still welcome. Asked once for each connection, when it has
    /// been entered in the registry: a log-out between the handshake and that moment would find it in neither place. Asked once
    /// more for each refresh. Default: always.
    fn is_still_good<'a>(&'a self, _: &'a Principal) -> BoxFuture<'a, bool> {
        Box::pin(ready(true))
    }

    /// Whether its settings make sense, asked by [`RealtimeBuilder::build`](crate::RealtimeBuilder::build). Default: they do.
    ///
    /// # Errors
    /// What is wrong and what to do, in one sentence.
    fn check(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    /// Whether a cookie alone lets somebody in. An endpoint that any page of the web may use is not built with one. Default:
    /// no.
    fn uses_cookies(&self) -> bool {
        false
    }
}

/// Lets everyone in as nobody in particular.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::Anonymous};
///
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Anonymous).build();
/// # assert!(realtime.is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say about it")]
pub struct Anonymous;

/// Lets nobody in.
///
/// ```
/// use parlor_core::{Realtime, app::Router, auth::Nobody};
///
/// // An endpoint that is there, and takes nobody yet.
/// let realtime = Realtime::builder(Router::new().with_state(())).authenticate(Nobody).build();
/// # assert!(realtime.is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say about it")]
pub struct Nobody;

impl<F> Authenticator for F
where
    F: Fn(Handshake<'_>) -> Result<Principal, AuthError> + Send + Sync + 'static,
{
    fn authenticate<'a>(&'a self, handshake: Handshake<'a>) -> BoxFuture<'a, Result<Principal, AuthError>> {
        Box::pin(ready(self(handshake)))
    }
}

impl Authenticator for Anonymous {
    fn authenticate<'a>(&'a self, _: Handshake<'a>) -> BoxFuture<'a, Result<Principal, AuthError>> {
        Box::pin(ready(Ok(Principal::anonymous())))
    }
}

impl Authenticator for Nobody {
    fn authenticate<'a>(&'a self, _: Handshake<'a>) -> BoxFuture<'a, Result<Principal, AuthError>> {
        Box::pin(ready(Err(AuthError::Missing)))
    }
}
