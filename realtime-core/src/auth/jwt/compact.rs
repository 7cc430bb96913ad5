//! The compact serialisation of a signed token (RFC 7515 section 7.1): `header.payload.signature`, each in base64url.
//!
//! Nothing here is believed yet. Of the header only what chooses and judges the signature is read: whatever else it names
//! (`jwk`, `jku`, `x5u`, `x5c`: a key of the sender's own choice) is not looked at.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::auth::{JwtError, jwt::unique_object::unique_object};

/// The most parameters of a header; RFC 7515 registers eleven.
const MOST_HEADER_PARAMETERS: usize = 16;

/// A token taken apart.
pub(super) struct Compact<'a> {
    pub(super) header: JoseHeader,
    /// What the signature signs: header and payload as they came.
    pub(super) signed: &'a [u8],
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// The header of a token: what the token says about itself.
pub(super) struct JoseHeader(Map<String, Value>);

impl<'a> Compact<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, JwtError> {
        let malformed = JwtError::Malformed;
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(malformed)?;
        // A further dot is no letter of base64url.
        let octets = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Malformed);
        let header = unique_object(&octets(header)?, MOST_HEADER_PARAMETERS).map_err(|_| malformed)?;
        Ok(Self {
            header: JoseHeader(header),
            signed: signed.as_bytes(),
            payload: octets(payload)?,
            signature: octets(signature)?,
        })
    }
}

impl JoseHeader {
    /// The algorithm that the token claims to be signed with.
    pub(super) fn algorithm(&self) -> Option<&str> {
        self.0.get("alg").and_then(Value::as_str)
    }

    /// The key that the token claims to be signed with.
    pub(super) fn key_id(&self) -> Result<Option<&str>, JwtError> {
        self.text("kid").map_err(|()| JwtError::UnknownKey)
    }

    /// What kind of token it is.
    pub(super) fn token_type(&self) -> Result<Option<&str>, JwtError> {
        self.text("typ").map_err(|()| JwtError::Type)
    }

    /// Whether it lists extensions that must be understood (RFC 7515 section 4.1.11). None are.
    pub(super) fn has_critical_extensions(&self) -> bool {
        self.0.contains_key("crit")
    }

    /// A parameter that must be a text where it stands.
    fn text(&self, name: &str) -> Result<Option<&str>, ()> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(()),
        }
    }
}
