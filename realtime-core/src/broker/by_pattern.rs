//! A setting of destinations, by pattern.

use std::cmp::Reverse;

use crate::destination::{Destination, Pattern};

/// Values of destinations by pattern: of several patterns that match, the most specific one counts.
#[derive(Clone, Debug)]
pub(super) struct ByPattern<T> {
    /// The most specific first.
    rules: Vec<(Pattern, T)>,
}

impl<T> Default for ByPattern<T> {
    fn default() -> Self {
        Self { rules: Vec::new() }
    }
}

impl<T: Copy> ByPattern<T> {
    /// Adds a rule; the error is the pattern of one that is there already, where neither would be the better choice.
    pub(super) fn insert(&mut self, pattern: Pattern, value: T) -> Result<(), Pattern> {
        if let Some((other, _)) = self.rules.iter().find(|(other, _)| other.is_ambiguous_with(&pattern)) {
            return Err(other.clone());
        }
        self.rules.push((pattern, value));
        self.rules.sort_by_cached_key(|(pattern, _)| Reverse(pattern.specificity()));
        Ok(())
    }

    /// The value of `destination`, where a pattern matches it.
    pub(super) fn find(&self, destination: &Destination) -> Option<T> {
        self.rules.iter().find_map(|(pattern, value)| pattern.matches(destination).then_some(*value))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Pattern, T)> {
        self.rules.iter().map(|(pattern, value)| (pattern, *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_4_the_most_specific_pattern_counts_and_an_ambiguous_pair_is_refused() {
        let mut rules = ByPattern::default();
        for (text, value) in [("/topic/**", 1), ("/topic/a/*", 2), ("/topic/a/b", 3)] {
            rules.insert(text.parse().unwrap(), value).unwrap();
        }
        let found = |text: &str| rules.find(&text.parse().unwrap());
        assert_eq!(["/topic/x", "/topic/a/x", "/topic/a/b", "/queue/x"].map(found), [Some(1), Some(2), Some(3), None]);
        let other = rules.clone().insert("/topic/a/{b}".parse().unwrap(), 4).unwrap_err();
        assert_eq!(other.as_str(), "/topic/a/*");
    }
}
