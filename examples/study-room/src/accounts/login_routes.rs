//! The JSON API of one's own logins: going on, where else, out of one of them, and out everywhere.

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
    http::StatusCode,
    response::IntoResponse,
    routing::{delete, get, post},
};
use parlor::{Realtime, auth::Principal, axum::Authenticated};
use serde_json::{Value, json};

use crate::{
    accounts::{
        Claims, Logins, Tokens,
        routes::{close_sessions, set_cookie},
    },
    api::ApiError,
    presence::PresenceService,
};

pub(super) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Logins: FromRef<S>,
    PresenceService: FromRef<S>,
    Realtime: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new()
        .route("/refresh", post(refresh))
        .route("/logins", get(logins))
        .route("/logins/{id}", delete(end))
        .route("/logout-everywhere", post(log_out_everywhere))
}

/// Renews the cookie, and has everything of this login go on until its end: sessions in all tabs, with their subscriptions.
async fn refresh(
    State(realtime): State<Realtime>,
    State(tokens): State<Tokens>,
    State(logins): State<Logins>,
    user: Option<Authenticated>,
) -> Result<impl IntoResponse, ApiError> {
    let user = known(user)?;
    let claims = user.claims::<Claims>().ok_or_else(ApiError::not_logged_in)?;
    let issued = tokens.renew(claims).map_err(ApiError::internal)?;
    logins.extend(&issued.claims).await?;
    let fresh = tokens.principal(&issued).map_err(ApiError::internal)?;
    realtime.refresh(&fresh).await.map_err(|_| ApiError::not_logged_in())?;
    Ok((set_cookie(&issued.cookie)?, Json(going_on(&issued.claims))))
}

fn going_on(claims: &Claims) -> Value {
    json!({ "expires_at": claims.expires_at_ms(), "expires_in": claims.expires_in_ms() })
}

/// Where the account is logged in.
async fn logins(
    State(realtime): State<Realtime>,
    State(logins): State<Logins>,
    user: Option<Authenticated>,
) -> Result<Json<Value>, ApiError> {
    let user = known(user)?;
    let id = user.id().ok_or_else(ApiError::not_logged_in)?;
    let open: Vec<Principal> = realtime.registry().sessions_of(id).iter().map(|session| session.principal()).collect();
    let shown = logins.of(id.as_str()).await?.into_iter().map(|login| {
        json!({
            "id": login.id,
            "agent": login.agent,
            "created_at": login.created_at,
            "last_seen_at": login.last_seen_at,
            "is_this_one": user.login() == Some(&login.id),
            "is_open": open.iter().any(|principal| principal.login() == Some(&login.id)),
        })
    });
    Ok(Json(json!({ "logins": shown.collect::<Vec<_>>() })))
}

/// Ends one login of the account, and closes all that it has opened: a browser that was left logged in elsewhere, say.
async fn end(
    State(realtime): State<Realtime>,
    State(presence): State<PresenceService>,
    State(logins): State<Logins>,
    Path(id): Path<String>,
    user: Option<Authenticated>,
) -> Result<StatusCode, ApiError> {
    let user = known(user)?;
    let account = user.id().ok_or_else(ApiError::not_logged_in)?;
    if !logins.end_one(account.as_str(), &id).await? {
        let sentence = "This login has ended already.";
        return Err(ApiError::new(StatusCode::NOT_FOUND, "login-not-found", sentence));
    }
    close_sessions(&realtime, |login| login == id);
    presence.dismiss(account);
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all logins of the account, this one too, and closes all that they have opened.
async fn log_out_everywhere(
    State(realtime): State<Realtime>,
    State(presence): State<PresenceService>,
    State(tokens): State<Tokens>,
    State(logins): State<Logins>,
    user: Option<Authenticated>,
) -> Result<impl IntoResponse, ApiError> {
    let user = known(user)?;
    let ended = logins.end_all(&user).await?;
    close_sessions(&realtime, |login| ended.iter().any(|id| id == login));
    user.id().inspect(|id| presence.dismiss(id));
    Ok((StatusCode::NO_CONTENT, set_cookie(&tokens.no_cookie())?))
}

fn known(user: Option<Authenticated>) -> Result<Principal, ApiError> {
    user.map(|Authenticated(user)| user).ok_or_else(ApiError::not_logged_in)
}
