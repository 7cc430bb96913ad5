//! Direct messages: handlers first, the service below them.
//!
//! Whoever has an account may write to whoever has one. In this study room every room is open to everyone, so that "only who
//! shares a room" would say the same and cost a look at presence; a house with closed rooms would ask for that here.

mod routes;
mod service;

use parlor::{
    app::{Rejection, Route, Router},
    auth::{Principal, UserId},
    extract::{FromRef, Path, Payload, Reply, SendToUser, State},
    limits::Rate,
};
pub(crate) use routes::routes as api;
use serde::{Deserialize, Serialize};
pub(crate) use service::DirectService;
use service::{Conversations, Opened};

use crate::{
    drafts::DraftError,
    store::{Direct, StoreError},
};

/// Where both hear it, each at their own: `/user/queue/direct` to their pages.
const QUEUE: &str = "/queue/direct";

/// How often a page may send one: as fast as one can write.
const MESSAGES: Rate = Rate::per_second(2).burst(10);

/// How often a page may say what was read.
const READINGS: Rate = Rate::per_second(5);

/// What a page sends, as in a room.
#[derive(Debug, Deserialize)]
struct Draft {
    text: String,
    key: String,
}

/// What was read: everything up to this message.
#[derive(Debug, Deserialize)]
struct Reading {
    up_to: i64,
}

/// What comes to the pages of both, or of the one who reads.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Event {
    Message { message: Direct },
    Read { with: String, up_to: i64 },
}

/// The routes of direct messages.
pub(crate) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    DirectService: FromRef<S>,
{
    Router::new()
        .mount(Route::message("/app/direct/{user}", write).rate(MESSAGES))
        .mount(Route::message("/app/direct/{user}/read", read).rate(READINGS))
        .mount(Route::subscribe("/app/direct", list))
        .mount(Route::subscribe("/app/direct/{user}", open))
}

/// Somebody writes to somebody. It is in the database first; then all tabs of both get it, and then the RECEIPT goes out. Where
/// it was not sent on, the page sends it again; the database keeps it once, and pages show it once by its id.
async fn write(
    Path(to): Path<UserId>,
    user: Principal,
    State(direct): State<DirectService>,
    Payload(draft): Payload<Draft>,
) -> Result<(SendToUser<Event>, SendToUser<Event>), DirectError> {
    let message = direct.keep(&user, &to, draft.text, draft.key).await?;
    let event = Event::Message { message };
    Ok((SendToUser::new(QUEUE, event.clone()).to_user(to), SendToUser::new(QUEUE, event)))
}

/// Somebody has read what another wrote: their other tabs need not count it any more.
async fn read(
    Path(with): Path<String>,
    user: Principal,
    State(direct): State<DirectService>,
    Payload(Reading { up_to }): Payload<Reading>,
) -> Result<SendToUser<Event>, DirectError> {
    direct.mark_read(&user, &with, up_to).await?;
    Ok(SendToUser::new(QUEUE, Event::Read { with, up_to }))
}

/// With whom one has written: an answer and nothing after it, as all under `/app`. A page subscribes to its queue first; what
/// comes there meanwhile is in the list, or follows it.
async fn list(user: Principal, State(direct): State<DirectService>) -> Result<Reply<Conversations>, DirectError> {
    Ok(Reply(direct.conversations(&user).await?))
}

/// The newest messages with somebody, in the same way.
async fn open(
    Path(with): Path<String>,
    user: Principal,
    State(direct): State<DirectService>,
) -> Result<Reply<Opened>, DirectError> {
    Ok(Reply(direct.open(&user, &with, None).await?))
}

/// Why something is not written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectError {
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error("This message cannot be sent again: its key belongs to a message to somebody else.")]
    KeyUsed,
    #[error("Log in to write.")]
    NotLoggedIn,
    #[error("There is no such person.")]
    PersonNotFound,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("That is you. Write to somebody else.")]
    ToOneself,
}

impl From<DirectError> for Rejection {
    fn from(error: DirectError) -> Self {
        let code = match &error {
            DirectError::Draft(error) => error.code(),
            DirectError::KeyUsed => "key-used",
            DirectError::NotLoggedIn => "not-logged-in",
            DirectError::PersonNotFound => "person-not-found",
            DirectError::Store(error) => return Self::internal(error),
            DirectError::ToOneself => "to-oneself",
        };
        Self::new(code, error.to_string())
    }
}
