//! The limits of the accept loop, those in time under a paused clock: slow clients at every stage, and too many of them.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and its runtime ends its tasks")]

mod support;

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError};
use parlor_core::{Config, Realtime, auth::Anonymous, limits::TrustedProxies};
use parlor_hyper::{BodyTimeout, RequestBody, ServeOptions, Server, WebSocketService};
use support::{endpoint, handshake_text, open_endpoint};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

/// Octets of an answer that no socket buffers.
const LARGE: usize = 64 * 1024 * 1024;

/// Collects the body; says what became of it, or gives a large one for none.
async fn collect(request: Request<RequestBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_large = request.uri().path() == "/large";
    let (status, text) = match request.into_body().collect().await {
        Ok(_) if is_large => (StatusCode::OK, vec![0; LARGE]),
        Ok(body) => (StatusCode::OK, body.to_bytes().to_vec()),
        Err(error) if error.is::<BodyTimeout>() => (StatusCode::REQUEST_TIMEOUT, Vec::new()),
        Err(error) if error.is::<LengthLimitError>() => (StatusCode::INSUFFICIENT_STORAGE, Vec::new()),
        Err(error) => panic!("{error}"),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

/// Serves WebSockets in this runtime.
async fn websockets(options: ServeOptions) -> SocketAddr {
    websockets_of(open_endpoint(), options).await
}

async fn websockets_of(realtime: Realtime, options: ServeOptions) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Server::new(listener, WebSocketService::new(&realtime), realtime).options(options).run());
    address
}

/// Serves [`collect`] in this runtime.
async fn bodies() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Server::new(listener, tower::service_fn(collect), open_endpoint()).run());
    address
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    // What the kernel holds back on a real clock would be late on a paused one.
    stream.set_nodelay(true).unwrap();
    stream
}

/// Writes `octets`, then one octet more each second, and reads: everything until the end, and when that came.
async fn trickle(mut stream: TcpStream, octets: &[u8]) -> (String, u64) {
    stream.write_all(octets).await.unwrap();
    let begin = Instant::now();
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let write = async {
        while writer.write_all(b"x").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // A socket that is closed with unread octets is reset.
        _ = reader.read_to_end(&mut answer) => {}
        () = write => {}
        () = sleep(Duration::from_secs(300)) => panic!("the connection is still open"),
    }
    (String::from_utf8_lossy(&answer).into_owned(), begin.elapsed().as_secs())
}

/// Writes `octets` and reads to the end: after how many seconds that comes.
async fn closed_after(octets: &[u8]) -> u64 {
    let mut stream = connect(websockets(ServeOptions::default()).await).await;
    stream.write_all(octets).await.unwrap();
    let begin = Instant::now();
    let read = timeout(Duration::from_secs(300), stream.read_to_end(&mut Vec::new())).await;
    assert!(read.is_ok(), "the connection is still open");
    begin.elapsed().as_secs()
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// How an HTTP/2 client begins, and a whole request of it: `GET /` as RFC 7541's static table has it.
fn http2_request() -> Vec<u8> {
    let headers = frame(1, 0x5, 1, &[0x82, 0x86, 0x84]);
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[]), headers].concat()
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
        assert!((9..=11).contains(&time), "{time} s for {:?}", String::from_utf8_lossy(octets));
    }
}

