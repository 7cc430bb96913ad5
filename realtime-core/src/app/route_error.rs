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
    /// What is wrong with `text` if it lies under none of `allowed`.
    pub(crate) fn unless_under(
        place: &'static str,
        text: &str,
        allowed: &[&Destination],
        prefixes: &Prefixes,
    ) -> Option<Self> {
        if allowed.iter().any(|prefix| below(prefix, text).is_some()) {
            return None;
        }
        let first = allowed.first()?;
        let advice = match below(&prefixes.user, text) {
            Some(path) if allowed.iter().any(|prefix| below(prefix, path).is_some()) => {
                format!("`{}` is added by itself, write `{path}`", prefixes.user)
            }
            Some(_) => format!("what lies under {} is each user's own, remove this", prefixes.user),
            None => {
                let others = [&prefixes.app, &prefixes.queue, &prefixes.topic];
                let rest = others.into_iter().find_map(|prefix| below(prefix, text)).unwrap_or(text);
                format!("write `{first}{rest}`")
            }
        };
        Some(Self::wrong_prefix(place, text, allowed, advice))
    }

    /// What is wrong with a rule about `text` if it does not lie under the topic prefix.
    pub(crate) fn rule_unless_topic(text: &str, sends: bool, prefixes: &Prefixes) -> Option<Self> {
        let place = if sends { "the rule about SENDs to" } else { "the rule about SUBSCRIBEs to" };
        let advice = if below(&prefixes.app, text).is_some() {
            format!("what lies under {} its handlers judge, write `.authorize(…)` at the route", prefixes.app)
        } else if below(&prefixes.user, text).is_some() {
            match sends {
                true => "write `Rule::send_to_own_user` or `Rule::send_to_other_users`".to_owned(),
                false => format!("what lies under {} is each user's own and needs no rule, remove it", prefixes.user),
            }
        } else {
            return Self::unless_under(place, text, &[&prefixes.topic], prefixes);
        };
        Some(Self::wrong_prefix(place, text, &[&prefixes.topic], advice))
    }

    fn wrong_prefix(place: &'static str, text: &str, allowed: &[&Destination], advice: String) -> Self {
        let expected = allowed.iter().map(|prefix| prefix.as_str()).collect::<Vec<_>>().join(" or ");
        Self::WrongPrefix { place, text: text.to_owned(), expected, advice }
    }

    pub(crate) fn pattern(text: &str, error: PatternError) -> Self {
        Self::Pattern { text: text.to_owned(), error }
    }

    pub(crate) fn destination(text: &str, error: DestinationError) -> Self {
        Self::Destination { text: text.to_owned(), error }
    }
}

/// The part of `text` behind the prefix, by whole segments; none for the prefix itself.
fn below<'a>(prefix: &Destination, text: &'a str) -> Option<&'a str> {
    text.strip_prefix(prefix.as_str()).filter(|rest| rest.starts_with('/'))
}
