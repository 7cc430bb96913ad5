//! Cookies that open nothing, also after a restart: those of logins that ended before them, and all of an account that is banned.
//!
//! The database keeps both, and each process knows its own and those that it found at its start.

use std::{
    collections::HashSet,
    future,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parlor::auth::{AuthError, JwtClaims, Revocation, RevocationList};

use crate::{
    clock,
    store::{EndedLogin, Store, StoreError},
};

/// Ended logins that are kept at a time, as many as a [`RevocationList`] holds. Beyond it the one that ends first is forgotten.
const MOST: u32 = 100_000;

/// The logins that have ended, and the accounts that are banned. Cheap to clone; all clones are one list.
#[derive(Clone)]
pub(crate) struct EndedLogins {
    store: Arc<dyn Store>,
    known: RevocationList,
    /// The ids of accounts. They are never forgotten, however many logins end.
    banned: Arc<RwLock<HashSet<String>>>,
}

/// What the verifier asks about each token.
struct Barred {
    ended: RevocationList,
    banned: Arc<RwLock<HashSet<String>>>,
}

impl Revocation for Barred {
    fn is_revoked<'a>(
        &'a self,
        token: &'a JwtClaims,
    ) -> Pin<Box<dyn Future<Output = Result<bool, AuthError>> + Send + 'a>> {
        let banned = self.banned.read().unwrap_or_else(PoisonError::into_inner);
        if token.text("sub").is_some_and(|account| banned.contains(account)) {
            return Box::pin(future::ready(Ok(true)));
        }
        self.ended.is_revoked(token)
    }
}

impl EndedLogins {
    /// Those that the database knows and whose cookies have not ended by themselves.
    pub(crate) async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let known = RevocationList::default();
        for EndedLogin { id, expires_at } in store.ended_logins(clock::now_ms(), MOST).await? {
            known.revoke(&id, moment(expires_at));
        }
        let banned = store.bans(u32::MAX).await?.into_iter().map(|ban| ban.user).collect();
        Ok(Self { store, known, banned: Arc::new(RwLock::new(banned)) })
    }

    /// What the verifier asks about each token.
    pub(super) fn revocation(&self) -> impl Revocation {
        Barred { ended: self.known.clone(), banned: Arc::clone(&self.banned) }
    }

    /// No cookie of the account opens anything from now on, or may again.
    pub(super) fn set_banned(&self, account: &str, is_banned: bool) {
        let mut banned = self.banned.write().unwrap_or_else(PoisonError::into_inner);
        if is_banned {
            banned.insert(account.to_owned());
        } else {
            banned.remove(account);
        }
    }

    /// Ends a login of which a cookie ends at `expires_at`. It is kept when this returns; where it cannot be, it has not ended.
    pub(super) async fn add(&self, id: &str, expires_at: i64) -> Result<(), StoreError> {
        let login = EndedLogin { id: id.to_owned(), expires_at };
        let ended = self.store.end_login(login, clock::now_ms(), MOST).await?;
        self.known.revoke(&ended.id, moment(ended.expires_at));
        Ok(())
    }

    /// Ends the logins of an account but for the `keep` that were seen last; returns their ids.
    pub(super) async fn add_logins_of(&self, account: &str, keep: u32) -> Result<Vec<String>, StoreError> {
        let ended = self.store.end_logins(account, keep, clock::now_ms(), MOST).await?;
        for login in &ended {
            self.known.revoke(&login.id, moment(login.expires_at));
        }
        Ok(ended.into_iter().map(|login| login.id).collect())
    }
}

fn moment(milliseconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}
