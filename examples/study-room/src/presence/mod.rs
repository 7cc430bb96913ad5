//! Who is here: handlers and listeners first, the service below them.
//!
//! A person is in a room while any tab of theirs hears what is said there, and for a grace after the last one is gone, so that a
//! reload, a second tab or a short loss of the network says nothing to anybody. What is told of it goes four ways:
//!
//! | where | what |
//! |---|---|
//! | the room's chat | "Ada entered", "Ada left": system messages, once a person |
//! | the mailbox of who made the room | "Ada entered your room" |
//! | [`PRESENCE`] | who is here with which status: a snapshot, then what changes |
//! | [`OCCUPANCY`] | how many are in each room, and a few names, for the lobby |
//!
//! System messages are in the history of the chat's topic, so that a page that was cut off gets them with what was said. In the
//! database they are not: whoever comes later asks who is here now, which the member list says, and not who came and went.

mod occupancy;
mod service;

use std::sync::Arc;

use occupancy::Lobby;
use parlor::{
    app::{Rejection, Route, Router},
    auth::Principal,
    broker::{Broker, PublishError},
    extract::{FromRef, Path, Payload, Reply, State},
    presence::{CountChanged, Joined, Left, PresenceError},
    stomp_handler,
};
use serde::{Deserialize, Serialize};
pub(crate) use service::PresenceService;

use crate::{
    clock,
    membership::room_exists,
    notifications::NotificationService,
    store::{Store, StoreError},
};

/// Where a room's members are seen.
const PRESENCE: &str = "/topic/rooms/{room}/presence";

/// Where all rooms that have somebody in them are seen.
const OCCUPANCY: &str = "/topic/lobby/occupancy";

/// What somebody does in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    /// Not at the desk; set by hand.
    Away,
    /// Taking a break; set by hand.
    Break,
    /// Left the room. It is what the others are told of who is gone, and nobody sets it.
    #[serde(skip_deserializing)]
    Offline,
    /// What whoever enters does.
    Studying,
}

/// What a page sends when its user does something else.
#[derive(Debug, Deserialize)]
struct Wish {
    status: Status,
}

/// What everyone in a room hears of somebody who came or went.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "system")]
struct Announcement {
    event: Event,
    user: String,
    name: String,
    /// When it was announced, in milliseconds since 1970.
    at: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Event {
    Entered,
    Left,
}

/// The routes of presence, and what `presence` is told by.
pub(crate) fn routes<S>(presence: &PresenceService) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    NotificationService: FromRef<S>,
    PresenceService: FromRef<S>,
    Arc<dyn Store>: FromRef<S>,
{
    let rooms = presence.rooms();
    Router::new()
        .mount(rooms.on_joined(entered))
        .mount(rooms.on_left(left))
        .mount(rooms.on_count_changed(counted))
        .mount(presence.members().clone())
        .mount(status::route())
        .mount(Route::subscribe(PRESENCE, look).authorize(room_exists))
        .mount(Route::subscribe(OCCUPANCY, look_at_all))
}

/// Somebody does something else, in all rooms that they are in. It stays until they leave, whatever tabs they open or reload.
#[stomp_handler("/app/status", rate = "5/s")]
async fn status(
    user: Principal,
    State(presence): State<PresenceService>,
    Payload(wish): Payload<Wish>,
) -> Result<(), Rejection> {
    presence.set_status(user.id().ok_or(PresenceError::Anonymous)?, wish.status)?;
    Ok(())
}

/// Somebody looks at a room's members, without being one for that: the snapshot comes first, by itself.
async fn look() {}

/// Somebody looks at the lobby: all rooms that have somebody in them come first, then every change of one.
async fn look_at_all(State(presence): State<PresenceService>) -> Reply<Lobby> {
    Reply(presence.lobby())
}

/// Somebody came, with the first of their tabs.
async fn entered(
    Joined { destination, .. }: Joined,
    Path(room): Path<String>,
    user: Principal,
    State(notifications): State<NotificationService>,
    broker: Broker,
) -> Result<(), PublishError> {
    broker.publish(destination, &Announcement::of(Event::Entered, &user)).await?;
    notifications.entered(&room, &user).await;
    Ok(())
}

/// Somebody left: the last of their tabs has been gone for the grace, or they logged out.
async fn left(Left { destination, .. }: Left, user: Principal, broker: Broker) -> Result<(), PublishError> {
    broker.publish(destination, &Announcement::of(Event::Left, &user)).await.map(drop)
}

/// A room has more or fewer people in it.
async fn counted(
    CountChanged { destination, .. }: CountChanged,
    Path(room): Path<String>,
    State(presence): State<PresenceService>,
    State(store): State<Arc<dyn Store>>,
    broker: Broker,
) -> Result<(), LobbyError> {
    let changed = presence.recount(&room, &destination, &*store).await?;
    broker.publish(OCCUPANCY, &changed).await?;
    Ok(())
}

/// Why the lobby is not told of a change.
#[derive(Debug, thiserror::Error)]
enum LobbyError {
    #[error(transparent)]
    NotPublished(#[from] PublishError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LobbyError> for Rejection {
    fn from(error: LobbyError) -> Self {
        Self::internal(error)
    }
}

impl Announcement {
    fn of(event: Event, user: &Principal) -> Self {
        let id = user.id().map(ToString::to_string).unwrap_or_default();
        Self { event, user: id, name: user.to_string(), at: clock::now_ms() }
    }
}
