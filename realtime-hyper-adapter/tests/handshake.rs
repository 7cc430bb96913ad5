//! The opening handshake over real sockets: what is accepted, and each refusal with its status, code and headers.

mod support;

use parlor_core::{
    Config,
    auth::{Anonymous, AuthError, Handshake, JwtVerifier, Nobody, Principal},
};
use parlor_hyper::WebSocketService;
use support::{ORIGIN, Server, authenticated_by, endpoint, handshake_text, open_endpoint, read_text};
use tungstenite::Message;

fn server() -> Server {
    let realtime = open_endpoint();
    Server::start(&realtime, WebSocketService::new(&realtime))
}

#[test]
fn a_client_upgrades_and_its_connect_is_answered() {
    let mut client = server_client(&[("sec-websocket-protocol", "v12.stomp")]);
    client.0.send(Message::text("CONNECT\naccept-version:1.2\nhost:x\n\n\0")).unwrap();
    let connected = read_text(&mut client.0);
    assert!(connected.starts_with("CONNECTED\n") && connected.contains("\nversion:1.2\n"), "{connected:?}");
}

fn server_client(headers: &[(&'static str, &str)]) -> (tungstenite::WebSocket<std::net::TcpStream>, Server) {
    let server = server();
    (server.connect(headers), server)
}

#[test]
fn octets_behind_the_handshake_in_one_packet_are_not_lost() {
    use std::io::{Read, Write};
    let server = server();
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut octets = handshake_text("GET", "HTTP/1.1", &[]).into_bytes();
    // A masked ping with the payload "hi" (RFC 6455 section 5.5.2) and a mask of zeros.
    octets.extend_from_slice(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i']);
    stream.write_all(&octets).unwrap();
    let mut received = Vec::new();
    while !received.ends_with(&[0x8A, 2, b'h', b'i']) {
        let mut octet = [0];
        stream.read_exact(&mut octet).expect("a pong of the same payload");
        received.push(octet[0]);
    }
    assert!(received.starts_with(b"HTTP/1.1 101 "));
}

#[test]
fn the_key_is_answered_as_in_rfc_6455_section_1_3() {
    let answer = server().handshake(&[]);
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(answer.header("upgrade"), Some("websocket"));
}

#[test]
fn ws_01_to_ws_03_the_newest_offered_subprotocol_is_chosen_and_none_is_invented() {
    let server = server();
    for (offer, chosen) in [
        ("v10.stomp, v11.stomp, v12.stomp", Some("v12.stomp")),
        ("v12.stomp,v11.stomp", Some("v12.stomp")),
        ("v11.stomp, v10.stomp", Some("v11.stomp")),
        ("v10.stomp", Some("v10.stomp")),
        ("chat, v11.stomp", Some("v11.stomp")),
        ("", None),
    ] {
        let answer = server.handshake(&[("Sec-WebSocket-Protocol", offer)]);
        assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, chosen), "{offer:?}");
    }
    let two_lines = [("Sec-WebSocket-Protocol", "v10.stomp"), ("Sec-WebSocket-Protocol", "v12.stomp")];
    assert_eq!(server.handshake(&two_lines).header("sec-websocket-protocol"), Some("v12.stomp"));
    for offer in ["chat", "v13.stomp", "V12.STOMP", "chat, soap"] {
        let answer = server.handshake(&[("Sec-WebSocket-Protocol", offer)]);
        assert_eq!((answer.status, answer.code().as_str()), (400, "subprotocol-not-supported"), "{offer:?}");
    }
}

#[test]
fn ws_04_another_websocket_version_is_refused_with_the_one_that_is_spoken() {
    for version in ["8", "12", "14", "013", ""] {
        let answer = server().handshake(&[("Sec-WebSocket-Version", version)]);
        assert_eq!((answer.status, answer.code().as_str()), (426, "websocket-version-not-supported"), "{version:?}");
        assert_eq!(answer.header("sec-websocket-version"), Some("13"));
        assert_eq!(answer.header("upgrade"), Some("websocket"), "RFC 9110 section 15.5.22 demands it with 426");
    }
}

#[test]
fn ws_16_an_offered_extension_does_no_harm_and_is_not_answered() {
    let answer = server().handshake(&[("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]);
    assert_eq!((answer.status, answer.header("sec-websocket-extensions")), (101, None));
}

#[test]
fn what_is_no_websocket_handshake_is_refused() {
    let server = server();
    for (name, value, status, code) in [
        ("Upgrade", "", 426, "upgrade-required"),
        ("Upgrade", "h2c", 426, "upgrade-required"),
        ("Connection", "", 400, "bad-handshake"),
        ("Connection", "keep-alive", 400, "bad-handshake"),
        ("Sec-WebSocket-Key", "", 400, "bad-handshake"),
        ("Sec-WebSocket-Key", "not base64!", 400, "bad-handshake"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZQ==", 400, "bad-handshake"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZSB0b28=", 400, "bad-handshake"),
    ] {
        let answer = server.handshake(&[(name, value)]);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{name}: {value}");
    }
    // Browsers and proxies write these in several ways.
    for (name, value) in [("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket")] {
        assert_eq!(server.handshake(&[(name, value)]).status, 101, "{name}: {value}");
    }
}

#[test]
fn a_repeated_key_or_version_is_refused() {
    let server = server();
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let answer = server.handshake(&[("Sec-WebSocket-Key", key), ("Sec-WebSocket-Key", key)]);
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad-handshake"));
    let answer = server.handshake(&[("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Version", "13")]);
    assert_eq!((answer.status, answer.code().as_str()), (426, "websocket-version-not-supported"));
}

#[test]
fn another_method_or_http_1_0_is_refused() {
    let server = server();
    let answer = server.raw(&handshake_text("POST", "HTTP/1.1", &[("Content-Length", "0")]));
    assert_eq!(
        (answer.status, answer.code().as_str(), answer.header("allow")),
        (405, "method-not-allowed", Some("GET"))
    );
    // RFC 6455 section 4.1: at least HTTP/1.1. Older requests cannot be upgraded.
    let answer = server.raw(&handshake_text("GET", "HTTP/1.0", &[]));
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad-handshake"));
}

#[test]
fn rule_23_the_origin_is_judged_before_the_upgrade() {
    let server = server();
    for (origin, cookie, status) in [
        ("", "", 101),
        ("", "token=x", 403),
        (ORIGIN, "", 101),
        (ORIGIN, "token=x", 101),
        ("https://app.example:443", "token=x", 101),
        ("https://evil.example", "", 403),
        ("https://evil.example", "token=x", 403),
        ("http://app.example", "token=x", 403),
        ("https://app.example:8443", "token=x", 403),
        ("https://app.example.", "token=x", 403),
        ("https://app.example.evil.example", "token=x", 403),
        ("https://evilapp.example", "token=x", 403),
        ("https://user@app.example", "token=x", 403),
        ("null", "token=x", 403),
    ] {
        let answer = server.handshake(&[("Origin", origin), ("Cookie", cookie)]);
        assert_eq!(answer.status, status, "origin {origin:?}, cookie {cookie:?}");
        if status == 403 {
            assert_eq!(answer.code(), "origin-not-allowed");
        }
    }
    let two = server.handshake(&[("Origin", ORIGIN), ("Origin", ORIGIN)]);
    assert_eq!(two.status, 403, "two Origin headers");
}

#[test]
fn rule_23_an_origin_equal_to_the_host_is_not_enough() {
    let answer = server().handshake(&[("Host", "evil.example"), ("Origin", "http://evil.example")]);
    assert_eq!((answer.status, answer.code().as_str()), (403, "origin-not-allowed"));
}

#[test]
fn a_foreign_origin_is_refused_before_the_authenticator_is_asked() {
    let realtime = authenticated_by(|_: Handshake<'_>| -> Result<Principal, AuthError> { panic!("nobody may ask") });
    let server = Server::start(&realtime, WebSocketService::new(&realtime));
    assert_eq!(server.handshake(&[("Origin", "https://evil.example")]).status, 403);
}

#[test]
fn an_authenticators_answer_is_the_status_of_the_refusal() {
    for (error, status, code, header) in [
        (AuthError::Missing, 401, "missing-credentials", ("www-authenticate", "Bearer")),
        (AuthError::Invalid, 401, "invalid-credentials", ("www-authenticate", "Bearer")),
        (AuthError::Forbidden, 403, "forbidden", ("content-type", "application/json")),
        (AuthError::Unavailable, 503, "unavailable", ("retry-after", "5")),
    ] {
        let realtime = authenticated_by(move |_: Handshake<'_>| Err(error));
        let answer = Server::start(&realtime, WebSocketService::new(&realtime)).handshake(&[]);
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
        assert_eq!(answer.header(header.0), Some(header.1), "{code}");
    }
}

#[test]
fn a_full_endpoint_refuses_one_more_and_takes_it_when_there_is_room() {
    let realtime = endpoint().authenticate(Anonymous).config(Config::default().max_connections(1)).build().unwrap();
    let server = Server::start(&realtime, WebSocketService::new(&realtime));
    let first = server.connect(&[]);
    let answer = server.handshake(&[]);
    assert_eq!((answer.status, answer.code().as_str(), answer.header("retry-after")), (503, "full", Some("5")));
    drop(first);
    // The server has noticed when an admission can be had again.
    let is_free = (0..10_000_000).any(|_| {
        std::thread::yield_now();
        realtime.admit(None).is_ok()
    });
    assert!(is_free);
    assert_eq!(server.handshake(&[]).status, 101);
}

#[test]
fn the_authenticator_sees_headers_query_and_peer() {
    let (sender, seen) = std::sync::mpsc::channel();
    let realtime = authenticated_by(move |handshake: Handshake<'_>| {
        let header = handshake.headers()["x-room"].to_str().unwrap().to_owned();
        let _ = sender.send((header, handshake.uri().path().to_owned(), handshake.peer()));
        Ok(Principal::anonymous())
    });
    let server = Server::start(&realtime, WebSocketService::new(&realtime));
    assert_eq!(server.handshake(&[("X-Room", "7")]).status, 101);
    let (header, path, peer) = seen.recv().unwrap();
    assert_eq!((header.as_str(), path.as_str()), ("7", "/ws"));
    assert!(peer.unwrap().ip().is_loopback());
}

#[test]
fn an_endpoint_of_nobody_lets_nobody_in() {
    let realtime = authenticated_by(Nobody);
    let answer = Server::start(&realtime, WebSocketService::new(&realtime)).handshake(&[]);
    assert_eq!((answer.status, answer.code().as_str()), (401, "missing-credentials"));
}

#[test]
fn a_refusal_does_not_repeat_the_credentials() {
    let realtime = authenticated_by(JwtVerifier::hs256(support::SECRET).unwrap().bearer());
    let server = Server::start(&realtime, WebSocketService::new(&realtime));
    let answer = server.handshake(&[("Authorization", "Bearer CANARY-1234")]);
    assert_eq!(answer.status, 401);
    assert!(!format!("{answer:?}").contains("CANARY"));
}
