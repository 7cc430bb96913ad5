//! Argon2id in memory that is kept.
//!
//! Memory that is taken for each hash and given back is not all the system's again: an allocator keeps some of it for each
//! thread, and hashes come on many. What is kept here is used for the next one instead.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};

use crate::accounts::AccountError;

/// Salts, in octets.
const SALT_LENGTH: usize = 16;

/// Hashes one password at a time. It takes its memory, 19 MiB, with the first one.
#[derive(Default)]
pub(super) struct Hasher {
    blocks: Vec<Block>,
}

impl Hasher {
    /// A new hash of the password, with a salt of its own.
    pub(super) fn hash(&mut self, password: &str) -> Result<String, AccountError> {
        let mut salt = [0; SALT_LENGTH];
        getrandom::fill(&mut salt).map_err(failed)?;
        let (algorithm, version, params) = (Algorithm::default(), Version::default(), Params::default());
        let hash = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&params).map_err(failed)?,
            salt: Some(Salt::new(&salt).map_err(failed)?),
            hash: Some(self.output(password, &salt, algorithm, version, params)?),
        };
        Ok(hash.to_string())
    }

    /// Whether `hash` is one of the password.
    pub(super) fn verify(&mut self, password: &str, hash: &str) -> Result<bool, AccountError> {
        let hash = PasswordHash::new(hash).map_err(failed)?;
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(failed)?;
        let version = hash.version.map_or_else(|| Ok(Version::default()), Version::try_from).map_err(failed)?;
        let params = Params::try_from(&hash.params).map_err(failed)?;
        let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else { return Err(failed("a hash without an end")) };
        // Outputs are compared in constant time.
        Ok(self.output(password, &salt, algorithm, version, params)? == expected)
    }

    fn output(
        &mut self,
        password: &str,
        salt: &[u8],
        algorithm: Algorithm,
        version: Version,
        params: Params,
    ) -> Result<Output, AccountError> {
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        self.blocks.resize(params.block_count(), Block::new());
        let argon2 = Argon2::new(algorithm, version, params);
        let hashed = argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut output, &mut self.blocks);
        hashed.map_err(failed)?;
        Output::new(&output).map_err(failed)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
fn failed(error: impl ToString) -> AccountError {
    AccountError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    use super::*;

    #[test]
    fn its_hashes_are_those_of_the_standard() {
        let mut hasher = Hasher::default();
        let hash = hasher.hash("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(Argon2::default().verify_password(b"correct horse", hash.as_str()).is_ok());
        let other = Argon2::default().hash_password(b"another one").unwrap().to_string();
        assert!(hasher.verify("another one", &other).unwrap());
        assert!(!hasher.verify("correct horse", &other).unwrap());
        assert_ne!(hasher.hash("correct horse").unwrap(), hash, "each has a salt of its own");
    }

    #[test]
    fn what_is_no_hash_is_an_error_and_no_password_is_right() {
        for broken in ["", "$argon2id$v=19$m=19456,t=2,p=1", "$scrypt$ln=1$c2FsdHNhbHQ$aGFzaA"] {
            assert!(Hasher::default().verify("", broken).is_err(), "{broken}");
        }
    }
}
