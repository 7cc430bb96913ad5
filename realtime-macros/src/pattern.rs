//! What may stand in a pattern, and in the target of `send_to`.
//!
//! The rules are those of `parlor_core::destination`, which this crate may not depend on; `tests/agreement.rs` compares
//! the two. This file knows nothing of tokens, so that the test can include it.

/// The longest pattern, in octets.
const MAX_OCTETS: usize = 255;

/// The most segments of a pattern.
const MAX_SEGMENTS: usize = 16;

/// What is wrong with a pattern. It may have several faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault<'a> {
    Character(char),
    DotSegment(&'a str),
    DuplicatePlaceholder(&'a str),
    EmptySegment,
    NoSlash,
    Placeholder(&'a str),
    RestInTheMiddle,
    Star(&'a str),
    TooLong(usize),
    TooManySegments(usize),
}

/// Everything that is wrong with a pattern.
pub(crate) fn faults(text: &str) -> Vec<Fault<'_>> {
    let mut faults = faults_of_text(text);
    let (mut names, mut rest) = (Vec::new(), false);
    for segment in segments(text) {
        if rest && !faults.contains(&Fault::RestInTheMiddle) {
            faults.push(Fault::RestInTheMiddle);
        }
        match segment {
            "*" => {}
            "**" => rest = true,
            _ if segment.contains(['{', '}']) => match placeholder(segment) {
                Some(name) if names.contains(&name) => faults.push(Fault::DuplicatePlaceholder(name)),
                Some(name) => names.push(name),
                None => faults.push(Fault::Placeholder(segment)),
            },
            _ if segment.contains('*') => faults.push(Fault::Star(segment)),
            _ => faults.extend(faults_of_segment(segment)),
        }
    }
    faults
}

/// Everything that is wrong with a target: a destination in which placeholders may stand, but no stars.
pub(crate) fn faults_of_target(text: &str) -> Vec<Fault<'_>> {
    let mut faults = faults_of_text(text);
    for segment in segments(text) {
        if segment.contains(['{', '}']) {
            faults.extend(placeholder(segment).is_none().then_some(Fault::Placeholder(segment)));
        } else if segment.contains('*') {
            faults.push(Fault::Star(segment));
        } else {
            faults.extend(faults_of_segment(segment));
        }
    }
    faults
}

/// The names of the placeholders, from the left.
pub(crate) fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    segments(text).filter_map(placeholder)
}

fn faults_of_text(text: &str) -> Vec<Fault<'_>> {
    let mut faults = Vec::new();
    if !text.starts_with('/') {
        faults.push(Fault::NoSlash);
    }
    if text.len() > MAX_OCTETS {
        faults.push(Fault::TooLong(text.len()));
    }
    let count = segments(text).count();
    if count > MAX_SEGMENTS {
        faults.push(Fault::TooManySegments(count));
    }
    // The missing slash is the first thing to say about a text that is empty.
    if !text.is_empty() && segments(text).any(str::is_empty) {
        faults.push(Fault::EmptySegment);
    }
    faults
}

fn faults_of_segment(segment: &str) -> Option<Fault<'_>> {
    if matches!(segment, "." | "..") {
        return Some(Fault::DotSegment(segment));
    }
    segment.chars().find(|char| char.is_control() || matches!(char, '%' | '\\')).map(Fault::Character)
}

fn placeholder(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let fits = !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
    fits.then_some(name)
}

fn segments(text: &str) -> std::str::Split<'_, char> {
    text.strip_prefix('/').unwrap_or(text).split('/')
}
