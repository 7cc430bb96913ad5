//! Chapter LIM: each limit at its value and one beyond, and that memory stays bounded.

mod support;

use bytes::Bytes;
use parlor_stomp::{Decoder, Limits, Request, ServerConfig, ServerSession, Version};
use support::{VERSIONS, connected_with, decode, fault, feed, fresh};

/// The code, and whether it is one of size, of the fault that octets draw under these limits; none if they pass.
fn outcome(version: Version, limits: &Limits, octets: impl AsRef<[u8]>) -> Option<(String, bool)> {
    let mut requests = feed(&mut connected_with(version, limits.clone()), octets);
    match requests.pop() {
        Some(Request::Fault(fault)) => Some((fault.code.into_owned(), fault.too_large)),
        Some(_) => None,
        None => panic!("the octets make no request"),
    }
}

fn too_large(code: &str) -> Option<(String, bool)> {
    Some((code.to_owned(), true))
}

#[test]
fn the_defaults_are_those_that_are_documented() {
    let limits = Limits::default();
    assert_eq!((limits.max_body_bytes, limits.max_connect_bytes, limits.max_head_bytes), (65_536, 8_192, 8_192));
    assert_eq!((limits.max_header_bytes, limits.max_headers), (1_024, 32));
}

/// LIM-01.
#[test]
fn headers_are_counted() {
    for version in VERSIONS {
        for (limits, max) in [(Limits::default(), 32), (Limits::default().max_headers(3), 3)] {
            let send = |more: usize| format!("SEND\ndestination:/topic/a\n{}\nx\0", "a:b\n".repeat(more));
            assert_eq!(outcome(version, &limits, send(max - 1)), None);
            assert_eq!(outcome(version, &limits, send(max)), too_large("too-many-headers"));
        }
    }
}

/// LIM-02: name and value count, as they are sent, and the colon does not.
#[test]
fn a_header_line_is_bounded() {
    let limits = Limits::default().max_header_bytes(40);
    for version in VERSIONS {
        let send = |value: usize| format!("SEND\ndestination:/topic/a\nname:{}\n\nx\0", "v".repeat(value));
        assert_eq!(outcome(version, &limits, send(36)), None);
        for value in [37, 38, 39, 40, 1000] {
            assert_eq!(outcome(version, &limits, send(value)), too_large("header-too-long"));
        }
    }
    let cr_lf = |value: usize| format!("SEND\ndestination:/topic/a\r\nname:{}\r\n\r\nx\0", "v".repeat(value));
    assert_eq!(outcome(Version::V1_2, &limits, cr_lf(36)), None);
    assert_eq!(outcome(Version::V1_2, &limits, cr_lf(37)), too_large("header-too-long"));
    let escaped = |pairs: usize| format!("SEND\ndestination:/topic/a\nname:{}\n\nx\0", "\\c".repeat(pairs));
    assert_eq!(outcome(Version::V1_2, &limits, escaped(18)), None);
    assert_eq!(outcome(Version::V1_2, &limits, escaped(19)), too_large("header-too-long"));
}

/// LIM-02: the default of 1 KiB.
#[test]
fn a_header_line_of_1_kib_passes_by_default() {
    let send = |value: usize| format!("SEND\ndestination:/topic/a\nname:{}\n\nx\0", "v".repeat(value));
    assert_eq!(outcome(Version::V1_2, &Limits::default(), send(1020)), None);
    assert_eq!(outcome(Version::V1_2, &Limits::default(), send(1021)), too_large("header-too-long"));
}

