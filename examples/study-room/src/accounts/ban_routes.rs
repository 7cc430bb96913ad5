//! The JSON API of bans, for administrators.

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
    http::StatusCode,
    routing::{delete, get},
};
use parlor::{Realtime, auth::UserId, axum::Authenticated, connection::Closing};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    accounts::{Bans, bans::BanError},
    api::{ApiError, ApiJson},
    presence::PresenceService,
};

/// What a ban closes sessions and event streams with: the client shall not come back by itself.
const BANNED: u16 = 4403;

#[derive(Deserialize)]
struct Wish {
    /// The account's id.
    user: String,
}

pub(super) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Bans: FromRef<S>,
    PresenceService: FromRef<S>,
    Realtime: FromRef<S>,
{
    Router::new().route("/bans", get(list).post(ban)).route("/bans/{user}", delete(lift))
}

/// Keeps somebody out: first what they could come back with ends, then all that they have open, and nobody waits for them.
async fn ban(
    State(bans): State<Bans>,
    State(presence): State<PresenceService>,
    State(realtime): State<Realtime>,
    Authenticated(by): Authenticated,
    ApiJson(Wish { user }): ApiJson<Wish>,
) -> Result<StatusCode, ApiError> {
    let user: UserId = user.parse().map_err(|_| BanError::NoSuchAccount)?;
    bans.ban(&by, &user).await?;
    let closing = Closing::application("banned", BANNED, "An administrator has banned you from this study room");
    realtime.registry().disconnect_user(&user, &closing);
    presence.dismiss(&user);
    Ok(StatusCode::NO_CONTENT)
}

async fn lift(
    State(bans): State<Bans>,
    Authenticated(by): Authenticated,
    Path(user): Path<String>,
) -> Result<StatusCode, ApiError> {
    bans.lift(&by, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list(State(bans): State<Bans>, Authenticated(by): Authenticated) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "bans": bans.list(&by).await? })))
}

impl From<BanError> for ApiError {
    fn from(error: BanError) -> Self {
        let sentence = error.to_string();
        match error {
            BanError::Administrator => Self::new(StatusCode::CONFLICT, "administrator", sentence),
            BanError::NotAdministrator => Self::new(StatusCode::FORBIDDEN, "not-administrator", sentence),
            BanError::NotBanned => Self::new(StatusCode::NOT_FOUND, "not-banned", sentence),
            BanError::NoSuchAccount => Self::new(StatusCode::NOT_FOUND, "no-such-account", sentence),
            BanError::Store(error) => Self::from(error),
        }
    }
}
