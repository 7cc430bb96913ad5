//! The JSON API of accounts.

use axum::{
    Json, Router,
    extract::{FromRef, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use parlor::{Realtime, auth::Principal, axum::Authenticated, connection::Closing};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    accounts::{AccountError, Accounts, Claims, Tokens},
    api::{ApiError, ApiJson, ClientAddr},
    store::Account,
};

/// What a log-out closes a session with: the client shall not come back by itself.
const LOGGED_OUT: u16 = 4401;

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

pub(crate) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
    Realtime: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new()
        .route("/signup", post(sign_up))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/me", get(me))
}

async fn sign_up(
    State(accounts): State<Accounts>,
    State(tokens): State<Tokens>,
    ClientAddr(from): ClientAddr,
    ApiJson(Credentials { name, password }): ApiJson<Credentials>,
) -> Result<impl IntoResponse, ApiError> {
    let account = accounts.sign_up(&name, password, from).await?;
    welcome(&tokens, StatusCode::CREATED, &account)
}

async fn log_in(
    State(accounts): State<Accounts>,
    State(tokens): State<Tokens>,
    ClientAddr(from): ClientAddr,
    ApiJson(Credentials { name, password }): ApiJson<Credentials>,
) -> Result<impl IntoResponse, ApiError> {
    let account = accounts.log_in(&name, password, from).await?;
    welcome(&tokens, StatusCode::OK, &account)
}

fn welcome(tokens: &Tokens, status: StatusCode, account: &Account) -> Result<impl IntoResponse + use<>, ApiError> {
    let cookie = tokens.log_in(account).map_err(ApiError::internal)?;
    Ok((status, set_cookie(&cookie)?, Json(json!({ "name": account.name }))))
}

/// Takes the cookie away, refuses copies of it, and closes the sessions that were opened with it, in this and other tabs. It
/// takes any body or none: the Origin gate keeps forms of other pages out.
async fn log_out(
    State(realtime): State<Realtime>,
    State(tokens): State<Tokens>,
    user: Option<Authenticated>,
) -> Result<impl IntoResponse, ApiError> {
    let user = user.map(|Authenticated(user)| user);
    // First: whoever comes with the cookie after the sessions were closed must not be let in.
    let cookie = tokens.log_out(user.as_ref()).await?;
    if let Some(login) = user.as_ref().and_then(Principal::claims::<Claims>) {
        let of_this_login = |user: &Principal| user.claims::<Claims>().is_some_and(|claims| claims.sid == login.sid);
        let closing = Closing::application("logged-out", LOGGED_OUT, "You were logged out");
        realtime.registry().disconnect_where(of_this_login, &closing);
    }
    Ok((StatusCode::NO_CONTENT, set_cookie(&cookie)?))
}

async fn me(user: Option<Authenticated>) -> Result<Json<Value>, ApiError> {
    let Some(Authenticated(user)) = user else { return Err(ApiError::not_logged_in()) };
    let expires_at = user.expires_at().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let expires_at = expires_at.map(|since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    Ok(Json(json!({ "id": user.id(), "name": user.display_name(), "expires_at": expires_at })))
}

fn set_cookie(cookie: &str) -> Result<HeaderMap, ApiError> {
    let value = HeaderValue::from_str(cookie).map_err(ApiError::internal)?;
    Ok(HeaderMap::from_iter([(header::SET_COOKIE, value)]))
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let sentence = error.to_string();
        match error {
            AccountError::BadName => Self::field("bad-name", sentence, "name"),
            AccountError::BadPassword => Self::field("bad-password", sentence, "password"),
            AccountError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", sentence).retry_after(1),
            AccountError::Failed(_) => Self::internal(error),
            AccountError::Form(faults) => {
                Self::of_all(faults.into_iter().map(Self::from)).unwrap_or_else(|| Self::internal(sentence))
            }
            AccountError::NameTaken => Self::field("name-taken", sentence, "name").with_status(StatusCode::CONFLICT),
            AccountError::SlowDown(wait) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "slow-down", sentence).retry_after(wait.as_secs().max(1))
            }
            AccountError::Store(error) => Self::from(error),
            AccountError::WrongCredentials => Self::new(StatusCode::UNAUTHORIZED, "wrong-credentials", sentence),
        }
    }
}
