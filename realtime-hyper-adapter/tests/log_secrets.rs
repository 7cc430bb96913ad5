//! S-39: real handshakes and frames with marked secrets, everything logged by everyone at TRACE: no secret is in it.
//!
//! In a test program of its own, because the subscriber is that of the whole process.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    time::Duration,
};

use jsonwebtoken::Header;
use parlor_core::auth::JwtVerifier;
use parlor_hyper::WebSocketService;
use serde_json::json;
use support::{ORIGIN, SECRET, Server, authenticated_by, handshake_text, now, token};
use tracing_subscriber::EnvFilter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text frame with a mask of zeros.
fn frame(stomp: &str) -> Vec<u8> {
    let payload = format!("{stomp}\0");
    assert!(payload.len() < 65_536);
    let mut octets = vec![0x81];
    match payload.len() {
        short @ 0..126 => octets.push(0x80 | short as u8),
        long => {
            octets.push(0x80 | 126);
            octets.extend_from_slice(&(long as u16).to_be_bytes());
        }
    }
    octets.extend_from_slice(&[0; 4]);
    octets.extend_from_slice(payload.as_bytes());
    octets
}

/// A whole conversation; returns what the server said.
fn converse(server: &Server, headers: &[(&str, &str)], frames: &[String]) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut octets = handshake_text("GET", "HTTP/1.1", headers).replace("/ws", "/ws?token=CANARY-query").into_bytes();
    frames.iter().for_each(|text| octets.extend_from_slice(&frame(text)));
    // An empty close frame, so that the server does not wait for one.
    octets.extend_from_slice(&[0x88, 0x80, 0, 0, 0, 0]);
    stream.write_all(&octets).unwrap();
    let mut answer = Vec::new();
    // The server closes after the last frame, which is a broken one.
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn s_39_no_token_cookie_credential_or_body_is_logged_at_trace() {
    let log = Log::default();
    let writer = log.clone();
    let filter = EnvFilter::new("trace");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone()).init();
    let realtime = authenticated_by(JwtVerifier::hs256(SECRET).unwrap().cookie("token").bearer());
    let server = Server::start(&realtime, WebSocketService::new(&realtime));

    let good = token(&Header::default(), &json!({"sub": "ada", "exp": now() + 60, "secret": "CANARY-claim"}));
    let expired = token(&Header::default(), &json!({"sub": "ada", "exp": now() - 60}));
    let cookie = |token: &str| format!("other=CANARY-cookie; token={token}");
    let (good_cookie, old_cookie, no_token) = (cookie(&good), cookie(&expired), cookie("CANARY-no-token"));
    let bearer = format!("Bearer {good}");
    for (headers, status) in [
        (vec![("Cookie", good_cookie.as_str()), ("Origin", "https://evil.example")], 403),
        (vec![("Cookie", good_cookie.as_str())], 403),
        (vec![("Cookie", old_cookie.as_str()), ("Origin", ORIGIN)], 401),
        (vec![("Cookie", no_token.as_str()), ("Origin", ORIGIN)], 401),
        (vec![("Authorization", "Bearer CANARY-bearer")], 401),
        (vec![("Authorization", "Basic CANARY-basic")], 401),
    ] {
        assert_eq!(server.handshake(&headers).status, status, "{headers:?}");
    }
    let frames = [
        "CONNECT\naccept-version:1.2\nlogin:CANARY-login\npasscode:CANARY-passcode\n\n".to_owned(),
        "SUBSCRIBE\nid:0\ndestination:/topic/a\n\n".to_owned(),
        "SUBSCRIBE\nid:e\ndestination:/user/queue/errors\n\n".to_owned(),
        format!("SEND\ndestination:/topic/a\nAuthorization:{bearer}\nx:CANARY-header\n\nCANARY-body"),
        "SEND\ndestination:/app/nowhere\npasscode:CANARY-passcode\n\nCANARY-body".to_owned(),
        "SEND\npasscode:CANARY-passcode\nCANARY line without a colon\n\nCANARY-body".to_owned(),
    ];
    for headers in [vec![("Cookie", good_cookie.as_str()), ("Origin", ORIGIN)], vec![("Authorization", &bearer)]] {
        let said = converse(&server, &headers, &frames);
        assert!(said.contains("CONNECTED") && said.contains("CANARY-body") && said.contains("ERROR"), "{said}");
    }
    let stats = realtime.stats();
    server.stop().finish();

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for line in
        ["session connected", "a frame was refused", "malformed-header", "origin-not-allowed", "https://evil.example"]
    {
        assert!(text.contains(line), "what is harmless is there, {line} too: {text}");
    }
    let refused = &stats.connections.handshakes_refused;
    assert_eq!(
        (refused["origin-not-allowed"], refused["invalid-credentials"], refused["missing-credentials"]),
        (2, 3, 1)
    );
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    for secret in ["CANARY", &signature(&good), &signature(&expired), &good, &expired] {
        let found: Vec<_> = text.lines().filter(|line| line.contains(secret)).collect();
        assert!(found.is_empty(), "{found:#?}");
        assert!(!serde_json::to_string(&stats).unwrap().contains(secret));
    }
}
