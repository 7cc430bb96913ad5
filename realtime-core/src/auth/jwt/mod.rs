//! JSON Web Tokens (RFC 7519) in their signed compact form: keys, the strict verifier, and tokens that were taken back.
//!
//! ```text
//! token -> compact.rs       three parts; the header names a key (`kid`), and the key names the algorithm
//!       -> keys.rs          the one key of that name, of those that were loaded
//!       -> key.rs           the signature; up to here nothing of the token is believed
//!       -> claims.rs        every claim, with our clock
//!       -> revocation.rs    was it taken back?
//! ```

mod claims;
mod compact;
mod error;
mod jwk;
mod key;
mod key_error;
mod keys;
mod pem;
mod revocation;
mod unique_object;
mod verifier;

pub use claims::JwtClaims;
pub use error::{JwtError, JwtOptionError};
pub use key::{JwtAlgorithm, JwtKey};
pub use key_error::JwtKeyError;
pub use keys::JwtKeys;
pub use revocation::{Revocation, RevocationList};
pub use verifier::JwtVerifier;
