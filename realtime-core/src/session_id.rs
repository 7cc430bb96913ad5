//! Session ids: 128 bits from the operating system, so that no one can guess another's.

use std::fmt;

use serde::{Serialize, Serializer};

/// Names one session. Random, never reused; it may be shown, it authorises nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u128);

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
