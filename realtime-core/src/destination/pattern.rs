//! Patterns over destinations: `{name}` and `*` for one segment, `**` for the rest.
//!
//! The language is small enough that inclusion and overlap are decided exactly, segment by segment.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use crate::destination::{Destination, DestinationError, Params, check, check_segment, segments};

/// A pattern. `{name}` and `*` match exactly one segment; `**` stands only at the end and matches one or more, so that
/// `/topic/**` matches everything below `/topic` but not `/topic` itself, unlike in Spring.
///
/// Two patterns are compared segment by segment, in one pass and without trying destinations: see
/// [`includes`](Self::includes), [`overlaps`](Self::overlaps) and [`specificity`](Self::specificity).
///
/// ```
/// use parlor_core::destination::Pattern;
///
/// let rooms: Pattern = "/topic/rooms/{room}".parse().unwrap();
/// let room = "/topic/rooms/7".parse().unwrap();
/// assert!(rooms.matches(&room));
/// assert_eq!(rooms.captures(&room).unwrap().get("room"), Some("7"));
/// ```
#[derive(Clone)]
pub struct Pattern {
    text: Arc<str>,
    parts: Arc<[Part]>,
    names: Arc<[(usize, Box<str>)]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Any,
    Rest,
}

/// Why a text is not a pattern.
///
/// ```
/// use parlor_core::destination::{Pattern, PatternError};
///
/// assert_eq!("/topic/**/x".parse::<Pattern>().unwrap_err(), PatternError::RestInTheMiddle);
/// assert!(matches!("/topic/a*".parse::<Pattern>(), Err(PatternError::Star(_))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// A segment is not one that destinations can have either.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// Two placeholders share a name.
    #[error("two placeholders are named {{{0}}}; give each its own name")]
    DuplicateName(String),
    /// A placeholder that is not `{name}`.
    #[error("`{0}` is not a placeholder; write {{name}} with letters, digits and `_`, as a whole segment")]
    Placeholder(String),
    /// `**` before the end.
    #[error("`**` stands for the rest and can only be the last segment")]
    RestInTheMiddle,
    /// A star beside other characters.
    #[error("`{0}` mixes `*` with other characters; a `*` is a whole segment")]
    Star(String),
}

/// How specific a pattern is: compared from the left, a literal segment is more than a placeholder, which is more than
/// `**`; a longer pattern is more than its own beginning.
///
/// ```
/// use parlor_core::destination::Pattern;
///
/// let specificity = |text: &str| text.parse::<Pattern>().unwrap().specificity();
/// assert!(specificity("/topic/news") > specificity("/topic/{name}"));
/// assert!(specificity("/topic/{name}") > specificity("/topic/**"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity(Vec<u8>);