#[tokio::test(start_paused = true)]
async fn s_09_a_head_that_trickles_is_closed_after_10_s_the_first_and_a_later_one() {
    let address = websockets(ServeOptions::default()).await;
    let (answer, time) = trickle(connect(address).await, b"GET /ws HTTP/1.1\r\nX: ").await;
    assert!(answer.is_empty() && (9..=11).contains(&time), "{answer:?} after {time} s");
    let mut stream = connect(address).await;
    stream.write_all(b"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.read_exact(&mut [0; 12]).await.unwrap();
    sleep(Duration::from_secs(30)).await;
    let (_, time) = trickle(stream, b"GET /ws HTTP/1.1\r\nX: ").await;
    assert!((9..=11).contains(&time), "{time} s");
}

#[tokio::test(start_paused = true)]
async fn s_09_a_later_head_of_http_2_that_does_not_end_is_closed_after_10_s() {
    let unfinished = frame(1, 0, 3, &[0x82]);
    let time = closed_after(&[http2_request(), unfinished].concat()).await;
    assert!((9..=11).contains(&time), "{time} s");
}

#[tokio::test(start_paused = true)]
async fn a_peer_of_http_2_that_answers_no_ping_is_gone_after_50_s() {
    let time = closed_after(&http2_request()).await;
    assert!((49..=51).contains(&time), "{time} s");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_60_s_after_its_last_answer() {
    let time = closed_after(b"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!((59..=61).contains(&time), "{time} s");
}

#[tokio::test(start_paused = true)]
async fn s_09_a_body_that_trickles_fails_after_30_s() {
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n";
    let (answer, time) = trickle(connect(bodies().await).await, head).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!((29..=31).contains(&time), "{time} s");
}

#[tokio::test]
async fn a_body_over_2_mib_is_refused_before_the_service_sees_it_or_when_it_gets_there() {
    let address = bodies().await;
    let limit = 2 * 1024 * 1024;
    let head = |length: String| format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{length}\r\n\r\n");
    let chunked = |length: usize| {
        let head = head("Transfer-Encoding: chunked".to_owned());
        [head.as_bytes(), format!("{length:x}\r\n").as_bytes(), &vec![b'x'; length], b"\r\n0\r\n\r\n"].concat()
    };
    let counted = |length: usize| {
        let head = head(format!("Content-Length: {length}"));
        [head.as_bytes(), &vec![b'x'; length]].concat()
    };
    for (request, status) in [
        (counted(limit), "200"),
        (head(format!("Content-Length: {}", limit + 1)).into_bytes(), "413"),
        (head("Content-Length: 99999999999999999999".to_owned()).into_bytes(), "400"),
        (chunked(limit), "200"),
        (chunked(limit + 1), "507"),
    ] {
        let mut stream = connect(address).await;
        let (mut reader, mut writer) = stream.split();
        let mut answer = [0; 12];
        // The server may answer and close before it has read everything.
        let (read, _) = tokio::join!(reader.read_exact(&mut answer), writer.write_all(&request));
        read.unwrap();
        assert_eq!(std::str::from_utf8(&answer).unwrap(), format!("HTTP/1.1 {status}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_answer_is_closed_after_30_s() {
    let mut stream = connect(bodies().await).await;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    sleep(Duration::from_secs(31)).await;
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok() && answer.len() < LARGE, "{read:?} of {} octets", answer.len());
}

#[tokio::test]
async fn one_connection_more_than_the_cap_is_told_so_and_one_that_has_upgraded_makes_room() {
    let address = websockets(ServeOptions::default().max_http_connections(2).max_connections(3)).await;
    let mut first = connect(address).await;
    let second = connect(address).await;
    assert!(refused(address).await, "two connections speak HTTP");
    first.write_all(handshake_text("GET", "HTTP/1.1", &[]).as_bytes()).await.unwrap();
    first.read_exact(&mut [0; 12]).await.unwrap();
    // The server has noticed when there is room again.
    while refused(address).await {}
    let third = connect(address).await;
    assert!(refused(address).await, "two connections speak HTTP, and three are open");
    drop(second);
    while refused(address).await {}
    drop((first, third));
}

#[tokio::test]
async fn one_connection_of_an_address_more_than_its_cap_is_told_so_and_a_websocket_does_not_count() {
    let production = |config: Config| endpoint().config(config).authenticate(Anonymous).build().unwrap();
    let realtime = production(Config::default());
    let options = || ServeOptions::default().max_http_connections_per_address(2);
    let address = websockets_of(realtime.clone(), options()).await;
    let mut first = connect(address).await;
    let second = connect(address).await;
    let mut third = connect(address).await;
    third.write_all(b"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    third.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
    assert!(answer.contains(r#""code":"too-many-connections-from-address""#), "{answer}");
    assert_eq!(realtime.stats().connections.handshakes_refused["too-many-connections-from-address"], 1);
    // Another address has room, and so has this one when a connection became a WebSocket.
    let other = TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    assert_eq!(status(other.connect(address).await.unwrap()).await, "426");
    first.write_all(handshake_text("GET", "HTTP/1.1", &[]).as_bytes()).await.unwrap();
    first.read_exact(&mut [0; 12]).await.unwrap();
    // The server has noticed when there is room again.
    while status(connect(address).await).await == "429" {}
    // Behind a trusted proxy, and in the development profile, one address stands for many clients.
    let proxies = TrustedProxies::new(["127.0.0.0/8"]).unwrap();
    for config in [Config::default().trusted_proxies(proxies), Config::development()] {
        let address = websockets_of(production(config), options()).await;
        let open = [connect(address).await, connect(address).await, connect(address).await];
        for stream in open {
            assert_eq!(status(stream).await, "426");
        }
    }
    drop((first, second));
}

/// The status that a request on this connection gets.
async fn status(mut stream: TcpStream) -> String {
    stream.write_all(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

/// Whether a new connection is turned away; the answer says for how long.
async fn refused(address: SocketAddr) -> bool {
    let mut stream = connect(address).await;
    stream.write_all(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    if answer.starts_with("HTTP/1.1 503 ") {
        assert!(answer.contains("\r\nretry-after: 5\r\n") && answer.contains(r#""code":"full""#), "{answer}");
        return true;
    }
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    false
}

#[tokio::test]
async fn request_heads_are_bounded() {
    let address = websockets(ServeOptions::default()).await;
    let names: Vec<String> = (0..60).map(|index| format!("X-{index}")).collect();
    let long = "x".repeat(16 * 1024);
    let more = |count: usize| names.iter().take(count).map(|name| (name.as_str(), "x")).collect::<Vec<_>>();
    // Five headers belong to the handshake itself.
    for (headers, status) in [(more(59), "101"), (more(60), "431"), (vec![("X-Long", long.as_str())], "431")] {
        let mut stream = connect(address).await;
        stream.write_all(handshake_text("GET", "HTTP/1.1", &headers).as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(std::str::from_utf8(&answer).unwrap(), format!("HTTP/1.1 {status}"));
    }
}
