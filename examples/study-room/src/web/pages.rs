//! The pages: door, lobby, room, direct messages, and the files they need.

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use parlor::auth::Handshake;

use crate::{
    api::ApiError,
    web::{Web, assets},
};

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/", get(door))
        .route("/rooms", get(lobby))
        .route("/rooms/{id}", get(room))
        .route("/messages", get(messages))
        .route("/messages/{id}", get(messages))
        .route("/assets/{name}", get(asset))
        .fallback(missing)
}

async fn door(State(web): State<Web>, uri: Uri, headers: HeaderMap) -> Response {
    // A link to a page inside keeps its way through the door, which the page's script goes on with.
    if uri.query().is_none() && is_logged_in(&web, &uri, &headers).await {
        return Redirect::to("/rooms").into_response();
    }
    assets::serve("index.html", &headers)
}

async fn lobby(State(web): State<Web>, uri: Uri, headers: HeaderMap) -> Response {
    inside(&web, &uri, &headers, "rooms.html").await
}

async fn room(State(web): State<Web>, uri: Uri, headers: HeaderMap) -> Response {
    inside(&web, &uri, &headers, "room.html").await
}

/// The list of conversations, or one of them.
async fn messages(State(web): State<Web>, uri: Uri, headers: HeaderMap) -> Response {
    inside(&web, &uri, &headers, "messages.html").await
}

/// A page for those who are logged in; others come to the door first.
async fn inside(web: &Web, uri: &Uri, headers: &HeaderMap, page: &str) -> Response {
    if is_logged_in(web, uri, headers).await {
        assets::serve(page, headers)
    } else {
        // The path has passed the router: it is `/rooms` or `/messages` and at most an id, percent-encoded.
        Redirect::to(&format!("/?next={}", uri.path())).into_response()
    }
}

/// Whether the cookie is good. Not judged by Origin: whoever follows a link from elsewhere may see the page.
async fn is_logged_in(web: &Web, uri: &Uri, headers: &HeaderMap) -> bool {
    let handshake = Handshake::new(headers, uri, None);
    web.realtime.authenticator().authenticate(handshake).await.is_ok()
}

/// A page for addresses at which there is none. It is sent whole, whatever the browser has: 304 would say that there is one.
async fn missing(uri: Uri) -> Response {
    // The router of the API has no place for its bare prefix.
    if uri.path() == "/api/" {
        return ApiError::not_found().into_response();
    }
    let uncached = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::NOT_FOUND, uncached, assets::serve("missing.html", &HeaderMap::new())).into_response()
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    if name.ends_with(".html") {
        return ApiError::not_found().into_response();
    }
    assets::serve(&name, &headers)
}
