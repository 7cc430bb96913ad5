//! `routes![…]`: a list of routes as nested pairs, checked for duplicates and ambiguous pairs while compiling.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Path, PathArguments, Token,
    parse::{ParseStream, Parser, discouraged::Speculative},
    spanned::Spanned,
};

use crate::diagnostics::{Diagnostic, Errors};

pub(crate) fn expand(list: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let names = names(list, &mut errors);
    check(&names, &mut errors);
    let checks = names.iter().enumerate().skip(1).map(|(place, name)| {
        let earlier = &names[..place];
        quote_spanned!(name.span()=> const _: () = <#name>::__DECLARED.check(&[#(<#earlier>::__DECLARED),*]);)
    });
    // What is said here already is not said again by the constants.
    let checks = if errors.is_empty() { quote!(#(#checks)*) } else { quote!(#errors) };
    let mut names = names.iter().rev();
    let Some(last) = names.next() else { return quote!({ #errors }) };
    let all = names.fold(quote!(<#last>::route()), |rest, name| quote!((<#name>::route(), #rest)));
    quote!({ #checks #all })
}

/// Reads the names; what is none is reported and left out.
fn names(list: TokenStream, errors: &mut Errors) -> Vec<Path> {
    let mut names = Vec::new();
    let parser = |input: ParseStream<'_>| {
        if input.is_empty() {
            errors.add_to_attribute(Diagnostic::RoutesEmpty);
        }
        while !input.is_empty() {
            let ahead = input.fork();
            match ahead.parse::<Path>() {
                Ok(name) if is_plain(&name) && (ahead.is_empty() || ahead.peek(Token![,])) => {
                    input.advance_to(&ahead);
                    names.push(name);
                }
                _ => {
                    let mut rest = TokenStream::new();
                    while !input.is_empty() && !input.peek(Token![,]) {
                        rest.extend([input.parse::<TokenTree>()?]);
                    }
                    if rest.is_empty() {
                        rest = input.cursor().token_stream().into_iter().take(1).collect();
                    }
                    errors.add(rest, Diagnostic::RoutesName);
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(list) {
        errors.include(error);
    }
    names
}

fn check(names: &[Path], errors: &mut Errors) {
    for (place, name) in names.iter().enumerate() {
        if names[..place].contains(name) {
            let text = name.to_token_stream().to_string().replace(' ', "");
            errors.add(name, Diagnostic::RoutesTwice { name: text });
        }
    }
}

fn is_plain(name: &Path) -> bool {
    name.segments.iter().all(|segment| matches!(segment.arguments, PathArguments::None))
}
