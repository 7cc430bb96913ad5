//! Which destinations have history, and how much: patterns with their [`Retain`].

use crate::{
    destination::{Destination, Pattern},
    history::Retain,
};

/// What each destination keeps, by pattern: of several patterns that match, the most specific one counts.
///
/// ```
/// use parlor_core::history::{Retain, Retention};
///
/// let retention = Retention::new([
///     ("/topic/**".parse().unwrap(), Retain::last(100)),
///     ("/topic/rooms/*/chat".parse().unwrap(), Retain::last(500)),
/// ])
/// .unwrap();
/// let kept = |text: &str| retention.find(&text.parse().unwrap()).map(|retain| retain.messages());
/// assert_eq!(kept("/topic/rooms/7/chat"), Some(500));
/// assert_eq!(kept("/topic/rooms/7/typing"), Some(100));
/// assert_eq!(kept("/queue/jobs"), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Retention {
    /// The most specific first.
    rules: Vec<(Pattern, Retain)>,
}

/// Why patterns do not say what a destination keeps.
///
/// ```
/// use parlor_core::history::{Retain, Retention, RetentionError};
///
/// let rules = ["/topic/{a}/x", "/topic/{b}/x"].map(|text| (text.parse().unwrap(), Retain::last(10)));
/// assert!(matches!(Retention::new(rules), Err(RetentionError::Ambiguous(..))));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetentionError {
    /// Two patterns match the same destination and neither is the more specific one.
    #[error(
        "the histories of {0} and {1} overlap and neither pattern is more specific; make them differ or remove one"
    )]
    Ambiguous(Pattern, Pattern),
}

impl Retention {
    /// What destinations of these patterns keep; every other one has no history.
    ///
    /// # Errors
    /// When two patterns match the same destination and neither is the more specific one.
    pub fn new(rules: impl IntoIterator<Item = (Pattern, Retain)>) -> Result<Self, RetentionError> {
        let mut rules: Vec<_> = rules.into_iter().collect();
        for (index, (one, _)) in rules.iter().enumerate() {
            if let Some((other, _)) = rules[..index].iter().find(|(other, _)| other.is_ambiguous_with(one)) {
                return Err(RetentionError::Ambiguous(other.clone(), one.clone()));
            }
        }
        rules.sort_by_cached_key(|(pattern, _)| std::cmp::Reverse(pattern.specificity()));
        Ok(Self { rules })
    }

    /// What `destination` keeps; `None` where it has no history.
    #[must_use]
    pub fn find(&self, destination: &Destination) -> Option<Retain> {
        self.rules.iter().find_map(|(pattern, retain)| pattern.matches(destination).then_some(*retain))
    }

    /// Whether no destination has history.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_4_an_ambiguous_pair_is_refused_at_the_start() {
        let rules = |patterns: [&str; 2]| Retention::new(patterns.map(|text| (text.parse().unwrap(), Retain::last(1))));
        assert!(matches!(rules(["/a/{b}", "/a/*"]), Err(RetentionError::Ambiguous(..))));
        assert!(matches!(rules(["/a/b", "/a/b"]), Err(RetentionError::Ambiguous(..))));
        assert!(rules(["/a/b", "/a/*"]).is_ok());
        assert!(rules(["/a/*/c", "/b/*/c"]).is_ok());
    }

    #[test]
    fn the_most_specific_pattern_counts_whatever_the_order() {
        let rules = [("/a/**", 1), ("/a/*/c", 2), ("/a/b/c", 3)];
        for turned in 0..rules.len() {
            let mut rules = rules.map(|(text, messages)| (text.parse().unwrap(), Retain::last(messages)));
            rules.rotate_left(turned);
            let retention = Retention::new(rules).unwrap();
            let kept = |text: &str| retention.find(&text.parse().unwrap()).map(|retain| retain.messages());
            assert_eq!(["/a/b/c", "/a/x/c", "/a/x", "/b"].map(kept), [Some(3), Some(2), Some(1), None]);
        }
    }
}
