//! Bans: an administrator keeps an account out until somebody lets it in again.
//!
//! A ban ends the logins of the account, as a log-out everywhere does, and the next log-in is refused: a name and a password open
//! nothing any more, and neither does any cookie, wherever it was copied to. What the logins had opened the handler closes.

use std::{collections::HashSet, sync::Arc};

use parlor::auth::{Principal, UserId};

use crate::{
    accounts::Logins,
    clock,
    store::{Ban, Store, StoreError},
};

/// Bans that an administrator sees at a time, the newest.
const MOST_LISTED: u32 = 200;

/// Who may ban, and who is banned. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Bans {
    store: Arc<dyn Store>,
    logins: Logins,
    /// The ids of accounts.
    administrators: Arc<HashSet<String>>,
}

/// Why somebody is not banned, or not let in again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BanError {
    #[error("An administrator cannot be banned.")]
    Administrator,
    #[error("Only an administrator may do that.")]
    NotAdministrator,
    #[error("This account is not banned.")]
    NotBanned,
    #[error("There is no such account.")]
    NoSuchAccount,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the study room does not know who its administrators are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdministratorError {
    #[error("the account `{0}` is banned: start without it, and let it in again first")]
    Banned(String),
    #[error("there is no account `{0}`")]
    NoSuchAccount(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Bans {
    /// `administrators` are names of accounts. They must exist: whoever made one later would be an administrator by its name.
    pub(crate) async fn new(
        store: Arc<dyn Store>,
        logins: Logins,
        administrators: Vec<String>,
    ) -> Result<Self, AdministratorError> {
        let mut ids = HashSet::new();
        for name in administrators {
            match store.account_by_name(&name).await? {
                Some((account, _)) if store.is_banned(&account.id).await? => {
                    return Err(AdministratorError::Banned(name));
                }
                Some((account, _)) => ids.insert(account.id),
                None => return Err(AdministratorError::NoSuchAccount(name)),
            };
        }
        Ok(Self { store, logins, administrators: Arc::new(ids) })
    }

    /// Whether `user` may ban others.
    pub(super) fn is_administrator(&self, user: &Principal) -> bool {
        user.id().is_some_and(|id| self.administrators.contains(id.as_str()))
    }

    /// Keeps an account out, for `by`: when this returns, nothing can be opened for it any more. What is open stays so.
    pub(super) async fn ban(&self, by: &Principal, account: &UserId) -> Result<(), BanError> {
        self.demand_administrator(by)?;
        if self.administrators.contains(account.as_str()) {
            return Err(BanError::Administrator);
        }
        self.store.account(account.as_str()).await?.ok_or(BanError::NoSuchAccount)?;
        // In this order: a log-in that does not see the ban yet is among those that end.
        self.store.ban(account.as_str(), clock::now_ms()).await?;
        self.logins.set_banned(account.as_str(), true);
        self.logins.end_all_of(account.as_str()).await?;
        Ok(())
    }

    /// Lets an account log in again, for `by`. Its old logins stay ended.
    pub(super) async fn lift(&self, by: &Principal, account: &str) -> Result<(), BanError> {
        self.demand_administrator(by)?;
        if !self.store.lift_ban(account).await? {
            return Err(BanError::NotBanned);
        }
        self.logins.set_banned(account, false);
        Ok(())
    }

    /// Who is banned, for `by`: the newest first.
    pub(super) async fn list(&self, by: &Principal) -> Result<Vec<Ban>, BanError> {
        self.demand_administrator(by)?;
        Ok(self.store.bans(MOST_LISTED).await?)
    }

    fn demand_administrator(&self, user: &Principal) -> Result<(), BanError> {
        if self.is_administrator(user) { Ok(()) } else { Err(BanError::NotAdministrator) }
    }
}

#[cfg(test)]
mod tests {
    use parlor::auth::{Authenticator, Handshake};

    use super::*;
    use crate::{
        accounts::{AccountError, EndedLogins, Tokens},
        store::{self, Account, NewAccount},
    };

    fn account(id: &str, name: &str) -> NewAccount {
        NewAccount { id: id.into(), name: name.into(), password_hash: String::new(), created_at: 0 }
    }

    async fn opens(tokens: &Tokens, token: &str) -> bool {
        let headers = [(http::header::COOKIE, format!("token={token}").parse().unwrap())].into_iter().collect();
        let uri = http::Uri::from_static("/ws");
        tokens.verifier().authenticate(Handshake::new(&headers, &uri, None)).await.is_ok()
    }

    /// However often somebody who is banned logs in, no ended login is forgotten for it; and a cookie that no login is kept of
    /// opens nothing either.
    #[tokio::test]
    async fn a_ban_holds_without_a_login_and_a_refused_login_is_not_kept() {
        let store = store::open(&"sqlite::memory:".parse().unwrap()).await.unwrap();
        store.create_account(account("1", "Ada")).await.unwrap();
        store.create_account(account("2", "Bob")).await.unwrap();
        let ended = EndedLogins::load(Arc::clone(&store)).await.unwrap();
        let tokens = Tokens::new(&[7; 32], false, &ended).unwrap();
        let logins = Logins::new(Arc::clone(&store), ended);
        let bans = Bans::new(Arc::clone(&store), logins.clone(), vec!["Ada".into()]).await.unwrap();
        let ada = Principal::user("1".parse().unwrap());
        let unkept = tokens.log_in(&Account { id: "2".into(), name: "Bob".into() }).unwrap();
        assert!(opens(&tokens, &unkept.token).await);

        bans.ban(&ada, &"2".parse().unwrap()).await.unwrap();
        assert!(!opens(&tokens, &unkept.token).await);
        for _ in 0..3 {
            let begun = logins.begin(&unkept.claims, "").await;
            assert!(matches!(begun, Err(AccountError::Banned)), "{begun:?}");
        }
        assert!(store.ended_logins(0, 10).await.unwrap().is_empty());

        let ended = EndedLogins::load(Arc::clone(&store)).await.unwrap();
        let after_a_restart = Tokens::new(&[7; 32], false, &ended).unwrap();
        assert!(!opens(&after_a_restart, &unkept.token).await);
        bans.lift(&ada, "2").await.unwrap();
        assert!(opens(&tokens, &unkept.token).await);
        let banned_first = Bans::new(Arc::clone(&store), logins.clone(), vec!["Bob".into()]).await;
        assert!(banned_first.is_ok());
        bans.ban(&ada, &"2".parse().unwrap()).await.unwrap();
        let named_later = Bans::new(store, logins, vec!["Bob".into()]).await;
        assert!(matches!(named_later, Err(AdministratorError::Banned(name)) if name == "Bob"));
    }
}
