//! Where the answer goes: `send_to`, `send_to_user`, or what the return type itself says.

use syn::{LitStr, ReturnType, Type};

use super::destination;
use crate::{
    diagnostics::{Diagnostic, Errors},
    model::{Handler, Kind, Target, TargetKind},
    pattern,
    types::{arguments_of, parts},
};

pub(super) fn check(handler: &Handler, errors: &mut Errors) {
    let kind = handler.kind;
    if !kind.has_pattern() {
        for Target { kind: target, attribute, .. } in &handler.targets {
            let (attribute_name, listener) = (target.name().to_owned(), kind.name().to_owned());
            errors.add(attribute, Diagnostic::TargetNotHere { attribute: attribute_name, listener });
        }
        if kind == Kind::Error && returns_nothing(handler) {
            errors.add(&handler.function.signature, Diagnostic::RejectionMissing);
        }
        return;
    }
    for (place, target) in handler.targets.iter().enumerate() {
        if handler.targets[..place].iter().any(|earlier| earlier.kind == target.kind) {
            errors.add(&target.attribute, Diagnostic::TargetTwice { attribute: target.kind.name().to_owned() });
        } else if place > 0 {
            errors.add(&target.attribute, Diagnostic::BothTargets);
        }
        if let Some(text) = &target.text {
            check_text(handler, target.kind, text, errors);
        }
    }
    match handler.targets.first() {
        Some(target) if returns_nothing(handler) => {
            errors.add(&target.attribute, Diagnostic::NothingToSend { attribute: target.kind.name().to_owned() });
        }
        Some(_) => {}
        None => check_payload(handler, errors),
    }
}

fn check_text(handler: &Handler, kind: TargetKind, text: &LitStr, errors: &mut Errors) {
    destination::check_target(text, errors);
    let value = text.value();
    match kind {
        TargetKind::User => {
            if let Some(rest) = value.strip_prefix("/user").filter(|rest| rest.starts_with('/')) {
                errors.add(text, Diagnostic::UserTargetPrefix { path: rest.to_owned() });
            }
            for name in pattern::placeholders(&value) {
                errors.add(text, Diagnostic::UserTargetPlaceholder { segment: format!("{{{name}}}") });
            }
        }
        TargetKind::Topic => {
            let Some(route) = &handler.pattern else { return };
            let route = route.value();
            let captured: Vec<_> = pattern::placeholders(&route).collect();
            for name in pattern::placeholders(&value).filter(|name| !captured.contains(name)) {
                let captured = match captured[..] {
                    [] => "nothing".to_owned(),
                    _ => captured.iter().map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(", "),
                };
                errors.add(text, Diagnostic::TargetPlaceholder { name: name.to_owned(), captured });
            }
        }
    }
}

/// A `Payload` needs a target.
fn check_payload(handler: &Handler, errors: &mut Errors) {
    let ReturnType::Type(_, returned) = &handler.function.signature.output else { return };
    for part in parts(returned) {
        if arguments_of(part, "Payload").or_else(|| arguments_of(part, "Payloads")).is_some() {
            errors.add(
                part,
                match handler.kind {
                    Kind::Subscribe => Diagnostic::PayloadInsteadOfReply,
                    _ => Diagnostic::PayloadGoesNowhere,
                },
            );
        }
    }
}

/// Whether the function returns `()`, or an `Option` or `Result` of it.
fn returns_nothing(handler: &Handler) -> bool {
    match &handler.function.signature.output {
        ReturnType::Default => true,
        ReturnType::Type(_, returned) => {
            parts(returned).into_iter().all(|part| matches!(part, Type::Tuple(tuple) if tuple.elems.is_empty()))
        }
    }
}
