//! Direct messages over HTTP: with whom one has written, and what.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
    http::StatusCode,
    routing::get,
};
use parlor::{Realtime, auth::Principal, axum::Authenticated};
use serde::{Deserialize, Serialize};

use crate::{
    api::{ApiError, ApiQuery},
    rooms::PAGE,
    store::{Account, Conversation, DirectPage, Store},
};

/// Conversations that are listed: more than anyone keeps up.
const MOST_LISTED: u32 = 100;

#[derive(Serialize)]
struct Conversations {
    conversations: Vec<Conversation>,
}

/// A conversation as its page opens it.
#[derive(Serialize)]
struct Opened {
    with: Person,
    #[serde(flatten)]
    page: DirectPage,
}

#[derive(Serialize)]
struct Person {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Before {
    before: Option<i64>,
}

pub(crate) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Arc<dyn Store>: FromRef<S>,
    Realtime: FromRef<S>,
{
    Router::new().route("/direct", get(list)).route("/direct/{id}", get(one))
}

async fn list(
    State(store): State<Arc<dyn Store>>,
    Authenticated(user): Authenticated,
) -> Result<Json<Conversations>, ApiError> {
    Ok(Json(Conversations { conversations: store.conversations(&own_id(&user)?, MOST_LISTED).await? }))
}

/// The newest messages with somebody, or those before one. There may be none yet: so a conversation begins.
async fn one(
    State(store): State<Arc<dyn Store>>,
    Authenticated(user): Authenticated,
    Path(id): Path<String>,
    ApiQuery(Before { before }): ApiQuery<Before>,
) -> Result<Json<Opened>, ApiError> {
    let own = own_id(&user)?;
    let other = store.account(&id).await?.filter(|other| other.id != own);
    let Some(Account { id, name }) = other else {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "person-not-found", "There is no such person."));
    };
    let page = store.direct_messages(&own, &id, before, PAGE).await?;
    Ok(Json(Opened { with: Person { id, name }, page }))
}

fn own_id(user: &Principal) -> Result<String, ApiError> {
    user.id().map(ToString::to_string).ok_or_else(ApiError::not_logged_in)
}
