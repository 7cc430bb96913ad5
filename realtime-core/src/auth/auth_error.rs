//! Why a client is not let in, with code and HTTP status.

/// Why a client was not let in. What the client is told does not say which check failed.
///
/// ```
/// use parlor_core::auth::{AuthError, Handshake, Principal};
///
/// fn staff(handshake: Handshake<'_>) -> Result<Principal, AuthError> {
///     match handshake.cookie("badge")? {
///         Some("let-me-in") => Ok(Principal::anonymous()),
///         Some(_) => Err(AuthError::Invalid),
///         None => Err(AuthError::Missing),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The client is known and may not connect: 403.
    #[error("This account may not connect.")]
    Forbidden,
    /// The credentials are not good: 401.
    #[error("The credentials are not valid. Log in again.")]
    Invalid,
    /// There are no credentials: 401.
    #[error("Credentials are missing. Log in first.")]
    Missing,
    /// It cannot be told now: 503.
    #[error("It cannot be checked now who you are. Try again later.")]
    Unavailable,
}

impl AuthError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Invalid => "invalid-credentials",
            Self::Missing => "missing-credentials",
            Self::Unavailable => "unavailable",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> http::StatusCode {
        match self {
            Self::Forbidden => http::StatusCode::FORBIDDEN,
            Self::Invalid | Self::Missing => http::StatusCode::UNAUTHORIZED,
            Self::Unavailable => http::StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
