//! The accept loop: its stop, its probes, and what it listens on.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and its runtime ends its tasks")]

mod support;

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use parlor_core::auth::{Handshake, Principal};
use parlor_hyper::{LiveService, ReadyService, RequestBody, ServeOptions, Server, WebSocketService};
use support::{Server as Blocking, authenticated_by, client::Client, handshake_text, open_endpoint, read_text};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};
use tower_service::Service;
use tungstenite::{Message, protocol::frame::coding::CloseCode};

#[test]
fn rule_27_a_stop_tells_sessions_when_to_come_back_and_then_ends() {
    let realtime = open_endpoint();
    let server = Blocking::start(&realtime, WebSocketService::new(&realtime));
    let address = server.address;
    let mut client = server.connect(&[]);
    client.send(Message::text("CONNECT\naccept-version:1.2\nhost:x\n\n\0")).unwrap();
    assert!(read_text(&mut client).starts_with("CONNECTED\n"));
    client.send(Message::text("SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:r\n\n\0")).unwrap();
    assert!(read_text(&mut client).starts_with("RECEIPT\n"), "the session is in the registry by now");
    let stopping = server.stop();
    match client.read().unwrap() {
        Message::Close(Some(frame)) => {
            assert_eq!(frame.code, CloseCode::Restart);
            assert!(frame.reason.as_str().starts_with("retry-after="), "{frame:?}");
        }
        other => panic!("a close frame was expected, not {other:?}"),
    }
    while client.read().is_ok() {}
    stopping.finish();
    assert!(std::net::TcpStream::connect(address).is_err(), "the listener is closed");
    assert!(realtime.admit(None).is_err());
}

#[test]
fn a_request_on_an_open_connection_is_still_answered_after_a_refusal() {
    use std::io::{Read, Write};
    let realtime = open_endpoint();
    let server = Blocking::start(&realtime, WebSocketService::new(&realtime));
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    stream.write_all(handshake_text("GET", "HTTP/1.1", &[]).as_bytes()).unwrap();
    let mut received = String::new();
    while !received.contains("HTTP/1.1 101 ") {
        let mut chunk = [0; 1024];
        let count = stream.read(&mut chunk).expect("both requests are answered");
        assert!(count > 0, "{received}");
        received.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    assert!(received.starts_with("HTTP/1.1 426 "));
}

/// Serves probes beside nothing else, until `stop`.
async fn probed(
    options: ServeOptions,
    stop: impl Future<Output = ()> + Send + 'static,
) -> (SocketAddr, JoinHandle<std::io::Result<()>>) {
    let realtime = open_endpoint();
    let (ready, live) = (ReadyService::new(&realtime), LiveService::new());
    let service = tower::service_fn(move |request: Request<RequestBody>| {
        let (mut ready, mut live) = (ready.clone(), live);
        async move {
            match request.uri().path() {
                "/readyz" => ready.call(request).await,
                _ => live.call(request).await,
            }
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(listener, service, realtime).options(options);
    (address, tokio::spawn(server.run_until(stop)))
}

async fn probe(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test(start_paused = true)]
async fn rule_27_a_stop_is_first_not_ready_then_closes_the_listener_after_the_pause() {
    let (stop, stopped) = oneshot::channel::<()>();
    let options = ServeOptions::default().ready_pause(Duration::from_secs(5));
    let (address, served) = probed(options, async { drop(stopped.await) }).await;
    let answer = probe(address, "/readyz").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\ncache-control: no-store\r\n"), "{answer}");
    drop(stop);
    // The stop is seen when the server's task runs next: before the next connection is accepted, or just behind it.
    let mut answers = 0;
    while probe(address, "/readyz").await.unwrap().starts_with("HTTP/1.1 200 ") {
        answers += 1;
        assert!(answers < 10, "it goes on being ready");
    }
    let begin = Instant::now();
    let answer = probe(address, "/readyz").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
    assert!(answer.ends_with(r#"{"code":"stopping","message":"The server is about to stop. Use another one."}"#));
    assert!(probe(address, "/livez").await.unwrap().starts_with("HTTP/1.1 200 "), "it is alive all the same");
    served.await.unwrap().unwrap();
    assert_eq!(begin.elapsed().as_secs(), 5);
    assert!(probe(address, "/readyz").await.is_err(), "the listener is closed");
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_abandoned_returns_at_once_whoever_is_connected() {
    let realtime = open_endpoint();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (abandon, abandoned) = oneshot::channel::<()>();
    let server = Server::new(listener, WebSocketService::new(&realtime), realtime);
    let stop_is_told = async { drop(stopped.await) };
    let served = tokio::spawn(server.run_until_or_abandon(stop_is_told, async { drop(abandoned.await) }));
    // A client that does not answer the close frame keeps the drain waiting for `close_linger`.
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(handshake_text("GET", "HTTP/1.1", &[]).as_bytes()).await.unwrap();
    client.read_exact(&mut [0; 12]).await.unwrap();
    let begin = Instant::now();
    drop(stop);
    tokio::task::yield_now().await;
    assert!(!served.is_finished());
    drop(abandon);
    served.await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn rule_27_a_stop_answers_the_running_request_and_closes_the_idle_connection_at_once() {
    let (called, mut calls) = mpsc::channel::<oneshot::Sender<()>>(1);
    let service = tower::service_fn(move |_: Request<RequestBody>| {
        let called = called.clone();
        async move {
            let (finish, finished) = oneshot::channel();
            called.send(finish).await.unwrap();
            finished.await.unwrap();
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = Server::new(listener, service, open_endpoint());
    let served = tokio::spawn(server.run_until(async { drop(stopped.await) }));
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    calls.recv().await.unwrap().send(()).unwrap();
    idle.read_exact(&mut [0; 12]).await.unwrap();
    let mut running = TcpStream::connect(address).await.unwrap();
    running.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let finish = calls.recv().await.unwrap();
    let begin = Instant::now();
    drop(stop);
    idle.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 0);
    tokio::time::sleep(Duration::from_secs(20)).await;
    finish.send(()).unwrap();
    let mut answer = String::new();
    running.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    served.await.unwrap().unwrap();
    assert_eq!(begin.elapsed().as_secs(), 20);
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_listened_on_like_any_other() {
    let path = std::env::temp_dir().join(format!("parlor-serve-{}.sock", std::process::id()));
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let realtime = authenticated_by(|handshake: Handshake<'_>| {
        assert_eq!(handshake.peer(), None);
        Ok(Principal::anonymous())
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let server = Server::new(listener, WebSocketService::new(&realtime), realtime);
    let served = tokio::spawn(server.run_until(async { drop(stopped.await) }));
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(handshake_text("GET", "HTTP/1.1", &[]).as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    let mut stream = Client::connect(stream).await.converse("/topic/a").await;
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the server ends the stream");
    drop(stop);
    served.await.unwrap().unwrap();
    std::fs::remove_file(path).unwrap();
}
