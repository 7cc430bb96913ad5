//! Chat: handlers first, the coordinator below them.

mod broadcast;
mod write;

use std::{convert::Infallible, sync::Arc};

use parlor::{
    app::{Rejection, Route, Router},
    auth::Principal,
    broker::{Broker, PublishError},
    extract::{FromRef, Header, NamedHeader, Path, Payload, Reply, State},
};
use serde::{Deserialize, Serialize};

use crate::{
    chat::{broadcast::BroadcastService, write::WriteService},
    drafts::DraftError,
    notifications::NotificationService,
    store::{Message, Page, Store, StoreError},
};

/// Where a room's messages are heard.
pub(crate) const ROOM: &str = "/topic/rooms/{room}/chat";

/// What a page sends.
#[derive(Debug, Deserialize)]
pub(crate) struct Draft {
    /// 1 to 4,000 characters, not U+0000.
    text: String,
    /// Made by the page, different for each message: sending it again stores it once.
    key: String,
}

/// The first message of a room's subscription, unless that goes on where it was.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "history")]
pub(crate) struct History {
    #[serde(flatten)]
    page: Page,
}

/// The routes of chat.
pub(crate) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    ChatService: FromRef<S>,
{
    Router::new().mount(Route::message("/app/rooms/{room}/chat", say)).mount(Route::subscribe(ROOM, enter))
}

/// Somebody says something in a room. The RECEIPT means that it is in the database.
async fn say(
    Path(room): Path<String>,
    user: Principal,
    State(chat): State<ChatService>,
    Payload(draft): Payload<Draft>,
) -> Result<(), ChatError> {
    chat.say(&room, &user, draft).await
}

/// Somebody enters a room: the newest messages come first, then what is said from now on.
///
/// Whoever wants to go on from a position gets what was said since then, or `recovered:false` and what is said from now on; never
/// the newest messages too. The page has most of them, they would stand before those that it missed, and this handler runs
/// before it is known which of the two it will be. A page that cannot go on subscribes again, without a position.
async fn enter(
    Path(room): Path<String>,
    State(chat): State<ChatService>,
    position: Option<Header<ResumeFrom>>,
) -> Result<Option<Reply<History>>, ChatError> {
    if position.is_some() {
        chat.expect_room(&room).await?;
        return Ok(None);
    }
    Ok(Some(Reply(History { page: chat.history(&room).await? })))
}

/// The position that a subscription wants to go on from. Parlor reads it; here it matters that there is one.
struct ResumeFrom;

impl NamedHeader for ResumeFrom {
    const NAME: &'static str = "resume-from";
    type Error = Infallible;

    fn from_value(_: &str) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// Writes, then broadcasts, then notifies.
///
/// In this order, because what people saw must still be there after a crash, and because the database gives the message
/// its id and place. If the broadcast fails, there is no RECEIPT: the author sends it again.
///
/// A message that is sent again, because its RECEIPT was lost on the way, is kept once, also after a restart, and broadcast
/// again: the first time may have failed between the two. Pages drop what they show already by its id.
///
/// Whoever is named is notified last: a notification leads to a message, which must be there, and the room shall not wait for
/// the mailboxes of a few. That it failed is logged and is no failure of the message, which is kept and which everyone has seen:
/// there is nothing to send again. A message that is sent again after a restart may notify again.
#[derive(Clone)]
pub(crate) struct ChatService {
    write: WriteService,
    broadcast: BroadcastService,
    notifications: NotificationService,
}

impl ChatService {
    pub(crate) fn new(store: Arc<dyn Store>, broker: Broker, notifications: NotificationService) -> Self {
        Self { write: WriteService::new(store), broadcast: BroadcastService::new(broker), notifications }
    }

    async fn say(&self, room: &str, author: &Principal, draft: Draft) -> Result<(), ChatError> {
        let message = self.write.message(room, author, draft).await?;
        self.broadcast.message(&message).await?;
        self.notifications.said(&message).await;
        Ok(())
    }

    async fn expect_room(&self, room: &str) -> Result<(), ChatError> {
        self.write.expect_room(room).await
    }

    async fn history(&self, room: &str) -> Result<Page, ChatError> {
        self.write.newest(room).await
    }
}

/// Why something is not said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChatError {
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error("This message cannot be sent again: its key belongs to a message in another room.")]
    KeyUsed,
    #[error(transparent)]
    NotBroadcast(#[from] PublishError),
    #[error("Log in to chat.")]
    NotLoggedIn,
    #[error("There is no such room.")]
    RoomNotFound,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ChatError> for Rejection {
    fn from(error: ChatError) -> Self {
        let code = match &error {
            ChatError::Draft(error) => error.code(),
            ChatError::KeyUsed => "key-used",
            ChatError::NotBroadcast(error) => return Self::internal(error),
            ChatError::NotLoggedIn => "not-logged-in",
            ChatError::RoomNotFound => "room-not-found",
            ChatError::Store(error) => return Self::internal(error),
        };
        Self::new(code, error.to_string())
    }
}

/// A message as it goes to everyone in the room.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "message")]
struct Said<'a> {
    message: &'a Message,
}
