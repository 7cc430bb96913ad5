//! One key that signs tokens, and the one algorithm that it is for.
//!
//! The key decides the algorithm, never the token: otherwise a public RSA key could be taken for an HMAC secret.

use std::{fmt, sync::Arc};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    crypto::{CryptoProvider, aws_lc},
};

use crate::auth::{
    JwtKeyError,
    jwt::{
        key_error::SHORTEST_SECRET,
        pem::{self, PublicKey},
    },
};

/// The smallest and the largest RSA modulus, in bits: RFC 7518 section 3.3, and what verifying one signature may cost.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The longest exponent of an RSA key, in octets: a longer one only makes verifying slow.
const LONGEST_EXPONENT: usize = 4;

/// The cryptography. Named here and called directly, not through the process-wide default of `jsonwebtoken`, which panics
/// where another crate has switched on a second provider.
static PROVIDER: &CryptoProvider = &aws_lc::DEFAULT_PROVIDER;

/// How tokens are signed with a key.
///
/// ```
/// use parlor_core::auth::{JwtAlgorithm, JwtKey};
///
/// let key = JwtKey::hs256(b"a secret of at least 32 octets, please").unwrap();
/// assert_eq!(key.algorithm(), JwtAlgorithm::Hs256);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwtAlgorithm {
    /// Ed25519: a public key verifies what its private key has signed (RFC 8037).
    EdDsa,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// HMAC with SHA-256: whoever can verify can sign.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

/// A key that verifies tokens, with its algorithm and its id (`kid`). Cheap to clone.
///
/// ```
/// use parlor_core::auth::{JwtAlgorithm, JwtKey};
///
/// let key = JwtKey::hs256(b"a secret of at least 32 octets, please")?.with_id("2026-11");
/// assert_eq!((key.id(), key.algorithm()), (Some("2026-11"), JwtAlgorithm::Hs256));
/// # Ok::<(), parlor_core::auth::JwtKeyError>(())
/// ```
#[derive(Clone)]
pub struct JwtKey {
    id: Option<Arc<str>>,
    algorithm: JwtAlgorithm,
    key: Arc<DecodingKey>,
}

impl JwtKey {
    /// A secret for HMAC SHA-256. Issuer and verifier share it.
    ///
    /// # Errors
    /// When the secret is shorter than 32 octets, or a PEM text.
    pub fn hs256(secret: &[u8]) -> Result<Self, JwtKeyError> {
        if pem::is_pem(secret) {
            return Err(JwtKeyError::Pem);
        }
        if secret.len() < SHORTEST_SECRET {
            return Err(JwtKeyError::TooShort(secret.len()));
        }
        Ok(Self::new(JwtAlgorithm::Hs256, DecodingKey::from_secret(secret)))
    }

    /// A public key in PEM. Its kind decides the algorithm: Ed25519 is EdDSA, P-256 is ES256, RSA is RS256.
    ///
    /// # Errors
    /// When it is a private key, a certificate, a key of another kind, RSA of less than 2048 bits, or no PEM at all.
    pub fn from_pem(pem: &[u8]) -> Result<Self, JwtKeyError> {
        match pem::public_key(pem)? {
            PublicKey::Ed25519(key) => Ok(Self::ed25519(&key)),
            PublicKey::P256(point) => Ok(Self::p256(&point)),
            PublicKey::Other(der) => {
                let unsupported = |_| JwtKeyError::Unsupported("this public key is of another kind".to_owned());
                let (n, e) = (PROVIDER.key_utils.rsa_pub_components_from_public_key)(&der).map_err(unsupported)?;
                Self::rsa(&n, &e)
            }
        }
    }

    /// Names the key, as tokens name it in their `kid`.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The name of the key.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// How tokens are signed with it.
    #[must_use]
    pub fn algorithm(&self) -> JwtAlgorithm {
        self.algorithm
    }

    /// Whether the signature over these octets is this key's.
    pub(super) fn has_signed(&self, octets: &[u8], signature: &Vec<u8>) -> bool {
        let verifier = (PROVIDER.verifier_factory)(&self.algorithm.in_jsonwebtoken(), &self.key);
        verifier.is_ok_and(|verifier| verifier.verify(octets, signature).is_ok())
    }

    pub(super) fn ed25519(key: &[u8]) -> Self {
        Self::new(JwtAlgorithm::EdDsa, DecodingKey::from_ed_der(key))
    }

    pub(super) fn p256(point: &[u8]) -> Self {
        Self::new(JwtAlgorithm::Es256, DecodingKey::from_ec_der(point))
    }

    /// From modulus and exponent, unsigned and big-endian.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, JwtKeyError> {
        let (n, e) = (significant(n), significant(e));
        let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
        if !RSA_BITS.contains(&bits) {
            return Err(JwtKeyError::RsaSize(bits));
        }
        let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        if !is_odd(n) || !is_odd(e) || e == [1] || e.len() > LONGEST_EXPONENT {
            return Err(JwtKeyError::Unsupported(
                "this is no RSA key: its modulus or exponent cannot be one".to_owned(),
            ));
        }
        Ok(Self::new(JwtAlgorithm::Rs256, DecodingKey::from_rsa_raw_components(n, e)))
    }

    fn new(algorithm: JwtAlgorithm, key: DecodingKey) -> Self {
        // For the application's own use of `jsonwebtoken`, to sign with: where another crate has switched on a second
        // provider, that would panic without a choice. An error says that the application has chosen already.
        let _ = PROVIDER.install_default();
        Self { id: None, algorithm, key: Arc::new(key) }
    }
}

impl JwtAlgorithm {
    /// The algorithm as tokens name it in `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
        }
    }

    /// Whether a token or key that names this algorithm means this one. RFC 9864 calls EdDSA over Ed25519 by the curve.
    pub(super) fn is_named(self, name: &str) -> bool {
        name == self.name() || (self == Self::EdDsa && name == "Ed25519")
    }

    fn in_jsonwebtoken(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::EdDSA,
            Self::Es256 => Algorithm::ES256,
            Self::Hs256 => Algorithm::HS256,
            Self::Rs256 => Algorithm::RS256,
        }
    }
}

/// A number without its leading zeros.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    &number[zeros..]
}

/// The key itself is not shown.
impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtKey").field("id", &self.id).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
