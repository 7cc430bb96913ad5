//! AUTH-01 to AUTH-07: the token at the real handshake. The whole negative table is in `token_table.rs`.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

use jsonwebtoken::{Algorithm, Header};
use parlor_core::auth::{JwtKey, JwtVerifier};
use parlor_hyper::WebSocketService;
use serde_json::{Value, json};
use support::{ORIGIN, Server, authenticated_by, now, read_text, token};
use tungstenite::Message;

fn server() -> Server {
    let verifier = JwtVerifier::hs256(support::SECRET).unwrap().cookie("token").bearer().issuer("me").audience("app");
    let realtime = authenticated_by(verifier);
    Server::start(&realtime, WebSocketService::new(&realtime))
}

fn good() -> Value {
    json!({ "sub": "ada", "name": "Ada", "iss": "me", "aud": "app", "exp": now() + 60 })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    claims[name] = value;
    claims
}

/// The status and code for a token, sent as a cookie and as a bearer token: both must agree.
fn judged(server: &Server, token: &str) -> (u16, Option<String>) {
    let cookie = server.handshake(&[("Origin", ORIGIN), ("Cookie", &format!("a=1; token={token}"))]);
    let bearer = server.handshake(&[("Authorization", &format!("Bearer {token}"))]);
    let of = |answer: support::Answer| (answer.status, (answer.status != 101).then(|| answer.code()));
    let (cookie, bearer) = (of(cookie), of(bearer));
    assert_eq!(cookie, bearer);
    cookie
}

#[test]
fn a_good_token_opens_a_session_of_its_user() {
    let server = server();
    let token = token(&Header::default(), &good());
    assert_eq!(judged(&server, &token), (101, None));
    let mut client = server.connect(&[("origin", ORIGIN), ("cookie", &format!("token={token}"))]);
    client.send(Message::text("CONNECT\naccept-version:1.2\nhost:x\nlogin:eve\npasscode:x\n\n\0")).unwrap();
    let connected = read_text(&mut client);
    assert!(connected.contains("\nuser-name:Ada\n"), "the token says who it is, not `login`: {connected:?}");
}

#[test]
fn auth_01_no_token_is_refused() {
    let server = server();
    for headers in [
        vec![],
        vec![("Origin", ORIGIN), ("Cookie", "token=")],
        vec![("Origin", ORIGIN), ("Cookie", "other=x")],
        vec![("Authorization", "Basic YTpi")],
    ] {
        let answer = server.handshake(&headers);
        assert_eq!((answer.status, answer.code().as_str()), (401, "missing-credentials"), "{headers:?}");
    }
}

#[test]
fn s_20_a_token_in_the_query_is_not_looked_at() {
    let query = format!("/ws?token={}", token(&Header::default(), &good()));
    let answer = server().raw(&support::handshake_text("GET", "HTTP/1.1", &[]).replacen("/ws", &query, 1));
    assert_eq!((answer.status, answer.code().as_str()), (401, "missing-credentials"));
}

#[test]
fn auth_02_garbage_is_refused() {
    let server = server();
    let whole = token(&Header::default(), &good());
    let long = "x".repeat(8 * 1024 + 1);
    for garbage in ["x", "..", "a.b.c", &whole[..whole.len() - 1], &format!("{whole}.x"), &long] {
        assert_eq!(judged(&server, garbage), (401, Some("invalid-credentials".to_owned())), "{garbage:.40}");
    }
}

#[test]
fn auth_03_to_05_a_changed_token_is_refused() {
    let server = server();
    let signed = token(&Header::default(), &good());
    let [header, payload, signature]: [&str; 3] = signed.split('.').collect::<Vec<_>>().try_into().unwrap();
    let other = token(&Header::default(), &with("sub", json!("eve")));
    let [_, other_payload, other_signature]: [&str; 3] = other.split('.').collect::<Vec<_>>().try_into().unwrap();
    let stronger = token(&Header::new(Algorithm::HS512), &good());
    // {"alg":"none"}, {"alg":"None"}
    for (row, token) in [
        ("changed signature", format!("{header}.{payload}.{other_signature}")),
        ("changed payload", format!("{header}.{other_payload}.{signature}")),
        ("no signature", format!("{header}.{payload}.")),
        ("alg none", format!("eyJhbGciOiJub25lIn0.{payload}.")),
        ("alg none, signed", format!("eyJhbGciOiJub25lIn0.{payload}.{signature}")),
        ("alg None", format!("eyJhbGciOiJOb25lIn0.{payload}.")),
        ("another algorithm with our secret", stronger),
    ] {
        assert_eq!(judged(&server, &token), (401, Some("invalid-credentials".to_owned())), "{row}");
    }
}

#[test]
fn keys_are_replaced_between_two_handshakes() {
    let (old, new) = (JwtKey::hs256(support::SECRET).unwrap(), JwtKey::hs256(&[7; 32]).unwrap());
    let verifier = JwtVerifier::new(old).cookie("token").bearer();
    let realtime = authenticated_by(verifier.clone());
    let server = Server::start(&realtime, WebSocketService::new(&realtime));
    let token = token(&Header::default(), &good());
    assert_eq!(judged(&server, &token), (101, None));
    verifier.replace_keys(new);
    assert_eq!(judged(&server, &token), (401, Some("invalid-credentials".to_owned())));
}

#[test]
fn auth_07_a_good_cookie_from_a_foreign_page_is_refused() {
    let server = server();
    let cookie = format!("token={}", token(&Header::default(), &good()));
    let foreign = server.handshake(&[("Origin", "https://evil.example"), ("Cookie", &cookie)]);
    assert_eq!((foreign.status, foreign.code().as_str()), (403, "origin-not-allowed"));
    let absent = server.handshake(&[("Cookie", &cookie)]);
    assert_eq!((absent.status, absent.code().as_str()), (403, "origin-not-allowed"));
}
