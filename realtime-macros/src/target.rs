//! `#[send_to]` and `#[send_to_user]` where they are expanded by themselves: above the handler attribute, which then
//! takes them up, or without one, which is an error.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Ident;

use crate::{
    diagnostics::{Diagnostic, Errors},
    model::{Kind, TargetKind},
    parse,
};

pub(crate) fn expand(kind: TargetKind, arguments: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let Some(mut function) = parse::function(kind.name(), item, &mut errors) else { return quote!(#errors #item) };
    let Some(place) = function.attributes.iter().position(|attribute| Kind::of(attribute).is_some()) else {
        errors.add_to_attribute(Diagnostic::TargetWithoutHandler { attribute: kind.name().to_owned() });
        return quote!(#errors #function);
    };
    // Attributes are expanded from above, so the handler's comes first now and finds this one below it.
    let handler = function.attributes.remove(place).into_token_stream();
    let name = Ident::new(kind.name(), proc_macro2::Span::call_site());
    quote!(#handler #[#name(#arguments)] #function)
}
