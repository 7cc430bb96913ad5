//! Every sentence that the macros say, and the list in which the errors of one attribute are collected.
//!
//! Each says what is wrong and what to write instead. `docs/macros.md` lists them all and `tests/ui` shows each at least
//! once; the tests below hold both to it.

use std::fmt;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The errors of one attribute, reported together.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    combined: Option<syn::Error>,
}

impl Errors {
    /// Adds what is wrong with `tokens`.
    pub(crate) fn add(&mut self, tokens: impl ToTokens, diagnostic: Diagnostic) {
        self.include(syn::Error::new_spanned(tokens, diagnostic));
    }

    /// Adds what is wrong with the attribute as a whole.
    pub(crate) fn add_to_attribute(&mut self, diagnostic: Diagnostic) {
        self.include(syn::Error::new(proc_macro2::Span::call_site(), diagnostic));
    }

    /// Adds an error of the parser.
    pub(crate) fn include(&mut self, error: syn::Error) {
        match &mut self.combined {
            Some(combined) => combined.combine(error),
            none => *none = Some(error),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.combined.is_none()
    }
}

/// The errors as `compile_error!`s, each at its tokens.
impl ToTokens for Errors {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if let Some(combined) = &self.combined {
            tokens.extend(combined.to_compile_error());
        }
    }
}

/// One kind of error for each sentence; a field stands for a word of the user's code.
macro_rules! diagnostics {
    ($($kind:ident $({ $($field:ident),* })? => $text:literal;)*) => {
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) enum Diagnostic {
            $($kind $({ $($field: String),* })?,)*
        }

        impl fmt::Display for Diagnostic {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$kind $({ $($field),* })? => write!(f, $text),)*
                }
            }
        }

        /// The sentences as they stand above, for the tests of documentation and coverage.
        #[cfg(test)]
        const SENTENCES: &[&str] = &[$($text),*];
    };
}

