//! What listeners of rooms and of users hear: the events, and what can be extracted from them.

use std::convert::Infallible;

use parlor_stomp::Headers;

use crate::{
    app::{Context, FromContext, Routed},
    auth::{Principal, UserId},
    broker::Broker,
    destination::{Destination, Params},
    session::{Departure, Session},
};

/// A user came into a room: the first of the user's tabs, after all were gone for the grace or longer.
///
/// ```
/// use parlor_core::{broker::{Broker, PublishError}, extract::Path, presence::Joined};
///
/// /// Every place of `/topic/rooms/{room}/chat` has its own listeners.
/// async fn joined(Joined { user, .. }: Joined, Path(room): Path<u32>, broker: Broker) -> Result<(), PublishError> {
///     broker.publish(&format!("/topic/rooms/{room}/chat"), &format!("{user} joined.")).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Joined {
    /// Who. The name to show is in the extractor `Principal`.
    pub user: UserId,
    /// Where.
    pub destination: Destination,
    pub(super) headers: Headers,
}

/// A user left a room: all of the user's tabs have been gone for the grace.
///
/// ```
/// use parlor_core::{presence::Left, session::Departure};
///
/// fn line(event: &Left) -> String {
///     match &event.reason {
///         reason if reason.is_for_good() => format!("{} was logged out.", event.user),
///         Departure::Unsubscribed => format!("{} left.", event.user),
///         _ => format!("{} went away.", event.user),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Left {
    /// Who.
    pub user: UserId,
    /// Where.
    pub destination: Destination,
    /// Why the last of the user's tabs went.
    pub reason: Departure,
    pub(super) headers: Headers,
}

/// There are more or fewer members in a room than before. Where several come and go at once, it is told once.
///
/// ```
/// use parlor_core::{app::Outcome, app::Rejection, broker::Publication, presence::CountChanged};
///
/// /// For the tiles of a lobby.
/// async fn occupancy(event: CountChanged) -> Result<Outcome, Rejection> {
///     let tile = Publication::json(&(event.destination.as_str(), event.count)).map_err(Rejection::internal)?;
///     Ok(Outcome::nothing().publish("/topic/lobby".parse()?, tile))
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CountChanged {
    /// Which room.
    pub destination: Destination,
    /// How many members it has.
    pub count: usize,
    pub(super) headers: Headers,
}

/// A user is online: the first session or event stream, after all were gone for the grace or longer.
///
/// ```
/// use parlor_core::presence::CameOnline;
///
/// async fn came(CameOnline { user, .. }: CameOnline) {
///     println!("{user} is online");
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CameOnline {
    /// Who.
    pub user: UserId,
}

/// A user is offline: all sessions and event streams have been gone for the grace.
///
/// ```
/// use parlor_core::presence::WentOffline;
///
/// async fn went(WentOffline { user, reason, .. }: WentOffline) {
///     println!("{user} is offline: {reason:?}");
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WentOffline {
    /// Who.
    pub user: UserId,
    /// Why the last session went.
    pub reason: Departure,
}

/// An event on its way to a listener: its session is one without a connection, of the user whom the event is about.
pub(super) fn context<K>(principal: &Principal, broker: &Broker, params: Params, event: K) -> Context<K> {
    Context::new(Session::detached(principal.clone()), broker.clone(), event).with_params(params)
}

macro_rules! routed {
    ($($kind:ty),*) => {$(
        impl Routed for $kind {
            fn destination(&self) -> &Destination {
                &self.destination
            }

            /// None: no frame brought it.
            fn headers(&self) -> &Headers {
                &self.headers
            }
        }
    )*};
}

macro_rules! whole_event {
    ($($kind:ty),*) => {$(
        impl<S: Sync> FromContext<S, Self> for $kind {
            type Rejection = Infallible;

            async fn from_context(context: &Context<Self>, _: &S) -> Result<Self, Infallible> {
                Ok(context.event().clone())
            }
        }
    )*};
}

macro_rules! reason {
    ($($kind:ty),*) => {$(
        /// Why the last of the user's tabs went.
        impl<S: Sync> FromContext<S, $kind> for Departure {
            type Rejection = Infallible;

            async fn from_context(context: &Context<$kind>, _: &S) -> Result<Self, Infallible> {
                Ok(context.event().reason.clone())
            }
        }
    )*};
}

routed!(Joined, Left, CountChanged);
whole_event!(Joined, Left, CountChanged, CameOnline, WentOffline);
reason!(Left, WentOffline);
