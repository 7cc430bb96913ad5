//! Why an endpoint cannot be built.

use std::fmt;

use crate::{
    app::RouteError,
    auth::OriginError,
    broker::DeliveryRuleError,
    destination::{Destination, DestinationError, PatternError},
};

/// What is wrong with an endpoint, found when it is built. One sentence for each fault.
///
/// Its `Debug` is the same sentences: that is what a program prints whose `main` returns it.
///
/// ```
/// use parlor_core::{BuildError, Realtime, app::Router};
///
/// let error = Realtime::builder(Router::new().with_state(())).build().unwrap_err();
/// assert!(matches!(error, BuildError::NoAuthenticator));
/// assert!(error.to_string().contains("call .authenticate("));
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Any page of the web may connect, and a cookie lets its user in: every page could act for every user.
    #[error(
        "any origin is allowed and the authenticator takes cookies, so every page of the web could act for every user; list the origins with .allowed_origins([…]), or take bearer tokens alone"
    )]
    AnyOriginWithCookies,
    /// The application prefix leaves no room for the destination of refreshes.
    #[error("the application prefix leaves no room for `$refresh` below it: {0}")]
    AppPrefix(DestinationError),
    /// The authenticator's settings are wrong.
    #[error("{0}")]
    Authenticator(Box<dyn std::error::Error + Send + Sync>),
    /// The rules of delivery are wrong.
    #[error("{}", sentences(.0))]
    Delivery(Vec<DeliveryRuleError>),
    /// Rules of delivery were declared for the same broker before.
    #[error(
        "the broker has rules of delivery already; declare them all where it, or the first of its endpoints, is built"
    )]
    DeliveryDeclared,
    /// Another endpoint set the outbound interceptors of the same broker.
    #[error("the broker has outbound interceptors already; add them all where the first of its endpoints is built")]
    Intercepted,
    /// Nobody says who a client is.
    #[error(
        "nobody could connect, as nothing says who a client is; call .authenticate(…) with a JwtVerifier, with Anonymous to let everyone in, or with Nobody to mean it"
    )]
    NoAuthenticator,
    /// An allowed origin is not scheme, host and optional port.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// Two prefixes are one, or one lies within the other.
    #[error("the prefixes {first} and {second} overlap, so that a destination would have two meanings; change one")]
    OverlappingPrefixes {
        /// One of them.
        first: Destination,
        /// The other, which is or lies within the first.
        second: Destination,
    },
    /// A prefix leaves no room for destinations below it.
    #[error("the topic prefix leaves no room for destinations below it: {0}")]
    Prefix(PatternError),
    /// The queue prefix leaves no room for the destinations that replies and refusals go to.
    #[error("the queue prefix leaves no room for replies and errors below it: {0}")]
    QueuePrefix(DestinationError),
    /// A snapshot is for what cannot be a user's own destination.
    #[error("there is no destination `/user{0}`, so no subscription could begin with its snapshot; write /queue/…")]
    SnapshotPath(String),
    /// Routes or rules are wrong.
    #[error("{}", sentences(.0))]
    Routes(Vec<RouteError>),
}

fn sentences(errors: &[impl ToString]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
