//! The name that a client gives a send, so that a repeat of it is recognised.

use std::{str::FromStr, sync::Arc};

/// The longest key, in octets: some tens of thousands are remembered.
const LONGEST_KEY: usize = 128;

/// The `message-key` of a SEND. Opaque: it is compared as a whole. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MessageKey(Arc<str>);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageKeyError {
    /// It is empty.
    #[error("a message-key is not empty")]
    Empty,
    /// It is too long.
    #[error("a message-key has at most {LONGEST_KEY} octets; this one has {0}")]
    TooLong(usize),
}

impl FromStr for MessageKey {
    type Err = MessageKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.len() {
            0 => Err(MessageKeyError::Empty),
            1..=LONGEST_KEY => Ok(Self(text.into())),
            octets => Err(MessageKeyError::TooLong(octets)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_128_octets_and_not_one_more() {
        assert!("k".repeat(128).parse::<MessageKey>().is_ok());
        assert_eq!("k".repeat(129).parse::<MessageKey>(), Err(MessageKeyError::TooLong(129)));
        // Octets, not characters.
        assert_eq!("é".repeat(65).parse::<MessageKey>(), Err(MessageKeyError::TooLong(130)));
        assert_eq!("".parse::<MessageKey>(), Err(MessageKeyError::Empty));
    }
}
