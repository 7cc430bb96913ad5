//! Hostile clients against the production profile (rule 26): each gets its documented code, the server's memory does not
//! grow, and others do not notice.

use crate::{
    client::{Client, Frame, PATIENCE, Received, now},
    support::Server,
};

/// Units of a flood.
const MANY: usize = 100_000;

/// What a flood may add to the server's memory, in KiB: allocators keep what they had once, so not nothing.
#[cfg(target_os = "linux")]
const GROWTH_KIB: u64 = 4 * 1024;

/// A masked frame with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126, "short frames only");
    [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

fn production() -> Server {
    Server::broker(&["--profile", "production"])
}

/// What a client gets that floods the server after CONNECT: the ERROR, if there is one, and the close status. Meanwhile
/// somebody else sends and hears as ever.
fn flooded(flood: &[u8]) -> (Option<Frame>, u16) {
    let broker = production();
    let mut other = Client::session(&broker, "1.2");
    other.subscribe("1", "/topic/a");
    let mut client = Client::session(&broker, "1.2");
    #[cfg(target_os = "linux")]
    let before = broker.resident_kib();
    client.raw(flood);
    other.expect_nothing_before_own("/topic/a");
    let mut error = None;
    let status = loop {
        match client.receive() {
            Received::Frame(frame) => error = Some(frame),
            Received::Closed(status) => break status,
            Received::Beat | Received::Ping | Received::Pong(_) => {}
        }
    };
    #[cfg(target_os = "linux")]
    {
        let grown = broker.resident_kib().saturating_sub(before);
        assert!(grown < GROWTH_KIB, "{grown} KiB more");
    }
    other.expect_nothing_before_own("/topic/a");
    (error, status)
}

fn is_rate_limited(flood: &[u8]) {
    let (error, status) = flooded(flood);
    let error = error.expect("an ERROR");
    assert_eq!((error.header("code"), status), (Some("rate-limited"), 1008), "{error:?}");
    let wait = error.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
    assert!(wait.is_some_and(|wait| (1..=3_600_000).contains(&wait)), "{error:?}");
}

#[test]
fn a_message_of_heart_beats_alone_is_a_flood() {
    let mut message = vec![0x81, 0xFF];
    message.extend_from_slice(&65_536_u64.to_be_bytes());
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&[b'\n'; 65_536]);
    is_rate_limited(&message);
}

#[test]
fn empty_fragments_of_one_message_end_at_their_limit() {
    let flood = [frame(0x01, b"\n"), frame(0x00, b"").repeat(MANY)].concat();
    let (error, status) = flooded(&flood);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(status, 1008);
}

#[test]
fn empty_fragments_over_many_messages_are_a_flood() {
    let message = [frame(0x01, b"\n"), frame(0x00, b"").repeat(60), frame(0x80, b"")].concat();
    is_rate_limited(&message.repeat(MANY / 60));
}

#[test]
fn pings_pongs_and_empty_messages_are_floods() {
    for first in [0x89, 0x8A, 0x81, 0x82] {
        is_rate_limited(&frame(first, b"").repeat(MANY));
    }
    // Less than the 4 MiB that a client is read for after its farewell.
    is_rate_limited(&frame(0x89, &[b'x'; 125]).repeat(MANY / 10));
}

#[test]
fn frames_beyond_their_rate_are_a_flood() {
    is_rate_limited(&frame(0x81, b"SEND\ndestination:/topic/a/b\n\nx\0").repeat(MANY));
}

#[test]
fn a_header_without_an_end_is_refused_while_it_is_read() {
    let flood = [frame(0x81, b"SEND\ndestination:"), frame(0x81, &[b'x'; 100]).repeat(MANY / 100)].concat();
    let (error, status) = flooded(&flood);
    assert_eq!((error.as_ref().and_then(|error| error.header("code")), status), (Some("header-too-long"), 1009));
}

#[test]
fn headers_without_an_end_are_refused_while_they_are_read() {
    let flood = [frame(0x81, b"SEND\n"), frame(0x81, b"name:value\n").repeat(MANY / 100)].concat();
    let (error, status) = flooded(&flood);
    assert_eq!((error.as_ref().and_then(|error| error.header("code")), status), (Some("too-many-headers"), 1009));
}

#[test]
fn announced_lengths_cost_no_memory() {
    for (length, expected) in [
        (1024 * 1024 + 1, 1009),
        (u64::from(u32::MAX) + 1, 1009),
        (i64::MAX as u64, 1009),
        (1 << 63, 1002),
        (u64::MAX, 1002),
    ] {
        let flood = [&[0x82, 0xFF][..], &length.to_be_bytes(), &[0; 4]].concat();
        let (error, status) = flooded(&flood);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(status, expected, "{length}");
    }
}

#[test]
fn what_is_begun_and_not_completed_ends_in_time() {
    let broker = Server::broker(&["--profile", "production", "--frame-timeout", "500ms"]);
    let mut other = Client::session(&broker, "1.2");
    other.subscribe("1", "/topic/a");
    let cases: [&[u8]; 4] =
        [&[0x81], &[0x01, 0x81, 0, 0, 0, 0, b'\n'], &[0x89, 0x85, 0, 0, 0, 0], &frame(0x81, b"SEND\n")];
    let clients: Vec<Client> = cases
        .into_iter()
        .map(|begun| {
            let mut client = Client::session(&broker, "1.2");
            client.raw(begun);
            client
        })
        .collect();
    for client in clients {
        client.expect_error("frame-timeout");
    }
    other.expect_nothing_before_own("/topic/a");
}

#[test]
fn a_hundred_connections_come_from_one_address_and_not_one_more() {
    let broker = production();
    let mut all: Vec<Client> = (0..100).map(|_| Client::open(&broker)).collect();
    assert_eq!(Client::handshake(&broker, &[]).err(), Some(429));
    // Nobody may choose another address by a header.
    assert_eq!(Client::handshake(&broker, &[("x-forwarded-for", "203.0.113.7")]).err(), Some(429));
    drop(all.pop());
    // The place is free once the server has noticed.
    let end = now() + PATIENCE;
    while Client::handshake(&broker, &[]).is_err() {
        assert!(now() < end, "a place that was given back is free");
    }
}

#[test]
fn behind_a_trusted_proxy_each_client_has_its_own_hundred() {
    let broker = Server::broker(&["--profile", "production", "--trusted-proxy", "127.0.0.1"]);
    let connect = |from: &str| Client::handshake(&broker, &[("x-forwarded-for", from)]).map(|(client, _)| client);
    let all: Vec<Client> = (0..100).map(|_| connect("203.0.113.7").expect("room")).collect();
    assert_eq!(connect("203.0.113.7").err(), Some(429));
    // What the client itself wrote stands left of what the proxy has added.
    assert_eq!(connect("198.51.100.1, 203.0.113.7").err(), Some(429));
    assert!(connect("203.0.113.7, 198.51.100.1").is_ok());
    drop(all);
}

#[test]
fn the_development_profile_lifts_rates_and_caps_by_address() {
    let broker = Server::broker(&[]);
    let all: Vec<Client> = (0..101).map(|_| Client::open(&broker)).collect();
    let mut client = Client::session(&broker, "1.2");
    client.raw(&frame(0x81, b"SEND\ndestination:/topic/a\n\nx\0").repeat(1000));
    client.raw(&frame(0x8A, b"").repeat(1000));
    client.subscribe("1", "/topic/a");
    drop(all);
}
