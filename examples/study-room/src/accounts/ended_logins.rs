//! Logins that ended before their cookies: a copy of such a cookie opens nothing, also after a restart.
//!
//! The database keeps them, and each process knows its own and those that it found at its start.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parlor::auth::RevocationList;

use crate::{
    clock,
    store::{EndedLogin, Store, StoreError},
};

/// Ended logins that are kept at a time, as many as a [`RevocationList`] holds. Beyond it the one that ends first is forgotten.
const MOST: u32 = 100_000;

/// The logins that have ended. Cheap to clone; all clones are one list.
#[derive(Clone)]
pub(crate) struct EndedLogins {
    store: Arc<dyn Store>,
    known: RevocationList,
}

impl EndedLogins {
    /// Those that the database knows and whose cookies have not ended by themselves.
    pub(crate) async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let known = RevocationList::default();
        for EndedLogin { id, expires_at } in store.ended_logins(clock::now_ms(), MOST).await? {
            known.revoke(&id, moment(expires_at));
        }
        Ok(Self { store, known })
    }

    /// What the verifier asks about each token.
    pub(super) fn revocation(&self) -> RevocationList {
        self.known.clone()
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
