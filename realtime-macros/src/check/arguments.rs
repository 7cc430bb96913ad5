//! The arguments: owned, nameable, and fitting to what the pattern captures and the event carries.

use syn::{LitStr, PatType, Type};

use crate::{
    diagnostics::{Diagnostic, Errors},
    model::{Handler, Kind},
    pattern,
    types::{argument_of, arguments_of, bare, has_impl, is_scalar, owned, text},
};

/// The most arguments that the `Handler` trait is implemented for.
const MAX_ARGUMENTS: usize = 8;

pub(super) fn check(handler: &Handler, errors: &mut Errors) {
    let kind = handler.kind;
    let arguments: Vec<_> = handler.function.arguments().collect();
    if let Some(ninth) = arguments.get(MAX_ARGUMENTS) {
        errors.add(ninth, Diagnostic::TooManyArguments);
    }
    if kind == Kind::Error && arguments.is_empty() {
        errors.add(&handler.function.signature.ident, Diagnostic::ErrorArgumentMissing);
    }
    let mut has_body = false;
    for (place, argument) in arguments.into_iter().enumerate() {
        // The error of an error handler is no extractor.
        if !check_type(argument, errors) || (kind == Kind::Error && place == 0) {
            continue;
        }
        if takes_body(&argument.ty) {
            if kind != Kind::Message {
                errors.add(argument, Diagnostic::PayloadWithoutBody { attribute: kind.name().to_owned() });
            } else if has_body {
                errors.add(argument, Diagnostic::TwoPayloads);
            }
            has_body = true;
        }
        if let Some(captured) = argument_of(&argument.ty, "Path") {
            match (&handler.pattern, kind) {
                (Some(pattern), _) => check_path(argument, captured, pattern, errors),
                // The pattern is missing or wrong, which is said of it; or that of the route that failed, which is not known.
                (None, Kind::Message | Kind::Subscribe | Kind::Error) => {}
                (None, _) => errors.add(argument, Diagnostic::PathWithoutPattern { attribute: kind.name().to_owned() }),
            }
        }
    }
}

/// Whether the argument is the body as a type, which may be optional.
fn takes_body(ty: &Type) -> bool {
    let inner = argument_of(ty, "Option").or_else(|| argument_of(ty, "Result")).unwrap_or(ty);
    ["Cbor", "Payload", "Validated"].iter().any(|name| arguments_of(inner, name).is_some())
}

/// Whether the argument's type can stand in the route, which has no generics and no lifetimes.
fn check_type(argument: &PatType, errors: &mut Errors) -> bool {
    if has_impl(&argument.ty) {
        errors.add(&argument.ty, Diagnostic::ImplArgument);
        return false;
    }
    if let Some(owned) = owned(&argument.ty) {
        errors.add(&argument.ty, Diagnostic::BorrowedArgument { owned: text(&owned) });
        return false;
    }
    true
}

/// A tuple takes as many segments as it has parts, a number or a text takes one; how many a type of the user's takes is
/// not known here.
fn check_path(argument: &PatType, takes: &Type, pattern: &LitStr, errors: &mut Errors) {
    let pattern = pattern.value();
    let names: Vec<_> = pattern::placeholders(&pattern).collect();
    if names.is_empty() {
        // A pattern that cannot be read may have meant to capture something.
        if pattern::faults(&pattern).is_empty() {
            errors.add(argument, Diagnostic::PathWithoutPlaceholder { pattern });
        }
        return;
    }
    let types: Vec<&Type> = match bare(takes) {
        Type::Tuple(tuple) if !tuple.elems.is_empty() => tuple.elems.iter().collect(),
        ty if is_scalar(ty) => vec![ty],
        _ => return,
    };
    if types.len() == names.len() {
        return;
    }
    let fitting: Vec<_> =
        (0..names.len()).map(|place| types.get(place).map_or_else(|| "…".to_owned(), |ty| text(ty))).collect();
    errors.add(
        &argument.ty,
        Diagnostic::PathCount {
            captured: names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            taken: match types.len() {
                1 => "one segment".to_owned(),
                count => format!("{count} segments"),
            },
            fitting: match &fitting[..] {
                [one] => format!("Path<{one}>"),
                several => format!("Path<({})>", several.join(", ")),
            },
        },
    );
}
