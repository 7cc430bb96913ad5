//! The files of the web page, embedded in the program.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::LazyLock,
};

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::api::ApiError;

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
    "account.css": CSS,
    "account.html": HTML,
    "account.js": SCRIPT,
    "api.js": SCRIPT,
    "backoff.js": SCRIPT,
    "bans.js": SCRIPT,
    "bell.css": CSS,
    "bell.js": SCRIPT,
    "composer.js": SCRIPT,
    "connection-banner.js": SCRIPT,
    "connection.js": SCRIPT,
    "conversation.js": SCRIPT,
    "days.js": SCRIPT,
    "direct.css": CSS,
    "direct.js": SCRIPT,
    "door.js": SCRIPT,
    "expiry.js": SCRIPT,
    "frames.js": SCRIPT,
    "heartbeat-worker.js": SCRIPT,
    "heartbeat.js": SCRIPT,
    "icon.svg": SVG,
    "inbox-list.js": SCRIPT,
    "inbox.js": SCRIPT,
    "index.html": HTML,
    "limits.js": SCRIPT,
    "lobby.js": SCRIPT,
    "mailbox.js": SCRIPT,
    "members.css": CSS,
    "members.js": SCRIPT,
    "messages.html": HTML,
    "missing.html": HTML,
    "notifications.js": SCRIPT,
    "outbox.js": SCRIPT,
    "page.js": SCRIPT,
    "presence.js": SCRIPT,
    "receipts.js": SCRIPT,
    "resumption.js": SCRIPT,
    "room.css": CSS,
    "room.html": HTML,
    "room.js": SCRIPT,
    "rooms.html": HTML,
    "sending.js": SCRIPT,
    "sheets.js": SCRIPT,
    "sse.js": SCRIPT,
    "stomp.js": SCRIPT,
    "style.css": CSS,
    "system-lines.js": SCRIPT,
    "text.js": SCRIPT,
    "tiles.js": SCRIPT,
    "timer-alerts.js": SCRIPT,
    "timer-clock.js": SCRIPT,
    "timer.css": CSS,
    "timer.js": SCRIPT,
    "typing.js": SCRIPT,
    "typists.js": SCRIPT,
    "unread.js": SCRIPT,
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
    if has(request, &ETAG) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, asset.content_type)], asset.octets).into_response()
}

/// Whether the browser names this tag among those that it has; a proxy that compresses marks tags as weak.
fn has(request: &HeaderMap, etag: &HeaderValue) -> bool {
    let tags = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|tags| tags.split(',')).any(|tag| {
        let tag = tag.trim();
        tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes()
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/web")).unwrap();
        let files: BTreeSet<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, ASSETS.iter().map(|asset| asset.name.to_owned()).collect());
    }

    #[test]
    fn a_browser_that_has_a_file_is_told_so() {
        for (known, status) in [
            (ETAG.to_str().unwrap().to_owned(), 304),
            (format!("\"other\", W/{}", ETAG.to_str().unwrap()), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, known.parse().unwrap())]);
            assert_eq!(serve("style.css", &headers).status(), status, "{known}");
        }
    }
}
