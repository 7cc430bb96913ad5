//! The macros refuse the patterns and targets that the router would refuse, and no others.

#[path = "../src/pattern.rs"]
#[allow(dead_code, reason = "this test only asks whether there are faults")]
mod pattern;

use parlor_core::destination::{Pattern, Template};
use proptest::prelude::*;

/// Segments of every kind, good and bad.
const SEGMENTS: [&str; 20] = [
    "", "a", "é ", ".", "..", "...", "*", "**", "***", "a*", "{a}", "{b}", "{}", "{a", "a}", "{a b}", "x{a}", "%2F",
    "\\", "\u{85}",
];

fn assert_agreement(text: &str) {
    let (ours, theirs) = (pattern::faults(text), text.parse::<Pattern>());
    assert_eq!(ours.is_empty(), theirs.is_ok(), "pattern {text:?}: {ours:?}, {theirs:?}");
    let (ours, theirs) = (pattern::faults_of_target(text), text.parse::<Template>());
    assert_eq!(ours.is_empty(), theirs.is_ok(), "target {text:?}: {ours:?}, {theirs:?}");
    if let Ok(parsed) = text.parse::<Pattern>() {
        assert_eq!(
            pattern::placeholders(text).collect::<Vec<_>>(),
            parsed.placeholders().collect::<Vec<_>>(),
            "{text:?}"
        );
    }
}

#[test]
fn every_text_of_up_to_three_segments_is_judged_alike() {
    let mut texts = vec![String::new()];
    assert_agreement("");
    for _ in 0..3 {
        texts = texts.iter().flat_map(|text| SEGMENTS.iter().map(move |segment| format!("{text}/{segment}"))).collect();
        for text in &texts {
            assert_agreement(text);
            assert_agreement(&text[1..]);
        }
    }
}

#[test]
fn the_bounds_are_the_same() {
    for segments in 15..=18 {
        assert_agreement(&"/a".repeat(segments));
    }
    for octets in 253..=257 {
        assert_agreement(&format!("/{}", "a".repeat(octets - 1)));
    }
}

proptest! {
    #[test]
    fn any_text_is_judged_alike(text in prop_oneof!["[/.%*{}a\\PC]{0,24}", "(/([ab]|\\{[ab]\\}|\\*)){1,17}"]) {
        assert_agreement(&text);
    }
}
