//! What is left where an attribute is wrong: the errors, the function as it was, and a route that can be mounted, so that
//! nothing else in the program is reported for the same reason.

use proc_macro2::TokenStream;
use quote::quote;

use crate::{
    diagnostics::Errors,
    expand::{marker, private},
    model::Handler,
};

pub(crate) fn handler(handler: &Handler, errors: &Errors) -> TokenStream {
    let function = &handler.function;
    // Inside of an `impl` there can be no type.
    if function.signature.receiver().is_some() {
        return quote!(#errors #function);
    }
    let (name, visibility) = (&function.signature.ident, &function.visibility);
    let conditions: Vec<_> = function.conditions().collect();
    let private = private(&handler.options);
    let declared = quote!(#private::Declared::without_pattern());
    let route = quote! {
        #visibility fn route<AnyState>() -> #private::MessageRoute<AnyState>
        where
            AnyState: ::core::marker::Send + ::core::marker::Sync + 'static,
        {
            #private::refused()
        }
    };
    let item = marker(name, visibility, &conditions, &private, function, &declared, &route);
    quote!(#errors #item)
}
