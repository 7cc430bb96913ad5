//! An axum application on real sockets, on either accept loop, with raw HTTP and a tungstenite client.

#![allow(dead_code, unreachable_pub, clippy::expect_used, reason = "each test file uses a part")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::Router;
use jsonwebtoken::{EncodingKey, Header, encode};
use parlor_core::{
    Realtime, RealtimeBuilder,
    app::{self, Rules},
    auth::JwtVerifier,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime};
use tungstenite::{Message, WebSocket, client::IntoClientRequest};

/// A test that waits longer for one answer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The origin that the test servers allow.
pub const ORIGIN: &str = "https://app.example";

/// The secret of the test servers.
pub const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A running application; it ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Server {
    /// On Parlor's accept loop.
    pub fn parlor(router: Router, realtime: &Realtime) -> Self {
        Self::start(|runtime, listener| {
            let realtime = realtime.clone();
            runtime.spawn(async move { parlor_axum::serve(listener, router, realtime).await });
        })
    }

    /// On axum's own.
    pub fn axum(router: Router) -> Self {
        Self::start(|runtime, listener| {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            runtime.spawn(async move { axum::serve(listener, service).await });
        })
    }

    fn start(serve: impl FnOnce(&Runtime, TcpListener)) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        serve(&runtime, listener);
        Self { address, _runtime: runtime }
    }

    /// Sends a request and returns the status and body of its answer.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n{lines}\r\n");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("a whole answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    /// The client of a page that is logged in, or why it is refused.
    pub fn connect(&self, origin: &str, cookie: &str) -> Result<WebSocket<TcpStream>, u16> {
        let stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let mut request = format!("ws://{}/ws", self.address).into_client_request().expect("an address");
        for (name, value) in [("origin", origin), ("cookie", cookie)] {
            if !value.is_empty() {
                request.headers_mut().insert(name, value.parse().expect("a header"));
            }
        }
        match tungstenite::client(request, stream) {
            Ok((client, _)) => Ok(client),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(refusal))) => {
                Err(refusal.status().as_u16())
            }
            Err(other) => panic!("neither accepted nor refused: {other}"),
        }
    }
}

/// Tokens in the cookie or as bearer, pages of [`ORIGIN`], and topics for everyone who is logged in.
pub fn endpoint() -> RealtimeBuilder {
    Realtime::builder(app::Router::new().with_state(()))
        .authenticate(JwtVerifier::hs256(SECRET).expect("a good secret").cookie("token").bearer())
        .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
        .allowed_origins([ORIGIN])
}

/// A token of the user `ada`, good for a minute.
#[expect(clippy::disallowed_methods, reason = "a token must be valid at the time of the test")]
pub fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs();
    let claims = json!({ "sub": "ada", "name": "Ada", "exp": now + 60 });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).expect("claims can be signed")
}

/// The code of a JSON refusal.
pub fn code(body: &str) -> String {
    let body: Value = serde_json::from_str(body).expect("a refusal has a JSON body");
    body["code"].as_str().expect("a refusal has a code").to_owned()
}

/// Sends one STOMP frame.
pub fn send(client: &mut WebSocket<TcpStream>, frame: &str) {
    client.send(Message::text(format!("{frame}\0"))).expect("the server reads");
}

/// The next STOMP frame.
pub fn receive(client: &mut WebSocket<TcpStream>) -> String {
    match client.read().expect("a message") {
        Message::Text(text) => text.as_str().trim_end_matches('\0').to_owned(),
        other => panic!("a text was expected, not {other:?}"),
    }
}
