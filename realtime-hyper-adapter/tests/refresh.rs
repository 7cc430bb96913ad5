//! `POST /refresh` for bearer clients: who is let through, and what it extends.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and reads the clock")]

mod support;

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use parlor_core::{
    Realtime,
    auth::{AuthError, Handshake, Principal},
    event_stream::{EventStream, EventsRequest},
};
use parlor_hyper::RefreshService;
use support::endpoint;
use tower::ServiceExt;

/// When old tokens end, and new ones.
static ENDS: LazyLock<[SystemTime; 2]> =
    LazyLock::new(|| [60, 600].map(|seconds| SystemTime::now() + Duration::from_secs(seconds)));

fn login(name: &str, ends: SystemTime) -> Principal {
    Principal::user(name.parse().unwrap()).with_login("s").with_expiry(ends)
}

/// A token is a name.
fn by_name(handshake: Handshake<'_>) -> Result<Principal, AuthError> {
    match handshake.bearer()? {
        Some("") | None => Err(AuthError::Missing),
        Some("nobody") => Err(AuthError::Invalid),
        Some(name) => Ok(login(name, ENDS[1])),
    }
}

fn realtime() -> Realtime {
    endpoint().authenticate(by_name).build().unwrap()
}

async fn listening(realtime: &Realtime, name: &str) -> EventStream {
    let who = login(name, ENDS[0]);
    let admission = realtime.admit(None).unwrap().for_event_stream(&who).unwrap();
    let (stream, running) = realtime.events(EventsRequest::new("/topic/a"), who, admission).await.unwrap();
    tokio::spawn(running);
    stream
}

/// How many connections of that user a new token would still extend.
async fn left_to_extend(realtime: &Realtime, name: &str) -> usize {
    realtime.refresh(&login(name, ENDS[1])).await.unwrap().total()
}

async fn ask(realtime: &Realtime, method: &str, headers: &[(&str, &str)]) -> Response<Full<bytes::Bytes>> {
    let mut request = Request::builder().method(method).uri("/refresh");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    RefreshService::new(realtime).oneshot(request.body(()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn rule_24_a_newer_bearer_token_extends_its_login_and_no_other() {
    let realtime = realtime();
    let _ada = listening(&realtime, "ada").await;
    let _bob = listening(&realtime, "bob").await;
    let response = ask(&realtime, "POST", &[("authorization", "Bearer ada")]).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!((left_to_extend(&realtime, "ada").await, left_to_extend(&realtime, "bob").await), (0, 1));
}

#[tokio::test]
async fn a_refresh_is_refused_like_a_handshake() {
    let realtime = realtime();
    for (method, headers, status) in [
        ("GET", &[("authorization", "Bearer ada")][..], StatusCode::METHOD_NOT_ALLOWED),
        ("POST", &[], StatusCode::UNAUTHORIZED),
        ("POST", &[("authorization", "Bearer nobody")], StatusCode::UNAUTHORIZED),
        ("POST", &[("authorization", "Bearer ada"), ("origin", "https://evil.example")], StatusCode::FORBIDDEN),
    ] {
        let response = ask(&realtime, method, headers).await;
        assert_eq!(response.status(), status, "{method} {headers:?}");
    }
    assert_eq!(ask(&realtime, "GET", &[]).await.headers()["allow"], "POST");
}
