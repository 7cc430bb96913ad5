//! What an attribute and the function below it say, as far as it could be read.

use proc_macro2::TokenStream;
use quote::{ToTokens, TokenStreamExt};
use syn::{Attribute, Expr, LitStr, PatType, Path, Signature, Type, Visibility};

use crate::units::Rate;

/// Which attribute a function has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connected,
    Disconnected,
    Error,
    Message,
    Subscribe,
    Subscribed,
    Unsubscribed,
}

/// A function with one of the attributes.
#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) kind: Kind,
    pub(crate) pattern: Option<LitStr>,
    pub(crate) options: Options,
    /// What `send_to` and `send_to_user` say, in their order; more than one is an error.
    pub(crate) targets: Vec<Target>,
    /// Further attributes of a [`Kind`]; any is an error.
    pub(crate) others: Vec<(Kind, Attribute)>,
    pub(crate) function: Function,
}

/// What was given as `name = value`.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) authorize: Option<Expr>,
    pub(crate) concurrent: Option<usize>,
    pub(crate) krate: Option<Path>,
    pub(crate) max_size: Option<usize>,
    pub(crate) rate: Option<Rate>,
    pub(crate) state: Option<Type>,
}

/// `#[send_to("…")]` or `#[send_to_user("…")]`.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) kind: TargetKind,
    pub(crate) attribute: Attribute,
    pub(crate) text: Option<LitStr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetKind {
    Topic,
    User,
}

/// A function whose body is not looked at, so that an unfinished one is the compiler's to judge.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Connected,
        Self::Disconnected,
        Self::Error,
        Self::Message,
        Self::Subscribe,
        Self::Subscribed,
        Self::Unsubscribed,
    ];

    /// The attribute's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connected => "on_connected",
            Self::Disconnected => "on_disconnected",
            Self::Error => "error_handler",
            Self::Message => "stomp_handler",
            Self::Subscribe => "subscribe_handler",
            Self::Subscribed => "on_subscribed",
            Self::Unsubscribed => "on_unsubscribed",
        }
    }

    /// The kind of an attribute, by the last part of its path: macros do not see what a name means.
    pub(crate) fn of(attribute: &Attribute) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| is_named(attribute, kind.name()))
    }

    /// Whether it is brought to its function by a pattern.
    pub(crate) fn has_pattern(self) -> bool {
        matches!(self, Self::Message | Self::Subscribe)
    }

    /// The options that the attribute knows.
    pub(crate) fn options(self) -> &'static [&'static str] {
        match self {
            Self::Message => &["authorize", "rate", "max_size", "concurrent", "state", "crate"],
            Self::Subscribe => &["authorize", "rate", "state", "crate"],
            _ => &["state", "crate"],
        }
    }
}

impl TargetKind {
    /// The attribute's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Topic => "send_to",
            Self::User => "send_to_user",
        }
    }

    /// The kind of an attribute, by the last part of its path.
    pub(crate) fn of(attribute: &Attribute) -> Option<Self> {
        [Self::Topic, Self::User].into_iter().find(|kind| is_named(attribute, kind.name()))
    }
}

impl Function {
    /// The arguments, without `self`.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &PatType> {
        self.signature.inputs.iter().filter_map(|argument| match argument {
            syn::FnArg::Typed(argument) => Some(argument),
            syn::FnArg::Receiver(_) => None,
        })
    }

    /// The condition under which the function exists at all, and so must everything beside it.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"))
    }
}

/// The function as it was written.
impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attributes);
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

fn is_named(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == name)
}
