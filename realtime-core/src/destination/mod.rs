//! Destinations, patterns and templates: parsed once at the edge, typed ever after.
//!
//! Matching, authorisation, logs and delivery use the typed values, so two spellings of one place cannot exist.

mod params;
mod pattern;
mod prefixes;
mod template;
mod user;

use std::{convert::Infallible, fmt, str::FromStr, sync::Arc};

pub use params::Params;
pub use pattern::{Pattern, PatternError, Specificity};
pub use prefixes::{Class, Prefixes, UserPath};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
pub use template::Template;
pub use user::{Owner, UserDestination};

/// The longest destination, in octets: index keys and logs stay small.
pub const MAX_OCTETS: usize = 255;

/// The most segments of a destination: it bounds the depth of the pattern trie.
pub const MAX_SEGMENTS: usize = 16;

/// A place that messages are sent to, such as `/topic/rooms/7`. Cheap to clone.
///
/// It begins with `/`, and its segments are not empty, not `.` or `..`, and hold no control characters, `%`, `\`, `*`,
/// `{` or `}`. What does not fit is refused, never repaired.
///
/// ```
/// use parlor_core::destination::Destination;
///
/// let room: Destination = "/topic/rooms/7".parse().unwrap();
/// assert_eq!(room.segments().collect::<Vec<_>>(), ["topic", "rooms", "7"]);
/// assert!("/topic//7".parse::<Destination>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination(Arc<str>);

/// Why a text is not a destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DestinationError {
    /// A segment holds a character that destinations do not have.
    #[error("{0:?} may not stand in a destination; leave it out")]
    Character(char),
    /// A segment is `.` or `..`.
    #[error("`.` and `..` may not be segments of a destination; name the place itself")]
    DotSegment,
    /// Two slashes follow each other, or one stands at the end.
    #[error("a destination has no empty segments: remove the double or trailing `/`")]
    EmptySegment,
    /// It does not begin with a slash.
    #[error("a destination begins with `/`, for example /topic/news")]
    NoSlash,
    /// It is too long.
    #[error("a destination has at most {MAX_OCTETS} octets; this one has {0}")]
    TooLong(usize),
    /// It is too deep.
    #[error("a destination has at most {MAX_SEGMENTS} segments; this one has {0}")]
    TooManySegments(usize),
}

impl Destination {
    /// The destination as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself, which all clones share.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// The segments, from the left.
    pub fn segments(&self) -> impl Iterator<Item = &str> + Clone {
        segments(&self.0)
    }

    /// Whether this is `prefix` or lies below it, by whole segments: `/topic` is no prefix of `/topicx`.
    #[must_use]
    pub fn starts_with_segments(&self, prefix: &Self) -> bool {
        self.0.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether a destination, pattern or template lies below this, by whole segments.
    pub(crate) fn is_above(&self, text: &str) -> bool {
        self.rest_of(text).is_some()
    }

    /// What a destination, pattern or template that lies below this has behind it, from the slash on.
    pub(crate) fn rest_of<'a>(&self, text: &'a str) -> Option<&'a str> {
        text.strip_prefix(self.as_str()).filter(|rest| rest.starts_with('/'))
    }

    /// What is left below `prefix`, itself a destination.
    pub(crate) fn below(&self, prefix: &Self) -> Option<Self> {
        // The rest of a destination behind whole segments is a destination.
        prefix.rest_of(&self.0).map(|rest| Self(rest.into()))
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        check(text, check_segment)?;
        Ok(Self(text.into()))
    }
}

impl TryFrom<&str> for Destination {
    type Error = DestinationError;

    fn try_from(text: &str) -> Result<Self, DestinationError> {
        text.parse()
    }
}

impl TryFrom<String> for Destination {
    type Error = DestinationError;

    fn try_from(text: String) -> Result<Self, DestinationError> {
        text.parse()
    }
}

impl TryFrom<&String> for Destination {
    type Error = DestinationError;

    fn try_from(text: &String) -> Result<Self, DestinationError> {
        text.parse()
    }
}

