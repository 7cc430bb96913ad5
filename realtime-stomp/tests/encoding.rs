//! Chapter ENC: escapes in names and values, both ways and across versions; and what ALL demands of server frames.

mod support;

use parlor_stomp::{Command, Fault, Headers, MessageHead, Version, encode_frame, encode_message_into, encode_receipt};
use proptest::prelude::*;
use support::{FROM_1_1, VERSIONS, code, seen, send, subscribe};

fn message(headers: &Headers, body: &[u8], version: Version) -> (Vec<u8>, bool) {
    let head = MessageHead {
        subscription: Some("sub-0"),
        message_id: "m-1",
        destination: "/topic/a",
        content_type: Some("text/plain"),
        ack: None,
        extensions: &[],
        headers,
    };
    let mut out = Vec::new();
    let text = encode_message_into(&head, body, version, &mut out);
    (out, text)
}

/// The value of the header `name` of a SEND, written as `line`.
fn value(version: Version, line: &str, name: &str) -> Option<String> {
    let send = send(version, format!("SEND\ndestination:/topic/a\n{line}\n\nx\0"));
    send.headers.get(name).map(str::to_owned)
}

/// The lines of a MESSAGE with this header, written for `version`.
fn written(version: Version, name: &str, value: &str) -> String {
    let headers: Headers = [(name, value)].into_iter().collect();
    let (out, _) = message(&headers, b"", version);
    let written = String::from_utf8_lossy(&out);
    match written.strip_suffix("\n\n\0").and_then(|head| head.rsplit_once("content-length:0")) {
        Some((_, lines)) => lines.trim_start_matches('\n').to_owned(),
        None => panic!("{written:?} is no MESSAGE without a body"),
    }
}

/// ENC-01, ENC-03.
#[test]
fn escapes_are_decoded_in_names_and_values() {
    for version in FROM_1_1 {
        assert_eq!(value(version, "na\\c\\n\\\\me:a\\cb\\nc\\\\d", "na:\n\\me").as_deref(), Some("a:b\nc\\d"));
    }
    assert_eq!(value(Version::V1_2, "na\\rme:a\\rb", "na\rme").as_deref(), Some("a\rb"));
}

/// ENC-01, ALL-02.
#[test]
fn escapes_are_written_in_names_and_values() {
    assert_eq!(written(Version::V1_1, "n:\n\\", "v:\n\\"), "n\\c\\n\\\\:v\\c\\n\\\\");
    assert_eq!(written(Version::V1_2, "n:\n\r\\", "v:\n\r\\"), "n\\c\\n\\r\\\\:v\\c\\n\\r\\\\");
}

/// ENC-02.
#[test]
fn decoding_is_one_pass_from_left_to_right() {
    for version in FROM_1_1 {
        assert_eq!(value(version, "name:\\\\n", "name").as_deref(), Some("\\n"));
        assert_eq!(value(version, "name:\\\\\\\\c\\c", "name").as_deref(), Some("\\\\c:"));
    }
}

/// ENC-04, ENC-06.
#[test]
fn an_undefined_or_unfinished_escape_is_a_fault() {
    for version in FROM_1_1 {
        for line in ["name:\\t", "name:\\", "name\\:value", "na\\tme:value", "name:\\N", "name:a\\ b", "name:\\\u{e4}"]
        {
            let octets = format!("SEND\ndestination:/topic/a\n{line}\n\nx\0");
            assert_eq!(code(version, octets), "undefined-escape", "{line}");
        }
    }
}

/// ENC-05.
#[test]
fn an_escaped_cr_is_undefined_in_1_1() {
    assert_eq!(code(Version::V1_1, "SEND\ndestination:/topic/a\nname:a\\rb\n\nx\0"), "undefined-escape");
}

/// ENC-07.
#[test]
fn spaces_are_neither_trimmed_nor_added() {
    for version in VERSIONS {
        assert_eq!(value(version, " name : value ", " name ").as_deref(), Some(" value "));
        assert_eq!(written(version, " name ", " value "), " name : value ");
    }
}

/// ENC-08.
#[test]
fn headers_are_utf_8() {
    for version in VERSIONS {
        assert_eq!(value(version, "n\u{e4}me:\u{1f600} \u{202e}", "n\u{e4}me").as_deref(), Some("\u{1f600} \u{202e}"));
        assert_eq!(written(version, "n\u{e4}me", "\u{1f600}"), "n\u{e4}me:\u{1f600}");
    }
}

/// ENC-09.
#[test]
fn version_1_0_has_no_escapes_either_way() {
    assert_eq!(value(Version::V1_0, "name:C:\\temp\\new\\", "name").as_deref(), Some("C:\\temp\\new\\"));
    assert_eq!(written(Version::V1_0, "na\\me", "C:\\temp"), "na\\me:C:\\temp");
}

