//! The shape of the function: asynchronous, free, and without parameters that only a caller could fill in.

use quote::ToTokens;
use syn::{FnArg, Safety, Signature};

use crate::diagnostics::{Diagnostic, Errors};

pub(super) fn check(signature: &Signature, errors: &mut Errors) {
    if signature.asyncness.is_none() {
        errors.add(signature.fn_token, Diagnostic::NotAsync { name: signature.ident.to_string() });
    }
    let mut refuse = |qualifier: &dyn ToTokens, word: &str| {
        errors.add(qualifier, Diagnostic::Qualifier { qualifier: word.to_owned() });
    };
    if let Some(word) = &signature.constness {
        refuse(word, "const");
    }
    if let Safety::Unsafe(word) = &signature.safety {
        refuse(word, "unsafe");
    }
    if let Some(abi) = &signature.abi {
        refuse(abi, "extern");
    }
    if let Some(variadic) = &signature.variadic {
        refuse(variadic, "...");
    }
    for parameter in &signature.generics.params {
        errors.add(parameter, Diagnostic::Generic);
    }
    for argument in &signature.inputs {
        if let FnArg::Receiver(receiver) = argument {
            errors.add(receiver, Diagnostic::Receiver);
        }
    }
}
