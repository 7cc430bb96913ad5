//! What an idle session keeps on the heap: a gate, so that no buffer comes back unseen.
//!
//! A session as most are: a token from a cookie, heart-beats on, one subscription, and nothing to say. Its memory in the kernel
//! (the socket) is not counted, nor what the allocator adds to each block; `docs/operations.md` has the resident memory. When a
//! figure is too large, `dhat-heap.json` in the folder of the test says where the octets are.

#![expect(clippy::unwrap_used, reason = "a test may fail")]
#![expect(clippy::disallowed_methods, reason = "a token needs the time, and the server ends with its runtime")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{EncodingKey, Header};
use parlor_core::{
    Config, Realtime,
    app::{Router, Rules},
    auth::{JwtKey, JwtVerifier},
};
use parlor_hyper::{Server, WebSocketService};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

/// Sessions before the measurement: what is made with the first is not counted.
const BEFORE: usize = 112;

/// Sessions that are measured. With those before, every table has grown once more: both counts fill theirs to seven eighths.
const MEASURED: usize = 112;

/// What a session may keep where all listen to one destination.
const MOST_SHARED: usize = 3584;

/// What a session may keep where each listens to a destination of its own.
const MOST_OWN: usize = 4096;

/// Both in one test: the allocator counts for the whole process.
#[test]
fn an_idle_session_keeps_no_more_than_this() {
    let _profiler = dhat::Profiler::builder().testing().trim_backtraces(Some(48)).build();
    let shared = octets_of_a_session(|_| "/topic/news".to_owned());
    let own = octets_of_a_session(|number| format!("/topic/rooms/{number}"));
    println!("{shared} octets of a session at one destination, {own} of a session at its own");
    dhat::assert!(shared <= MOST_SHARED, "{shared} octets of a session where all listen to one destination");
    dhat::assert!(own <= MOST_OWN, "{own} octets of a session where each listens to its own");
}

fn octets_of_a_session(destination: impl Fn(usize) -> String) -> usize {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (address, realtime) = runtime.block_on(serve());
    let mut clients: Vec<TcpStream> = Vec::with_capacity(BEFORE + MEASURED);
    let mut settled = |count: usize| {
        while clients.len() < count {
            clients.push(connect(address, clients.len(), &destination(clients.len())));
        }
        assert_eq!(realtime.registry().session_count(), count);
        // The request's own connection may be on the way out.
        (0..8).map(|_| heap(address)).min().unwrap()
    };
    let before = settled(BEFORE);
    let after = settled(BEFORE + MEASURED);
    drop(clients);
    (after - before) / MEASURED
}

async fn serve() -> (SocketAddr, Realtime) {
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(JwtVerifier::new(JwtKey::hs256(SECRET).unwrap()).cookie("token"))
        .authorize(Rules::deny_all().allow_subscribe("/topic/**"))
        .allowed_origins(["https://app.example"])
        .config(Config::development())
        .build()
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(listener, WebSocketService::new(&realtime), realtime.clone());
    tokio::spawn(server.run_until(std::future::pending()));
    (address, realtime)
}

/// What is on the heap once everything that was asked for is done: the server has one thread, and what it is asked last it
/// answers last.
fn heap(address: SocketAddr) -> usize {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: app.example\r\nconnection: close\r\n\r\n").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    dhat::HeapStats::get().curr_bytes
}

/// A client that has subscribed and is silent. It has nothing on the heap itself.
fn connect(address: SocketAddr, number: usize, destination: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let handshake = format!(
        "GET /ws HTTP/1.1\r\nHost: app.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Origin: https://app.example\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: v12.stomp\r\nCookie: token={}\r\n\r\n",
        token(number)
    );
    stream.write_all(handshake.as_bytes()).unwrap();
    read_until(&mut stream, b"\r\n\r\n");
    send(&mut stream, "CONNECT\naccept-version:1.2\nhost:app.example\nheart-beat:10000,10000\n\n\0");
    read_until(&mut stream, b"\0");
    send(&mut stream, &format!("SUBSCRIBE\nid:sub-0\ndestination:{destination}\nreceipt:1\n\n\0"));
    assert!(read_until(&mut stream, b"\0").windows(7).any(|part| part == b"RECEIPT"));
    stream
}

fn token(number: usize) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "sub": format!("user-{number}"), "name": format!("User {number}"), "iat": now, "exp": now + 3600,
    });
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

/// Sends a text message with a mask of zeros.
fn send(stream: &mut TcpStream, text: &str) {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(length @ 0..126) => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    stream.write_all(&frame).unwrap();
}

fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    while !octets.ends_with(end) {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&octets));
        octets.extend_from_slice(&piece[..read]);
    }
    octets
}
