//! Chapter FRM: the syntax of frames, and WS-06 to WS-08: frames in any pieces.

mod support;

use bytes::Bytes;
use parlor_stomp::{Command, Decoder, Limits, Request, Version};
use support::{FROM_1_1, VERSIONS, code, connected, decode, fault, feed, fresh, send, subscribe};

/// FRM-01.
#[test]
fn lines_of_1_2_end_in_lf_or_cr_lf_and_the_cr_is_no_part_of_them() {
    let send = send(Version::V1_2, "SEND\r\ndestination:/topic/a\nname:value\r\n\r\n\r\nbody\r\n\0");
    assert_eq!((&send.destination[..], send.headers.get("name")), ("/topic/a", Some("value")));
    assert_eq!(&send.body[..], b"\r\nbody\r\n");
}

/// FRM-01: in 1.0 and 1.1 a CR belongs to the value.
#[test]
fn lines_before_1_2_end_in_lf_only() {
    for version in [Version::V1_0, Version::V1_1] {
        let send = send(version, "SEND\ndestination:/topic/a\nname:value\r\n\nx\0");
        assert_eq!(send.headers.get("name"), Some("value\r"));
        assert_eq!(code(version, "SEND\r\ndestination:/topic/a\n\nx\0"), "unknown-command");
        assert_eq!(code(version, "SEND\ndestination:/topic/a\n\r\nx\0"), "malformed-header");
    }
}

/// S-02.
#[test]
fn a_bare_cr_in_a_line_of_1_2_is_a_fault() {
    assert_eq!(code(Version::V1_2, "SEND\ndestination:/topic\r/a\n\nx\0"), "malformed-header");
    assert_eq!(code(Version::V1_2, "SEND\ndestination:/topic/a\r\r\n\nx\0"), "malformed-header");
    assert_eq!(code(Version::V1_2, "SEND\r\r\ndestination:/topic/a\n\nx\0"), "unknown-command");
}

/// FRM-02.
#[test]
fn line_ends_after_a_frame_are_skipped() {
    for version in VERSIONS {
        let mut session = connected(version);
        let octets = "\n\n\nSEND\ndestination:/topic/a\n\n1\0\n\r\n\n\nSEND\ndestination:/topic/a\n\n2\0\n";
        assert_eq!(feed(&mut session, octets).len(), 2);
        assert!(!session.is_mid_frame());
    }
}

/// FRM-03, FRM-10.
#[test]
fn commands_are_case_sensitive_and_unknown_ones_are_faults() {
    for version in VERSIONS {
        for command in ["send", "Send", "SENDS", "SEN", "HELLO", " SEND", "SEND "] {
            assert_eq!(code(version, format!("{command}\ndestination:/topic/a\n\nx\0")), "unknown-command");
        }
    }
}

/// FRM-04.
#[test]
fn header_names_are_case_sensitive() {
    let send = send(Version::V1_2, "SEND\ndestination:/topic/a\nFoo:1\nfoo:2\n\nx\0");
    assert_eq!(
        (send.headers.get("Foo"), send.headers.get("foo"), send.headers.get("FOO")),
        (Some("1"), Some("2"), None)
    );
    assert_eq!(code(Version::V1_2, "SEND\nDestination:/topic/a\n\nx\0"), "missing-header");
}

/// FRM-05.
#[test]
fn a_header_without_a_colon_is_a_fault() {
    for version in VERSIONS {
        assert_eq!(code(version, "SEND\ndestination:/topic/a\nnonsense\n\nx\0"), "malformed-header");
    }
}

/// FRM-06.
#[test]
fn an_empty_header_value_is_legal() {
    for version in VERSIONS {
        assert_eq!(send(version, "SEND\ndestination:/topic/a\nempty:\n\nx\0").headers.get("empty"), Some(""));
    }
}

/// FRM-07.
#[test]
fn an_empty_header_name_is_a_fault() {
    for version in VERSIONS {
        assert_eq!(code(version, "SEND\ndestination:/topic/a\n:value\n\nx\0"), "malformed-header");
    }
}

/// FRM-08.
#[test]
fn an_unescaped_colon_belongs_to_the_value() {
    for version in VERSIONS {
        let send = send(version, "SEND\ndestination:/topic/a\nurl:http://h:80/\n\nx\0");
        assert_eq!(send.headers.get("url"), Some("http://h:80/"));
    }
}

/// FRM-09.
#[test]
fn an_octet_other_than_nul_behind_a_counted_body_is_a_fault() {
    for version in VERSIONS {
        assert_eq!(code(version, "SEND\ndestination:/topic/a\ncontent-length:3\n\nabcd\0"), "malformed-frame");
    }
}

/// FRM-11.
#[test]
fn commands_of_servers_are_faults() {
    for version in VERSIONS {
        for command in ["CONNECTED", "ERROR", "MESSAGE", "RECEIPT"] {
            assert_eq!(code(version, format!("{command}\nmessage-id:1\n\n\0")), "server-command");
        }
    }
}

