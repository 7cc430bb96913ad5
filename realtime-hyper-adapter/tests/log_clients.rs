//! The log names clients, not the proxy that stands in front of them.
//!
//! In a test program of its own, because the subscriber is that of the whole process.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use parlor_core::{Config, auth::Anonymous, limits::TrustedProxies};
use parlor_hyper::WebSocketService;
use support::{Server, endpoint, read_text};
use tungstenite::Message;

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

impl Log {
    /// The first line with that text.
    fn line(&self, with: &str) -> String {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().find(|line| line.contains(with)).unwrap_or_else(|| panic!("no line has {with}: {text}")).to_owned()
    }

    fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

fn server(proxies: &[&str]) -> Server {
    let config = Config::development().trusted_proxies(TrustedProxies::new(proxies).unwrap());
    let realtime = endpoint().config(config).authenticate(Anonymous).build().unwrap();
    Server::start(&realtime, WebSocketService::new(&realtime))
}

/// A session and a refused handshake, and the lines about them.
fn lines(log: &Log, server: &Server) -> [String; 2] {
    log.clear();
    let forwarded = ("x-forwarded-for", "192.0.2.66, 203.0.113.7");
    let mut client = server.connect(&[forwarded]);
    client.send(Message::text("CONNECT\naccept-version:1.2\n\n\0")).unwrap();
    assert!(read_text(&mut client).starts_with("CONNECTED\n"));
    assert_eq!(server.handshake(&[forwarded, ("Origin", "https://evil.example")]).status, 403);
    [log.line("session connected"), log.line("a handshake was refused")]
}

#[test]
fn behind_a_trusted_proxy_sessions_and_refusals_are_logged_with_the_clients_address() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
    for line in lines(&log, &server(&["127.0.0.0/8"])) {
        assert!(line.contains("peer=203.0.113.7") && !line.contains("203.0.113.7:"), "{line}");
        assert!(!line.contains("127.0.0.1"), "{line}");
    }
    // Whoever is not trusted is the client itself, with its port.
    for line in lines(&log, &server(&[])) {
        assert!(line.contains("peer=127.0.0.1:") && !line.contains("203.0.113.7"), "{line}");
    }
}
