//! From a checked model to code: the function as it was, and beside it a type of its name with `route()`.
//!
//! What `route()` does is what a user would write by hand. The handler is wrapped in a closure only so that a future that
//! is not `Send` is explained at the function, and what names a type of the user carries that type's place, so that the
//! compiler's errors point there.

use std::iter;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{ReturnType, Visibility};

use crate::{
    model::{Handler, Kind, Options, Target},
    types::bare,
};

/// The state of a route that does not name one. Errors show it, so it is a word.
const ANY_STATE: &str = "AnyState";

pub(crate) fn handler(handler: &Handler) -> TokenStream {
    let function = &handler.function;
    let (name, visibility) = (&function.signature.ident, &function.visibility);
    let conditions: Vec<_> = function.conditions().collect();
    let private = private(&handler.options);
    let declared = match (handler.kind, &handler.pattern) {
        (Kind::Message, Some(pattern)) => quote!(#private::Declared::message(#pattern)),
        (Kind::Subscribe, Some(pattern)) => quote!(#private::Declared::subscribe(#pattern)),
        _ => quote!(#private::Declared::without_pattern()),
    };
    let route = route(handler, &private);
    marker(name, visibility, &conditions, &private, function, &declared, &route)
}

/// The function, and the type beside it with `contents`.
pub(crate) fn marker(
    name: &Ident,
    visibility: &Visibility,
    conditions: &[&syn::Attribute],
    private: &TokenStream,
    function: &dyn ToTokens,
    declared: &TokenStream,
    route: &TokenStream,
) -> TokenStream {
    let about = format!("What is mounted for the function [`{name}`](fn@{name}): `{name}::route()`.");
    quote! {
        #function

        #(#conditions)*
        #[doc = #about]
        #[allow(non_camel_case_types, missing_debug_implementations, unnameable_types, clippy::exhaustive_enums)]
        #visibility enum #name {}

        #(#conditions)*
        #[automatically_derived]
        #[allow(deprecated, private_bounds, private_interfaces, unused_qualifications)]
        impl #name {
            #[doc(hidden)]
            #[allow(dead_code)]
            #visibility const __DECLARED: #private::Declared = #declared;

            #route
        }
    }
}

/// The path to what generated code needs.
pub(crate) fn private(options: &Options) -> TokenStream {
    match &options.krate {
        Some(krate) => quote!(#krate::__private),
        None => quote!(::parlor::__private),
    }
}

/// `route()`, for every state that has what the arguments take, or for the one that is named.
fn route(handler: &Handler, private: &TokenStream) -> TokenStream {
    let visibility = &handler.function.visibility;
    let state = format_ident!("{ANY_STATE}");
    let about = format!("What `#[{}]` describes, to be mounted.", handler.kind.name());
    let bounds = bounds(handler, private, &state);
    let bounds = quote! {
        where
            #state: ::core::marker::Send + ::core::marker::Sync + 'static,
            #(#bounds,)*
    };
    let returned = returned(handler.kind, private);
    let made = made(handler, private);
    let guard = handler.options.authorize.as_ref();
    let limits = limits(&handler.options, private);
    match &handler.options.state {
        None => {
            let made = match guard {
                None => made,
                Some(guard) => spanned_like(quote!(#private::authorized_for_every_state(#made, #guard)), guard),
            };
            quote! {
                #[doc = #about]
                #[must_use]
                #visibility fn route<#state>() -> #returned<#state> #bounds {
                    #made #limits
                }
            }
        }
        // The bounds of an inner function are judged where it is called, and so before anything is mounted.
        Some(given) => {
            let authorized = guard.map(|guard| {
                let method = spanned_like(quote!(authorize), guard);
                let arguments = spanned_like(quote!((#guard)), guard);
                quote!(.#method #arguments)
            });
            let arguments = handler.function.signature.paren_token.span.join();
            let given_here = given.to_token_stream().into_iter().map(|token| located(token, arguments));
            let given_here: TokenStream = given_here.collect();
            quote! {
                #[doc = #about]
                #[must_use]
                #visibility fn route() -> #returned<#given> {
                    fn extracted<#state>() -> #returned<#state> #bounds {
                        #made
                    }
                    extracted::<#given_here>() #authorized #limits
                }
            }
        }
    }
}

/// Each argument has to be extracted from the event; the error of an error handler is given.
fn bounds(handler: &Handler, private: &TokenStream, state: &Ident) -> Vec<TokenStream> {
    let event = event(handler.kind);
    let given = usize::from(handler.kind == Kind::Error);
    let extracted = handler.function.arguments().skip(given).map(|argument| bare(&argument.ty));
    extracted
        .map(|ty| {
            let bound = spanned_like(quote!(#private::FromContext<#state, #private::#event>), ty);
            quote!(#ty: #bound)
        })
        .collect()
}

/// The route, listener or error handler, before guards and limits.
fn made(handler: &Handler, private: &TokenStream) -> TokenStream {
    let signature = &handler.function.signature;
    let name = &signature.ident;
    // What is wrong with the return type is said where it stands.
    let answer = match &signature.output {
        ReturnType::Default => name.to_token_stream(),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    let types: Vec<_> = handler.function.arguments().map(|argument| &*argument.ty).collect();
    let names: Vec<_> =
        (1..=types.len()).map(|place| format_ident!("argument_{place}", span = Span::mixed_site())).collect();
    let future = spanned_like(quote!(future), name);
    let sendable = spanned_like(quote!(#private::sendable(#future)), name);
    let (function, made) = (spanned_like(quote!(function), &answer), spanned_like(quote!(made), &answer));
    let pattern = handler.pattern.iter();
    let constructor = match handler.kind {
        Kind::Connected => quote!(Listener::connected),
        Kind::Disconnected => quote!(Listener::disconnected),
        Kind::Error => quote!(ErrorHandler::new),
        Kind::Message => quote!(Route::message),
        Kind::Subscribe => quote!(Route::subscribe),
        Kind::Subscribed => quote!(Listener::subscribed),
        Kind::Unsubscribed => quote!(Listener::unsubscribed),
    };
    let constructor = spanned_like(quote!(#private::#constructor), &answer);
    // The error's type is named so that what is wrong with it is said where it stands.
    let error = types.first().filter(|_| handler.kind == Kind::Error).map(|error| quote!(::<_, #error, _>));
    let arguments = spanned_like(quote!((#(#pattern,)* #function)), &answer);
    let directed = match handler.targets.first() {
        Some(Target { kind, text, .. }) => {
            let method = Ident::new(kind.name(), Span::call_site());
            let method = spanned_like(quote!(#method), &answer);
            let arguments = spanned_like(quote!((#text)), &answer);
            quote!(#made.#method #arguments)
        }
        None if handler.kind.has_pattern() => spanned_like(quote!(#private::answered(#made)), &answer),
        None => quote!(#made),
    };
    quote! {{
        let function = |#(#names: #types),*| {
            let future = #name(#(#names),*);
            #sendable
        };
        let made = #constructor #error #arguments;
        #directed
    }}
}

/// The calls that limit a route.
fn limits(options: &Options, private: &TokenStream) -> TokenStream {
    let mut calls = TokenStream::new();
    if let Some(rate) = &options.rate {
        let (count, seconds) = (rate.count, rate.seconds);
        calls.extend(quote!(.rate(#private::Rate::new(#count, ::core::time::Duration::from_secs(#seconds)))));
    }
    if let Some(octets) = options.max_size {
        calls.extend(quote!(.max_size(#octets)));
    }
    if let Some(count) = options.concurrent {
        calls.extend(quote!(.concurrent(#count)));
    }
    calls
}

/// What [`FromContext`](https://docs.rs/parlor-core) extracts from.
fn event(kind: Kind) -> Ident {
    let name = match kind {
        Kind::Connected => "Connected",
        Kind::Disconnected => "Disconnected",
        Kind::Error => "Failed",
        Kind::Message => "Message",
        Kind::Subscribe => "Subscribe",
        Kind::Subscribed => "Subscribed",
        Kind::Unsubscribed => "Unsubscribed",
    };
    Ident::new(name, Span::call_site())
}

/// The type of `route()`, still without its state.
fn returned(kind: Kind, private: &TokenStream) -> TokenStream {
    match kind {
        Kind::Error => quote!(#private::ErrorHandler),
        Kind::Message => quote!(#private::MessageRoute),
        Kind::Subscribe => quote!(#private::SubscribeRoute),
        Kind::Connected | Kind::Disconnected | Kind::Subscribed | Kind::Unsubscribed => quote!(#private::Listener),
    }
}

/// `tokens` at the place of `like`: the first where it begins and the others where it ends, which the compiler joins.
fn spanned_like(tokens: TokenStream, like: impl ToTokens) -> TokenStream {
    let mut places = like.into_token_stream().into_iter().map(|token| token.span());
    let begin = places.next().unwrap_or_else(Span::call_site);
    let end = places.last().unwrap_or(begin);
    let places = iter::once(begin).chain(iter::repeat(end));
    tokens.into_iter().zip(places).map(|(token, place)| located(token, place)).collect()
}

/// The token with a place in the user's code and the names that are visible to ours.
fn located(mut token: TokenTree, place: Span) -> TokenTree {
    token.set_span(token.span().located_at(place));
    token
}
