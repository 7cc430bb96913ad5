//! Rule 23 for HTTP handlers: the same verifier and Origin list as at the handshake.

mod support;

use axum::{Router, extract::FromRef, routing::get};
use parlor_axum::Authenticated;
use parlor_core::{
    Realtime,
    auth::{AuthError, Handshake, Principal},
};
use support::{ORIGIN, Server, code, endpoint, token};

#[derive(Clone)]
struct Web {
    realtime: Realtime,
}

impl FromRef<Web> for Realtime {
    fn from_ref(web: &Web) -> Self {
        web.realtime.clone()
    }
}

async fn name(user: Authenticated) -> String {
    user.0.to_string()
}

async fn name_or_guest(user: Option<Authenticated>) -> String {
    user.map_or_else(|| "guest".to_owned(), |user| user.0.to_string())
}

fn server(realtime: &Realtime) -> Server {
    let router = Router::new()
        .route("/me", get(name).post(name))
        .route("/greeting", get(name_or_guest).post(name_or_guest))
        .with_state(Web { realtime: realtime.clone() });
    Server::parlor(router, realtime)
}

#[test]
fn a_handler_learns_who_sent_the_request() {
    let server = server(&endpoint().build().unwrap());
    let (cookie, bearer) = (format!("token={}", token()), format!("Bearer {}", token()));
    let ada = (200, "Ada".to_owned());
    assert_eq!(server.request("GET", "/me", &[("Cookie", &cookie)]), ada);
    assert_eq!(server.request("GET", "/me", &[("Authorization", &bearer)]), ada);
    assert_eq!(server.request("POST", "/me", &[("Authorization", &bearer)]), ada);
    assert_eq!(server.request("POST", "/me", &[("Cookie", &cookie), ("Origin", ORIGIN)]), ada);
    assert_eq!(server.request("GET", "/greeting", &[("Cookie", &cookie)]), ada);
}

#[test]
fn rule_23_the_origin_of_every_request_is_judged() {
    let server = server(&endpoint().build().unwrap());
    let cookie = format!("token={}", token());
    for (method, header, status) in [
        ("GET", ("X-None", "x"), 200),
        ("GET", ("Origin", ORIGIN), 200),
        ("GET", ("Origin", "https://evil.example"), 403),
        ("GET", ("Origin", "null"), 403),
        ("GET", ("Sec-Fetch-Site", "same-origin"), 200),
        ("GET", ("Sec-Fetch-Site", "same-site"), 403),
        ("GET", ("Sec-Fetch-Site", "cross-site"), 403),
        ("POST", ("X-None", "x"), 403),
        ("POST", ("Sec-Fetch-Site", "same-origin"), 403),
        ("POST", ("Origin", ORIGIN), 200),
        ("POST", ("Origin", "http://app.example"), 403),
        ("POST", ("Origin", "https://evil.example"), 403),
    ] {
        // A page that may not connect is refused also where a login is not asked for.
        for path in ["/me", "/greeting"] {
            let (found, body) = server.request(method, path, &[("Cookie", &cookie), header]);
            assert_eq!(found, status, "{method} {path} {header:?}");
            if status == 403 {
                assert_eq!(code(&body), "origin-not-allowed");
            }
        }
    }
}

#[test]
fn a_request_without_a_good_login_is_refused_or_a_guests() {
    let server = server(&endpoint().build().unwrap());
    for (headers, refusal) in [
        (&[("X-None", "x")][..], "missing-credentials"),
        (&[("Cookie", "token=x")], "invalid-credentials"),
        (&[("Cookie", "token=x; token=y")], "invalid-credentials"),
        (&[("Authorization", "Bearer x")], "invalid-credentials"),
    ] {
        let (status, body) = server.request("GET", "/me", headers);
        assert_eq!((status, code(&body).as_str()), (401, refusal), "{headers:?}");
        assert_eq!(server.request("GET", "/greeting", headers), (200, "guest".to_owned()), "{headers:?}");
    }
}

#[test]
fn an_answer_that_is_neither_yes_nor_no_is_passed_on() {
    for (error, status) in [(AuthError::Forbidden, 403), (AuthError::Unavailable, 503)] {
        let judge = move |_: Handshake<'_>| -> Result<Principal, AuthError> { Err(error) };
        let server = server(&endpoint().authenticate(judge).build().unwrap());
        for path in ["/me", "/greeting"] {
            let (found, body) = server.request("GET", path, &[]);
            assert_eq!((found, code(&body).as_str()), (status, error.code()), "{path}");
        }
    }
}