diagnostics! {
    // The function.
    NotAFunction { attribute } => "`#[{attribute}]` stands on an `async fn`; move it to one";
    NotAsync { name } => "a handler is asynchronous; write `async fn {name}`";
    Receiver => "a handler has no `self`; write a free function and take what it needs with `State<T>`";
    Generic => "a handler is not generic, as the route must know what to extract; write the type itself";
    Qualifier { qualifier } => "a handler is a plain `async fn`; remove `{qualifier}`";
    TwoHandlers { first, second } => "this function already has `#[{first}]`; write a second function for `#[{second}]` that calls it";

    // Its arguments.
    TooManyArguments => "a handler has at most eight arguments; put several into a type of yours that implements `FromContext`";
    ImplArgument => "`impl Trait` does not say what to extract; write the type itself";
    BorrowedArgument { owned } => "an argument is taken out of the event and owned by the handler; write `{owned}`";
    PathWithoutPlaceholder { pattern } => "the pattern \"{pattern}\" captures nothing for this argument; write a segment as `{{name}}`, or remove the argument";
    PathCount { captured, taken, fitting } => "the pattern captures {captured} and this argument takes {taken}; write `{fitting}`";
    PathWithoutPattern { attribute } => "`#[{attribute}]` has no pattern that captures something; remove this argument and look at the event itself";
    TwoPayloads => "a message has one body; put what both take into one type and take that";
    PayloadWithoutBody { attribute } => "what `#[{attribute}]` handles has no body; remove this argument, or handle a SEND with `#[stomp_handler]`";
    ErrorArgumentMissing => "the first argument is the error; write `error: MyError` before the extractors";

    // The pattern, and the target of `send_to`.
    PatternMissing { attribute } => "which destinations? Begin with a pattern: `#[{attribute}(\"/…\")]`";
    PatternNotLiteral => "the pattern is checked while compiling; write it as a string literal such as \"/app/rooms/{{room}}\"";
    PatternNotFirst => "the pattern comes first; move it before the options";
    PatternTwice => "a handler has one pattern; write a second function for this one that calls the first";
    PatternNotHere { attribute } => "`#[{attribute}]` hears of every session and has no pattern; remove this";
    NoSlash { text } => "a destination begins with `/`; write \"/{text}\"";
    EmptySegment => "a destination has no empty segments; remove the double or trailing `/`";
    DotSegment { segment } => "`{segment}` may not be a segment; name the place itself";
    Character { character } => "{character} may not stand in a destination; leave it out";
    RestInTheMiddle => "`**` stands for the rest and is the last segment; write `*` for one segment here";
    Star { segment } => "`{segment}` mixes `*` with other characters; a `*` is a whole segment, and so is `**`";
    Placeholder { segment } => "`{segment}` is not a placeholder; write `{{name}}` with letters, digits and `_`, as a whole segment";
    DuplicatePlaceholder { name } => "two placeholders are named `{{{name}}}`; give each its own name";
    TooLong { octets } => "a destination has at most 255 octets and this has {octets}; shorten it";
    TooManySegments { segments } => "a destination has at most 16 segments and this has {segments}; leave some out";

    // What is sent where.
    TargetMissing { attribute } => "where to? Write `#[{attribute}(\"/…\")]`";
    TargetNotLiteral => "the target is checked while compiling; write it alone, as a string literal such as \"/topic/rooms/{{room}}\"";
    TargetStar { segment } => "`{segment}` is not one destination; write a name, or a placeholder of the pattern";
    TargetPlaceholder { name, captured } => "the pattern does not capture `{{{name}}}`; it captures {captured}";
    UserTargetPlaceholder { segment } => "`send_to_user` takes no `{segment}`; leave it out, or return `SendToUser` with a path of the moment";
    UserTargetPrefix { path } => "`/user` is added by itself; write \"{path}\"";
    TargetTwice { attribute } => "there is a `#[{attribute}]` already; keep one, and publish to the other place with a `Broker` argument";
    BothTargets => "a return value goes to one place; keep `#[send_to]` or `#[send_to_user]`, and publish to the other with a `Broker` argument";
    TargetWithoutHandler { attribute } => "`#[{attribute}]` belongs to a handler; write `#[stomp_handler(\"/app/…\")]` above it";
    TargetNotHere { attribute, listener } => "`#[{attribute}]` does not go with `#[{listener}]`; remove it, and publish with a `Broker` argument";
    NothingToSend { attribute } => "`#[{attribute}]` has nothing to send; return `Payload<T>`, or remove the attribute";
    PayloadGoesNowhere => "this `Payload` goes nowhere; add `#[send_to(\"/topic/…\")]` or `#[send_to_user(\"/queue/…\")]`, or return `Reply<T>` to answer the sender alone";
    PayloadInsteadOfReply => "this `Payload` goes nowhere; return `Reply<T>` to answer the subscriber, or add `#[send_to(\"/topic/…\")]`";
    RejectionMissing => "an error handler says what the client is told; return a `Rejection`";

    // Options.
    UnknownOption { name, known } => "there is no option `{name}`; the options of this attribute are {known}";
    MisspeltOption { name, nearest } => "there is no option `{name}`; did you mean `{nearest}`?";
    OptionNotHere { name, attribute } => "`{name}` is not an option of `#[{attribute}]`; remove it";
    BodyLimitNotHere => "a SUBSCRIBE has no body that `max_size` could limit; remove it";
    OptionTwice { name } => "`{name}` is given twice; keep one";
    OptionWithoutValue { name, example } => "`{name}` needs a value; write `{name} = {example}`";
    Authorize => "`authorize` takes a guard; write the name of an async function as in `authorize = is_member`, or a call such as `require_role(\"admin\")`";
    Rate => "this is not a rate; write a count and a time such as \"5/s\", \"100/min\", \"10/h\" or \"3/10s\"";
    MaxSize => "this is not a size; write octets with a unit such as \"512 B\", \"4 KiB\" or \"1 MiB\"";
    Concurrent => "this is not a number of messages; write 1 or more, as in `concurrent = 4`";
    State => "this is not a type; write the type that the router gets in `with_state`, as in `state = App`";
    Crate => "this is not the name of a crate; write it as a string, as in `crate = \"parlor_core\"`";

    // `routes!`.
    RoutesEmpty => "there is no route in here; write the names of handlers, as in `routes![chat, status]`";
    RoutesName => "this is not the name of a handler; write it as in `routes![chat, rooms::status]`, without a call";
    RoutesTwice { name } => "`{name}` is mounted twice; remove one";
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// A sentence in its constant parts, between which words of the user's code stand.
    fn parts(sentence: &str) -> Vec<String> {
        let mut parts = vec![String::new()];
        let mut chars = sentence.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '{' | '}' if chars.peek() == Some(&char) => parts.last_mut().unwrap().extend(chars.next()),
                '{' => {
                    chars.by_ref().find(|char| *char == '}');
                    parts.push(String::new());
                }
                char => parts.last_mut().unwrap().push(char),
            }
        }
        parts
    }

    fn read(path: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn every_sentence_stands_in_the_documentation() {
        let document = read("../docs/macros.md");
        for sentence in SENTENCES {
            let row = format!("| {} |", parts(sentence).join("…"));
            assert!(document.contains(&row), "docs/macros.md lacks the row {row}");
        }
    }

    #[test]
    fn every_sentence_is_shown_by_a_ui_test() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
        let mut shown = String::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "stderr") {
                shown.push_str(&fs::read_to_string(path).unwrap());
            }
        }
        let errors: Vec<_> = shown.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
        for sentence in SENTENCES {
            let parts = parts(sentence);
            assert!(errors.iter().any(|error| fits(error, &parts)), "no file of tests/ui shows {sentence:?}");
        }
    }

    /// Whether `text` begins and ends with the outer parts and has the others in between, in their order.
    fn fits(text: &str, parts: &[String]) -> bool {
        let [first, middle @ ..] = parts else { return text.is_empty() };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        let Some((last, middle)) = middle.split_last() else { return rest.is_empty() };
        for part in middle {
            match rest.split_once(part.as_str()) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }

    #[test]
    fn errors_are_collected() {
        let mut errors = Errors::default();
        assert!(errors.is_empty());
        errors.add_to_attribute(Diagnostic::RoutesEmpty);
        errors.add(quote::quote!(name), Diagnostic::Receiver);
        assert_eq!(errors.to_token_stream().to_string().matches("compile_error").count(), 2);
    }
}
