//! Argon2id hashes, made away from the threads that serve everyone.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::accounts::AccountError;

/// Hashes at a time: each takes some 20 MiB and a core.
const AT_A_TIME: usize = 2;

/// Hashes that may wait for their turn; more are told to come back.
const WAITING: usize = 64;

/// Hashes and verifies passwords, a few at a time.
#[derive(Clone)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// What a password is compared with where there is no account.
    nobodys_hash: Arc<str>,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, AccountError> {
        Ok(Self {
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            places: Arc::new(Semaphore::new(AT_A_TIME + WAITING)),
            nobodys_hash: hash("nobody's password")?.into(),
        })
    }

    pub(crate) async fn hash(&self, password: String) -> Result<String, AccountError> {
        self.in_turn(move || hash(&password)).await?
    }

    /// Whether the password is the one that was hashed. Without a hash it is not, after the same work.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, AccountError> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobodys_hash.to_string());
        let right = self
            .in_turn(move || {
                let parsed = PasswordHash::new(&hash).map_err(|error| AccountError::Failed(error.to_string()))?;
                Ok::<_, AccountError>(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
            })
            .await??;
        Ok(exists && right)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccountError> {
        let _place: SemaphorePermit<'_> = self.places.try_acquire().map_err(|_| AccountError::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| AccountError::Busy)?;
        let work = move || {
            let done = work();
            // Kept until the work is done, also when the request is gone by then.
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| AccountError::Failed(error.to_string()))
    }
}

fn hash(password: &str) -> Result<String, AccountError> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| AccountError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(passwords.verify("correct horse".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("wrong horse".to_owned(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("nobody's password".to_owned(), None).await.unwrap());
    }
}
