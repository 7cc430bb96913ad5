//! A signing key takes the place of another while the server runs: `cargo run --example key_rotation`.
//!
//! The old key is a shared secret (HS256), the new one an Ed25519 pair (EdDSA). Tokens name theirs in `kid`; nobody who is
//! logged in notices, and in the end the old key opens nothing.

#![expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]

use std::{
    error::Error,
    future::pending,
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parlor::{
    Realtime,
    app::Router,
    auth::{JwtKey, JwtKeys, JwtVerifier},
};
use serde_json::json;
use tokio::net::TcpListener;
use tungstenite::{client::IntoClientRequest, http::HeaderValue};

/// Of the tests: everybody has it. A real one is random, and only the issuer and the server have it.
const SECRET: &[u8] = b"a secret of at least 32 octets, please";

/// Of the tests too. A real pair: openssl genpkey -algorithm ed25519 -out private.pem; openssl pkey -pubout -in private.pem
const PRIVATE_PEM: &[u8] = include_bytes!("../realtime-core/tests/keys/ed25519.private.pem");
const PUBLIC_PEM: &[u8] = include_bytes!("../realtime-core/tests/keys/ed25519.public.pem");

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "the server's task ends with the program")]
async fn main() -> Result<(), Box<dyn Error>> {
    // The server's side: what verifies.
    let old = JwtKey::hs256(SECRET)?.with_id("2026-10");
    let new = JwtKey::from_pem(PUBLIC_PEM)?.with_id("2026-11");
    let verifier = JwtVerifier::new(old.clone()).bearer().issuer("https://login.example").token_type("at+jwt");
    // A clone goes into the endpoint; this one stays here, and changes the keys of both.
    let realtime = Realtime::builder(Router::new().with_state(())).authenticate(verifier.clone()).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let http = axum::Router::new().route_service("/ws", parlor::axum::websocket(&realtime));
    tokio::spawn(parlor::hyper::serve(listener, http, realtime, pending()));

    // The issuer's side: what signs.
    let by_old = token(Algorithm::HS256, "2026-10", &EncodingKey::from_secret(SECRET))?;
    let by_new = token(Algorithm::EdDSA, "2026-11", &EncodingKey::from_ed_pem(PRIVATE_PEM)?)?;

    println!("0. The server knows the old key alone.");
    show(addr, &by_old, &by_new).await?;
    println!("1. It learns the new one; the issuer still signs with the old one.");
    verifier.replace_keys(JwtKeys::new([old, new.clone()])?);
    show(addr, &by_old, &by_new).await?;
    println!("2. The issuer signs with the new one from now on. Tokens of the old one live on, a day at most.");
    println!("3. A day later the server forgets the old one.");
    verifier.replace_keys(new);
    show(addr, &by_old, &by_new).await
}

#[expect(clippy::disallowed_methods, reason = "a token says when it ends")]
fn token(algorithm: Algorithm, kid: &str, key: &EncodingKey) -> Result<String, Box<dyn Error>> {
    let header = Header { kid: Some(kid.to_owned()), typ: Some("at+jwt".to_owned()), ..Header::new(algorithm) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = json!({ "iss": "https://login.example", "sub": "ada", "iat": now, "exp": now + 3600 });
    Ok(jsonwebtoken::encode(&header, &claims, key)?)
}

/// Tries both tokens at the handshake.
async fn show(addr: SocketAddr, by_old: &str, by_new: &str) -> Result<(), Box<dyn Error>> {
    for (name, token) in [("old", by_old), ("new", by_new)] {
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
        let answer = tokio::task::spawn_blocking(move || connect(addr, bearer)).await?;
        println!("   a token of the {name} key: {answer}");
    }
    Ok(())
}

fn connect(addr: SocketAddr, bearer: HeaderValue) -> String {
    let Ok(mut request) = format!("ws://{addr}/ws").into_client_request() else { return "no address".to_owned() };
    request.headers_mut().insert("authorization", bearer);
    match tungstenite::connect(request) {
        Ok((_, response)) => format!("{}, connected", response.status().as_u16()),
        Err(tungstenite::Error::Http(response)) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            format!("{} {body}", response.status().as_u16())
        }
        Err(error) => error.to_string(),
    }
}
