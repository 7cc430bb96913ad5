//! What can be seen of a type by its name: macros run before names mean anything.

use quote::ToTokens;
use syn::{GenericArgument, Lifetime, PathArguments, Type, TypePath};

/// The type arguments of `ty` where the last part of its path is `name`.
pub(crate) fn arguments_of<'a>(ty: &'a Type, name: &str) -> Option<Vec<&'a Type>> {
    let Type::Path(TypePath { path, .. }) = bare(ty) else { return None };
    let last = path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Some(Vec::new()) };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    Some(types.collect())
}

/// The first type argument of `ty` where the last part of its path is `name`.
pub(crate) fn argument_of<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    arguments_of(ty, name)?.first().copied()
}

/// What a function returns in the end: the parts of a tuple, what is in an `Option` or the `Ok` of a `Result`.
pub(crate) fn parts(ty: &Type) -> Vec<&Type> {
    match bare(ty) {
        Type::Tuple(tuple) if !tuple.elems.is_empty() => tuple.elems.iter().flat_map(parts).collect(),
        ty => match argument_of(ty, "Result").or_else(|| argument_of(ty, "Option")) {
            Some(inner) => parts(inner),
            None => vec![ty],
        },
    }
}

/// Whether the type is, or has inside, `impl Trait`.
pub(crate) fn has_impl(ty: &Type) -> bool {
    match bare(ty) {
        Type::ImplTrait(_) => true,
        Type::Array(array) => has_impl(&array.elem),
        Type::Path(path) => arguments_of_all(path).any(has_impl),
        Type::Reference(reference) => has_impl(&reference.elem),
        Type::Slice(slice) => has_impl(&slice.elem),
        Type::Tuple(tuple) => tuple.elems.iter().any(has_impl),
        _ => false,
    }
}

/// The type without what it borrows for a time that has no name; `None` where it owns everything.
pub(crate) fn owned(ty: &Type) -> Option<Type> {
    let mut changed = ty.clone();
    own(&mut changed).then_some(changed)
}

/// A type as one would write it.
pub(crate) fn text(ty: &Type) -> String {
    let spaced = ty.to_token_stream().to_string();
    [(" < ", "<"), ("< ", "<"), (" >", ">"), (" ,", ","), (" :: ", "::"), (":: ", "::"), ("& ", "&")]
        .iter()
        .fold(spaced, |text, (spaced, dense)| text.replace(spaced, dense))
}

/// Whether a single segment of a destination is read into the type, and never several.
pub(crate) fn is_scalar(ty: &Type) -> bool {
    const SCALARS: [&str; 17] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
        "usize", "String",
    ];
    match bare(ty) {
        Type::Path(TypePath { qself: None, path, .. }) => {
            path.get_ident().is_some_and(|name| SCALARS.iter().any(|scalar| name == scalar))
        }
        _ => false,
    }
}

/// The type without parentheses and invisible groups.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        _ => ty,
    }
}

fn arguments_of_all(path: &TypePath) -> impl Iterator<Item = &Type> {
    path.path.segments.iter().flat_map(|segment| match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect::<Vec<_>>(),
        // A borrow or `impl` inside of `Fn(…)` is that function's own.
        _ => Vec::new(),
    })
}

fn own(ty: &mut Type) -> bool {
    match ty {
        Type::Array(array) => own(&mut array.elem),
        Type::Group(group) => own(&mut group.elem),
        Type::Paren(paren) => own(&mut paren.elem),
        Type::Path(path) => {
            let mut changed = false;
            for segment in &mut path.path.segments {
                let PathArguments::AngleBracketed(arguments) = &mut segment.arguments else { continue };
                for argument in &mut arguments.args {
                    match argument {
                        GenericArgument::Type(ty) => changed |= own(ty),
                        GenericArgument::Lifetime(lifetime) if lifetime.ident == "_" => {
                            *lifetime = Lifetime::new("'static", lifetime.apostrophe);
                            changed = true;
                        }
                        _ => {}
                    }
                }
            }
            changed
        }
        Type::Reference(reference) if reference.lifetime.as_ref().is_none_or(|lifetime| lifetime.ident == "_") => {
            let mut elem = (*reference.elem).clone();
            own(&mut elem);
            *ty = match elem {
                Type::Path(path) if path.path.is_ident("str") => syn::parse_quote!(String),
                Type::Slice(slice) => {
                    let elem = slice.elem;
                    syn::parse_quote!(Vec<#elem>)
                }
                elem => elem,
            };
            true
        }
        Type::Slice(slice) => own(&mut slice.elem),
        Type::Tuple(tuple) => tuple.elems.iter_mut().fold(false, |changed, elem| own(elem) | changed),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(text: &str) -> Type {
        syn::parse_str(text).unwrap()
    }

    #[test]
    fn what_borrows_is_told_what_owns() {
        for (borrowed, expected) in [
            ("&str", Some("String")),
            ("&'_ Draft", Some("Draft")),
            ("Payload<&str>", Some("Payload<String>")),
            ("Payload<Vec<(u8, &[u8])>>", Some("Payload<Vec<(u8, Vec<u8>)>>")),
            ("Payload<Cow<'_, str>>", Some("Payload<Cow<'static, str>>")),
            ("Payload<String>", None),
            ("Header<&'static str>", None),
            ("State<Arc<dyn Fn(&str) -> bool>>", None),
        ] {
            assert_eq!(owned(&ty(borrowed)).as_ref().map(text).as_deref(), expected, "{borrowed}");
        }
    }

    #[test]
    fn what_is_returned_in_the_end_is_found() {
        let returned = ty("Result<(Option<Reply<u8>>, io::Result<Payload<Draft>>), ChatError>");
        assert_eq!(parts(&returned).into_iter().map(text).collect::<Vec<_>>(), ["Reply<u8>", "Payload<Draft>"]);
        assert_eq!(parts(&ty("()")).len(), 1);
    }

    #[test]
    fn impl_is_found_inside_of_other_types() {
        assert!(has_impl(&ty("Payload<Vec<impl Serialize>>")) && !has_impl(&ty("Payload<Vec<Draft>>")));
    }
}
