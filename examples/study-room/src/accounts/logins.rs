//! Where an account is logged in, and the ends of its logins: each is kept from the log-in until it is logged out or expires, so
//! that "everywhere" can be told in full.

use std::{sync::Arc, time::Duration};

use parlor::auth::Principal;

use crate::{
    accounts::{AccountError, Claims, EndedLogins, agent},
    clock,
    store::{Login, Store, StoreError},
};

/// Logins of an account at a time: one more logs out the one that was seen longest ago.
const MOST: u32 = 20;

/// How long a login may be refreshed after it was begun.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// The logins of all accounts.
#[derive(Clone)]
pub(crate) struct Logins {
    store: Arc<dyn Store>,
    ended: EndedLogins,
}

impl Logins {
    pub(crate) fn new(store: Arc<dyn Store>, ended: EndedLogins) -> Self {
        Self { store, ended }
    }

    /// Keeps a login that begins, with what its browser calls itself. Returns the logins that have ended for it.
    ///
    /// Whoever is banned is refused, and nothing is kept of it: an ended login takes the place of another one. And asked again
    /// after the login is kept: a ban that comes at the same time ends it, or is seen here.
    pub(super) async fn begin(&self, claims: &Claims, user_agent: &str) -> Result<Vec<String>, AccountError> {
        if self.store.is_banned(&claims.sub).await? {
            return Err(AccountError::Banned);
        }
        self.see(claims, user_agent).await?;
        if self.store.is_banned(&claims.sub).await? {
            self.ended.add(&claims.sid, claims.expires_at_ms()).await?;
            return Err(AccountError::Banned);
        }
        Ok(self.ended.add_logins_of(&claims.sub, MOST).await?)
    }

    /// No cookie of the account opens anything from now on, or may again.
    pub(super) fn set_banned(&self, account: &str, is_banned: bool) {
        self.ended.set_banned(account, is_banned);
    }

    /// Notes that a login was used.
    pub(super) async fn see(&self, claims: &Claims, user_agent: &str) -> Result<(), StoreError> {
        let login = Login {
            id: claims.sid.clone(),
            account_id: claims.sub.clone(),
            agent: agent::short(user_agent),
            created_at: claims.issued_at_ms(),
            last_seen_at: clock::now_ms(),
            expires_at: claims.expires_at_ms(),
        };
        self.store.see_login(login).await
    }

    /// Has a login last as long as `fresh` does, its next cookie. Before that is handed out: the end of a login must know all of
    /// its cookies.
    pub(super) async fn extend(&self, fresh: &Claims) -> Result<(), AccountError> {
        let now = clock::now_ms();
        let begun_after = now - i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX);
        match self.store.extend_login(&fresh.sid, fresh.expires_at_ms(), now, begun_after).await? {
            true => Ok(()),
            false => Err(AccountError::LoginEnded),
        }
    }

    /// The account's logins that have not ended, the one seen last first.
    pub(super) async fn of(&self, account: &str) -> Result<Vec<Login>, StoreError> {
        self.store.logins(account, clock::now_ms()).await
    }

    /// Ends the login of `user`: its cookies are refused from now on, wherever they were copied to. Where that cannot be kept,
    /// nothing has ended.
    pub(super) async fn end(&self, user: &Principal) -> Result<(), StoreError> {
        match user.claims::<Claims>() {
            Some(claims) => self.ended.add(&claims.sid, claims.expires_at_ms()).await,
            None => Ok(()),
        }
    }

    /// Ends a login of an account; false where the account has no such login.
    pub(super) async fn end_one(&self, account: &str, id: &str) -> Result<bool, StoreError> {
        let Some(login) = self.of(account).await?.into_iter().find(|login| login.id == id) else { return Ok(false) };
        self.ended.add(&login.id, login.expires_at).await?;
        Ok(true)
    }

    /// Ends all logins of an account.
    pub(super) async fn end_all_of(&self, account: &str) -> Result<Vec<String>, StoreError> {
        self.ended.add_logins_of(account, 0).await
    }

    /// Ends all logins of the account of `user`, the one that it asks with included; returns their ids.
    pub(super) async fn end_all(&self, user: &Principal) -> Result<Vec<String>, StoreError> {
        // The own one first, by its cookie: it may be older than the list.
        self.end(user).await?;
        let mut ended: Vec<String> = user.login().map(str::to_owned).into_iter().collect();
        if let Some(claims) = user.claims::<Claims>() {
            ended.extend(self.end_all_of(&claims.sub).await?);
        }
        Ok(ended)
    }
}
