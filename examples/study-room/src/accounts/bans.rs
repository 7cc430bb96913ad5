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
        self.logins.end_all_of(account.as_str()).await?;
        Ok(())
    }

    /// Lets an account log in again, for `by`. Its old logins stay ended.
    pub(super) async fn lift(&self, by: &Principal, account: &str) -> Result<(), BanError> {
        self.demand_administrator(by)?;
        if self.store.lift_ban(account).await? { Ok(()) } else { Err(BanError::NotBanned) }
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
