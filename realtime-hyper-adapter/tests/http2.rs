//! WebSocket over HTTP/2 (RFC 8441), with hyper's client: the same gates as over HTTP/1.1, and a whole conversation.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and its runtime ends its tasks")]

mod support;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http2::SendRequest, ext::Protocol};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parlor_core::{
    Config, Realtime,
    auth::{Anonymous, JwtVerifier},
};
use parlor_hyper::{EchoService, ServeOptions, Server, WebSocketService};
use support::{
    ORIGIN,
    client::{Client, Closed},
    endpoint, open_endpoint,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

type Http2 = SendRequest<Empty<Bytes>>;

async fn serve(realtime: &Realtime) -> SocketAddr {
    serve_until(realtime, std::future::pending()).await.0
}

async fn serve_until(
    realtime: &Realtime,
    stop: impl Future<Output = ()> + Send + 'static,
) -> (SocketAddr, JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(listener, WebSocketService::new(realtime), realtime.clone());
    (address, tokio::spawn(server.run_until(stop)))
}

async fn http2(address: SocketAddr) -> Http2 {
    let stream = TcpStream::connect(address).await.unwrap();
    // What the kernel holds back on a real clock would be late on a paused one.
    stream.set_nodelay(true).unwrap();
    let stream = TokioIo::new(stream);
    let (client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .handshake(stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

/// A handshake with changed headers (an empty value leaves one out).
fn handshake(address: SocketAddr, changes: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    let mut request = Request::connect(format!("http://{address}/ws"))
        .version(Version::HTTP_2)
        .extension(Protocol::from_static("websocket"));
    let standard = [("sec-websocket-version", "13"), ("sec-websocket-protocol", "v12.stomp")];
    let kept = standard.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    for (name, value) in kept.chain(changes).filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    request.body(Empty::new()).unwrap()
}

async fn answer(http2: &mut Http2, request: Request<Empty<Bytes>>) -> Response<Incoming> {
    http2.ready().await.unwrap();
    http2.send_request(request).await.unwrap()
}

async fn open(http2: &mut Http2, address: SocketAddr) -> Client<TokioIo<hyper::upgrade::Upgraded>> {
    let response = answer(http2, handshake(address, &[])).await;
    assert_eq!(response.status(), StatusCode::OK);
    Client::connect(TokioIo::new(hyper::upgrade::on(response).await.unwrap())).await
}

/// The code of a refusal.
async fn code(response: Response<Incoming>) -> (u16, String) {
    let status = response.status().as_u16();
    for name in ["connection", "upgrade"] {
        assert!(!response.headers().contains_key(name), "{name} means nothing in HTTP/2");
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (status, body["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn rfc_8441_a_whole_conversation_over_one_stream_and_several_beside_each_other() {
    let realtime = open_endpoint();
    let address = serve(&realtime).await;
    let mut http2 = http2(address).await;
    let mut other = open(&mut http2, address).await;
    other.subscribe("/topic/a").await;
    open(&mut http2, address).await.converse("/topic/a").await;
    assert_eq!(other.message().await.body, "one".as_bytes(), "the connection goes on");
    open(&mut http2, address).await.converse("/topic/a").await;
}

#[tokio::test]
async fn rfc_8441_5_the_answer_is_200_with_a_subprotocol_and_without_a_key() {
    let realtime = open_endpoint();
    let address = serve(&realtime).await;
    let mut http2 = http2(address).await;
    let response = answer(&mut http2, handshake(address, &[("sec-websocket-protocol", "v10.stomp, v11.stomp")])).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["sec-websocket-protocol"], "v11.stomp");
    for name in ["sec-websocket-accept", "connection", "upgrade"] {
        assert!(!response.headers().contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn the_gates_are_those_of_http_1() {
    let realtime =
        endpoint().authenticate(JwtVerifier::hs256(support::SECRET).unwrap().cookie("token").bearer()).build().unwrap();
    let address = serve(&realtime).await;
    let mut http2 = http2(address).await;
    let exp = support::now() + 60;
    let token = support::token(&jsonwebtoken::Header::default(), &serde_json::json!({ "sub": "ada", "exp": exp }));
    let (cookie, bearer) = (format!("token={token}"), format!("Bearer {token}"));
    for (changes, status, refusal) in [
        (&[("sec-websocket-version", "12")][..], 426, "websocket-version-not-supported"),
        (&[("sec-websocket-version", "")], 426, "websocket-version-not-supported"),
        (&[("sec-websocket-protocol", "chat")], 400, "subprotocol-not-supported"),
        (&[("origin", "https://evil.example"), ("cookie", &cookie)], 403, "origin-not-allowed"),
        (&[("cookie", &cookie)], 403, "origin-not-allowed"),
        (&[], 401, "missing-credentials"),
        (&[("origin", ORIGIN), ("cookie", "token=x")], 401, "invalid-credentials"),
    ] {
        let response = answer(&mut http2, handshake(address, changes)).await;
        assert_eq!(code(response).await, (status, refusal.to_owned()), "{changes:?}");
    }
    for changes in [&[("origin", ORIGIN), ("cookie", cookie.as_str())][..], &[("authorization", &bearer)]] {
        assert_eq!(answer(&mut http2, handshake(address, changes)).await.status(), StatusCode::OK, "{changes:?}");
    }
    // RFC 9113 section 8.2.3: a client may split its cookies.
    let split = [("origin", ORIGIN), ("cookie", "theme=dark"), ("cookie", cookie.as_str())];
    assert_eq!(answer(&mut http2, handshake(address, &split)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_full_endpoint_refuses_one_more_stream() {
    let realtime = endpoint().authenticate(Anonymous).config(Config::default().max_connections(1)).build().unwrap();
    let address = serve(&realtime).await;
    let mut http2 = http2(address).await;
    let _first = open(&mut http2, address).await;
    let response = answer(&mut http2, handshake(address, &[])).await;
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(code(response).await, (503, "full".to_owned()));
}

#[tokio::test]
async fn what_is_no_websocket_handshake_is_refused() {
    let realtime = open_endpoint();
    let address = serve(&realtime).await;
    let mut http2 = http2(address).await;
    for (method, status, refusal) in [("GET", 426, "upgrade-required"), ("POST", 405, "method-not-allowed")] {
        let uri = format!("http://{address}/ws");
        let request = Request::builder().method(method).uri(uri).version(Version::HTTP_2).body(Empty::new()).unwrap();
        assert_eq!(code(answer(&mut http2, request).await).await, (status, refusal.to_owned()), "{method}");
    }
    let mut other = handshake(address, &[]);
    other.extensions_mut().insert(Protocol::from_static("connect-udp"));
    assert_eq!(code(answer(&mut http2, other).await).await, (426, "upgrade-required".to_owned()));
}

#[tokio::test]
async fn rule_27_a_stop_reaches_streams_of_http_2_and_then_the_server_ends() {
    let realtime = open_endpoint();
    let (stop, stopped) = oneshot::channel::<()>();
    let (address, served) = serve_until(&realtime, async { drop(stopped.await) }).await;
    let mut http2 = http2(address).await;
    let mut client = open(&mut http2, address).await;
    client.subscribe("/topic/a").await;
    drop(stop);
    let Err(Closed { status, reason }) = client.event().await else { panic!("a close was expected") };
    assert_eq!(status, 1012);
    assert!(reason.starts_with("retry-after="), "{reason}");
    drop(client);
    // The connection ends with its last stream, and not only when the drain loses patience.
    tokio::time::timeout(Duration::from_secs(20), served).await.expect("in time").unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_nothing_but_a_websocket_does_not_idle_and_without_it_does() {
    let realtime = open_endpoint();
    let address = serve(&realtime).await;
    let mut http2 = http2(address).await;
    let mut client = open(&mut http2, address).await;
    client.subscribe("/topic/a").await;
    tokio::time::sleep(ServeOptions::default().idle_timeout * 10).await;
    client.send("/topic/a", "still here", None).await;
    assert_eq!(client.message().await.body, "still here".as_bytes());
    drop(client);
    // The client's pings are answered, and do not count.
    tokio::time::sleep(Duration::from_secs(55)).await;
    assert!(!http2.is_closed());
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(http2.is_closed());
}

#[tokio::test]
async fn request_heads_are_bounded() {
    let realtime = open_endpoint();
    let address = serve(&realtime).await;
    let mut http2 = http2(address).await;
    let names: Vec<String> = (0..63).map(|index| format!("x-{index}")).collect();
    let more = |count: usize| names.iter().take(count).map(|name| (name.as_str(), "x")).collect::<Vec<_>>();
    // Two headers belong to the handshake itself.
    for (count, status) in [(62, 200), (63, 431)] {
        assert_eq!(answer(&mut http2, handshake(address, &more(count))).await.status(), status, "{count}");
    }
    let long = "x".repeat(16 * 1024);
    let response = answer(&mut http2, handshake(address, &[("x-long", &long)])).await;
    assert_eq!(response.status(), 431);
}

#[tokio::test]
async fn the_echo_speaks_it_too() {
    let realtime = open_endpoint();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Server::new(listener, EchoService::new(&realtime), realtime).run());
    let mut http2 = http2(address).await;
    let response = answer(&mut http2, handshake(address, &[("sec-websocket-protocol", "chat")])).await;
    assert_eq!((response.status(), response.headers().get("sec-websocket-protocol")), (StatusCode::OK, None));
}
