//! Chapters BODY, REP and SEND: bodies, the headers about them, and repeated headers.

mod support;

use parlor_stomp::{Limits, Request, Version};
use support::{FROM_1_1, VERSIONS, code, connected, connected_with, fault, feed, one, send};

fn counted(body: &[u8]) -> Vec<u8> {
    [format!("SEND\ndestination:/topic/a\ncontent-length:{}\n\n", body.len()).as_bytes(), body, b"\0"].concat()
}

/// BODY-01, BODY-05.
#[test]
fn a_counted_body_has_exactly_that_many_octets_of_any_value() {
    let body: Vec<u8> = (0..=255).chain([0, 0, 0]).collect();
    for version in VERSIONS {
        assert_eq!(&send(version, counted(&body)).body[..], body);
    }
}

/// BODY-02.
#[test]
fn without_content_length_the_first_nul_ends_the_frame() {
    for version in VERSIONS {
        let mut session = connected(version);
        let requests = feed(&mut session, "SEND\ndestination:/topic/a\n\none\0SEND\ndestination:/topic/a\n\ntwo\0");
        let [Request::Send(one), Request::Send(two)] = &requests[..] else { panic!("{requests:?}") };
        assert_eq!((&one.body[..], &two.body[..]), (&b"one"[..], &b"two"[..]));
    }
}

/// BODY-03.
#[test]
fn a_body_may_be_empty() {
    for version in VERSIONS {
        assert!(send(version, "SEND\ndestination:/topic/a\n\n\0").body.is_empty());
        assert!(send(version, "SEND\ndestination:/topic/a\ncontent-length:0\n\n\0").body.is_empty());
    }
}

/// BODY-04.
#[test]
fn content_length_counts_octets_and_not_characters() {
    let send = send(Version::V1_2, "SEND\ndestination:/topic/a\ncontent-length:6\n\n\u{20ac}\u{20ac}\0");
    assert_eq!(&send.body[..], "\u{20ac}\u{20ac}".as_bytes());
    assert_eq!(
        code(Version::V1_2, "SEND\ndestination:/topic/a\ncontent-length:2\n\n\u{20ac}\u{20ac}\0"),
        "malformed-frame"
    );
}

/// BODY-06.
#[test]
fn line_ends_at_the_ends_of_a_body_are_part_of_it() {
    for version in VERSIONS {
        assert_eq!(&send(version, "SEND\ndestination:/topic/a\n\n\n\r\nbody\r\n\n\0").body[..], b"\n\r\nbody\r\n\n");
        assert_eq!(&send(version, counted(b"\n\nbody\n\n")).body[..], b"\n\nbody\n\n");
    }
}

/// BODY-07.
#[test]
fn a_body_of_1_mib_passes_where_the_limit_allows_it() {
    let body = vec![b'x'; 1024 * 1024];
    let mut session = connected_with(Version::V1_2, Limits::default().max_body_bytes(body.len()));
    let request = one(&mut session, counted(&body));
    assert!(matches!(request, Request::Send(send) if send.body.len() == body.len()));
}

/// BODY-08.
#[test]
fn octets_inside_a_counted_body_are_never_read_as_a_frame() {
    let body = b"\0\nSEND\ndestination:/topic/evil\n\nx\0";
    for version in VERSIONS {
        let mut session = connected(version);
        let requests = feed(&mut session, [counted(body), b"DISCONNECT\n\n\0".to_vec()].concat());
        let [Request::Send(send), Request::Disconnect(_)] = &requests[..] else { panic!("{requests:?}") };
        assert_eq!((&send.destination[..], &send.body[..]), ("/topic/a", &body[..]));
    }
}

/// BODY-09.
#[test]
fn content_type_is_handed_on() {
    for version in VERSIONS {
        let send = send(version, "SEND\ndestination:/topic/a\ncontent-type:application/json\n\n{}\0");
        assert_eq!(send.content_type.as_deref(), Some("application/json"));
    }
}

