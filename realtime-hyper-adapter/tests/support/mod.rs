//! A server on a real socket, and clients: raw HTTP where the request must be wrong, tungstenite where it must be right.

#![allow(dead_code, unreachable_pub, clippy::expect_used, reason = "each test file uses a part")]

pub mod client;
pub mod streams;

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use jsonwebtoken::{EncodingKey, Header, encode};
use parlor_core::{
    Config, Realtime, RealtimeBuilder,
    app::{Router, Rules},
    auth::{Anonymous, Authenticator},
};
use parlor_hyper::{RequestBody, serve};
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot, task::JoinHandle};
use tower_service::Service;
use tungstenite::{Message, WebSocket, client::IntoClientRequest};

/// A test that waits longer for one answer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The origin that the test servers allow.
pub const ORIGIN: &str = "https://app.example";

/// The secret of the test servers that demand a token.
pub const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
    runtime: Runtime,
}

/// What came back for a raw request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Server {
    /// Serves `service` until [`stop`](Self::stop).
    pub fn start<S>(realtime: &Realtime, service: S) -> Self
    where
        S: Service<Request<RequestBody>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let served = runtime.spawn(serve(listener, service, realtime.clone(), async {
            let _ = stopped.await;
        }));
        Self { address, stop, served, runtime }
    }

    /// Asks the server to stop; the future of its task is awaited by [`Stopping::finish`].
    pub fn stop(self) -> Stopping {
        let _ = self.stop.send(());
        Stopping { served: self.served, runtime: self.runtime }
    }

    /// Sends a request as it stands and reads the answer.
    pub fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.write_all(request.as_bytes()).expect("the server reads");
        read_answer(&mut stream)
    }

    /// Sends a good handshake with more header lines, or with other ones in their place (an empty value leaves one out).
    pub fn handshake(&self, changes: &[(&str, &str)]) -> Answer {
        self.raw(&handshake_text("GET", "HTTP/1.1", changes))
    }

    /// Connects with tungstenite.
    pub fn connect(&self, headers: &[(&'static str, &str)]) -> WebSocket<TcpStream> {
        let stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let mut request = format!("ws://{}/ws", self.address).into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        tungstenite::client(request, stream).expect("the handshake is accepted").0
    }
}

/// A server that was asked to stop.
pub struct Stopping {
    served: JoinHandle<std::io::Result<()>>,
    runtime: Runtime,
}

impl Stopping {
    /// Waits until it has stopped.
    pub fn finish(self) {
        self.runtime.block_on(self.served).expect("the server does not panic").expect("the server stops well");
    }
}

impl Answer {
    /// The code in the JSON body; the body must have a sentence too.
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).expect("a refusal has a JSON body");
        assert!(body["message"].as_str().is_some_and(|message| message.ends_with('.')), "{body}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        body["code"].as_str().expect("a refusal has a code").to_owned()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An endpoint that lets anyone subscribe to topics, and pages of [`ORIGIN`] connect. In the development profile: tests
/// send more handshakes to be refused from one address in a minute than production allows.
pub fn endpoint() -> RealtimeBuilder {
    Realtime::builder(Router::new().with_state(()))
        .config(Config::development())
        .authorize(Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**"))
        .allowed_origins([ORIGIN])
}

/// The same, for anyone.
pub fn open_endpoint() -> Realtime {
    authenticated_by(Anonymous)
}

/// The same, for whom `authenticator` lets in.
pub fn authenticated_by(authenticator: impl Authenticator) -> Realtime {
    endpoint().authenticate(authenticator).build().expect("a good endpoint")
}

/// A text of a handshake with changed header lines.
pub fn handshake_text(method: &str, version: &str, changes: &[(&str, &str)]) -> String {
    let standard = [
        ("Host", "app.example"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let kept = standard.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    let lines: String = kept
        .chain(changes)
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("{method} /ws {version}\r\n{lines}\r\n")
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a token must be valid at the time of the test")]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs()
}

/// A signed token.
pub fn token(header: &Header, claims: &Value) -> String {
    encode(header, claims, &EncodingKey::from_secret(SECRET)).expect("claims can be signed")
}

/// The text of the next message.
pub fn read_text(client: &mut WebSocket<TcpStream>) -> String {
    match client.read().expect("a message") {
        Message::Text(text) => text.as_str().to_owned(),
        other => panic!("a text was expected, not {other:?}"),
    }
}

fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).expect("a whole response head");
        head.push(octet[0]);
    }
    let head = String::from_utf8(head).expect("a head is text");
    let (status_line, lines) = head.split_once("\r\n").expect("a status line");
    let mut headers = HeaderMap::new();
    for (name, value) in lines.lines().filter_map(|line| line.split_once(": ")) {
        let name = name.parse::<http::HeaderName>().expect("a header name");
        headers.append(name, value.parse().expect("a header value"));
    }
    let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).expect("a whole body");
    Answer { status, headers, body: String::from_utf8(body).expect("a body is text") }
}