/// ENC-10 to ENC-12: decoded by the publisher's rules, written by each subscriber's.
#[test]
fn a_header_crosses_versions_by_value() {
    let from_1_2 = value(Version::V1_2, "name:a\\cb\\nc\\rd\\\\e", "name").unwrap();
    assert_eq!(from_1_2, "a:b\nc\rd\\e");
    assert_eq!(written(Version::V1_2, "name", &from_1_2), "name:a\\cb\\nc\\rd\\\\e");
    assert_eq!(written(Version::V1_1, "name", &from_1_2), "name:a\\cb\\ncd\\\\e", "1.1 cannot carry CR");
    assert_eq!(written(Version::V1_0, "name", &from_1_2), "name:a:bcd\\e", "1.0 can carry neither LF nor CR");
    let from_1_0 = value(Version::V1_0, "name:a\\n:b", "name").unwrap();
    assert_eq!(written(Version::V1_2, "name", &from_1_0), "name:a\\\\n\\cb");
}

/// ENC-10 to ENC-12, MSG-04: what is left of a name could be another header's, so the header is left out whole.
#[test]
fn what_a_version_cannot_carry_is_left_out_and_never_sent_raw() {
    assert_eq!(written(Version::V1_0, "name", "\nv\r\n"), "name:v");
    for name in ["co:de", "\ncode", "\rcode", "\0code", ""] {
        assert_eq!(written(Version::V1_0, name, "v"), "", "{name:?}");
    }
    assert_eq!(written(Version::V1_1, "\rcode", "v"), "");
    for version in VERSIONS {
        assert_eq!(written(version, "name", "v\0w"), "name:vw");
        assert_eq!(written(version, "co\0de", "v"), "");
    }
}

/// ENC-13, ALL-06.
#[test]
fn receipt_id_gives_back_the_same_value() {
    for version in FROM_1_1 {
        let asked = send(version, "SEND\ndestination:/topic/a\nreceipt:a\\cb\\\\c\\nd e\n\nx\0").receipt.unwrap();
        let frame = seen(Some(version), &encode_receipt(&asked, version));
        assert_eq!((frame.command, frame.headers.get("receipt-id")), (Command::Receipt, Some("a:b\\c\nd e")));
    }
    let asked = send(Version::V1_0, "SEND\ndestination:/topic/a\nreceipt:a:b\\c\n\nx\0").receipt.unwrap();
    assert_eq!(&encode_receipt(&asked, Version::V1_0).bytes[..], b"RECEIPT\nreceipt-id:a:b\\c\n\n\0");
}

/// ENC-14.
#[test]
fn ids_are_opaque() {
    for version in FROM_1_1 {
        let subscribe = subscribe(version, "SUBSCRIBE\nid:a\\cb c\ndestination:/topic/a\n\n\0");
        assert_eq!(subscribe.id.to_string(), "a:b c");
        let send = send(version, "SEND\ndestination:/topic/a\ntransaction:t\\c 1\n\nx\0");
        assert_eq!(send.transaction.as_deref(), Some("t: 1"));
    }
}

/// ENC-15.
#[test]
fn destinations_are_opaque() {
    for version in FROM_1_1 {
        assert_eq!(send(version, "SEND\ndestination:/topic/a\\cb\n\nx\0").destination, "/topic/a:b");
    }
    assert_eq!(send(Version::V1_0, "SEND\ndestination:/topic/a:b\n\nx\0").destination, "/topic/a:b");
}

/// ENC-16.
#[test]
fn header_octets_that_are_not_utf_8_are_a_fault() {
    for version in FROM_1_1 {
        assert_eq!(code(version, b"SEND\ndestination:/topic/a\nname:\xff\xfe\n\nx\0"), "invalid-utf8");
    }
}

/// S-03, ALL-01: nothing that a value holds adds a header or ends the frame.
#[test]
fn a_value_cannot_add_a_header() {
    let headers: Headers = [("name", "v\nadmin:yes\r\n\n\0MESSAGE\n"), ("a\nb:c", "w")].into_iter().collect();
    for version in VERSIONS {
        let (out, text) = message(&headers, b"body", version);
        let frame = seen(Some(version), &parlor_stomp::Encoded { bytes: out.into(), text });
        assert_eq!(frame.headers.get("admin"), None, "{frame:?}");
        let count = if version == Version::V1_0 { 6 } else { 7 };
        assert_eq!((frame.headers.len(), &frame.body[..]), (count, &b"body"[..]));
    }
}

/// ALL-02: from 1.1 on a line of a server has one colon.
#[test]
fn no_bare_colon_stands_in_a_value_from_1_1_on() {
    for version in FROM_1_1 {
        assert_eq!(written(version, "url", "http://h:80/"), "url:http\\c//h\\c80/");
        let error = Fault::new("code:x", "a: b").with_receipt("r:1").encode(version);
        let head = std::str::from_utf8(&error.bytes).unwrap().split_once("\n\n").unwrap().0;
        assert!(head.lines().skip(1).all(|line| line.matches(':').count() == 1), "{head}");
    }
}

