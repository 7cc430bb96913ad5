//! Accounts: signing up, logging in and out, being kept out. The login is a JWT in an HttpOnly cookie.

mod agent;
mod ban_routes;
mod bans;
mod ended_logins;
mod hasher;
mod login_routes;
mod logins;
mod password;
mod routes;
mod token;

use std::{sync::Arc, time::Duration};

pub(crate) use bans::{AdministratorError, Bans};
pub(crate) use ended_logins::EndedLogins;
pub(crate) use logins::Logins;
use parlor::limits::Network;
use password::Passwords;
pub(crate) use routes::routes;
pub(crate) use token::{Claims, Tokens};

use crate::{
    clock, ids,
    store::{Account, NewAccount, Store, StoreError},
    throttle::Throttle,
};

/// Names, in characters.
const NAME_LENGTH: std::ops::RangeInclusive<usize> = 2..=24;

/// Passwords, in characters: long enough to be worth something, short enough to be hashed.
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 8..=128;

/// Failed log-ins that an address, or a name, has at once; one comes back every six seconds (ten a minute).
const FAILED_LOGINS: u32 = 10;
const FAILED_LOGIN_RETURNS: Duration = Duration::from_secs(6);

/// Accounts that an address may make at once; one comes back every ten seconds.
const SIGN_UPS: u32 = 60;
const SIGN_UP_RETURNS: Duration = Duration::from_secs(10);

/// Makes accounts and checks passwords.
#[derive(Clone)]
pub(crate) struct Accounts {
    store: Arc<dyn Store>,
    passwords: Passwords,
    failures_by_address: Arc<Throttle<Network>>,
    failures_by_name: Arc<Throttle<String>>,
    sign_ups: Arc<Throttle<Network>>,
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountError {
    #[error("This name cannot be used. Take 2 to 24 letters, digits, spaces, hyphens, dots or underscores.")]
    BadName,
    #[error("This password cannot be used. Take 8 to 128 characters.")]
    BadPassword,
    #[error("An administrator has banned this account from the study room.")]
    Banned,
    #[error("Too many people are logging in right now. Try again in a moment.")]
    Busy,
    #[error("the password could not be handled: {0}")]
    Failed(String),
    #[error("Several things are wrong with this form.")]
    Form(Vec<Self>),
    #[error("This login has ended. Log in again.")]
    LoginEnded,
    #[error("This name is taken. Choose another one, or log in if it is yours.")]
    NameTaken,
    #[error("That was too often. Try again in {} seconds.", .0.as_secs().max(1))]
    SlowDown(Duration),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("Name or password is wrong.")]
    WrongCredentials,
}

impl Accounts {
    pub(crate) fn new(store: Arc<dyn Store>) -> Result<Self, AccountError> {
        Ok(Self {
            store,
            passwords: Passwords::new()?,
            failures_by_address: Arc::new(Throttle::new(FAILED_LOGINS, FAILED_LOGIN_RETURNS)),
            failures_by_name: Arc::new(Throttle::new(FAILED_LOGINS, FAILED_LOGIN_RETURNS)),
            sign_ups: Arc::new(Throttle::new(SIGN_UPS, SIGN_UP_RETURNS)),
        })
    }

    /// Makes an account. All that is wrong with the form is said at once.
    pub(crate) async fn sign_up(&self, name: &str, password: String, from: Network) -> Result<Account, AccountError> {
        let mut faults = Vec::new();
        if is_name(name) {
            // Before the name is looked up: whoever tries many learns who has an account here.
            self.sign_ups.take(from, clock::now()).map_err(AccountError::SlowDown)?;
            faults.extend(self.store.account_by_name(name).await?.map(|_| AccountError::NameTaken));
        } else {
            faults.push(AccountError::BadName);
        }
        if !PASSWORD_LENGTH.contains(&password.chars().count()) {
            faults.push(AccountError::BadPassword);
        }
        if !faults.is_empty() {
            return Err(AccountError::Form(faults));
        }
        let account = NewAccount {
            id: ids::random_id::<16>().map_err(|error| AccountError::Failed(error.to_string()))?,
            name: name.to_owned(),
            password_hash: self.passwords.hash(password).await?,
            created_at: clock::now_ms(),
        };
        self.store.create_account(account).await?.ok_or(AccountError::NameTaken)
    }

    /// The account of a name, if the password is right. An unknown name takes as long as a wrong password.
    pub(crate) async fn log_in(&self, name: &str, password: String, from: Network) -> Result<Account, AccountError> {
        let now = clock::now();
        let by_name = name.chars().take(*NAME_LENGTH.end()).collect::<String>().to_lowercase();
        // An attempt counts as failed until it has succeeded, so that many at once do not slip through.
        self.failures_by_address.take(from, now).map_err(AccountError::SlowDown)?;
        self.failures_by_name.take(by_name.clone(), now).map_err(AccountError::SlowDown)?;
        let too_long = password.chars().count() > *PASSWORD_LENGTH.end();
        let (account, hash) = self.store.account_by_name(name).await?.unzip();
        let right = self.passwords.verify(if too_long { String::new() } else { password }, hash).await?;
        match account {
            Some(account) if right => {
                self.failures_by_address.give_back(&from);
                self.failures_by_name.give_back(&by_name);
                Ok(account)
            }
            _ => Err(AccountError::WrongCredentials),
        }
    }
}

/// Letters and digits of any script, and a few marks between them.
fn is_name(name: &str) -> bool {
    let mark = |char: char| matches!(char, ' ' | '-' | '.' | '_');
    // Unicode counts the Hangul fillers as letters, but nobody sees them: two names would look the same.
    let unseen = |char: char| matches!(char, '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}');
    NAME_LENGTH.contains(&name.chars().count())
        && name.trim() == name
        && !name.contains("  ")
        && name.chars().all(|char| (char.is_alphanumeric() && !unseen(char)) || mark(char))
        && name.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_a_few_marks() {
        for name in ["Al", "ada lovelace", "J.-P. S_2", "Zoë", "小林", &"x".repeat(24)] {
            assert!(is_name(name), "{name}");
        }
        let unseen = ["a  b", "\u{3164}\u{3164}", "ada\u{FFA0}", "a\u{200B}b"];
        for name in
            ["", "a", " ada", "ada ", "a\nb", "<b>", "a\u{202E}b", "..", &"x".repeat(25)].into_iter().chain(unseen)
        {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
