//! Passwords, hashed away from the threads that serve everyone, a few at a time.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::accounts::{AccountError, hasher::Hasher};

/// Hashes at a time: each takes a core. So many hashers exist at most, and each keeps 19 MiB.
const AT_A_TIME: usize = 2;

/// Hashes that may wait for their turn; more are told to come back.
const WAITING: usize = 64;

/// Hashes and verifies passwords.
#[derive(Clone)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// Those that nobody uses. Whoever has a turn takes one, or makes one.
    hashers: Arc<Mutex<Vec<Hasher>>>,
    /// What a password is compared with where there is no account.
    nobodys_hash: Arc<str>,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, AccountError> {
        let mut hasher = Hasher::default();
        let nobodys_hash = hasher.hash("nobody's password")?.into();
        Ok(Self {
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            places: Arc::new(Semaphore::new(AT_A_TIME + WAITING)),
            hashers: Arc::new(Mutex::new(vec![hasher])),
            nobodys_hash,
        })
    }

    pub(crate) async fn hash(&self, password: String) -> Result<String, AccountError> {
        self.in_turn(move |hasher| hasher.hash(&password)).await
    }

    /// Whether the password is the one that was hashed. Without a hash it is not, after the same work.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, AccountError> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobodys_hash.to_string());
        let right = self.in_turn(move |hasher| hasher.verify(&password, &hash)).await?;
        Ok(exists && right)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Hasher) -> Result<T, AccountError> + Send + 'static,
    ) -> Result<T, AccountError> {
        let _place: SemaphorePermit<'_> = self.places.try_acquire().map_err(|_| AccountError::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| AccountError::Busy)?;
        let hashers = Arc::clone(&self.hashers);
        let work = move || {
            let idle = || hashers.lock().unwrap_or_else(PoisonError::into_inner);
            let mut hasher = idle().pop().unwrap_or_default();
            let done = work(&mut hasher);
            idle().push(hasher);
            // Kept until the work is done, also when the request is gone by then.
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| AccountError::Failed(error.to_string()))?
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(passwords.verify("correct horse".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("wrong horse".to_owned(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("nobody's password".to_owned(), None).await.unwrap());
    }

    #[tokio::test]
    async fn many_at_once_share_the_memory_of_two() {
        let passwords = Passwords::new().unwrap();
        let all: JoinSet<_> = (0..8).map(|_| hash_once(passwords.clone())).collect();
        assert!(all.join_all().await.iter().all(Result::is_ok));
        assert!(passwords.hashers.lock().unwrap().len() <= AT_A_TIME);
    }

    #[tokio::test]
    async fn one_more_than_may_wait_is_told_to_come_back() {
        let passwords = Passwords::new().unwrap();
        let turns = passwords.turns.acquire_many(u32::try_from(AT_A_TIME).unwrap()).await.unwrap();
        let mut waiting: JoinSet<_> = (0..AT_A_TIME + WAITING).map(|_| hash_once(passwords.clone())).collect();
        while passwords.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(hash_once(passwords.clone()).await, Err(AccountError::Busy)));
        waiting.shutdown().await;
        drop(turns);
        assert!(hash_once(passwords).await.is_ok(), "who gave up has left their place");
    }

    async fn hash_once(passwords: Passwords) -> Result<String, AccountError> {
        passwords.hash("correct horse".to_owned()).await
    }
}
