//! Options: `name = value`, each read by its name.

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Expr, Ident, LitInt, LitStr, Path, PathSegment, Token, Type,
    ext::IdentExt,
    parse::{Parse, ParseStream, discouraged::Speculative},
};

use crate::{
    diagnostics::{Diagnostic, Errors},
    model::{Kind, Options},
    units,
};

/// Each option with an example of its value.
const EXAMPLES: [(&str, &str); 6] = [
    ("authorize", "is_member"),
    ("rate", "\"5/s\""),
    ("max_size", "\"4 KiB\""),
    ("concurrent", "4"),
    ("state", "App"),
    ("crate", "\"parlor_core\""),
];

/// So many letters may be wrong in a name for it to be taken for a known one.
const MOST_TYPING_ERRORS: usize = 3;

/// Reads one option into `options`. `known` are the names that were read before it.
pub(super) fn option(
    kind: Kind,
    input: ParseStream<'_>,
    known: &mut Vec<String>,
    options: &mut Options,
    errors: &mut Errors,
) -> syn::Result<()> {
    let name = input.call(Ident::parse_any)?;
    let assign = input.parse::<Token![=]>()?;
    let text = name.to_string();
    let fits = kind.options().contains(&&*text);
    if !fits {
        errors.add(&name, not_an_option(kind, &text));
    } else if known.contains(&text) {
        errors.add(&name, Diagnostic::OptionTwice { name: text.clone() });
    }
    let is_first = fits && !known.contains(&text);
    known.push(text.clone());
    if input.is_empty() || input.peek(Token![,]) {
        if is_first {
            errors.add(quote::quote!(#name #assign), needs_value(&text));
        }
        return Ok(());
    }
    // What is reported already is skipped.
    let mut ignored = (Options::default(), Errors::default());
    let (options, errors) = if is_first { (options, errors) } else { (&mut ignored.0, &mut ignored.1) };
    match &*text {
        "authorize" => read(input, &mut options.authorize, guard, errors, Diagnostic::Authorize),
        "concurrent" => read(input, &mut options.concurrent, concurrent, errors, Diagnostic::Concurrent),
        "crate" => read(input, &mut options.krate, krate, errors, Diagnostic::Crate),
        "max_size" => {
            read(input, &mut options.max_size, |text: &LitStr| units::size(&text.value()), errors, Diagnostic::MaxSize)
        }
        "rate" => read(input, &mut options.rate, |text: &LitStr| units::rate(&text.value()), errors, Diagnostic::Rate),
        "state" => read(input, &mut options.state, |state: &Type| Some(state.clone()), errors, Diagnostic::State),
        _ => drop(rest(input)),
    }
    Ok(())
}

/// What to say where the name of an option stands without `= value`.
pub(super) fn without_value(expression: &Expr) -> Option<Diagnostic> {
    let path = match expression {
        Expr::Path(path) => &path.path,
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => &path.path,
            _ => return None,
        },
        _ => return None,
    };
    let name = path.get_ident()?.to_string();
    EXAMPLES.iter().any(|(known, _)| *known == name).then(|| needs_value(&name))
}

/// Reads a value up to the next comma; the tokens up to there where it is none.
pub(super) fn value<T: Parse>(input: ParseStream<'_>) -> Result<T, TokenStream> {
    let ahead = input.fork();
    match ahead.parse() {
        Ok(value) if ahead.is_empty() || ahead.peek(Token![,]) => {
            input.advance_to(&ahead);
            Ok(value)
        }
        _ => Err(rest(input)),
    }
}

fn read<T: Parse + quote::ToTokens, V>(
    input: ParseStream<'_>,
    into: &mut Option<V>,
    understand: impl Fn(&T) -> Option<V>,
    errors: &mut Errors,
    diagnostic: Diagnostic,
) {
    match value::<T>(input) {
        Ok(value) => match understand(&value) {
            Some(understood) => *into = Some(understood),
            None => errors.add(value, diagnostic),
        },
        Err(tokens) => errors.add(tokens, diagnostic),
    }
}

/// The tokens up to the next comma.
fn rest(input: ParseStream<'_>) -> TokenStream {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        match input.parse::<TokenTree>() {
            Ok(token) => tokens.extend([token]),
            Err(_) => break,
        }
    }
    tokens
}

/// A literal or a block is no guard; whether another expression is one, the compiler knows.
fn guard(expression: &Expr) -> Option<Expr> {
    let fits = matches!(expression, Expr::Call(_) | Expr::Closure(_) | Expr::MethodCall(_) | Expr::Path(_));
    fits.then(|| expression.clone())
}

fn concurrent(number: &LitInt) -> Option<usize> {
    number.base10_parse().ok().filter(|number| *number > 0)
}

/// The path to a crate, from the root of names: `parlor_core` is another crate, `crate::…` is this one.
fn krate(text: &LitStr) -> Option<Path> {
    let mut path: Path = text.parse().ok()?;
    let is_local = |segment: &PathSegment| ["crate", "self", "super"].iter().any(|word| segment.ident == word);
    if path.leading_colon.is_none() && !path.segments.first().is_some_and(is_local) {
        path.leading_colon = Some(Token![::](text.span()));
    }
    Some(path)
}

fn needs_value(name: &str) -> Diagnostic {
    let example = EXAMPLES.iter().find(|(known, _)| *known == name).map_or("…", |(_, example)| *example);
    Diagnostic::OptionWithoutValue { name: name.to_owned(), example: example.to_owned() }
}

fn not_an_option(kind: Kind, name: &str) -> Diagnostic {
    let name = name.to_owned();
    if kind == Kind::Subscribe && name == "max_size" {
        return Diagnostic::BodyLimitNotHere;
    }
    if EXAMPLES.iter().any(|(known, _)| *known == name) {
        return Diagnostic::OptionNotHere { name, attribute: kind.name().to_owned() };
    }
    let nearest = kind.options().iter().map(|known| (distance(&name, known), known)).min();
    match nearest {
        Some((errors, nearest)) if errors <= MOST_TYPING_ERRORS && errors < nearest.len() => {
            Diagnostic::MisspeltOption { name, nearest: (*nearest).to_owned() }
        }
        _ => {
            let known = kind.options().iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
            Diagnostic::UnknownOption { name, known }
        }
    }
}

/// How many letters have to be added, removed or changed to make one word the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, char) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, rival) in other.iter().enumerate() {
            let changed = diagonal + usize::from(char != *rival);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters() {
        for (one, other, expected) in
            [("rate", "rate", 0), ("rates", "rate", 1), ("authorise", "authorize", 1), ("", "state", 5)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }
}
