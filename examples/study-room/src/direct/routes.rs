//! Direct messages over HTTP, for what comes in pages: with whom one has written, and what.

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
    http::StatusCode,
    routing::get,
};
use parlor::{Realtime, axum::Authenticated};
use serde::Deserialize;

use crate::{
    api::{ApiError, ApiQuery},
    direct::{
        DirectError, DirectService,
        service::{Conversations, Opened},
    },
};

#[derive(Deserialize)]
struct Before {
    before: Option<i64>,
}

pub(crate) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    DirectService: FromRef<S>,
    Realtime: FromRef<S>,
{
    Router::new().route("/direct", get(list)).route("/direct/{id}", get(one))
}

async fn list(
    State(direct): State<DirectService>,
    Authenticated(user): Authenticated,
) -> Result<Json<Conversations>, ApiError> {
    Ok(Json(direct.conversations(&user).await?))
}

async fn one(
    State(direct): State<DirectService>,
    Authenticated(user): Authenticated,
    Path(id): Path<String>,
    ApiQuery(Before { before }): ApiQuery<Before>,
) -> Result<Json<Opened>, ApiError> {
    Ok(Json(direct.open(&user, &id, before).await?))
}

impl From<DirectError> for ApiError {
    fn from(error: DirectError) -> Self {
        let sentence = error.to_string();
        match error {
            DirectError::NotLoggedIn => Self::not_logged_in(),
            DirectError::PersonNotFound => Self::new(StatusCode::NOT_FOUND, "person-not-found", sentence),
            DirectError::Store(error) => Self::from(error),
            DirectError::ToOneself => Self::new(StatusCode::NOT_FOUND, "to-oneself", sentence),
            DirectError::Draft(_) | DirectError::KeyUsed => Self::internal(sentence),
        }
    }
}
