//! AUTH-01 to AUTH-07: the token at the real handshake, every row of the negative table by name.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

use jsonwebtoken::{Algorithm, Header};
use parlor_core::auth::JwtVerifier;
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

fn without(name: &str) -> Value {
    let mut claims = good();
    claims.as_object_mut().unwrap().remove(name);
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
fn auth_06_every_row_of_the_negative_table_is_refused_at_the_handshake() {
    let server = server();
    for (row, claims) in [
        ("iss absent", without("iss")),
        ("iss a number", with("iss", json!(5))),
        ("iss a list", with("iss", json!(["evil", "me"]))),
        ("aud absent", without("aud")),
        ("aud an object", with("aud", json!({}))),
        ("sub absent", without("sub")),
        ("sub empty", with("sub", json!(""))),
        ("exp absent", without("exp")),
        ("exp now", with("exp", json!(now()))),
        ("59 s past exp", with("exp", json!(now() - 59))),
        ("exp a text", with("exp", json!((now() + 60).to_string()))),
        ("exp 1e30", with("exp", json!(1e30))),
        ("exp in two days", with("exp", json!(now() + 2 * 86_400))),
        ("nbf in an hour", with("nbf", json!(now() + 3600))),
        ("iat in an hour", with("iat", json!(now() + 3600))),
    ] {
        let token = token(&Header::default(), &claims);
        assert_eq!(judged(&server, &token), (401, Some("invalid-credentials".to_owned())), "{row}");
    }
    for (row, header) in [
        ("unknown crit", Header { crit: Some(vec!["exp".to_owned()]), ..Header::default() }),
        ("typ of a refresh token", Header { typ: Some("refresh+jwt".to_owned()), ..Header::default() }),
    ] {
        let token = token(&header, &good());
        assert_eq!(judged(&server, &token), (401, Some("invalid-credentials".to_owned())), "{row}");
    }
}

#[test]
fn s_22_a_key_named_by_the_token_is_not_looked_up() {
    let server = server();
    for header in [
        Header { kid: Some("../../dev/null".to_owned()), ..Header::default() },
        Header { jku: Some("http://127.0.0.1:1/keys".to_owned()), ..Header::default() },
        Header { x5u: Some("http://127.0.0.1:1/cert".to_owned()), ..Header::default() },
    ] {
        // Signed by our key all the same: what it names plays no part.
        assert_eq!(judged(&server, &token(&header, &good())), (101, None));
    }
}

#[test]
fn s_18_two_cookies_or_two_bearer_tokens_are_refused() {
    let server = server();
    let token = token(&Header::default(), &good());
    let twice = format!("token={token}; token={token}");
    let answer = server.handshake(&[("Origin", ORIGIN), ("Cookie", &twice)]);
    assert_eq!((answer.status, answer.code().as_str()), (401, "invalid-credentials"));
    let bearer = format!("Bearer {token}");
    let answer = server.handshake(&[("Authorization", &bearer), ("Authorization", &bearer)]);
    assert_eq!(answer.status, 401);
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
