//! What is wrong with a route or a rule, found when the endpoint is built.

use crate::{
    app::CaptureError,
    destination::{Destination, DestinationError, PatternError, Prefixes},
};

/// What is wrong with a route or a rule.
///
/// ```
/// use parlor_core::{BuildError, Realtime, app::{Route, Router}, auth::Anonymous};
///
/// async fn say() {}
///
/// let routes = Router::new().mount(Route::message("/rooms/say", say)).with_state(());
/// let Err(BuildError::Routes(errors)) = Realtime::builder(routes).authenticate(Anonymous).build() else { panic!() };
/// assert_eq!(
///     errors[0].to_string(),
///     "the route for SENDs `/rooms/say` must lie under /app; write `/app/rooms/say`"
/// );
/// ```
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
    /// What the route captures is never what its handler, or a guard of it, takes.
    #[error("the route `{route}` does not fit its handler or guard: {error}")]
    Capture {
        /// The route.
        route: String,
        /// What does not fit.
        error: CaptureError,
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
    /// A placeholder in the pattern of a presence that those who are present do not capture.
    #[error(
        "presence at `{place}` names {{{placeholder}}}, which `{of}` does not capture; name what it captures, or write {{{placeholder}}} in both"
    )]
    UnknownPlace {
        /// The pattern of the places.
        place: String,
        /// The pattern of the destinations whose listeners are present.
        of: String,
        /// The placeholder.
        placeholder: String,
    },
    /// A placeholder in `send_to` that the route does not capture.
    #[error(
        "`send_to(\"{target}\")` names {{{placeholder}}}, which the route `{route}` does not capture; name what it captures, or write {{{placeholder}}} in the route"
    )]
    UnknownPlaceholder {
        /// The route.
        route: String,
        /// The target.
        target: String,
        /// The placeholder.
        placeholder: String,
    },
    /// A route or target outside the prefix that it belongs under.
    #[error("{place} `{text}` must lie under {expected}; {advice}")]
    WrongPrefix {
        /// What it is: a route, a target, a rule.
        place: &'static str,
        /// The route or target, as it was written.
        text: String,
        /// The prefixes it may lie under.
        expected: String,
        /// What to write instead.
        advice: String,
    },
}

impl RouteError {
    pub(crate) fn pattern(text: &str, error: PatternError) -> Self {
        Self::Pattern { text: text.to_owned(), error }
    }

    pub(crate) fn destination(text: &str, error: DestinationError) -> Self {
        Self::Destination { text: text.to_owned(), error }
    }

    /// The error of a route or target, named by `place`, that lies under none of `allowed`.
    pub(super) fn misplaced(
        place: &'static str,
        text: &str,
        allowed: &[&Destination],
        prefixes: &Prefixes,
    ) -> Option<Self> {
        if allowed.iter().any(|prefix| prefix.is_above(text)) {
            return None;
        }
        let first = allowed.first()?;
        let advice = match prefixes.user.rest_of(text) {
            Some(path) if allowed.iter().any(|prefix| prefix.is_above(path)) => {
                format!("`{}` is added by itself, write `{path}`", prefixes.user)
            }
            Some(_) => format!("what lies under {} is each user's own, remove this", prefixes.user),
            None => {
                let others = [&prefixes.app, &prefixes.queue, &prefixes.topic];
                let rest = others.into_iter().find_map(|prefix| prefix.rest_of(text)).unwrap_or(text);
                format!("write `{first}{rest}`")
            }
        };
        Some(Self::wrong_prefix(place, text, allowed, advice))
    }

    /// The error of something that lies under none of `allowed`, with what to write instead.
    pub(super) fn wrong_prefix(place: &'static str, text: &str, allowed: &[&Destination], advice: String) -> Self {
        let expected = allowed.iter().map(|prefix| prefix.as_str()).collect::<Vec<_>>().join(" or ");
        Self::WrongPrefix { place, text: text.to_owned(), expected, advice }
    }
}
