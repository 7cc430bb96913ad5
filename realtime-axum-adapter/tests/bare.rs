//! Parlor's accept loop and a bare `axum::serve` side by side: what works on both, and what the second one lacks.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and its runtime ends its tasks")]

#[path = "../../realtime-hyper-adapter/tests/support/client.rs"]
#[allow(dead_code, unreachable_pub, clippy::expect_used, reason = "this file uses a part, and a test may fail")]
mod client;

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use bytes::Bytes;
use client::{Client, Closed};
use http::Request;
use http_body_util::Empty;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parlor_axum::{LiveService, ReadyService, Server, websocket};
use parlor_core::{
    Realtime,
    app::{self, Rules},
    auth::Anonymous,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

/// Far longer than any limit of the accept loop.
const AN_HOUR: Duration = Duration::from_secs(3600);

const LOOPS: [Loop; 2] = [Loop::Parlor, Loop::Axum];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loop {
    Parlor,
    /// With the drain that the documentation of `serve` shows.
    Axum,
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

async fn start(which: Loop) -> Running {
    let realtime = Realtime::builder(app::Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**"))
        .build()
        .unwrap();
    let router = Router::new()
        .route_service("/ws", websocket(&realtime))
        .route_service("/readyz", ReadyService::new(&realtime))
        .route_service("/livez", LiveService::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let served = match which {
        Loop::Parlor => tokio::spawn(Server::new(listener, router, realtime).run_until(stopped)),
        Loop::Axum => tokio::spawn(async move {
            let (endpoint, service) = (realtime.clone(), router.into_make_service_with_connect_info::<SocketAddr>());
            let stopping = async move {
                stopped.await;
                endpoint.begin_stop();
                tokio::spawn(async move { endpoint.shutdown(Duration::from_secs(40)).await });
            };
            axum::serve(listener, service).with_graceful_shutdown(stopping).await?;
            realtime.shutdown(Duration::from_secs(40)).await;
            Ok(())
        }),
    };
    Running { address, stop, served }
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A session over HTTP/1.1.
async fn websocket_1(address: SocketAddr) -> Client<TcpStream> {
    let mut stream = connect(address).await;
    let request = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    Client::connect(stream).await
}

/// A session over HTTP/2.
async fn websocket_2(address: SocketAddr) -> Client<TokioIo<hyper::upgrade::Upgraded>> {
    let stream = TokioIo::new(connect(address).await);
    let (mut http2, connection) =
        hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    http2.ready().await.unwrap();
    let request = Request::connect(format!("http://{address}/ws"))
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(Empty::new())
        .unwrap();
    let response = http2.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    Client::connect(TokioIo::new(hyper::upgrade::on(response).await.unwrap())).await
}

#[tokio::test]
async fn sessions_converse_over_http_1_and_http_2_on_either_loop() {
    for which in LOOPS {
        let running = start(which).await;
        websocket_1(running.address).await.converse("/topic/a").await;
        websocket_2(running.address).await.converse("/topic/a").await;
    }
}

#[tokio::test]
async fn probes_answer_on_either_loop() {
    for which in LOOPS {
        let running = start(which).await;
        for path in ["/readyz", "/livez"] {
            let mut stream = connect(running.address).await;
            let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{which:?} {path}: {answer}");
        }
    }
}

#[tokio::test]
async fn rule_27_a_stop_drains_on_either_loop() {
    for which in LOOPS {
        let running = start(which).await;
        let mut first = websocket_1(running.address).await;
        let mut second = websocket_2(running.address).await;
        first.subscribe("/topic/a").await;
        second.subscribe("/topic/a").await;
        drop(running.stop);
        for closed in [first.event().await, second.event().await] {
            let Err(Closed { status, reason }) = closed else { panic!("a close was expected, not {closed:?}") };
            assert_eq!(status, 1012, "{which:?}");
            assert!(reason.starts_with("retry-after="), "{which:?}: {reason}");
        }
        drop((first, second));
        running.served.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn s_09_a_bare_axum_serve_waits_for_ever_for_a_head_and_parlor_10_s() {
    for which in LOOPS {
        let running = start(which).await;
        let mut stream = connect(running.address).await;
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n").await.unwrap();
        let mut answer = [0; 12];
        let ended = timeout(AN_HOUR, stream.read(&mut answer)).await;
        match which {
            Loop::Parlor => assert_eq!(ended.unwrap().unwrap(), 0),
            Loop::Axum => {
                assert!(ended.is_err(), "axum::serve has got a deadline for heads: the documentation says it has none");
                stream.write_all(b"\r\n").await.unwrap();
                stream.read_exact(&mut answer).await.unwrap();
                assert_eq!(&answer, b"HTTP/1.1 200");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bare_axum_serve_keeps_idle_connections_for_ever_and_parlor_60_s() {
    for which in LOOPS {
        let running = start(which).await;
        let mut stream = connect(running.address).await;
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        stream.read_exact(&mut [0; 12]).await.unwrap();
        let ended = timeout(AN_HOUR, stream.read_to_end(&mut Vec::new())).await;
        assert_eq!(ended.is_ok(), which == Loop::Parlor, "{which:?}");
    }
}
