//! Why a token is refused, and what is wrong with a verifier.

use std::{ops::RangeInclusive, time::Duration};

/// What the longest life of a token can be set to.
pub(super) const MAX_LIFETIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 3600);

/// What the most claims of a token can be set to: a token of 8 KiB has no room for more.
pub(super) const MAX_CLAIMS: RangeInclusive<usize> = 1..=1024;

/// Why a token is refused. For logs and tests: clients learn only that it is not valid.
///
/// ```
/// use std::time::SystemTime;
/// use parlor_core::auth::{JwtError, JwtVerifier};
///
/// let verifier = JwtVerifier::hs256(b"only for examples, thirty-two octets")?;
/// assert_eq!(verifier.verify("no token", SystemTime::now()).unwrap_err(), JwtError::Malformed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// It names another algorithm than its key's.
    #[error("signed with another algorithm than the key's")]
    Algorithm,
    /// A claim is missing or not of its type.
    #[error("the claim {0} is missing or malformed")]
    Claim(&'static str),
    /// An extension that must be understood is not.
    #[error("an unknown critical extension")]
    Critical,
    /// Past its end.
    #[error("expired")]
    Expired,
    /// It lives longer than is accepted.
    #[error("lives too long")]
    Lifetime,
    /// Not three parts in base64url, a header or claims that are no JSON object, or a name that stands twice in one.
    #[error("malformed")]
    Malformed,
    /// It was taken back.
    #[error("revoked")]
    Revoked,
    /// Not signed by the key that it names.
    #[error("not signed by our key")]
    Signature,
    /// Before its beginning.
    #[error("not valid yet")]
    TooEarly,
    /// Too many octets.
    #[error("too long")]
    TooLong,
    /// Too many claims.
    #[error("too many claims")]
    TooManyClaims,
    /// Of another type: a refresh token, say.
    #[error("not an access token")]
    Type,
    /// It names a key that is not here, or none where there are several.
    #[error("no such key")]
    UnknownKey,
}

/// What is wrong with a verifier, found when the endpoint is built.
///
/// ```
/// use parlor_core::{BuildError, Realtime, app::Router, auth::{JwtOptionError, JwtVerifier}};
///
/// let verifier = JwtVerifier::hs256(b"a secret of at least 32 octets, please").unwrap();
/// let error = Realtime::builder(Router::new().with_state(())).authenticate(verifier).build().unwrap_err();
/// assert_eq!(error.to_string(), JwtOptionError::NoSource.to_string());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtOptionError {
    /// A cookie of this name cannot be sent.
    #[error("`{0}` is no name of a cookie; take letters, digits, `-` and `_`, as in __Host-token")]
    Cookie(String),
    /// Neither [`JwtVerifier::cookie`](crate::auth::JwtVerifier::cookie) nor [`JwtVerifier::bearer`](crate::auth::JwtVerifier::bearer) was called.
    #[error(
        "the JwtVerifier looks for tokens nowhere, so that nobody could connect; add .cookie(\"__Host-token\"), .bearer() or both"
    )]
    NoSource,
    /// [`JwtVerifier::max_claims`](crate::auth::JwtVerifier::max_claims) is out of its bounds.
    #[error("max_claims is {0}; it must be from {least} to {most}", least = MAX_CLAIMS.start(), most = MAX_CLAIMS.end())]
    MaxClaims(usize),
    /// [`JwtVerifier::max_lifetime`](crate::auth::JwtVerifier::max_lifetime) is out of its bounds.
    #[error("max_lifetime is {0:?}; it must be from 1 s to 365 days")]
    MaxLifetime(Duration),
}
