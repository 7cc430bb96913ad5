//! Who a client is, judged from its handshake, before the upgrade.

mod auth_error;
mod authenticator;
mod cookie;
mod handshake;
mod judge;
mod jwt;
mod origin;
mod principal;

pub use auth_error::AuthError;
pub use authenticator::{Anonymous, Authenticator, Nobody};
pub use handshake::Handshake;
pub(crate) use judge::Judge;
pub use jwt::{
    JwtAlgorithm, JwtClaims, JwtError, JwtKey, JwtKeyError, JwtKeys, JwtOptionError, JwtVerifier, Revocation,
    RevocationList,
};
pub use origin::{OriginError, OriginPolicy, OriginRefusal};
pub use principal::{Principal, UserId, UserIdError};
