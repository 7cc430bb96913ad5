//! The headers of a frame: an ordered list in which the first of a repeated name counts.
//!
//! All names and values stand in one text, so that a frame's headers cost two allocations, however many there are.

use std::fmt;

/// Room that a decoded frame's headers get at once: most frames need no more.
const USUAL_TEXT: usize = 128;
const USUAL_HEADERS: usize = 6;

/// Headers whose values are never shown.
const CREDENTIALS: &[&str] = &["authorization", "login", "passcode"];

/// Headers, in their order. Names are case sensitive.
///
/// ```
/// use parlor_stomp::Headers;
///
/// let mut headers = Headers::default();
/// headers.push("colour", "blue");
/// headers.push("colour", "red");
/// assert_eq!(headers.get("colour"), Some("blue"));
/// assert_eq!(headers.get("Colour"), None);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    text: String,
    /// For each header where its name and its value end in `text`; it begins where the one before ends.
    ends: Vec<(usize, usize)>,
}

impl Headers {
    /// No headers yet, with room for those of an ordinary frame.
    pub(crate) fn with_room() -> Self {
        Self { text: String::with_capacity(USUAL_TEXT), ends: Vec::with_capacity(USUAL_HEADERS) }
    }

    /// Adds a header behind those that are there.
    pub fn push(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        let name_end = self.text.len();
        self.text.push_str(value);
        self.ends.push((name_end, self.text.len()));
    }

    /// Octets of all names and values.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.text.len()
    }

    /// The value of the first header of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// All headers, repeated ones too.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        starts
            .zip(&self.ends)
            .map(|(start, (name_end, end))| (&self.text[start..*name_end], &self.text[*name_end..*end]))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.push(name, value);
        }
        headers
    }
}

/// Credentials are not shown.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            self.iter().map(|(name, value)| (name, if CREDENTIALS.contains(&name) { "(hidden)" } else { value }));
        f.debug_map().entries(shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_their_order_and_empty_values() {
        let headers: Headers = [("a", "1"), ("b", ""), ("a", "2")].into_iter().collect();
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("a", "1"), ("b", ""), ("a", "2")]);
        assert_eq!((headers.len(), headers.get("b")), (3, Some("")));
    }

    #[test]
    fn credentials_are_not_shown() {
        let headers: Headers = [("login", "ada"), ("passcode", "secret"), ("host", "/")].into_iter().collect();
        let shown = format!("{headers:?}");
        assert!(!shown.contains("ada") && !shown.contains("secret") && shown.contains("host"));
    }
}
