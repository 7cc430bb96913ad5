//! Why keys cannot be used, each with what to do.

use std::fmt;

/// The shortest secret, in octets: as long as the hash (RFC 7518 section 3.2).
pub(super) const SHORTEST_SECRET: usize = 32;

/// The most keys of a verifier: a rotation needs two, an issuer with several signers a few more. Each one is a way in.
pub(super) const MOST_KEYS: usize = 32;

/// Why keys cannot be used, and what to do. Its `Debug` is its sentence, for a `main` that returns it.
///
/// ```
/// use parlor_core::auth::JwtVerifier;
///
/// let error = JwtVerifier::hs256(b"short").unwrap_err();
/// println!("{error}"); // says how long it must be, and how to make one
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtKeyError {
    /// A certificate is not a key.
    #[error("this PEM text is a certificate; take its public key out: openssl x509 -pubkey -noout -in certificate.pem")]
    Certificate,
    /// Two keys have one id.
    #[error("two keys have the id `{0}`; give each key an id of its own")]
    DuplicateId(String),
    /// A JWK cannot be read.
    #[error("{0}")]
    Jwk(String),
    /// There is no key.
    #[error("there is no key; without one no token could be verified")]
    NoKey,
    /// One of several keys has no id, so that no token could name it.
    #[error("one of several keys has no id; name each with JwtKey::with_id, as tokens name them in `kid`")]
    NoId,
    /// Not one public key in PEM.
    #[error(
        "this is not one public key in PEM; write it with: openssl pkey -pubout -in private.pem, which begins with -----BEGIN PUBLIC KEY-----"
    )]
    NotPem,
    /// A PEM file is a public key, and everybody has it.
    #[error(
        "this secret is a PEM text; a secret for HS256 is random octets that nobody else has, and public keys are read by JwtKey::from_pem"
    )]
    Pem,
    /// A verifier needs no private key, and should not have one.
    #[error("this is a private key; verifying takes the public one alone: openssl pkey -pubout -in private.pem")]
    Private,
    /// The key can be factored.
    #[error("this RSA key has {0} bits; RS256 takes 2048 to 8192 (RFC 7518 section 3.3)")]
    RsaSize(usize),
    /// The secret can be guessed.
    #[error("the secret has {0} octets; HS256 needs at least {SHORTEST_SECRET} random ones (RFC 7518 section 3.2)")]
    TooShort(usize),
    /// More keys than a rotation needs.
    #[error("there are {0} keys; a verifier takes at most {most}: remove those that sign no more", most = MOST_KEYS)]
    TooMany(usize),
    /// No key has that id.
    #[error("no key has the id `{0}`, so it cannot be the default")]
    UnknownDefault(String),
    /// A key of another kind.
    #[error("{0}; taken are Ed25519 (EdDSA), P-256 (ES256), RSA from 2048 bits on (RS256) and secrets (HS256)")]
    Unsupported(String),
}

impl fmt::Debug for JwtKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