impl Pattern {
    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `destination` is one of the pattern's.
    #[must_use]
    pub fn matches(&self, destination: &Destination) -> bool {
        let mut segments = destination.segments();
        for part in &*self.parts {
            match (part, segments.next()) {
                (Part::Rest, Some(_)) => return true,
                (Part::Any, Some(_)) => {}
                (Part::Literal(text), Some(segment)) if **text == *segment => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }

    /// What the placeholders capture of `destination`; `None` where it does not match.
    #[must_use]
    pub fn captures(&self, destination: &Destination) -> Option<Params> {
        if !self.matches(destination) {
            return None;
        }
        Some(if self.names.is_empty() {
            Params::default()
        } else {
            Params::new(Arc::clone(&self.names), Arc::clone(&destination.0))
        })
    }

    /// What the placeholders capture of every destination of `other`; `None` where it is not wholly within this pattern, or
    /// where a placeholder would capture different segments of different destinations.
    ///
    /// ```
    /// use parlor_core::destination::Pattern;
    ///
    /// let rule: Pattern = "/topic/rooms/{room}/**".parse().unwrap();
    /// let within = |text: &str| rule.captures_within(&text.parse().unwrap()).map(|params| params.get("room").unwrap().to_owned());
    /// assert_eq!(within("/topic/rooms/7/*"), Some("7".to_owned()));
    /// assert_eq!(within("/topic/rooms/*/typing"), None);
    /// ```
    #[must_use]
    pub fn captures_within(&self, other: &Self) -> Option<Params> {
        let one = |place: &usize| matches!(other.parts.get(*place), Some(Part::Literal(_)));
        if !self.includes(other) || !self.names.iter().all(|(place, _)| one(place)) {
            return None;
        }
        Some(Params::new(Arc::clone(&self.names), Arc::clone(&other.text)))
    }

    /// The names of the placeholders, from the left.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(_, name)| &**name)
    }

    /// How specific the pattern is: of several that match, the greatest is chosen.
    #[must_use]
    pub fn specificity(&self) -> Specificity {
        Specificity(
            self.parts
                .iter()
                .map(|part| match part {
                    Part::Literal(_) => 3,
                    Part::Any => 2,
                    Part::Rest => 1,
                })
                .collect(),
        )
    }

    /// Whether some destination matches both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.parts.iter(), other.parts.iter());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(Part::Rest), Some(_)) | (Some(_), Some(Part::Rest)) => return true,
                (Some(Part::Literal(ours)), Some(Part::Literal(theirs))) if ours != theirs => return false,
                (Some(_), Some(_)) => {}
                (None, Some(_)) | (Some(_), None) => return false,
            }
        }
    }

    /// Whether every destination that `other` matches is matched by this one too.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.parts.iter(), other.parts.iter());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(Part::Rest), Some(_)) => return true,
                (Some(Part::Any), Some(Part::Any | Part::Literal(_))) => {}
                (Some(Part::Literal(ours)), Some(Part::Literal(theirs))) if ours == theirs => {}
                _ => return false,
            }
        }
    }

    /// Whether a destination exists for which neither of the two would be the better choice.
    #[must_use]
    pub fn is_ambiguous_with(&self, other: &Self) -> bool {
        self.specificity().cmp(&other.specificity()) == Ordering::Equal && self.overlaps(other)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let mut parts = Vec::new();
        let mut names: Vec<(usize, Box<str>)> = Vec::new();
        check(text, |segment| {
            if parts.last() == Some(&Part::Rest) {
                return Err(PatternError::RestInTheMiddle);
            }
            parts.push(match segment {
                "**" => Part::Rest,
                "*" => Part::Any,
                _ if segment.contains(['{', '}']) => {
                    let name = placeholder(segment)?;
                    if names.iter().any(|(_, known)| **known == *name) {
                        return Err(PatternError::DuplicateName(name.to_owned()));
                    }
                    names.push((parts.len(), name.into()));
                    Part::Any
                }
                _ if segment.contains('*') => return Err(PatternError::Star(segment.to_owned())),
                _ => {
                    check_segment(segment)?;
                    Part::Literal(segment.into())
                }
            });
            Ok(())
        })?;
        Ok(Self { text: text.into(), parts: parts.into(), names: names.into() })
    }
}

