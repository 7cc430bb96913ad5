//! The accept loop: its time limits under a paused clock, its bounds on request heads, and its stop.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

use std::time::Duration;

use parlor_hyper::{WebSocketService, serve};
use support::{Server, handshake_text, open_endpoint, read_text};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tungstenite::{Message, protocol::frame::coding::CloseCode};

/// Serves in this runtime, writes `octets`, reads to the end, and tells how long that took.
#[expect(clippy::disallowed_methods, reason = "the test's runtime ends the server, and measures its own clock")]
async fn closed_after(octets: &[u8]) -> Duration {
    let realtime = open_endpoint();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, WebSocketService::new(&realtime), realtime, std::future::pending()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(octets).await.unwrap();
    let begin = Instant::now();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection is still open after a minute");
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn s_09_a_connection_without_a_whole_request_is_closed_after_10_s() {
    for octets in [
        &b""[..],
        b"G",
        b"GET /ws HTTP/1.1\r\nHost: a\r\n",
        // The beginning of HTTP/2's preface, the whole of it, and a peer that goes no further.
        b"PRI * HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ] {
        let time = closed_after(octets).await;
        assert!((9..=11).contains(&time.as_secs()), "{time:?} for {:?}", String::from_utf8_lossy(octets));
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_10_s_after_its_last_answer() {
    let time = closed_after(b"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!((9..=11).contains(&time.as_secs()), "{time:?}");
}

#[test]
fn request_heads_are_bounded() {
    let realtime = open_endpoint();
    let server = Server::start(&realtime, WebSocketService::new(&realtime));
    let names: Vec<String> = (0..60).map(|index| format!("X-{index}")).collect();
    let more = |count: usize| names.iter().take(count).map(|name| (name.as_str(), "x")).collect::<Vec<_>>();
    // Five headers belong to the handshake itself.
    assert_eq!(server.handshake(&more(59)).status, 101);
    assert_eq!(server.handshake(&more(60)).status, 431);
    assert_eq!(server.handshake(&[("X-Long", &"x".repeat(16 * 1024))]).status, 431);
}

#[test]
fn rule_27_a_stop_tells_sessions_when_to_come_back_and_then_ends() {
    let realtime = open_endpoint();
    let server = Server::start(&realtime, WebSocketService::new(&realtime));
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
    let server = Server::start(&realtime, WebSocketService::new(&realtime));
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
