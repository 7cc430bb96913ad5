//! From tokens to the [model](crate::model). What cannot be read is reported and left out.

mod options;

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Expr, ExprLit, Lit, LitStr, Signature, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream},
};

use crate::{
    diagnostics::{Diagnostic, Errors},
    model::{Function, Handler, Kind, Options, Target, TargetKind},
};

/// Reads the function; `None` where there is none that could be read. The compiler reports bad syntax by itself, as the
/// item is handed back as it was.
pub(crate) fn function(attribute: &str, item: &TokenStream, errors: &mut Errors) -> Option<Function> {
    let is_function = |token: TokenTree| matches!(token, TokenTree::Ident(word) if word == "fn");
    if !item.clone().into_iter().any(is_function) {
        errors.add_to_attribute(Diagnostic::NotAFunction { attribute: attribute.to_owned() });
        return None;
    }
    syn::parse2(item.clone()).ok()
}

/// Reads the attribute with `arguments` that stands on `function`, and the attributes below it that belong to it.
pub(crate) fn handler(kind: Kind, arguments: TokenStream, mut function: Function, errors: &mut Errors) -> Handler {
    let (mut targets, mut others) = (Vec::new(), Vec::new());
    function.attributes.retain(|attribute| {
        if let Some(kind) = TargetKind::of(attribute) {
            targets.push(target(kind, attribute.clone(), errors));
        } else if let Some(kind) = Kind::of(attribute) {
            others.push((kind, attribute.clone()));
        } else {
            return true;
        }
        false
    });
    let (pattern, options) = attribute_arguments(kind, arguments, errors);
    Handler { kind, pattern, options, targets, others, function }
}

fn target(kind: TargetKind, attribute: Attribute, errors: &mut Errors) -> Target {
    let arguments = match &attribute.meta {
        syn::Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    };
    let text = if arguments.is_empty() {
        errors.add(&attribute, Diagnostic::TargetMissing { attribute: kind.name().to_owned() });
        None
    } else {
        let text = syn::parse2::<LitStr>(arguments.clone());
        text.map_err(|_| errors.add(&arguments, Diagnostic::TargetNotLiteral)).ok()
    };
    Target { kind, attribute, text }
}

/// Reads `"pattern", name = value, …`.
fn attribute_arguments(kind: Kind, arguments: TokenStream, errors: &mut Errors) -> (Option<LitStr>, Options) {
    let mut read = (None, Options::default());
    let parser = |input: ParseStream<'_>| {
        let (pattern, options) = &mut read;
        let mut known = Vec::new();
        // A pattern that is wrong is not missing.
        let mut has_pattern = false;
        while !input.is_empty() {
            if input.peek(syn::Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
                options::option(kind, input, &mut known, options, errors)?;
            } else {
                let place = Place { kind, has_pattern, has_options: !known.is_empty() };
                *pattern = positional(place, input, errors).or_else(|| pattern.take());
                has_pattern = true;
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        if kind.has_pattern() && !has_pattern {
            errors.add_to_attribute(Diagnostic::PatternMissing { attribute: kind.name().to_owned() });
        }
        Ok(())
    };
    if let Err(error) = syn::parse::Parser::parse2(parser, arguments) {
        errors.include(error);
    }
    read
}

/// What stands before an argument that has no name.
#[derive(Clone, Copy)]
struct Place {
    kind: Kind,
    has_pattern: bool,
    has_options: bool,
}

/// Reads an argument that has no name, which should be the pattern.
fn positional(place: Place, input: ParseStream<'_>, errors: &mut Errors) -> Option<LitStr> {
    let attribute = || place.kind.name().to_owned();
    match options::value::<Expr>(input) {
        Ok(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => {
            match place {
                _ if !place.kind.has_pattern() => {
                    errors.add(&text, Diagnostic::PatternNotHere { attribute: attribute() });
                }
                Place { has_pattern: true, .. } => errors.add(&text, Diagnostic::PatternTwice),
                Place { has_options: true, .. } => errors.add(&text, Diagnostic::PatternNotFirst),
                _ => return Some(text),
            }
            None
        }
        other => {
            let tokens = match &other {
                Ok(expression) => quote::quote!(#expression),
                Err(tokens) => tokens.clone(),
            };
            let diagnostic = match other.ok().as_ref().and_then(options::without_value) {
                Some(diagnostic) => diagnostic,
                None if place.kind.has_pattern() => Diagnostic::PatternNotLiteral,
                None => Diagnostic::PatternNotHere { attribute: attribute() },
            };
            errors.add(tokens, diagnostic);
            None
        }
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse::<Signature>()?,
            body: input.parse()?,
        })
    }
}