/// The name in `{name}`.
pub(super) fn placeholder(segment: &str) -> Result<&str, PatternError> {
    segment
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .filter(|name| !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_'))
        .ok_or_else(|| PatternError::Placeholder(segment.to_owned()))
}

/// The pattern that matches only this destination.
impl From<Destination> for Pattern {
    fn from(destination: Destination) -> Self {
        let parts = segments(destination.as_str()).map(|segment| Part::Literal(segment.into())).collect();
        Self { text: destination.as_str().into(), parts, names: Arc::new([]) }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn rule_4_what_is_not_a_pattern_is_refused() {
        use PatternError::*;
        for (text, error) in [
            ("/a/**/b", RestInTheMiddle),
            ("/a/b*", Star("b*".into())),
            ("/a/***", Star("***".into())),
            ("/a/{}", Placeholder("{}".into())),
            ("/a/{b", Placeholder("{b".into())),
            ("/a/x{b}", Placeholder("x{b}".into())),
            ("/a/{b c}", Placeholder("{b c}".into())),
            ("/{a}/{a}", DuplicateName("a".into())),
            ("/a/..", Destination(DestinationError::DotSegment)),
            ("a", Destination(DestinationError::NoSlash)),
        ] {
            assert_eq!(text.parse::<Pattern>().unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn rule_4_literals_come_before_placeholders_before_the_rest() {
        let order = ["/a/b/c", "/a/b/{c}", "/a/b/**", "/a/{b}/c", "/a/{b}/{c}", "/a/{b}", "/a/**", "/**"];
        for pair in order.windows(2) {
            assert!(pattern(pair[0]).specificity() > pattern(pair[1]).specificity(), "{pair:?}");
        }
    }

    #[test]
    fn rule_4_ambiguous_pairs_are_seen() {
        assert!(pattern("/a/{b}").is_ambiguous_with(&pattern("/a/{c}")));
        assert!(pattern("/a/{b}").is_ambiguous_with(&pattern("/a/*")));
        assert!(!pattern("/a/{b}").is_ambiguous_with(&pattern("/a/c")));
        assert!(!pattern("/a/{b}").is_ambiguous_with(&pattern("/c/{b}")));
    }

    #[test]
    fn placeholders_capture_by_name_in_order() {
        let captured = pattern("/a/{x}/b/{y}").captures(&"/a/1/b/2".parse().unwrap()).unwrap();
        assert_eq!(captured.iter().collect::<Vec<_>>(), [("x", "1"), ("y", "2")]);
        assert!(pattern("/a/{x}").captures(&"/a".parse().unwrap()).is_none());
    }

    #[test]
    fn the_rest_is_one_segment_or_more() {
        let below = pattern("/topic/**");
        let matches = |text: &str| below.matches(&text.parse().unwrap());
        assert!(matches("/topic/a") && matches("/topic/a/b") && !matches("/topic") && !matches("/topicx/a"));
    }

    proptest! {
        #[test]
        fn what_parses_keeps_its_text(text in "(/([a-b:é ]{1,2}|\\*|\\{[a-d]\\})){1,5}(/\\*\\*)?") {
            if let Ok(pattern) = text.parse::<Pattern>() {
                prop_assert_eq!(pattern.as_str(), &text);
                prop_assert_eq!(pattern.to_string(), text);
            }
        }

        /// The pattern of one destination is neither wider nor narrower than it.
        #[test]
        fn a_destination_is_the_pattern_of_itself_alone(one in "(/[ab]){1,4}", other in "(/[ab]){1,4}") {
            let (one, other): (Destination, Destination) = (one.parse().unwrap(), other.parse().unwrap());
            let literal = Pattern::from(one.clone());
            prop_assert_eq!(literal.matches(&other), one == other);
            prop_assert!(literal.includes(&pattern(one.as_str())) && pattern(one.as_str()).includes(&literal));
        }
    }

    /// Every text of up to four segments over `alphabet`.
    fn all(alphabet: &[&str]) -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut found = Vec::new();
        for _ in 0..4 {
            texts = texts.iter().flat_map(|text| alphabet.iter().map(move |part| format!("{text}/{part}"))).collect();
            found.extend(texts.clone());
        }
        found
    }

    /// Rule 5, S-29: inclusion and overlap are exact. `c` stands for every segment that no pattern names, and one segment
    /// more than the patterns have stands for every longer destination.
    #[test]
    fn rule_5_inclusion_and_overlap_agree_with_trying_every_destination() {
        let patterns: Vec<Pattern> = all(&["a", "b", "*", "**"]).iter().filter_map(|text| text.parse().ok()).collect();
        let mut destinations: Vec<Destination> =
            all(&["a", "b", "c"]).iter().map(|text| text.parse().unwrap()).collect();
        let longer: Vec<Destination> = destinations
            .iter()
            .filter(|destination| destination.segments().count() == 4)
            .map(|destination| format!("{destination}/c").parse().unwrap())
            .collect();
        destinations.extend(longer);
        // A bit for each destination makes the comparison of all pairs cheap.
        let matched: Vec<Vec<bool>> = patterns
            .iter()
            .map(|pattern| destinations.iter().map(|destination| pattern.matches(destination)).collect())
            .collect();
        for (one, ones) in patterns.iter().zip(&matched) {
            for (two, twos) in patterns.iter().zip(&matched) {
                let both = ones.iter().zip(twos).any(|(one, two)| *one && *two);
                let all = ones.iter().zip(twos).all(|(one, two)| *one || !*two);
                assert_eq!(one.overlaps(two), both, "{one} overlaps {two}");
                assert_eq!(one.includes(two), all, "{one} includes {two}");
            }
        }
    }
}