/// FRM-12.
#[test]
fn nothing_is_done_with_a_frame_before_its_nul() {
    for version in VERSIONS {
        let mut session = connected(version);
        assert!(feed(&mut session, "SEND\ndestination:/topic/a\ncontent-length:4\n\nbody").is_empty());
        assert!(session.is_mid_frame());
        assert_eq!(feed(&mut session, "\0").len(), 1);
        assert!(!session.is_mid_frame());
    }
}

/// FRM-13.
#[test]
fn a_frame_without_headers_is_legal() {
    for version in VERSIONS {
        let requests = feed(&mut connected(version), "DISCONNECT\n\n\0");
        assert!(matches!(&requests[..], [Request::Disconnect(disconnect)] if disconnect.receipt.is_none()));
    }
}

/// FRM-14, here: garbage is a fault at its first impossible octet, with nothing to wait for.
#[test]
fn garbage_is_refused_as_soon_as_it_cannot_become_a_frame() {
    for garbage in [&b"\0"[..], b"\xff", b"GET / HTTP/1.1", b"\x16\x03\x01", b"SENX", b"\r\r", b"CONNECT\0"] {
        assert_eq!(fault(&mut fresh(), garbage).code, "unknown-command", "{garbage:?}");
    }
    for version in FROM_1_1 {
        assert_eq!(code(version, "SEND\ndestination:/topic/a\0"), "malformed-frame");
    }
}

/// ENC-16 names the level; the frame is refused whichever line it is in.
#[test]
fn octets_that_are_not_utf_8_are_refused_in_names_and_values() {
    for line in [&b"na\xffme:value"[..], b"name:\xc3", b"name:\xed\xa0\x80"] {
        let octets = [b"SEND\ndestination:/topic/a\n", line, b"\n\nx\0"].concat();
        assert_eq!(code(Version::V1_2, octets), "invalid-utf8");
    }
}

/// WS-06, WS-07, BODY-05: one octet at a time, cuts inside names, escapes, characters and digits included.
#[test]
fn a_frame_may_come_octet_by_octet() {
    let octets = "\nSEND\r\ndestination:/topic/a\\cb\r\nna\\nme:v\u{e4}\u{1f600}lue\r\ncontent-length:7\r\n\r\n\u{1f600}\0\r\n\0\r\n";
    let whole = decode(Some(Version::V1_2), &Limits::default(), [octets.as_bytes()]);
    let (frames, fault) = decode(Some(Version::V1_2), &Limits::default(), octets.as_bytes().chunks(1));
    assert_eq!((&frames, &fault), (&whole.0, &None));
    let [frame] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!(frame.headers.get("na\nme"), Some("v\u{e4}\u{1f600}lue"));
    assert_eq!(&frame.body[..], "\u{1f600}\0\r\n".as_bytes());
}

/// WS-08.
#[test]
fn one_piece_may_hold_frames_line_ends_and_the_start_of_the_next() {
    let mut session = connected(Version::V1_2);
    let first = feed(
        &mut session,
        "SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\0\n\nSEND\ndestination:/topic/a\n\n1\0SEND\ndest",
    );
    assert!(matches!(&first[..], [Request::Subscribe(_), Request::Send(_)]), "{first:?}");
    let second = feed(&mut session, "ination:/topic/b\n\n2\0");
    assert!(matches!(&second[..], [Request::Send(send)] if send.destination == "/topic/b"), "{second:?}");
}

/// WS-17.
#[test]
fn empty_pieces_and_line_ends_alone_are_ignored() {
    let mut session = connected(Version::V1_2);
    for octets in ["", "\n", "\r", "\n", "\n\n\r\n\n"] {
        assert!(feed(&mut session, octets).is_empty());
    }
    assert!(!session.is_mid_frame());
}

/// Pieces may also be handed over before the first is looked at.
#[test]
fn pieces_that_wait_are_read_in_their_order() {
    let mut decoder = Decoder::new(Limits::default());
    for octet in b"SEND\ndestination:/a\n\none\0SEND\ndestination:/b\n\ntwo\0" {
        decoder.push(Bytes::copy_from_slice(&[*octet]));
    }
    let bodies: Vec<_> = std::iter::from_fn(|| decoder.decode().unwrap()).map(|frame| frame.body).collect();
    assert_eq!(bodies, [&b"one"[..], b"two"]);
}

#[test]
fn header_order_and_repeated_headers_are_kept() {
    let subscribe = subscribe(Version::V1_2, "SUBSCRIBE\nb:1\nid:7\ndestination:/topic/a\na:2\nb:3\n\n\0");
    let headers: Vec<_> = subscribe.headers.iter().collect();
    assert_eq!(headers, [("b", "1"), ("id", "7"), ("destination", "/topic/a"), ("a", "2"), ("b", "3")]);
}

#[test]
fn every_command_is_read_back_as_it_is_written() {
    for command in Command::ALL {
        let octets = format!("{command}\n\n\0");
        let (frames, fault) = decode(Some(Version::V1_2), &Limits::default(), [octets.as_bytes()]);
        assert_eq!((frames.len(), fault), (1, None));
        assert_eq!(frames[0].command, *command);
    }
}
