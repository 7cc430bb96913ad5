//! Destinations with placeholders to fill in: the targets of `send_to`.

use std::{str::FromStr, sync::Arc};

use crate::destination::{
    Destination, DestinationError, Params, PatternError, check, check_segment, pattern::placeholder, segments,
};

/// A destination in which `{name}` stands for a captured segment: `/topic/rooms/{room}`.
///
/// ```
/// use parlor_core::destination::{Pattern, Template};
///
/// let route: Pattern = "/app/rooms/{room}/say".parse().unwrap();
/// let target: Template = "/topic/rooms/{room}".parse().unwrap();
/// let params = route.captures(&"/app/rooms/7/say".parse().unwrap()).unwrap();
/// assert_eq!(target.expand(&params).unwrap().as_str(), "/topic/rooms/7");
/// ```
#[derive(Clone, Debug)]
pub struct Template {
    text: Arc<str>,
}

impl Template {
    /// The template as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of the placeholders, from the left.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        segments(&self.text).filter_map(|segment| placeholder(segment).ok())
    }

    /// The destination with every placeholder replaced. A placeholder that `params` does not have stays as it is and is
    /// therefore refused.
    ///
    /// # Errors
    /// When the result is no destination, for example because it became too long.
    pub fn expand(&self, params: &Params) -> Result<Destination, DestinationError> {
        let mut text = String::with_capacity(self.text.len());
        for segment in segments(&self.text) {
            text.push('/');
            let captured = placeholder(segment).ok().and_then(|name| params.get(name));
            text.push_str(captured.unwrap_or(segment));
        }
        text.parse()
    }
}

impl FromStr for Template {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        check(text, |segment| {
            if segment.contains(['{', '}']) {
                placeholder(segment).map(drop)
            } else {
                check_segment(segment).map_err(PatternError::from)
            }
        })?;
        Ok(Self { text: text.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::Pattern;

    #[test]
    fn placeholders_are_filled_in() {
        let route: Pattern = "/app/{room}/{seat}".parse().unwrap();
        let params = route.captures(&"/app/7/b:1".parse().unwrap()).unwrap();
        let template: Template = "/topic/{seat}/of/{room}".parse().unwrap();
        assert_eq!(template.expand(&params).unwrap().as_str(), "/topic/b:1/of/7");
        assert_eq!(template.placeholders().collect::<Vec<_>>(), ["seat", "room"]);
    }

    #[test]
    fn what_becomes_too_long_is_refused() {
        let route: Pattern = "/app/{room}".parse().unwrap();
        let longest = format!("/app/{}", "a".repeat(250)).parse().unwrap();
        let params = route.captures(&longest).unwrap();
        let template: Template = "/topic/{room}".parse().unwrap();
        assert_eq!(template.expand(&params), Err(DestinationError::TooLong(257)));
    }

    #[test]
    fn a_placeholder_without_a_value_is_refused() {
        let template: Template = "/topic/{room}".parse().unwrap();
        assert!(template.expand(&Params::default()).is_err());
    }

    #[test]
    fn a_template_names_one_destination() {
        for text in ["/topic/*", "/topic/**", "topic", "/topic/{", "/topic/a{b}"] {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
    }
}
