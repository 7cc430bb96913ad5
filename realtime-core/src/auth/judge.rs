//! An authenticator that is given only so much time.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::auth::{AuthError, Authenticator, Handshake, Principal};

/// An authenticator with the time it may take, so that an identity store that does not answer holds nobody's place for ever.
#[derive(Clone)]
pub(crate) struct Judge {
    authenticator: Arc<dyn Authenticator>,
    patience: Duration,
}

impl Judge {
    pub(crate) fn new(authenticator: Arc<dyn Authenticator>, patience: Duration) -> Self {
        Self { authenticator, patience }
    }

    pub(crate) fn authenticator(&self) -> &Arc<dyn Authenticator> {
        &self.authenticator
    }

    /// The authenticator's answer, or [`AuthError::Unavailable`] where it took too long.
    pub(crate) async fn authenticate(&self, handshake: Handshake<'_>) -> Result<Principal, AuthError> {
        self.in_time(self.authenticator.authenticate(handshake)).await
    }

    /// The authenticator's answer about a token that came in band.
    pub(crate) async fn authenticate_token(&self, token: &str) -> Result<Principal, AuthError> {
        self.in_time(self.authenticator.authenticate_token(token)).await
    }

    async fn in_time(
        &self,
        judging: impl Future<Output = Result<Principal, AuthError>>,
    ) -> Result<Principal, AuthError> {
        timeout(self.patience, judging).await.unwrap_or_else(|_| {
            tracing::warn!(limit = ?self.patience, "the authenticator took too long; the client is told to come back");
            Err(AuthError::Unavailable)
        })
    }

    /// Whether a principal is still welcome; not where the authenticator took too long to say.
    pub(crate) async fn is_still_good(&self, principal: &Principal) -> bool {
        timeout(self.patience, self.authenticator.is_still_good(principal)).await.unwrap_or(false)
    }
}
