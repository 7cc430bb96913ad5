//! The keys of a verifier, by their ids: more than one while one takes the place of another.

use crate::auth::{
    JwtError, JwtKey, JwtKeyError,
    jwt::{jwk, key_error::MOST_KEYS},
};

/// The keys that a verifier accepts. A token names its key in `kid`; one without `kid` is only accepted where there is one
/// key, or a [default](Self::default_key).
///
/// ```
/// use parlor_core::auth::{JwtKey, JwtKeys, JwtVerifier};
///
/// let old = JwtKey::hs256(b"a secret of at least 32 octets, please")?.with_id("2026-10");
/// let new = JwtKey::hs256(b"another secret, also of over 32 octets")?.with_id("2026-11");
/// let verifier = JwtVerifier::new(JwtKeys::new([old, new.clone()])?).cookie("token");
/// // When the last token of the old key has ended:
/// verifier.replace_keys(new);
/// # Ok::<(), parlor_core::auth::JwtKeyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct JwtKeys {
    /// At least one, and their ids differ.
    keys: Vec<JwtKey>,
    default: Option<usize>,
}

impl JwtKeys {
    /// These keys.
    ///
    /// # Errors
    /// When there is none, or more than 32; when two have the same id; when one of several has none.
    pub fn new(keys: impl IntoIterator<Item = JwtKey>) -> Result<Self, JwtKeyError> {
        let keys: Vec<JwtKey> = keys.into_iter().collect();
        if keys.len() > MOST_KEYS {
            return Err(JwtKeyError::TooMany(keys.len()));
        }
        for (index, key) in keys.iter().enumerate() {
            let Some(id) = key.id() else {
                if keys.len() > 1 {
                    return Err(JwtKeyError::NoId);
                }
                continue;
            };
            if keys[..index].iter().any(|other| other.id() == Some(id)) {
                return Err(JwtKeyError::DuplicateId(id.to_owned()));
            }
        }
        match keys.len() {
            0 => Err(JwtKeyError::NoKey),
            _ => Ok(Self { keys, default: None }),
        }
    }

    /// The keys of a JSON Web Key Set (RFC 7517 section 5), as an issuer publishes them. To be loaded by the caller, from a
    /// place that is trusted: nothing is fetched. Keys of kinds or for uses that are not known here are left out, as the
    /// section says.
    ///
    /// # Errors
    /// When the text is over 256 KiB or no key set, when no key of it can be used, and as for [`new`](Self::new) and
    /// [`JwtKey::from_jwk`].
    pub fn from_jwks(json: &str) -> Result<Self, JwtKeyError> {
        Self::new(jwk::keys(json)?)
    }

    /// Lets the key of this id verify tokens without `kid` too. Needed where there are several keys and an issuer names none.
    ///
    /// # Errors
    /// When no key has that id.
    pub fn default_key(mut self, id: &str) -> Result<Self, JwtKeyError> {
        let place = self.keys.iter().position(|key| key.id() == Some(id));
        self.default = Some(place.ok_or_else(|| JwtKeyError::UnknownDefault(id.to_owned()))?);
        Ok(self)
    }

    /// All keys, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &JwtKey> {
        self.keys.iter()
    }

    /// The key that a token names, or does not name.
    pub(super) fn choose(&self, id: Option<&str>) -> Result<&JwtKey, JwtError> {
        let key = match (id, self.default, self.keys.as_slice()) {
            (Some(id), ..) => self.keys.iter().find(|key| key.id() == Some(id)),
            (None, Some(default), keys) => keys.get(default),
            (None, None, [only]) => Some(only),
            (None, None, _) => None,
        };
        key.ok_or(JwtError::UnknownKey)
    }
}

impl From<JwtKey> for JwtKeys {
    fn from(key: JwtKey) -> Self {
        Self { keys: vec![key], default: None }
    }
}
