//! Patterns compared while compiling: two routes of one list that would have to share a destination.
//!
//! [`Pattern`](crate::destination::Pattern) compares them again when the endpoint is built; the test below holds the two
//! to the same answers.

use std::str;

/// What a macro knows of a handler: where it wants to be called.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    pattern: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Message,
    Subscribe,
    WithoutPattern,
}

impl Declared {
    /// A handler for SENDs.
    #[must_use]
    pub const fn message(pattern: &'static str) -> Self {
        Self { pattern, kind: Kind::Message }
    }

    /// A handler for SUBSCRIBEs.
    #[must_use]
    pub const fn subscribe(pattern: &'static str) -> Self {
        Self { pattern, kind: Kind::Subscribe }
    }

    /// A listener or an error handler: it is in nobody's way.
    #[must_use]
    pub const fn without_pattern() -> Self {
        Self { pattern: "", kind: Kind::WithoutPattern }
    }

    /// Ends the compilation where one of `earlier` is in the way.
    ///
    /// # Panics
    /// In that case, with a sentence that names both patterns.
    pub const fn check(self, earlier: &[Self]) {
        let mut place = 0;
        while place < earlier.len() {
            let rival = earlier[place];
            if self.collides(rival) {
                let sentence = Sentence::new()
                    .and("the routes `")
                    .and(rival.pattern)
                    .and("` and `")
                    .and(self.pattern)
                    .and("` match the same destinations and neither is more specific; change one");
                panic!("{}", sentence.as_str());
            }
            place += 1;
        }
    }

    /// Whether a destination exists for which neither of the two would be the better choice: segment by segment of the
    /// same class, and no two names that differ.
    const fn collides(self, rival: Self) -> bool {
        if !matches!((self.kind, rival.kind), (Kind::Message, Kind::Message) | (Kind::Subscribe, Kind::Subscribe)) {
            return false;
        }
        let (mut ours, mut theirs) = (self.pattern.as_bytes(), rival.pattern.as_bytes());
        while let ([b'/', ours_after @ ..], [b'/', theirs_after @ ..]) = (ours, theirs) {
            let (our_segment, their_segment);
            (our_segment, ours) = split(ours_after);
            (their_segment, theirs) = split(theirs_after);
            let same = match (class(our_segment), class(their_segment)) {
                (Class::Any, Class::Any) | (Class::Rest, Class::Rest) => true,
                (Class::Literal, Class::Literal) => equal(our_segment, their_segment),
                _ => false,
            };
            if !same {
                return false;
            }
        }
        ours.is_empty() && theirs.is_empty()
    }
}

/// What a segment matches.
enum Class {
    Any,
    Literal,
    Rest,
}

const fn class(segment: &[u8]) -> Class {
    match segment {
        b"**" => Class::Rest,
        b"*" | [b'{', ..] => Class::Any,
        _ => Class::Literal,
    }
}

/// The octets before the next slash, and the others.
const fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    while end < text.len() && text[end] != b'/' {
        end += 1;
    }
    text.split_at(end)
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut place = 0;
    while place < one.len() {
        if one[place] != other[place] {
            return false;
        }
        place += 1;
    }
    true
}

/// Room for two patterns of the greatest length and the words between them.
const MAX_SENTENCE: usize = 1024;

/// Text that is put together while compiling, where there is no `format!`.
struct Sentence {
    octets: [u8; MAX_SENTENCE],
    length: usize,
}

impl Sentence {
    const fn new() -> Self {
        Self { octets: [0; MAX_SENTENCE], length: 0 }
    }

    const fn and(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        let mut place = 0;
        while place < text.len() && self.length < MAX_SENTENCE {
            self.octets[self.length] = text[place];
            self.length += 1;
            place += 1;
        }
        self
    }

    const fn as_str(&self) -> &str {
        match str::from_utf8(self.octets.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "two routes match the same destinations and neither is more specific; change one",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::Pattern;

    #[test]
    fn rule_4_the_answers_are_those_of_patterns() {
        let alphabet = ["/a", "/b", "/ab", "/*", "/{x}", "/{yy}", "/**"];
        let mut texts = vec![String::new()];
        let mut patterns: Vec<(&'static str, Pattern)> = Vec::new();
        for _ in 0..3 {
            texts = texts.iter().flat_map(|text| alphabet.iter().map(move |part| format!("{text}{part}"))).collect();
            let parsed = texts.iter().filter_map(|text| Some((&*text.clone().leak(), text.parse().ok()?)));
            patterns.extend(parsed);
        }
        for (text, pattern) in &patterns {
            for (rival_text, rival) in &patterns {
                let collides = Declared::message(text).collides(Declared::message(rival_text));
                assert_eq!(collides, pattern.is_ambiguous_with(rival), "{text} {rival_text}");
            }
        }
    }

    #[test]
    fn a_send_and_a_subscribe_share_no_destination() {
        Declared::message("/app/a").check(&[Declared::subscribe("/app/a"), Declared::without_pattern()]);
        Declared::without_pattern().check(&[Declared::without_pattern()]);
    }

    #[test]
    #[should_panic(expected = "the routes `/app/{a}` and `/app/{b}` match the same destinations")]
    fn rule_4_the_sentence_names_both_patterns() {
        Declared::message("/app/{b}").check(&[Declared::message("/app/a"), Declared::message("/app/{a}")]);
    }
}