/// ALL-04, ALL-05, BODY-10.
#[test]
fn a_message_has_every_header_it_needs_and_no_other_displaces_them() {
    let forged: Headers = [("message-id", "x"), ("subscription", "x"), ("content-length", "0")].into_iter().collect();
    for version in VERSIONS {
        let (out, text) = message(&forged, b"a\0b", version);
        let frame = seen(Some(version), &parlor_stomp::Encoded { bytes: out.into(), text });
        let got = |name| frame.headers.get(name);
        assert_eq!((got("subscription"), got("message-id")), (Some("sub-0"), Some("m-1")));
        assert_eq!((got("destination"), got("content-type")), (Some("/topic/a"), Some("text/plain")));
        assert_eq!((got("content-length"), got("ack"), &frame.body[..]), (Some("3"), None, &b"a\0b"[..]));
    }
}

/// MSG-03.
#[test]
fn a_message_has_the_ack_that_it_is_given() {
    let head = MessageHead {
        subscription: None,
        message_id: "m-1",
        destination: "/topic/a",
        content_type: None,
        ack: Some("a-1"),
        extensions: &[],
        headers: &Headers::default(),
    };
    let mut out = Vec::new();
    assert!(encode_message_into(&head, b"", Version::V1_2, &mut out));
    assert_eq!(out, b"MESSAGE\nmessage-id:m-1\ndestination:/topic/a\nack:a-1\ncontent-length:0\n\n\0");
}

/// WS-12, WS-18: what is UTF-8 is text, everything else is not.
#[test]
fn a_frame_is_text_where_all_of_it_is_utf_8() {
    let headers: Headers = [("name", "\u{1f600}")].into_iter().collect();
    for version in VERSIONS {
        assert!(message(&headers, "gr\u{fc}n\0".as_bytes(), version).1);
        assert!(!message(&headers, b"\xff", version).1);
        assert!(!encode_frame(Command::Send, &headers, b"\xc3", version).text);
        assert!(encode_receipt("\u{e4}", version).text);
    }
}

/// A message is appended: what stands before it stays.
#[test]
fn a_message_is_appended_to_what_is_there() {
    let mut out = b"0123456789".to_vec();
    let headers = Headers::default();
    let head = MessageHead {
        subscription: None,
        message_id: "m",
        destination: "/d",
        content_type: None,
        ack: None,
        extensions: &[],
        headers: &headers,
    };
    encode_message_into(&head, b"hi", Version::V1_0, &mut out);
    assert_eq!(out, b"0123456789MESSAGE\nmessage-id:m\ndestination:/d\ncontent-length:2\n\nhi\0");
}

/// A text that `version` can carry.
fn carried(version: Version, is_name: bool) -> impl Strategy<Value = String> {
    let fits = move |char: &char| match (version, char) {
        (_, '\0') => false,
        (Version::V1_0, '\n' | '\r') | (Version::V1_1, '\r') => false,
        (Version::V1_0, ':') => !is_name,
        _ => true,
    };
    let char = prop_oneof![Just('\\'), Just(':'), Just('\n'), Just('\r'), Just('n'), any::<char>()];
    proptest::collection::vec(char.prop_filter("carried", fits), usize::from(is_name)..12)
        .prop_map(|chars| chars.into_iter().collect())
}

fn headers(version: Version) -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec((carried(version, true), carried(version, false)), 0..8)
}

proptest! {
    /// ENC-01, ALL-11: what is written is read back, for each version and whatever it can carry.
    #[test]
    fn what_is_encoded_is_decoded(
        (version, headers) in prop_oneof![Just(Version::V1_0), Just(Version::V1_1), Just(Version::V1_2)]
            .prop_flat_map(|version| (Just(version), headers(version))),
        body in proptest::collection::vec(any::<u8>(), 0..200),
        command in prop_oneof![Just(Command::Send), Just(Command::Message), Just(Command::Error)],
    ) {
        let length = body.len().to_string();
        let all: Headers = headers.iter().map(|(name, value)| (&name[..], &value[..]))
            .chain([("content-length", &length[..])]).collect();
        let frame = seen(Some(version), &encode_frame(command, &all, &body, version));
        prop_assert_eq!(frame.command, command);
        prop_assert_eq!(frame.headers, all);
        prop_assert_eq!(&frame.body[..], &body[..]);
    }

    /// ALL-01: whatever headers hold, a server's frame is a frame, with the body it was given.
    #[test]
    fn anything_is_encoded_as_a_frame(
        pairs in proptest::collection::vec((any::<String>(), any::<String>()), 0..6),
        body in proptest::collection::vec(any::<u8>(), 0..50),
    ) {
        let headers: Headers = pairs.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        for version in VERSIONS {
            let (out, text) = message(&headers, &body, version);
            prop_assert_eq!(text, std::str::from_utf8(&out).is_ok());
            let frame = seen(Some(version), &parlor_stomp::Encoded { bytes: out.into(), text });
            prop_assert_eq!(&frame.body[..], &body[..]);
        }
    }
}
