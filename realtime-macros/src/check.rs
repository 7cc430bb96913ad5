//! Whether what was read makes sense together: the function, its arguments, the pattern, and where the answer goes.

mod arguments;
mod destination;
mod function;
mod target;

use crate::{
    diagnostics::{Diagnostic, Errors},
    model::Handler,
};

/// Adds everything that is wrong to `errors`.
pub(crate) fn handler(handler: &Handler, errors: &mut Errors) {
    for (other, attribute) in &handler.others {
        let (first, second) = (handler.kind.name().to_owned(), other.name().to_owned());
        errors.add(attribute, Diagnostic::TwoHandlers { first, second });
    }
    function::check(&handler.function.signature, errors);
    if let Some(pattern) = &handler.pattern {
        destination::check_pattern(pattern, errors);
    }
    arguments::check(handler, errors);
    target::check(handler, errors);
}
