//! Patterns and targets, by the rules of [`crate::pattern`].

use syn::LitStr;

use crate::{
    diagnostics::{Diagnostic, Errors},
    pattern::{self, Fault},
};

pub(super) fn check_pattern(text: &LitStr, errors: &mut Errors) {
    for fault in pattern::faults(&text.value()) {
        errors.add(text, diagnostic(&fault, &text.value()));
    }
}

pub(super) fn check_target(text: &LitStr, errors: &mut Errors) {
    for fault in pattern::faults_of_target(&text.value()) {
        let diagnostic = match fault {
            Fault::Star(segment) => Diagnostic::TargetStar { segment: segment.to_owned() },
            fault => diagnostic(&fault, &text.value()),
        };
        errors.add(text, diagnostic);
    }
}

fn diagnostic(fault: &Fault<'_>, text: &str) -> Diagnostic {
    match *fault {
        Fault::Character(character) => Diagnostic::Character { character: format!("{character:?}") },
        Fault::DotSegment(segment) => Diagnostic::DotSegment { segment: segment.to_owned() },
        Fault::DuplicatePlaceholder(name) => Diagnostic::DuplicatePlaceholder { name: name.to_owned() },
        Fault::EmptySegment => Diagnostic::EmptySegment,
        Fault::NoSlash => Diagnostic::NoSlash { text: text.to_owned() },
        Fault::Placeholder(segment) => Diagnostic::Placeholder { segment: segment.to_owned() },
        Fault::RestInTheMiddle => Diagnostic::RestInTheMiddle,
        Fault::Star(segment) => Diagnostic::Star { segment: segment.to_owned() },
        Fault::TooLong(octets) => Diagnostic::TooLong { octets: octets.to_string() },
        Fault::TooManySegments(segments) => Diagnostic::TooManySegments { segments: segments.to_string() },
    }
}
