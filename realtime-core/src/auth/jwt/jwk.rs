//! Keys as JSON (RFC 7517, RFC 7518 section 6, RFC 8037): one, or a set as issuers publish it.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use crate::auth::{JwtAlgorithm, JwtKey, JwtKeyError};

/// The longest key set, in octets.
const LONGEST_SET: usize = 256 * 1024;

/// A key set.
#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// The members of a key that matter. Certificates are not looked at.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    alg: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    k: Option<String>,
    /// The private part of RSA, EC and OKP keys.
    d: Option<IgnoredAny>,
}

impl JwtKey {
    /// A key as a JSON Web Key (RFC 7517), with its `kid` where it has one. To be loaded from a place that is trusted:
    /// nothing is fetched, and certificates in it are not looked at.
    ///
    /// # Errors
    /// As for [`from_pem`](Self::from_pem) and [`hs256`](Self::hs256); also where `alg`, `use` or `key_ops` say that it is
    /// for something else, and where a private key is in it.
    pub fn from_jwk(json: &str) -> Result<Self, JwtKeyError> {
        let jwk: Jwk = serde_json::from_str(json).map_err(|error| malformed(&error))?;
        jwk.into_key()
    }
}

/// The keys of a set that can be used here.
pub(super) fn keys(json: &str) -> Result<Vec<JwtKey>, JwtKeyError> {
    if json.len() > LONGEST_SET {
        return Err(JwtKeyError::Jwk(format!("the key set has {} octets; at most {LONGEST_SET} are read", json.len())));
    }
    let set: Set = serde_json::from_str(json).map_err(|error| malformed(&error))?;
    let mut keys = Vec::new();
    let mut left_out = None;
    for jwk in set.keys {
        let has_known_type = jwk["kty"].as_str().is_some_and(|kty| matches!(kty, "EC" | "OKP" | "RSA" | "oct"));
        if !has_known_type {
            continue;
        }
        let jwk: Jwk = serde_json::from_value(jwk).map_err(|error| malformed(&error))?;
        match jwk.into_key() {
            Ok(key) => keys.push(key),
            Err(error @ JwtKeyError::Unsupported(_)) => left_out = Some(error),
            Err(error) => return Err(error),
        }
    }
    if keys.is_empty() { Err(left_out.unwrap_or(JwtKeyError::NoKey)) } else { Ok(keys) }
}

impl Jwk {
    fn into_key(self) -> Result<JwtKey, JwtKeyError> {
        if self.d.is_some() {
            return Err(JwtKeyError::Private);
        }
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|one| one == "verify"));
        if !signs {
            return Err(self.unsupported("is not for verifying signatures (`use`, `key_ops`)"));
        }
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => JwtAlgorithm::Es256,
            ("OKP", Some("Ed25519")) => JwtAlgorithm::EdDsa,
            ("RSA", _) => JwtAlgorithm::Rs256,
            ("oct", _) => JwtAlgorithm::Hs256,
            _ => return Err(self.unsupported("is of another kind (`kty`, `crv`)")),
        };
        if self.alg.as_deref().is_some_and(|alg| !algorithm.is_named(alg)) {
            return Err(self.unsupported("is for another algorithm (`alg`)"));
        }
        let key = match algorithm {
            JwtAlgorithm::EdDsa => JwtKey::ed25519(&self.sized("x", self.x.as_deref(), 32)?),
            JwtAlgorithm::Es256 => {
                let (x, y) = (self.sized("x", self.x.as_deref(), 32)?, self.sized("y", self.y.as_deref(), 32)?);
                JwtKey::p256(&[&[4], x.as_slice(), &y].concat())
            }
            JwtAlgorithm::Hs256 => JwtKey::hs256(&self.octets("k", self.k.as_deref())?)?,
            JwtAlgorithm::Rs256 => {
                JwtKey::rsa(&self.octets("n", self.n.as_deref())?, &self.octets("e", self.e.as_deref())?)?
            }
        };
        Ok(match &self.kid {
            Some(id) => key.with_id(id),
            None => key,
        })
    }

    fn octets(&self, name: &str, value: Option<&str>) -> Result<Vec<u8>, JwtKeyError> {
        let octets = value.and_then(|value| BASE64_URL_SAFE_NO_PAD.decode(value).ok());
        octets.ok_or_else(|| JwtKeyError::Jwk(format!("{} has no `{name}` in base64url", self.title())))
    }

    fn sized(&self, name: &str, value: Option<&str>, size: usize) -> Result<Vec<u8>, JwtKeyError> {
        let octets = self.octets(name, value)?;
        match octets.len() == size {
            true => Ok(octets),
            false => Err(JwtKeyError::Jwk(format!("`{name}` of {} must have {size} octets", self.title()))),
        }
    }

    fn unsupported(&self, what: &str) -> JwtKeyError {
        JwtKeyError::Unsupported(format!("{} {what}", self.title()))
    }

    fn title(&self) -> String {
        self.kid.as_ref().map_or_else(|| "this JWK".to_owned(), |id| format!("the JWK `{id}`"))
    }
}

/// What is wrong, by its place: the reader's own words could repeat a secret.
fn malformed(error: &serde_json::Error) -> JwtKeyError {
    let (line, column) = (error.line(), error.column());
    JwtKeyError::Jwk(format!("this is no JWK (RFC 7517): it is malformed at line {line}, column {column}"))
}
