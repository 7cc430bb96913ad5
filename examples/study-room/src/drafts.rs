//! What a message may be, in a room and between two people.

/// The longest message, in characters.
const LONGEST_TEXT: usize = 4000;

/// Keys, in octets.
const KEY_LENGTH: std::ops::RangeInclusive<usize> = 1..=64;

/// Why a message is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DraftError {
    #[error("This message cannot be sent again: its key must be 1 to 64 letters, digits or hyphens.")]
    BadKey,
    #[error("A message holds text, and no character U+0000. Write something, or take that one out.")]
    BadText,
    #[error("A message has at most 4,000 characters, and this one has {0}. Shorten it, or send it in parts.")]
    TooLong(usize),
}

impl DraftError {
    /// What a refusal calls it.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::BadKey => "bad-key",
            Self::BadText | Self::TooLong(_) => "bad-text",
        }
    }
}

/// Checks a text of 1 to 4,000 characters, and the key that its page made for it.
pub(crate) fn check(text: &str, key: &str) -> Result<(), DraftError> {
    let length = text.chars().count();
    if length > LONGEST_TEXT {
        return Err(DraftError::TooLong(length));
    }
    // Not every database can store U+0000, and nobody can type it.
    if text.trim().is_empty() || text.contains('\0') {
        return Err(DraftError::BadText);
    }
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    if !KEY_LENGTH.contains(&key.len()) || !key.bytes().all(plain) {
        return Err(DraftError::BadKey);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_and_its_key_are_bounded() {
        let (long, longer) = ("é".repeat(4000), "é".repeat(4001));
        for (text, key, checked) in [
            ("x", "k", Ok(())),
            (&long, &"k".repeat(64), Ok(())),
            (&longer, "k", Err(DraftError::TooLong(4001))),
            (" \n", "k", Err(DraftError::BadText)),
            ("a\0b", "k", Err(DraftError::BadText)),
            ("x", "", Err(DraftError::BadKey)),
            ("x", &"k".repeat(65), Err(DraftError::BadKey)),
            ("x", "a key", Err(DraftError::BadKey)),
        ] {
            assert_eq!(check(text, key), checked, "{key}");
        }
    }
}
