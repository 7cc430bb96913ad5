//! What is wrong with a route or a rule, found when the endpoint is built.

use crate::destination::{Destination, DestinationError, PatternError};

/// What is wrong with a route or a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// Two routes would have to share a destination and neither is more specific.
    #[error("the routes `{first}` and `{second}` match the same destinations and neither is more specific; change one")]
    Ambiguous {
        /// The one that was mounted first.
        first: String,
        /// The other one.
        second: String,
    },
    /// Not a destination.
    #[error("`{text}` is not a destination: {error}")]
    Destination {
        /// What was written.
        text: String,
        /// What is wrong with it.
        error: DestinationError,
    },
    /// Not a pattern.
    #[error("`{text}` is not a pattern: {error}")]
    Pattern {
        /// What was written.
        text: String,
        /// What is wrong with it.
        error: PatternError,
    },
    /// Two error handlers for one type of error.
    #[error("there are two error handlers for `{error}`; keep one")]
    DuplicateErrorHandler {
        /// The type.
        error: &'static str,
    },
    /// A placeholder in `send_to` that the route does not capture.
    #[error("`send_to(\"{target}\")` names {{{placeholder}}}, which the route `{route}` does not capture")]
    UnknownPlaceholder {
        /// The route.
        route: String,
        /// The target.
        target: String,
        /// The placeholder.
        placeholder: String,
    },
    /// A route or target outside the prefix that it belongs under.
    #[error("`{text}` must lie under {expected}")]
    WrongPrefix {
        /// The route or target.
        text: String,
        /// The prefixes it may lie under.
        expected: String,
    },
}

impl RouteError {
    pub(crate) fn pattern(text: &str, error: PatternError) -> Self {
        Self::Pattern { text: text.to_owned(), error }
    }

    pub(crate) fn destination(text: &str, error: DestinationError) -> Self {
        Self::Destination { text: text.to_owned(), error }
    }

    /// The error of a route, rule or target that lies under none of `allowed`.
    pub(super) fn misplaced(text: &str, allowed: &[&Destination]) -> Option<Self> {
        if allowed.iter().any(|prefix| prefix.is_above(text)) {
            return None;
        }
        let expected = allowed.iter().map(|prefix| prefix.as_str()).collect::<Vec<_>>().join(" or ");
        Some(Self::WrongPrefix { text: text.to_owned(), expected })
    }
}