#[test]
fn command_and_headers_are_bounded_in_all() {
    for version in VERSIONS {
        let send = |value: usize| format!("SEND\ndestination:/topic/a\nname:{}\n\nx\0", "v".repeat(value));
        let head = send(10).len() - "x\0".len();
        assert_eq!(outcome(version, &Limits::default().max_head_bytes(head), send(10)), None);
        assert_eq!(outcome(version, &Limits::default().max_head_bytes(head), send(11)), too_large("head-too-large"));
    }
    let send = |octets: usize| {
        let line = format!("n:{}\n", "v".repeat(997));
        format!("SEND\ndestination:/topic/a\n{}n:{}\n\nx\0", line.repeat(8), "v".repeat(octets))
    };
    let rest = 8_192 - (send(0).len() - "x\0".len());
    assert_eq!(outcome(Version::V1_2, &Limits::default(), send(rest)), None);
    assert_eq!(outcome(Version::V1_2, &Limits::default(), send(rest + 1)), too_large("head-too-large"));
}

/// LIM-03: the fault comes with the first octet too many.
#[test]
fn a_line_that_never_ends_is_refused_at_its_limit() {
    let limits = Limits::default().max_header_bytes(100);
    for version in VERSIONS {
        let mut session = connected_with(version, limits.clone());
        assert!(feed(&mut session, "SEND\n").is_empty());
        for octet in 0..102 {
            assert!(feed(&mut session, "v").is_empty(), "octet {octet}");
        }
        assert_eq!(fault(&mut session, "v").code, "header-too-long");
        let mut session = connected_with(version, limits.clone());
        assert_eq!(fault(&mut session, "COMMANDMENT".repeat(1000)).code, "unknown-command");
    }
}

/// LIM-03: headers that never end.
#[test]
fn headers_that_never_end_are_refused_at_their_limit() {
    let limits = Limits::default().max_headers(usize::MAX);
    let mut session = connected_with(Version::V1_2, limits);
    let mut octets = feed(&mut session, "SEND\n").len() + "SEND\n".len();
    while octets + 4 <= 8_192 {
        assert!(feed(&mut session, "a:b\n").is_empty());
        octets += 4;
    }
    assert_eq!(fault(&mut session, "a:b\n").code, "head-too-large");
}

/// LIM-04, LIM-06: with `content-length` and without.
#[test]
fn a_body_is_bounded() {
    for version in VERSIONS {
        for (limits, max) in [(Limits::default(), 65_536), (Limits::default().max_body_bytes(10), 10)] {
            let counted = |octets: usize| {
                format!("SEND\ndestination:/topic/a\ncontent-length:{octets}\n\n{}\0", "x".repeat(octets))
            };
            let uncounted = |octets: usize| format!("SEND\ndestination:/topic/a\n\n{}\0", "x".repeat(octets));
            assert_eq!(outcome(version, &limits, counted(max)), None);
            assert_eq!(outcome(version, &limits, counted(max + 1)), too_large("body-too-large"));
            assert_eq!(outcome(version, &limits, uncounted(max)), None);
            assert_eq!(outcome(version, &limits, uncounted(max + 1)), too_large("body-too-large"));
        }
    }
}

/// LIM-05: the fault comes with the first octet too many.
#[test]
fn a_body_in_many_pieces_is_bounded_without_content_length() {
    for version in VERSIONS {
        let mut session = connected_with(version, Limits::default().max_body_bytes(10));
        assert!(feed(&mut session, "SEND\ndestination:/topic/a\n\n").is_empty());
        for octet in 0..10 {
            assert!(feed(&mut session, "x").is_empty(), "octet {octet}");
        }
        assert_eq!(fault(&mut session, "x").code, "body-too-large");
    }
}

/// LIM-04: the body of any frame, as it has to be read.
#[test]
fn the_body_of_any_frame_is_bounded() {
    let octets = format!("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n{}\0", "x".repeat(11));
    assert_eq!(outcome(Version::V1_2, &Limits::default().max_body_bytes(10), octets), too_large("body-too-large"));
}

#[test]
fn before_connect_a_whole_frame_is_bounded() {
    let connect = |octets: usize| {
        let head = "CONNECT\naccept-version:1.2\n\n";
        format!("{head}{}\0", "x".repeat(octets - head.len()))
    };
    assert!(matches!(&feed(&mut fresh(), connect(8_192))[..], [Request::Connect(_)]));
    let refused = fault(&mut fresh(), connect(8_193));
    assert_eq!((&refused.code[..], refused.too_large), ("frame-too-large", true));
}