impl From<Infallible> for DestinationError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Serialize for Destination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Checks what destinations, patterns and templates have in common, and each segment with `check_segment`.
fn check<E: From<DestinationError>>(text: &str, mut check_segment: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    if text.len() > MAX_OCTETS {
        return Err(DestinationError::TooLong(text.len()).into());
    }
    if !text.starts_with('/') {
        return Err(DestinationError::NoSlash.into());
    }
    let count = segments(text).count();
    if count > MAX_SEGMENTS {
        return Err(DestinationError::TooManySegments(count).into());
    }
    segments(text).try_for_each(|segment| {
        if segment.is_empty() {
            return Err(DestinationError::EmptySegment.into());
        }
        check_segment(segment)
    })
}

fn check_segment(segment: &str) -> Result<(), DestinationError> {
    if matches!(segment, "." | "..") {
        return Err(DestinationError::DotSegment);
    }
    match segment.chars().find(|char| char.is_control() || matches!(char, '%' | '\\' | '*' | '{' | '}')) {
        Some(char) => Err(DestinationError::Character(char)),
        None => Ok(()),
    }
}

/// The segments of a text that begins with a slash.
fn segments(text: &str) -> std::str::Split<'_, char> {
    text.strip_prefix('/').unwrap_or(text).split('/')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rule_3_what_does_not_fit_is_refused() {
        use DestinationError::*;
        let deep = "/a".repeat(17);
        let long = format!("/{}", "a".repeat(255));
        for (text, error) in [
            ("", NoSlash),
            ("topic", NoSlash),
            ("/", EmptySegment),
            ("//a", EmptySegment),
            ("/a//b", EmptySegment),
            ("/a/", EmptySegment),
            ("/a/.", DotSegment),
            ("/a/../b", DotSegment),
            ("/a%2f", Character('%')),
            ("/a\\b", Character('\\')),
            ("/a\n", Character('\n')),
            ("/a\u{85}", Character('\u{85}')),
            ("/a/*", Character('*')),
            ("/a/{b}", Character('{')),
            (deep.as_str(), TooManySegments(17)),
            (long.as_str(), TooLong(256)),
        ] {
            assert_eq!(text.parse::<Destination>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn rule_3_the_limits_themselves_pass() {
        for text in ["/a".repeat(16), format!("/{}", "a".repeat(254))] {
            assert_eq!(text.parse::<Destination>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_destination_in_json_is_checked_when_it_is_read() {
        let destination: Destination = "/topic/a".parse().unwrap();
        let json = serde_json::to_string(&destination).unwrap();
        assert_eq!(serde_json::from_str::<Destination>(&json).unwrap(), destination);
        assert!(serde_json::from_str::<Destination>("\"/topic/../a\"").is_err());
    }

    #[test]
    fn colons_spaces_and_other_scripts_are_fine() {
        for text in ["/topic/a:b", "/topic/a b", "/topic/räume/部屋"] {
            assert_eq!(text.parse::<Destination>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn rule_1_prefixes_match_whole_segments() {
        let topic: Destination = "/topic".parse().unwrap();
        let starts = |text: &str| text.parse::<Destination>().unwrap().starts_with_segments(&topic);
        assert!(starts("/topic/a") && starts("/topic"));
        assert!(!starts("/topicx") && !starts("/topicx/a"));
    }

    proptest! {
        /// S-31: there is one spelling of a place. Most of these texts are destinations.
        #[test]
        fn what_parses_keeps_its_text(text in prop_oneof![4 => "(/[a-c:é .~]{1,3}){1,17}", 1 => "[/.%*a\\PC]{0,20}"]) {
            if let Ok(destination) = text.parse::<Destination>() {
                prop_assert_eq!(destination.as_str(), &text);
                let joined: String = destination.segments().flat_map(|segment| ["/", segment]).collect();
                prop_assert_eq!(&joined, &text);
                prop_assert_eq!(destination.to_string().parse(), Ok(destination));
            }
        }

        #[test]
        fn arbitrary_text_never_panics(text: String) {
            let _ = (text.parse::<Destination>(), text.parse::<Pattern>(), text.parse::<Template>());
        }
    }
}
