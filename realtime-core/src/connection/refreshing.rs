//! In-band refresh (rule 24): a client that logs in by bearer tokens SENDs its new one to `/app/$refresh` (by the configured
//! prefix), and its session goes on until that one's end.
//!
//! The body is the token and nothing else. It is no message: interceptors, routes and logs never see it. Only a token of the
//! session's own user and login counts; after a refusal the session lives until the end that it had. One that ends no later than
//! the one in force changes nothing, and is no fault: another session of the login may have brought it first.

use parlor_stomp::Send;

use super::dispatch::Dispatch;
use crate::{
    app::Rejection,
    auth::{AuthError, Principal},
};

/// The turns of refreshes, beside those of routes, which count from 0.
const REFRESHES: usize = usize::MAX;

impl Dispatch {
    /// Extends the session, and everything else of its login, by the token of `send`.
    pub(super) async fn refresh(&self, send: &Send) -> Result<(), Rejection> {
        let rate = self.endpoint.config.rates.refreshes;
        self.session.take_turn(REFRESHES, rate).map_err(Rejection::rate_limited)?;
        let token = std::str::from_utf8(&send.body).map_err(|_| refused(AuthError::Invalid))?.trim();
        let fresh = self.guarded(async { self.judged(token).await.map_err(refused) }).await?;
        let current = self.session.principal();
        if fresh.id().is_none() || fresh.id() != current.id() {
            return Err(Rejection::new("wrong-user", "The token is another user's. Connect anew with it."));
        }
        if fresh.login() != current.login() {
            return Err(Rejection::new("wrong-login", "The token belongs to another log-in. Connect anew with it."));
        }
        self.endpoint.registry.refresh(&fresh);
        if fresh.login().is_none() {
            // Which other sessions belong to the same log-in nobody can tell.
            self.session.refresh(&fresh);
        }
        Ok(())
    }

    /// Who the token is about, if it is good and was not taken back meanwhile.
    async fn judged(&self, token: &str) -> Result<Principal, AuthError> {
        let judge = &self.endpoint.judge;
        let fresh = judge.authenticate_token(token).await?;
        if judge.is_still_good(&fresh).await { Ok(fresh) } else { Err(AuthError::Invalid) }
    }
}

fn refused(error: AuthError) -> Rejection {
    Rejection::new(error.code(), error.to_string())
}