#[test]
fn before_connect_a_counted_body_is_refused_when_its_header_is_read() {
    assert_eq!(fault(&mut fresh(), "CONNECT\ncontent-length:8193\n").code, "frame-too-large");
    assert_eq!(fault(&mut fresh(), "CONNECT\ncontent-length:8192\n\n").code, "frame-too-large");
    assert_eq!(fault(&mut fresh(), "SEND\ncontent-length:8193\n").code, "frame-too-large");
}

#[test]
fn before_connect_the_headers_are_bounded_by_the_smaller_limit() {
    let limits = Limits::default().max_connect_bytes(60);
    let connect = |value: usize| format!("CONNECT\naccept-version:1.2\nhost:{}\n\n\0", "h".repeat(value));
    let exact = 60 - (connect(0).len() - 1);
    for (value, passes) in [(exact, true), (exact + 1, false), (1000, false)] {
        let mut session = ServerSession::new(ServerConfig::default().limits(limits.clone()));
        let requests = feed(&mut session, connect(value));
        assert_eq!(matches!(&requests[..], [Request::Connect(_)]), passes, "{requests:?}");
    }
}

/// The smaller limit is for strangers: it does not hold once CONNECT was accepted.
#[test]
fn after_connect_the_full_limits_hold() {
    let limits = Limits::default().max_connect_bytes(60);
    let octets = format!("SEND\ndestination:/topic/a\nname:{}\n\n{}\0", "v".repeat(900), "x".repeat(60_000));
    assert_eq!(outcome(Version::V1_2, &limits, octets), None);
}

/// Beats are no frames: any number of them may come, before CONNECT too.
#[test]
fn line_ends_between_frames_count_for_no_limit() {
    let mut session = fresh();
    for _ in 0..100 {
        assert!(feed(&mut session, "\n".repeat(1_000)).is_empty());
    }
    assert!(matches!(&feed(&mut session, "CONNECT\n\n\0")[..], [Request::Connect(_)]));
    assert!(feed(&mut session, "\r\n".repeat(10_000)).is_empty());
}

/// Limits are for one frame, not for all of them.
#[test]
fn limits_start_anew_with_every_frame() {
    let limits = Limits::default().max_headers(2).max_head_bytes(40).max_body_bytes(4);
    let octets = "SEND\ndestination:/topic/a\na:b\n\nbody\0".repeat(50);
    assert_eq!(feed(&mut connected_with(Version::V1_2, limits), octets).len(), 50);
}

/// The octets behind a fault are dropped, not kept.
#[test]
fn nothing_is_kept_after_a_fault() {
    let mut decoder = Decoder::new(Limits::default());
    decoder.push(Bytes::from_static(b"NONSENSE\n"));
    assert!(decoder.decode().is_err());
    let piece = Bytes::from(vec![b'x'; 1024]);
    decoder.push(piece.clone());
    assert!(piece.is_unique(), "the decoder let go of it");
    assert_eq!(decoder.decode(), Ok(None));
}

/// The octets behind DISCONNECT too.
#[test]
fn nothing_is_kept_after_disconnect() {
    let mut session = connected_with(Version::V1_2, Limits::default());
    assert_eq!(feed(&mut session, "DISCONNECT\n\n\0").len(), 1);
    let piece = Bytes::from(vec![b'x'; 1024]);
    session.handle_input(piece.clone());
    assert!(piece.is_unique(), "the session let go of it");
}

#[test]
fn without_limits_everything_passes() {
    let octets = format!("SEND\n{}\n{}\0", "name:value\n".repeat(5_000), "x".repeat(300_000));
    let (frames, fault) = decode(None, &Limits::unlimited(), [octets.as_bytes()]);
    assert_eq!((frames.len(), fault), (1, None));
    assert_eq!((frames[0].headers.len(), frames[0].body.len()), (5_000, 300_000));
}
