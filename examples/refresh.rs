//! A login that is renewed while its sessions stay open: `cargo run --example refresh`.
//!
//! A server with the handlers of an application that logs in by a cookie, and a test client that stays over the end of its first
//! token. Time is paused, so twenty minutes pass at once.

#![expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::{
    Router,
    extract::{FromRef, State},
    http::{Request, header::SET_COOKIE},
    response::IntoResponse,
    routing::post,
};
use jsonwebtoken::{EncodingKey, Header};
use parlor::{
    Realtime, app,
    auth::{AuthError, JwtVerifier, Principal},
    axum::{Authenticated, NotAuthenticated},
    testing::{TestClient, TestClock},
};
use serde_json::json;
use tower::ServiceExt;

/// Everybody has it. A real one is random, and only the server has it.
const SECRET: &[u8] = b"a secret of at least 32 octets, please";
const ORIGIN: &str = "https://app.example";
const LIFETIME: Duration = Duration::from_secs(600);

#[derive(Clone)]
struct App {
    realtime: Realtime,
    tokens: JwtVerifier,
}

impl FromRef<App> for Realtime {
    fn from_ref(app: &App) -> Self {
        app.realtime.clone()
    }
}

/// POST /api/refresh: the next cookie of the same login, and everything of it goes on.
async fn refresh(
    State(app): State<App>,
    Authenticated(user): Authenticated,
) -> Result<impl IntoResponse, NotAuthenticated> {
    let token = issue(&user).ok_or(AuthError::Unavailable)?;
    let fresh = app.tokens.verify(&token, now()).map_err(|_| AuthError::Invalid)?;
    let refreshed = app.realtime.refresh(&fresh).await?;
    println!("{user} goes on, with {} session(s)", refreshed.sessions);
    Ok([(SET_COOKIE, format!("token={token}; Path=/; HttpOnly; Secure; SameSite=Lax"))])
}

/// A token of the same user and login, for another ten minutes.
fn issue(user: &Principal) -> Option<String> {
    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
    let claims =
        json!({ "sub": user.id()?, "sid": user.login()?, "iat": seconds(now())?, "exp": seconds(now() + LIFETIME)? });
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).ok()
}

/// The test kit's wall clock, which passes with its paused time. A real application reads `SystemTime::now()`.
fn now() -> SystemTime {
    TestClock::pause().wall()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _clock = TestClock::pause();
    let tokens = JwtVerifier::hs256(SECRET)?.cookie("token");
    let realtime = Realtime::builder(app::Router::new().with_state(()))
        .authenticate(tokens.clone())
        .allowed_origins([ORIGIN])
        .build()?;
    let web = App { realtime: realtime.clone(), tokens };
    let http: Router = Router::new().route("/api/refresh", post(refresh)).with_state(web);

    // Ada has logged in, and her page listens for the end of its session.
    let token = issue(&Principal::user("ada".parse()?).with_login("s-17")).ok_or("no token")?;
    let cookie = format!("token={token}");
    let handshake = Request::get("/ws").header("origin", ORIGIN).header("cookie", &cookie).body(())?;
    let page = TestClient::anonymous(&realtime).request(handshake).await;
    let notices = page.subscribe("/user/queue/session").await;
    let notice = notices.expect_message().within(LIFETIME).await;
    println!(
        "the page is told: {} in {} s",
        notice.header("code").unwrap_or_default(),
        notice.header("expires-in").unwrap_or_default()
    );

    // She stays.
    let request = Request::post("/api/refresh").header("origin", ORIGIN).header("cookie", &cookie);
    let answer = http.oneshot(request.body(axum::body::Body::empty())?).await?;
    println!("the page gets a new cookie: {}", answer.headers().contains_key(SET_COOKIE));

    tokio::time::sleep(LIFETIME).await;
    let closed = page.expect_closed("token-expired").await;
    println!("ten minutes later nobody stays: {closed}");
    Ok(())
}
