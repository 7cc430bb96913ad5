//! The JSON API of accounts.

use std::convert::Infallible;

use axum::{
    Json, Router,
    extract::{FromRef, FromRequestParts, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::IntoResponse,
    routing::{get, post},
};
use parlor::{Realtime, axum::Authenticated, connection::Closing};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    accounts::{AccountError, Accounts, Bans, Claims, Logins, Tokens, ban_routes, login_routes},
    api::{ApiError, ApiJson, ClientAddr},
    presence::PresenceService,
    store::Account,
};

/// What a log-out closes a session with: the client shall not come back by itself.
const LOGGED_OUT: u16 = 4401;

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

/// What the browser calls itself; empty where it says nothing.
pub(super) struct UserAgent(pub(super) String);

impl UserAgent {
    fn of(parts: &Parts) -> Self {
        let text = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Self(text.unwrap_or_default().to_owned())
    }
}

impl<S: Sync> FromRequestParts<S> for UserAgent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

pub(crate) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
    Bans: FromRef<S>,
    Logins: FromRef<S>,
    PresenceService: FromRef<S>,
    Realtime: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new()
        .route("/signup", post(sign_up))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/me", get(me))
        .merge(login_routes::routes())
        .merge(ban_routes::routes())
}

async fn sign_up(
    State(accounts): State<Accounts>,
    welcome: Welcome,
    ClientAddr(from): ClientAddr,
    ApiJson(Credentials { name, password }): ApiJson<Credentials>,
) -> Result<impl IntoResponse, ApiError> {
    let account = accounts.sign_up(&name, password, from).await?;
    welcome.log_in(StatusCode::CREATED, &account).await
}

async fn log_in(
    State(accounts): State<Accounts>,
    welcome: Welcome,
    ClientAddr(from): ClientAddr,
    ApiJson(Credentials { name, password }): ApiJson<Credentials>,
) -> Result<impl IntoResponse, ApiError> {
    let account = accounts.log_in(&name, password, from).await?;
    welcome.log_in(StatusCode::OK, &account).await
}

/// What a new login needs.
struct Welcome {
    tokens: Tokens,
    logins: Logins,
    realtime: Realtime,
    user_agent: UserAgent,
}

impl<S> FromRequestParts<S> for Welcome
where
    S: Sync,
    Logins: FromRef<S>,
    Realtime: FromRef<S>,
    Tokens: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self {
            tokens: Tokens::from_ref(state),
            logins: Logins::from_ref(state),
            realtime: Realtime::from_ref(state),
            user_agent: UserAgent::of(parts),
        })
    }
}

impl Welcome {
    /// Begins a login; where the account has too many, the one seen longest ago ends for it.
    async fn log_in(self, status: StatusCode, account: &Account) -> Result<impl IntoResponse + use<>, ApiError> {
        let issued = self.tokens.log_in(account).map_err(ApiError::internal)?;
        let ended = self.logins.begin(&issued.claims, &self.user_agent.0).await?;
        close_sessions(&self.realtime, |login| ended.iter().any(|id| id == login));
        Ok((status, set_cookie(&issued.cookie)?, Json(json!({ "name": account.name }))))
    }
}

/// Takes the cookie away, refuses copies of it, and closes the sessions that were opened with it, in this and other tabs. It
/// takes any body or none: the Origin gate keeps forms of other pages out.
async fn log_out(
    State(realtime): State<Realtime>,
    State(presence): State<PresenceService>,
    State(tokens): State<Tokens>,
    State(logins): State<Logins>,
    user: Option<Authenticated>,
) -> Result<impl IntoResponse, ApiError> {
    if let Some(Authenticated(user)) = user {
        // First: whoever comes with the cookie after the sessions were closed must not be let in.
        logins.end(&user).await?;
        close_sessions(&realtime, |login| user.login() == Some(login));
        user.id().inspect(|id| presence.dismiss(id));
    }
    Ok((StatusCode::NO_CONTENT, set_cookie(&tokens.no_cookie())?))
}

/// Closes what was opened by logins that have ended.
pub(super) fn close_sessions(realtime: &Realtime, has_ended: impl Fn(&str) -> bool) {
    let closing = Closing::application("logged-out", LOGGED_OUT, "You were logged out");
    realtime.registry().disconnect_where(|user| user.login().is_some_and(&has_ended), &closing);
}

async fn me(
    State(bans): State<Bans>,
    State(logins): State<Logins>,
    user_agent: UserAgent,
    user: Option<Authenticated>,
) -> Result<Json<Value>, ApiError> {
    let Some(Authenticated(user)) = user else { return Err(ApiError::not_logged_in()) };
    let claims = user.claims::<Claims>();
    if let Some(claims) = claims {
        // A page must come up also where that cannot be kept.
        if let Err(error) = logins.see(claims, &user_agent.0).await {
            tracing::warn!(%error, "when a login was seen could not be kept");
        }
    }
    Ok(Json(json!({
        "id": user.id(),
        "name": user.display_name(),
        "is_administrator": bans.is_administrator(&user),
        "expires_at": claims.map(Claims::expires_at_ms),
        "expires_in": claims.map(Claims::expires_in_ms),
    })))
}

pub(super) fn set_cookie(cookie: &str) -> Result<HeaderMap, ApiError> {
    let value = HeaderValue::from_str(cookie).map_err(ApiError::internal)?;
    Ok(HeaderMap::from_iter([(header::SET_COOKIE, value)]))
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let sentence = error.to_string();
        match error {
            AccountError::BadName => Self::field("bad-name", sentence, "name"),
            AccountError::BadPassword => Self::field("bad-password", sentence, "password"),
            AccountError::Banned => Self::new(StatusCode::FORBIDDEN, "banned", sentence),
            AccountError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", sentence).retry_after(1),
            AccountError::Failed(_) => Self::internal(error),
            AccountError::Form(faults) => {
                Self::of_all(faults.into_iter().map(Self::from)).unwrap_or_else(|| Self::internal(sentence))
            }
            AccountError::LoginEnded => Self::new(StatusCode::UNAUTHORIZED, "not-logged-in", sentence),
            AccountError::NameTaken => Self::field("name-taken", sentence, "name").with_status(StatusCode::CONFLICT),
            AccountError::SlowDown(wait) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "slow-down", sentence).retry_after(wait.as_secs().max(1))
            }
            AccountError::Store(error) => Self::from(error),
            AccountError::WrongCredentials => Self::new(StatusCode::UNAUTHORIZED, "wrong-credentials", sentence),
        }
    }
}
