//! A client's text in a log line: of bounded length, on one line, and without what could change how the line looks.

use std::fmt;

/// The most characters of a client's text that a log line shows.
const LONGEST_TEXT: usize = 128;

/// The most characters of an application's error that a log line shows.
const LONGEST_ERROR: usize = 1024;

/// Shows a text: at most so many characters and then `…`; control characters, line separators and marks that turn the
/// direction of writing are escaped.
pub(crate) struct Shown<'a> {
    text: &'a str,
    longest: usize,
}

impl<'a> Shown<'a> {
    /// A text that a client chose.
    pub(crate) fn text(text: &'a str) -> Self {
        Self { text, longest: LONGEST_TEXT }
    }

    /// What an application's error says.
    pub(crate) fn error(text: &'a str) -> Self {
        Self { text, longest: LONGEST_ERROR }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.text.chars();
        for character in characters.by_ref().take(self.longest) {
            if character.is_control() || is_unseen(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        if characters.next().is_some() { f.write_str("…") } else { Ok(()) }
    }
}

/// Characters that are no control characters and yet change how what follows is seen.
fn is_unseen(character: char) -> bool {
    matches!(character,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_marks_of_direction_are_escaped() {
        assert_eq!(Shown::text("a\nb\u{1b}[31m\u{202e}c").to_string(), r"a\nb\u{1b}[31m\u{202e}c");
        assert_eq!(Shown::text("grün/日本").to_string(), "grün/日本");
    }

    #[test]
    fn text_is_cut_at_the_limit_and_not_before() {
        let longest = "ü".repeat(LONGEST_TEXT);
        assert_eq!(Shown::text(&longest).to_string(), longest);
        assert_eq!(Shown::text(&format!("{longest}x")).to_string(), format!("{longest}…"));
    }
}
