//! Value encoding: which octets of names and values are escaped, by version.
//!
//! | octet | 1.0 | 1.1 | 1.2 |
//! |---|---|---|---|
//! | LF | cannot stand | `\n` | `\n` |
//! | CR | cannot stand | cannot stand | `\r` |
//! | `:` | as it is (in a name: cannot stand) | `\c` | `\c` |
//! | `\` | as it is | `\\` | `\\` |
//!
//! NUL can stand in no version, as many decoders end the frame there. What cannot stand in a value is left out, octet by
//! octet: a message is worth more than one character of a header. A name that cannot stand whole is left out with its
//! value, because what is left of it could be another header's name. See
//! [Value Encoding](https://stomp.github.io/stomp-specification-1.2.html#Value_Encoding).

use std::borrow::Cow;

use memchr::memchr;

use crate::Version;

/// Octets that no version writes as they are, or that only some do.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut all: &[u8] = b"\n\r\0:\\";
    while let [first, rest @ ..] = all {
        special[*first as usize] = true;
        all = rest;
    }
    special
};

fn is_special(octet: u8) -> bool {
    SPECIAL[usize::from(octet)]
}

/// How names and values of one frame are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escaping {
    /// By the rules of a version.
    Of(Version),
    /// Not at all: CONNECT, STOMP and CONNECTED.
    Never,
}

/// The escape ends too early or is none of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UndefinedEscape;

impl Escaping {
    fn escapes(self) -> bool {
        matches!(self, Self::Of(Version::V1_1 | Version::V1_2))
    }

    /// Decodes a name or value, in one pass from left to right.
    pub(crate) fn decode(self, text: &str) -> Result<Cow<'_, str>, UndefinedEscape> {
        if !self.escapes() || memchr(b'\\', text.as_bytes()).is_none() {
            return Ok(Cow::Borrowed(text));
        }
        let mut decoded = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            decoded.push(match char {
                '\\' => match chars.next() {
                    Some('n') => '\n',
                    Some('c') => ':',
                    Some('\\') => '\\',
                    Some('r') if self == Self::Of(Version::V1_2) => '\r',
                    _ => return Err(UndefinedEscape),
                },
                plain => plain,
            });
        }
        Ok(Cow::Owned(decoded))
    }

    /// Writes a name; nothing where it cannot stand whole.
    pub(crate) fn encode_name(self, name: &str, out: &mut Vec<u8>) {
        if !name.bytes().any(is_special) {
            out.extend_from_slice(name.as_bytes());
            return;
        }
        let stands = |octet| match octet {
            b'\0' => false,
            b'\r' => self == Self::Of(Version::V1_2),
            b'\n' | b':' => self.escapes(),
            _ => true,
        };
        if name.bytes().all(stands) {
            self.encode_value(name, out);
        }
    }

    /// Writes a value.
    pub(crate) fn encode_value(self, value: &str, out: &mut Vec<u8>) {
        if !value.bytes().any(is_special) {
            out.extend_from_slice(value.as_bytes());
            return;
        }
        for octet in value.bytes() {
            match octet {
                b'\0' => {}
                b'\n' if self.escapes() => out.extend_from_slice(b"\\n"),
                b'\n' => {}
                b'\r' if self == Self::Of(Version::V1_2) => out.extend_from_slice(b"\\r"),
                b'\r' => {}
                b':' if self.escapes() => out.extend_from_slice(b"\\c"),
                b'\\' if self.escapes() => out.extend_from_slice(b"\\\\"),
                plain => out.push(plain),
            }
        }
    }
}