/// BODY-11.
#[test]
fn a_content_length_that_is_no_plain_decimal_number_is_a_fault() {
    for version in VERSIONS {
        for value in ["-1", "+3", "1.5", "3x", "", " 3", "3 ", "0x3", "\u{663}", "1e3", "1_000"] {
            let octets = format!("SEND\ndestination:/topic/a\ncontent-length:{value}\n\nabc\0");
            assert_eq!(code(version, octets), "bad-content-length", "{value:?}");
        }
    }
}

/// BODY-12: the fault comes with the header's line end, not with the octets.
#[test]
fn a_content_length_over_the_limit_is_refused_when_the_header_is_read() {
    for version in VERSIONS {
        for value in ["65537", "18446744073709551615", "18446744073709551616", &"9".repeat(100)] {
            let octets = format!("SEND\nreceipt:r\ncontent-length:{value}\n");
            let fault = fault(&mut connected(version), octets);
            assert_eq!((&fault.code[..], fault.too_large), ("body-too-large", true));
            assert_eq!(fault.receipt.as_deref(), Some("r"));
        }
    }
}

/// BODY-13.
#[test]
fn content_length_0_is_legal_on_any_frame() {
    for version in FROM_1_1 {
        let requests = feed(
            &mut connected(version),
            "SUBSCRIBE\nid:1\ndestination:/topic/a\ncontent-length:0\n\n\0\
             UNSUBSCRIBE\nid:1\ncontent-length:0\n\n\0DISCONNECT\ncontent-length:0\n\n\0",
        );
        let [Request::Subscribe(_), Request::Unsubscribe(_), Request::Disconnect(_)] = &requests[..] else {
            panic!("{requests:?}")
        };
    }
}

/// BODY-14: ours is to ignore it; the stream stays in step.
#[test]
fn a_body_of_another_frame_than_send_is_ignored() {
    for version in VERSIONS {
        let requests = feed(
            &mut connected(version),
            "SUBSCRIBE\nid:1\ndestination:/topic/a\n\nbody\0BEGIN\ntransaction:t\ncontent-length:3\n\n\0\0\0\0\
             DISCONNECT\n\n\0",
        );
        let [Request::Subscribe(_), Request::Begin(_), Request::Disconnect(_)] = &requests[..] else {
            panic!("{requests:?}")
        };
    }
}

/// REP-01 to REP-04.
#[test]
fn the_first_of_repeated_headers_counts() {
    for version in VERSIONS {
        let send = send(
            version,
            "SEND\ndestination:/topic/a\ndestination:/topic/b\ncontent-length:3\ncontent-length:nonsense\n\
             receipt:1\nreceipt:2\nname:one\nname:two\n\na\0c\0",
        );
        assert_eq!((&send.destination[..], &send.body[..]), ("/topic/a", &b"a\0c"[..]));
        assert_eq!(send.receipt.as_deref(), Some("1"));
        assert_eq!(send.headers.get("name"), Some("one"));
        assert_eq!(send.headers.iter().filter(|(name, _)| *name == "name").count(), 2);
    }
}

/// SEND-01.
#[test]
fn send_without_a_destination_is_a_fault() {
    for version in VERSIONS {
        assert_eq!(code(version, "SEND\n\nx\0"), "missing-header");
        assert_eq!(code(version, "SEND\ndestination:\n\nx\0"), "missing-header");
    }
}

/// SEND-02.
#[test]
fn user_headers_are_handed_on_unchanged() {
    for version in VERSIONS {
        let send = send(version, "SEND\ndestination:/topic/a\nx-one: 1 \ncolour:\nX-One:2\n\nx\0");
        let headers: Vec<_> = send.headers.iter().skip(1).collect();
        assert_eq!(headers, [("x-one", " 1 "), ("colour", ""), ("X-One", "2")]);
    }
}

/// SEND-07, here: they are typed fields, so that nobody has to look for them.
#[test]
fn receipt_and_transaction_of_send_are_taken_out() {
    let send = send(Version::V1_2, "SEND\ndestination:/topic/a\nreceipt:r\ntransaction:t\n\nx\0");
    assert_eq!((send.receipt.as_deref(), send.transaction.as_deref()), (Some("r"), Some("t")));
}
