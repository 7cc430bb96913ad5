//! Pages and JSON beside the WebSocket.

mod assets;
mod guard;
mod pages;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef, State},
    middleware,
    routing::get,
};
use parlor::{
    Realtime,
    axum::{LiveService, OriginLayer, ReadyService},
};

use crate::{
    accounts::{self, Accounts, Bans, Logins, Tokens},
    api::ApiError,
    direct::{self, DirectService},
    notifications::{self, NotificationService},
    presence::PresenceService,
    rooms,
    store::Store,
};

/// The largest body of a request, in octets: a name, a password, a subject.
const LARGEST_BODY: usize = 16 * 1024;

/// What handlers of HTTP requests share.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) realtime: Realtime,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) accounts: Accounts,
    pub(crate) bans: Bans,
    pub(crate) logins: Logins,
    pub(crate) tokens: Tokens,
    pub(crate) direct: DirectService,
    pub(crate) presence: PresenceService,
    pub(crate) notifications: NotificationService,
}

/// All routes. `public_url` says where the page's WebSocket may go.
pub(crate) fn router(web: Web, public_url: &str) -> Router {
    let api = accounts::routes()
        .merge(rooms::routes())
        .merge(direct::api())
        .merge(notifications::api())
        .fallback(|| async { ApiError::not_found() })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(OriginLayer::new(&web.realtime))
        .layer(middleware::from_fn(guard::never_cached))
        .layer(DefaultBodyLimit::max(LARGEST_BODY));
    let security = guard::SecurityHeaders::new(public_url);
    Router::new()
        .nest("/api", api)
        .merge(pages::routes())
        .route("/healthz", get(health))
        .layer(middleware::from_fn_with_state(security, guard::add_security_headers))
        .route_service("/ws", parlor::axum::websocket(&web.realtime))
        .route_service("/events", parlor::axum::events(&web.realtime))
        .route_service("/readyz", ReadyService::new(&web.realtime))
        .route_service("/livez", LiveService::new())
        .with_state(web)
}

async fn health(State(store): State<Arc<dyn Store>>) -> Result<&'static str, ApiError> {
    store.check().await.map_err(ApiError::unavailable)?;
    Ok("ok")
}

impl FromRef<Web> for Accounts {
    fn from_ref(web: &Web) -> Self {
        web.accounts.clone()
    }
}

impl FromRef<Web> for Bans {
    fn from_ref(web: &Web) -> Self {
        web.bans.clone()
    }
}

impl FromRef<Web> for DirectService {
    fn from_ref(web: &Web) -> Self {
        web.direct.clone()
    }
}

impl FromRef<Web> for Logins {
    fn from_ref(web: &Web) -> Self {
        web.logins.clone()
    }
}

impl FromRef<Web> for PresenceService {
    fn from_ref(web: &Web) -> Self {
        web.presence.clone()
    }
}

impl FromRef<Web> for NotificationService {
    fn from_ref(web: &Web) -> Self {
        web.notifications.clone()
    }
}

impl FromRef<Web> for Realtime {
    fn from_ref(web: &Web) -> Self {
        web.realtime.clone()
    }
}

impl FromRef<Web> for Arc<dyn Store> {
    fn from_ref(web: &Web) -> Self {
        Self::clone(&web.store)
    }
}

impl FromRef<Web> for Tokens {
    fn from_ref(web: &Web) -> Self {
        web.tokens.clone()
    }
}
