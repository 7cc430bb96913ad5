//! LIM: how much is accepted. Other connections never notice.

#[cfg(target_os = "linux")]
use std::io::Write;

use crate::{
    client::{Client, VERSIONS},
    support::Server,
};

/// What the client sends in pieces must end in this error, and somebody else must not notice.
fn is_refused(code: &str, pieces: impl Fn(&mut Client)) {
    let broker = Server::broker(&[]);
    let mut other = Client::session(&broker, "1.2");
    other.subscribe("1", "/topic/a");
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        pieces(&mut client);
        let error = client.expect("ERROR");
        assert_eq!(error.header("code"), Some(code), "{error:?}");
        assert_eq!(client.closed(), 1009);
    }
    other.expect_nothing_before_own("/topic/a");
}

#[test]
fn lim_01_too_many_headers_are_refused() {
    is_refused("too-many-headers", |client| {
        let headers: String = (0..32).map(|number| format!("h{number}:x\n")).collect();
        client.send(&format!("SEND\ndestination:/topic/a\n{headers}\nx"));
    });
}

#[test]
fn lim_01_repeated_headers_count() {
    is_refused("too-many-headers", |client| {
        client.send(&format!("SEND\ndestination:/topic/a\n{}\nx", "h:x\n".repeat(32)));
    });
}

#[test]
fn lim_02_a_header_that_is_too_long_is_refused() {
    is_refused("header-too-long", |client| {
        client.send(&format!("SEND\ndestination:/topic/a\nlong:{}\n\nx", "x".repeat(1024)));
    });
    is_refused("header-too-long", |client| {
        client.send(&format!("SEND\ndestination:/topic/a\n{}:x\n\nx", "x".repeat(1024)));
    });
}

#[test]
fn lim_02_a_head_that_is_too_large_is_refused() {
    is_refused("head-too-large", |client| {
        let headers: String = (0..10).map(|number| format!("h{number}:{}\n", "x".repeat(1000))).collect();
        client.send(&format!("SEND\ndestination:/topic/a\n{headers}\nx"));
    });
}

#[test]
fn lim_03_a_line_that_never_ends_is_refused() {
    is_refused("header-too-long", |client| {
        client.text("SEND\ndestination:/topic/a\nlong:");
        for _ in 0..11 {
            client.text(&"x".repeat(100));
        }
    });
}

#[test]
fn lim_04_a_body_that_is_too_large_is_refused() {
    is_refused("body-too-large", |client| {
        client.send(&format!("SEND\ndestination:/topic/a\n\n{}", "x".repeat(65_537)));
    });
}

#[test]
fn lim_05_also_without_a_count_and_in_many_pieces() {
    is_refused("body-too-large", |client| {
        client.text("SEND\ndestination:/topic/a\n\n");
        for _ in 0..65 {
            client.text(&"x".repeat(1024));
        }
    });
}

#[test]
fn lim_06_what_is_just_inside_passes() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::session(&broker, version);
        client.subscribe("1", "/topic/a");
        let body = "x".repeat(65_536);
        client.send(&format!("SEND\ndestination:/topic/a\n\n{body}"));
        client.expect_text(&body);
        client.send(&format!("SEND\ndestination:/topic/a\nlong:{}\n\nlong", "x".repeat(1020)));
        assert_eq!(client.expect_text("long").header("long").map(str::len), Some(1020));
        let headers: String = (0..31).map(|number| format!("h{number}:x\n")).collect();
        client.send(&format!("SEND\ndestination:/topic/a\n{headers}\nmany"));
        client.expect_text("many");
    }
}

#[test]
fn the_frame_before_connect_has_a_smaller_limit() {
    let broker = Server::broker(&[]);
    let mut client = Client::open(&broker);
    client.text("CONNECT\naccept-version:1.2\n\n");
    for _ in 0..9 {
        client.text(&"x".repeat(1024));
    }
    let error = client.expect("ERROR");
    assert_eq!(error.header("code"), Some("frame-too-large"));
    assert_eq!(client.closed(), 1009);
}

#[test]
fn a_websocket_message_is_bounded_at_one_mib_and_not_one_octet_beyond() {
    const LIMIT: usize = 1024 * 1024;
    let broker = Server::broker(&[]);
    let mut client = Client::session(&broker, "1.2");
    client.text(&"\n".repeat(LIMIT));
    client.subscribe("1", "/topic/a");
    client.text(&"\n".repeat(LIMIT + 1));
    assert_eq!(client.closed(), 1009);
}

/// LIM-03 for what comes after the end: the server still reads then, so that its close frame is not lost to a reset.
#[test]
#[cfg(target_os = "linux")]
fn what_a_broken_connection_goes_on_sending_is_not_kept() {
    const SENT_MIB: u64 = 128;
    let broker = Server::broker(&[]);
    let mut client = Client::open(&broker);
    client.fragment(b"\xFF", true, true);
    let before = broker.resident_kib();
    let mut stream = client.into_stream();
    // A server that ends the connection meanwhile keeps nothing either.
    for _ in 0..SENT_MIB {
        if stream.write_all(&[0; 1 << 20]).is_err() {
            break;
        }
    }
    let grown = broker.resident_kib().saturating_sub(before);
    assert!(grown < SENT_MIB * 1024 / 8, "{grown} KiB more");
}
