//! Session ids: 128 bits from the operating system, so that no one can guess another's.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Digits of an id as text.
const DIGITS: usize = 32;

/// Names one session. Random, never reused; it may be shown, it authorises nothing. It is read as it is written, so that an
/// administrator's page can name a session.
///
/// ```
/// use parlor_core::session::SessionId;
///
/// let id = SessionId::random();
/// assert_eq!(id.to_string().parse(), Ok(id));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u128);

/// A text that is no session id.
///
/// ```
/// use parlor_core::session::SessionId;
///
/// let error = "1".parse::<SessionId>().unwrap_err();
/// assert_eq!(error.to_string(), "a session id has 32 digits, 0 to 9 and a to f");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session id has {DIGITS} digits, 0 to 9 and a to f")]
#[non_exhaustive]
pub struct SessionIdError;

impl SessionId {
    /// A fresh id.
    ///
    /// # Panics
    /// When the operating system has no randomness to give; nothing secure could be done then.
    #[must_use]
    pub fn random() -> Self {
        let mut octets = [0; 16];
        fill_random(&mut octets);
        Self(u128::from_le_bytes(octets))
    }
}

impl FromStr for SessionId {
    type Err = SessionIdError;

    fn from_str(text: &str) -> Result<Self, SessionIdError> {
        let is_digit = |octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != DIGITS || !text.bytes().all(is_digit) {
            return Err(SessionIdError);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| SessionIdError)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A short random word for names that only have to differ between processes.
pub(crate) fn random_tag() -> String {
    let mut octets = [0; 4];
    fill_random(&mut octets);
    format!("{:08x}", u32::from_le_bytes(octets))
}

#[expect(clippy::expect_used, reason = "without randomness no session may be opened")]
pub(crate) fn fill_random(octets: &mut [u8]) {
    getrandom::fill(octets).expect("the operating system gives random octets");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_in_no_other_spelling() {
        let id = SessionId(0xab);
        let text = id.to_string();
        assert_eq!(text, "000000000000000000000000000000ab");
        assert_eq!(text.parse(), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<SessionId>(&json).unwrap(), id);
        let shorter = &text[1..];
        for wrong in ["", "ab", shorter, &format!("+{shorter}"), &format!("0{text}"), &text.to_uppercase()] {
            assert_eq!(wrong.parse::<SessionId>(), Err(SessionIdError), "{wrong}");
        }
    }
}
