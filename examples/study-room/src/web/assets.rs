//! The files of the web page, embedded in the program.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::LazyLock,
};

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::web::ApiError;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    octets: &'static [u8],
}

macro_rules! assets {
    ($($name:literal: $content_type:expr),* $(,)?) => {
        &[$(Asset {
            name: $name,
            content_type: $content_type,
            octets: include_bytes!(concat!("../../web/", $name)),
        }),*]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const ASSETS: &[Asset] = assets! {
    "api.js": SCRIPT,
    "composer.js": SCRIPT,
    "connection-banner.js": SCRIPT,
    "conversation.js": SCRIPT,
    "door.js": SCRIPT,
    "frames.js": SCRIPT,
    "heartbeat-worker.js": SCRIPT,
    "icon.svg": SVG,
    "index.html": HTML,
    "lobby.js": SCRIPT,
    "outbox.js": SCRIPT,
    "page.js": SCRIPT,
    "room.html": HTML,
    "room.js": SCRIPT,
    "rooms.html": HTML,
    "stomp.js": SCRIPT,
    "style.css": CSS,
    "text.js": SCRIPT,
};

/// One tag for all files: they belong to one build.
static ETAG: LazyLock<HeaderValue> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    for asset in ASSETS {
        asset.octets.hash(&mut hasher);
    }
    HeaderValue::from_str(&format!("\"{:016x}\"", hasher.finish())).unwrap_or(HeaderValue::from_static("\"0\""))
});

/// A file, or 304 where the browser has it already.
pub(super) fn serve(name: &str, request: &HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return ApiError::not_found().into_response();
    };
    // Always asked again, so that a page and its scripts never come from two builds.
    let caching = [(header::ETAG, ETAG.clone()), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    if request.get(header::IF_NONE_MATCH) == Some(&*ETAG) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, asset.content_type)], asset.octets).into_response()
}
